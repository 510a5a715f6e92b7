"""`T.dot(sums, x, y)`: adds to each sum the products of its group of neighbours.

    sums[i] + x[g*i]*y[g*i] + ... + x[g*i + g-1]*y[g*i + g-1]

Processors that have an instruction for it get that one; elsewhere the products are formed in the
type of the sums, which LLVM turns into `pmaddwd` for pairs of 16-bit integers."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from ...ir.dtypes import DataType
from ...target import Cpu
from .arithmetic import convert, widen_bfloat
from .types import FLOAT, I8, I32, lanes_of, with_lanes


class _BFloat(ir.Type):
    """LLVM's bfloat, which llvmlite has no name for."""

    intrinsic_name = "bf16"

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other):
        return isinstance(other, _BFloat)

    def __hash__(self):
        return hash("bfloat")


@dataclass(frozen=True)
class Instruction:
    """An instruction on `lanes` sums: LLVM's name of it, the type that its operands have there,
    and whether it takes the second one first."""

    name: str
    lanes: int
    operand: ir.Type
    swapped: bool = False


def instruction(cpu: Cpu, x: str, y: str, lanes: int) -> Instruction | None:
    """The widest one for elements of dtypes `x` and `y` that fits into `lanes` sums."""
    width = min(cpu.lanes, 1 << lanes.bit_length() - 1)
    if (x, y) not in cpu.dots or width < 4:
        return None
    if cpu.x86:
        words = with_lanes(I32, width)
        if x == "bfloat16":
            return Instruction(f"llvm.x86.avx512bf16.dpbf16ps.{32 * width}", width, words)
        if x == y:
            signs = "uud" if x == "uint8" else "ssd"
            return Instruction(f"llvm.x86.avx2.vpdpb{signs}.{32 * width}", width, words) \
                if width < 16 else None
        return Instruction(f"llvm.x86.avx512.vpdpbusd.{32 * width}", width, words, x == "int8")
    if x == "bfloat16":
        return Instruction("llvm.aarch64.neon.bfdot.v4f32.v8bf16", 4, with_lanes(_BFloat(), 8))
    name = "usdot" if x != y else "udot" if x == "uint8" else "sdot"
    return Instruction(f"llvm.aarch64.neon.{name}.v4i32.v16i8", 4, with_lanes(I8, 16),
                       (x, y) == ("int8", "uint8"))


def dot(b: ir.IRBuilder, cpu: Cpu, sums: ir.Value, x: ir.Value, y: ir.Value,
        to: DataType, kinds: tuple[DataType, DataType]) -> ir.Value:
    """The new sums. Operands of bfloat16 come as their bits."""
    lanes, group = lanes_of(sums), lanes_of(x) // lanes_of(sums)
    done, parts = 0, []
    while done < lanes:
        found = instruction(cpu, kinds[0].element, kinds[1].element, lanes - done)
        if found is not None and group * kinds[0].bits != 32 or to.bits != 32:
            found = None
        count = found.lanes if found else lanes - done
        part = [_slice(b, v, done * n, count * n) for v, n in ((sums, 1), (x, group), (y, group))]
        parts.append(_issue(b, found, *part) if found else _expanded(b, *part, to, kinds))
        done += count
    return _joined(b, parts)


def _issue(b: ir.IRBuilder, row: Instruction, sums, x, y) -> ir.Value:
    function = b.module.globals.get(row.name) or ir.Function(
        b.module, ir.FunctionType(sums.type, [sums.type, row.operand, row.operand]), row.name)
    x, y = (y, x) if row.swapped else (x, y)
    return b.call(function, [sums, b.bitcast(x, row.operand), b.bitcast(y, row.operand)])


def _expanded(b: ir.IRBuilder, sums, x, y, to: DataType, kinds) -> ir.Value:
    """The products in the type of the sums, added group by group."""
    lanes, group = lanes_of(sums), lanes_of(x) // lanes_of(sums)
    x, y = (_widened(b, v, kind.with_lanes(lanes * group), to) for v, kind in zip((x, y), kinds))
    products = (b.fmul if to.is_float else b.mul)(x, y)
    add = b.fadd if to.is_float else b.add
    total = _every(b, products, 0, group, lanes)
    for k in range(1, group):
        total = add(total, _every(b, products, k, group, lanes))
    return add(sums, total)


def _widened(b: ir.IRBuilder, value: ir.Value, source: DataType, to: DataType) -> ir.Value:
    if source.element == "bfloat16":
        value = widen_bfloat(b, value)
        return value if value.type.element == FLOAT and to.bits == 32 else \
            convert(b, value, DataType("float32"), to)
    return convert(b, value, source, to.element.with_lanes(source.lanes))


def _every(b: ir.IRBuilder, value: ir.Value, first: int, step: int, count: int) -> ir.Value:
    """Lanes `first`, `first + step`, ...: `count` of them."""
    if count == 1:
        return b.extract_element(value, ir.Constant(I32, first)) \
            if isinstance(value.type, ir.VectorType) else value
    if lanes_of(value) == count:
        return value
    places = [ir.Constant(I32, first + step * k) for k in range(count)]
    return b.shuffle_vector(value, ir.Constant(value.type, ir.Undefined),
                            ir.Constant(ir.VectorType(I32, count), places))


def _slice(b: ir.IRBuilder, value: ir.Value, first: int, count: int) -> ir.Value:
    return value if lanes_of(value) == count else _every(b, value, first, 1, count)


def _joined(b: ir.IRBuilder, parts: list[ir.Value]) -> ir.Value:
    """The lanes of all parts in one vector."""
    if len(parts) == 1:
        return parts[0]
    whole = sum(map(lanes_of, parts))
    kind = with_lanes(parts[0].type.element, whole)
    result, at = ir.Constant(kind, ir.Undefined), 0
    for part in parts:
        for k in range(lanes_of(part)):
            one = b.extract_element(part, ir.Constant(I32, k)) if lanes_of(part) > 1 else part
            result = b.insert_element(result, one, ir.Constant(I32, at + k))
        at += lanes_of(part)
    return result
