"""Operators of the scalar language as LLVM instructions, on scalars and vectors alike."""

from __future__ import annotations

from llvmlite import ir

from ...ir import prim
from ...ir.dtypes import DataType
from .types import FLOAT, I16, I32, I64, known, lanes_of, register_type, splat, with_lanes

FUSE = ("contract",)
REASSOCIATE = ("contract", "reassoc", "nsz")

_FLOAT_OPS = {prim.Add: "fadd", prim.Sub: "fsub", prim.Mul: "fmul", prim.Div: "fdiv",
              prim.Mod: "frem"}
_INT_OPS = {prim.Add: "add", prim.Sub: "sub", prim.Mul: "mul"}
_COMPARE = {prim.EQ: "==", prim.NE: "!=", prim.LT: "<", prim.LE: "<=", prim.GT: ">", prim.GE: ">="}


def binary(b: ir.IRBuilder, kind: type, x: ir.Value, y: ir.Value, t: DataType,
           flags: tuple[str, ...] = FUSE) -> ir.Value:
    """`kind(x, y)` of two values of dtype `t`. An integer divisor must not be zero."""
    if kind in _COMPARE:
        return compare(b, kind, x, y, t)
    if kind in (prim.Min, prim.Max):
        return _extreme(b, kind, x, y, t)
    if kind in (prim.And, prim.Or):
        return (b.and_ if kind is prim.And else b.or_)(x, y)
    if t.is_float:
        if kind in (prim.FloorDiv, prim.FloorMod):
            return _float_floor(b, kind, x, y)
        return getattr(b, _FLOAT_OPS[kind])(x, y, flags=flags)
    if kind in _INT_OPS:
        return getattr(b, _INT_OPS[kind])(x, y)
    return divide(b, kind, x, y, signed=t.kind == "int")


def compare(b: ir.IRBuilder, kind: type, x, y, t: DataType) -> ir.Value:
    """A comparison; `!=` of a NaN holds, every other one does not."""
    symbol = _COMPARE[kind]
    if t.is_float:
        return (b.fcmp_unordered if kind is prim.NE else b.fcmp_ordered)(symbol, x, y)
    return (b.icmp_signed if t.kind == "int" else b.icmp_unsigned)(symbol, x, y)


def _extreme(b: ir.IRBuilder, kind: type, x, y, t: DataType) -> ir.Value:
    """The smaller or larger: `x if x < y else y`, which is one machine instruction."""
    test = compare(b, prim.LT if kind is prim.Min else prim.GT, x, y, t)
    return b.select(test, x, y)


def _float_floor(b: ir.IRBuilder, kind: type, x, y) -> ir.Value:
    quotient = unary(b, "llvm.floor", b.fdiv(x, y))
    if kind is prim.FloorDiv:
        return quotient
    rest = b.frem(x, y)
    zero = ir.Constant(rest.type, None)
    wrong = b.and_(b.fcmp_ordered("!=", rest, zero),
                   b.xor(b.fcmp_ordered("<", rest, zero), b.fcmp_ordered("<", y, zero)))
    return b.select(wrong, b.fadd(rest, y), rest)


def divide(b: ir.IRBuilder, kind: type, x, y, signed: bool, positive: bool = False) -> ir.Value:
    """Integer division or remainder. `positive`: neither operand is negative."""
    remainder = kind in (prim.Mod, prim.FloorMod)
    if not signed or positive:
        return (b.urem if remainder else b.udiv)(x, y)
    if kind in (prim.FloorDiv, prim.FloorMod):
        return _floor_divide(b, remainder, x, y)
    # the most negative number over -1 traps: divide by 1 and negate instead
    minus = b.icmp_signed("==", y, ir.Constant(y.type, _all(y.type, -1)))
    safe = b.select(minus, ir.Constant(y.type, _all(y.type, 1)), y)
    if remainder:
        return b.srem(x, safe)
    return b.select(minus, b.neg(x), b.sdiv(x, safe))


def _all(t: ir.Type, value: int):
    return [ir.Constant(t.element, value)] * t.count if isinstance(t, ir.VectorType) else value


def _floor_divide(b: ir.IRBuilder, remainder: bool, x, y) -> ir.Value:
    divisor = known(y)
    if divisor is not None and divisor > 0 and divisor & (divisor - 1) == 0:
        if remainder:
            return b.and_(x, ir.Constant(x.type, divisor - 1))
        return b.ashr(x, ir.Constant(x.type, divisor.bit_length() - 1))
    quotient = divide(b, prim.Div, x, y, True)
    rest = b.sub(x, b.mul(quotient, y))
    zero = ir.Constant(rest.type, None)
    wrong = b.and_(b.icmp_signed("!=", rest, zero),
                   b.icmp_signed("<", b.xor(rest, y), zero))
    if remainder:
        return b.select(wrong, b.add(rest, y), rest)
    return b.select(wrong, b.sub(quotient, ir.Constant(quotient.type, _all(quotient.type, 1))),
                    quotient)


def unary(b: ir.IRBuilder, name: str, x: ir.Value) -> ir.Value:
    """An LLVM intrinsic of one argument, by its name without the type: "llvm.sqrt"."""
    return intrinsic(b, name, (x,))


