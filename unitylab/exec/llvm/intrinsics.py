"""Intrinsics of the scalar language as LLVM code: one row each.

A row is called with (builder, arguments, dtype of the first argument, dtype of the result).
Functions that networks use are vector code of our own (`elementary`); the others go to the C
library lane by lane.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from ...ir import prim
from ...ir.dtypes import FLOAT32, DataType, dtype
from .arithmetic import binary, compare, convert, intrinsic, unary
from .elementary import error_function, exponential, logarithm, power, trigonometric
from .types import I1, I32, I64, constant, lanes_of

Row = Callable[[ir.IRBuilder, list, DataType, DataType], ir.Value]


def _llvm(name: str) -> Row:
    """An LLVM intrinsic that takes floats of any width."""
    return lambda b, args, t, to: intrinsic(b, f"llvm.{name}", args)


def _rounding(name: str) -> Row:
    """Rounds floats; an integer is round already."""
    return lambda b, args, t, to: intrinsic(b, f"llvm.{name}", args) if t.is_float else args[0]


def _libm(name: str) -> Row:
    """A function of the C library, lane by lane; half precision goes through float."""
    def row(b: ir.IRBuilder, args: list, t: DataType, to: DataType) -> ir.Value:
        wide = dtype("float64" if t.bits == 64 else "float32")
        args = [convert(b, a, t, wide) for a in args]
        symbol = name if wide.bits == 64 else f"{name}f"
        return convert(b, by_lanes(b, symbol, args), wide, t)
    return row


def by_lanes(b: ir.IRBuilder, symbol: str, args: list) -> ir.Value:
    """Calls a scalar C function for each lane."""
    lanes = lanes_of(args[0])
    scalar = args[0].type.element if lanes > 1 else args[0].type
    function = b.module.globals.get(symbol)
    if function is None:
        function = ir.Function(b.module, ir.FunctionType(scalar, [scalar] * len(args)), symbol)
        function.attributes.add("nounwind")
    if lanes == 1:
        return b.call(function, args)
    result: ir.Value = ir.Constant(args[0].type, ir.Undefined)
    for k in range(lanes):
        at = ir.Constant(I32, k)
        one = b.call(function, [b.extract_element(a, at) for a in args])
        result = b.insert_element(result, one, at)
    return result


def _own(function: Callable, double: Row | None = None) -> Row:
    """Vector code of our own, in float for half precision. `double`: what float64 takes instead."""
    def row(b: ir.IRBuilder, args: list, t: DataType, to: DataType) -> ir.Value:
        if t.bits == 64:
            return double(b, args, t, to) if double is not None else function(b, *args)
        args = [convert(b, a, t, FLOAT32) for a in args]
        return convert(b, function(b, *args), FLOAT32, t)
    return row


def _rsqrt(b, args, t, to):
    return b.fdiv(constant(1, t), unary(b, "llvm.sqrt", args[0]))


def _abs(b, args, t, to):
    if t.is_float:
        return unary(b, "llvm.fabs", args[0])
    if t.kind != "int":
        return args[0]
    return b.select(b.icmp_signed("<", args[0], constant(0, t)), b.neg(args[0]), args[0])


def _pow(b, args, t, to):
    if not t.is_float:
        wide = dtype("float64").with_lanes(t.lanes)
        args = [convert(b, a, t, wide) for a in args]
        return convert(b, intrinsic(b, "llvm.pow", args), wide, t)
    return _literal_power(b, *args) or _own(power.pow, _llvm("pow"))(b, args, t, to)


def _literal_power(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value | None:
    """Exponents that are a product or two."""
    value = y.constant if isinstance(y, ir.Constant) else None
    if isinstance(value, list) and value and all(v.constant == value[0].constant for v in value):
        value = value[0].constant
    if value == 1:
        return x
    if value == 2:
        return b.fmul(x, x)
    if value == 3:
        return b.fmul(b.fmul(x, x), x)
    return None


def _ldexp(b, args, t, to):
    power = args[1] if args[1].type == args[0].type else b.sitofp(args[1], args[0].type)
    return b.fmul(args[0], unary(b, "llvm.exp2", power))


def _bit(name: str) -> Row:
    return lambda b, args, t, to: getattr(b, name)(*args)


def _shift(left: bool) -> Row:
    """A shift; by the width or more it gives what the mathematics gives."""
    def row(b, args, t, to):
        x, n = args
        limit = constant(t.bits, t)
        big = b.icmp_unsigned(">=", n, limit)
        if left:
            return b.select(big, constant(0, t), b.shl(x, b.select(big, constant(0, t), n)))
        safe = b.select(big, constant(t.bits - 1, t), n)
        if t.kind == "int":
            return b.ashr(x, safe)
        return b.select(big, constant(0, t), b.lshr(x, safe))
    return row


def _not(b, args, t, to):
    return b.not_(args[0])


def _popcount(b, args, t, to):
    return convert(b, unary(b, "llvm.ctpop", args[0]), t, to)


def _clz(b, args, t, to):
    full = f"llvm.ctlz.i{t.bits}"
    function = b.module.globals.get(full) or ir.Function(
        b.module, ir.FunctionType(args[0].type, [args[0].type, I1]), full)
    return convert(b, b.call(function, [args[0], ir.Constant(I1, 0)]), t, to)


def _isnan(b, args, t, to):
    if not t.is_float:
        return constant(0, to)
    return b.fcmp_unordered("uno", args[0], args[0])


def _isinf(b, args, t, to):
    if not t.is_float:
        return constant(0, to)
    return compare(b, prim.EQ, unary(b, "llvm.fabs", args[0]), constant(float("inf"), t), t)


def _isfinite(b, args, t, to):
    if not t.is_float:
        return constant(1, to)
    return compare(b, prim.LT, unary(b, "llvm.fabs", args[0]), constant(float("inf"), t), t)


def _first(b, args, t, to):
    return args[0]


def _isnullptr(b, args, t, to):
    return b.icmp_unsigned("==", b.ptrtoint(args[0], I64), ir.Constant(I64, 0))


def _fmod(b, args, t, to):
    return binary(b, prim.Mod, *args, t)



def _fma(b, args, t, to):
    if t.is_float:
        return intrinsic(b, "llvm.fma", args)
    return b.add(b.mul(args[0], args[1]), args[2])


ROWS: dict[str, Row] = {
    **{n: _llvm(n) for n in ("sqrt", "sinh", "cosh", "asin", "acos", "copysign", "atan2")},
    **{n: _rounding(n) for n in ("floor", "ceil", "trunc", "nearbyint")},
    **{n: _libm(n) for n in ("asinh", "acosh", "atanh", "hypot", "nextafter")},
    **{n: _bit(m) for n, m in (("bitwise_and", "and_"), ("bitwise_or", "or_"),
                               ("bitwise_xor", "xor"))},
    # largest errors in ulp: exp, exp2 1; exp10, log, log2, log10, log1p, expm1, erf 2; tanh,
    # sigmoid 3; pow 1; sin, cos, atan 2; tan 4 (tests/exec/test_elementary.py measures them)
    "exp": _own(exponential.exp), "exp2": _own(exponential.exp2),
    "exp10": _own(exponential.exp10, _llvm("exp10")), "expm1": _own(exponential.expm1),
    "tanh": _own(exponential.tanh), "sigmoid": _own(exponential.sigmoid),
    "log": _own(logarithm.log), "log2": _own(logarithm.log2, _llvm("log2")),
    "log10": _own(logarithm.log10, _llvm("log10")), "log1p": _own(logarithm.log1p),
    "erf": _own(error_function.erf, _libm("erf")),
    **{n: _own(getattr(trigonometric, n), _llvm(n)) for n in ("sin", "cos", "tan", "atan")},
    "round": _rounding("roundeven"), "rsqrt": _rsqrt, "fabs": _abs,
    "abs": _abs, "pow": _pow, "power": _pow, "ldexp": _ldexp, "fmod": _fmod, "fma": _fma,
    "shift_left": _shift(True), "shift_right": _shift(False), "bitwise_not": _not,
    "popcount": _popcount, "clz": _clz, "isnan": _isnan, "isinf": _isinf, "isfinite": _isfinite,
    "likely": _first, "isnullptr": _isnullptr,
}