def intrinsic(b: ir.IRBuilder, name: str, args, result: ir.Type | None = None) -> ir.Value:
    """An overloaded LLVM intrinsic of arguments of one type."""
    t = args[0].type
    function = b.module.globals.get(full := f"{name}.{type_suffix(t)}")
    if function is None:
        signature = ir.FunctionType(result or t, [a.type for a in args])
        function = ir.Function(b.module, signature, full)
    return b.call(function, args)


def type_suffix(t: ir.Type) -> str:
    """How an intrinsic's name spells a type: `v8f32`."""
    if isinstance(t, ir.VectorType):
        return f"v{t.count}{t.element.intrinsic_name}"
    return t.intrinsic_name


# --- conversions ----------------------------------------------------------------------------

def convert(b: ir.IRBuilder, x: ir.Value, source: DataType, to: DataType) -> ir.Value:
    """A cast: floats to integers toward zero, integers wrap around, bool is `!= 0`."""
    target = register_type(to.with_lanes(lanes_of(x)))
    if source.element == to.element or (x.type == target and _kind(source) == _kind(to)):
        return x
    if to.is_bool:
        zero = ir.Constant(x.type, None)
        return b.fcmp_unordered("!=", x, zero) if source.is_float else b.icmp_signed("!=", x, zero)
    if source.is_float and to.is_float:
        return _resize_float(b, x, source, to, target)
    if source.is_float:
        return _to_integer(b, x, to, target)
    signed = source.kind == "int"
    if to.is_float:
        return (b.sitofp if signed else b.uitofp)(x, target)
    if x.type == target:
        return x
    if source.bits > to.bits:
        return b.trunc(x, target)
    return (b.sext if signed else b.zext)(x, target)


def _kind(t: DataType) -> str:
    return "int" if t.is_int else t.element


def _resize_float(b: ir.IRBuilder, x, source: DataType, to: DataType, target: ir.Type):
    if to.element == "bfloat16":
        x = x if source.bits == 32 else _resize_float(b, x, source, DataType("float32"), target)
        return widen_bfloat(b, narrow_bfloat(b, x))
    if x.type == target:
        return x
    source_bits = 32 if source.element == "bfloat16" else source.bits
    if source_bits == 64 and to.bits == 16:
        x = _narrow_to_odd(b, x)
    return (b.fptrunc if source_bits > to.bits else b.fpext)(x, target)


def _narrow_to_odd(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """A double as a float rounded to odd, so that rounding it again to half is right.

    The instruction from double to half would need a run-time library."""
    lanes = lanes_of(x)
    integer = with_lanes(I32, lanes)
    near = b.fptrunc(x, with_lanes(FLOAT, lanes))
    back, bits = b.fpext(near, x.type), b.bitcast(near, integer)
    one = splat(b, ir.Constant(I32, 1), lanes)
    even = b.icmp_unsigned("==", b.and_(bits, one), ir.Constant(integer, None))
    inexact = b.and_(even, b.fcmp_ordered("!=", back, x))
    below = b.fcmp_ordered("<", unary(b, "llvm.fabs", back), unary(b, "llvm.fabs", x))
    odd = b.select(below, b.add(bits, one), b.sub(bits, one))
    return b.bitcast(b.select(inexact, odd, bits), near.type)


def _to_integer(b: ir.IRBuilder, x, to: DataType, target: ir.Type) -> ir.Value:
    """Toward zero; through 64 bits, so that small types wrap as NumPy's do, saturating there."""
    lanes = lanes_of(x)
    wide = target if to.bits >= 32 and to.kind == "int" else with_lanes(I64, lanes)
    name = "llvm.fptoui.sat" if to == "uint64" else "llvm.fptosi.sat"
    full = f"{name}.{type_suffix(wide)}.{type_suffix(x.type)}"
    function = b.module.globals.get(full) or \
        ir.Function(b.module, ir.FunctionType(wide, [x.type]), full)
    value = b.call(function, [x])
    return value if wide == target else b.trunc(value, target)


def widen_bfloat(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """16 bits of a bfloat16 as a float."""
    lanes = lanes_of(x)
    wide = b.zext(x, with_lanes(I32, lanes))
    sixteen = splat(b, ir.Constant(I32, 16), lanes)
    return b.bitcast(b.shl(wide, sixteen), with_lanes(FLOAT, lanes))


def narrow_bfloat(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """A float rounded to the nearest bfloat16 (ties to even), as 16 bits."""
    lanes = lanes_of(x)

    def number(n: int) -> ir.Value:
        return splat(b, ir.Constant(I32, n), lanes)

    bits = b.bitcast(x, with_lanes(I32, lanes))
    odd = b.and_(b.lshr(bits, number(16)), number(1))
    rounded = b.lshr(b.add(b.add(bits, number(0x7FFF)), odd), number(16))
    nan = b.fcmp_unordered("uno", x, x)
    return b.trunc(b.select(nan, number(0x7FC0), rounded), with_lanes(I16, lanes))
