"""What is known of expressions and values before any code runs."""

from __future__ import annotations

from llvmlite import ir

from ...ir import prim, tir
from ...ir.prim import PrimExpr
from .types import known, lanes_of

DIVISIONS = (prim.FloorDiv, prim.FloorMod, prim.Div, prim.Mod)


def fold(kind: type, x: int | None, y: int | None) -> int | None:
    """The result of an operator on two known numbers."""
    if x is None or y is None or kind in DIVISIONS and y == 0:
        return None
    if kind in (prim.Div, prim.Mod):
        q = prim.truncdiv_int(x, y)
        return q if kind is prim.Div else x - y * q
    table = {prim.Add: int.__add__, prim.Sub: int.__sub__, prim.Mul: int.__mul__, prim.Min: min,
             prim.Max: max, prim.FloorDiv: int.__floordiv__, prim.FloorMod: int.__mod__}
    value = table[kind](x, y)
    return value if -2**63 <= value < 2**63 else None


def nonzero_vector(y: ir.Value) -> bool:
    """Whether `y` is a literal vector without a zero."""
    if not isinstance(y, ir.Constant) or not isinstance(y.constant, list):
        return False
    return all(known(c) not in (0, None) for c in y.constant)


def may_fail(e: PrimExpr) -> bool:
    """Whether an expression can fail or costs much: what must not be evaluated in vain."""
    if isinstance(e, (tir.BufferLoad, prim.Call)):
        return True
    if isinstance(e, DIVISIONS) and not e.dtype.is_float and not prim.as_int(e.b):
        return True
    return any(may_fail(c) for c in e.children() if isinstance(c, PrimExpr))


def reduce_and(b: ir.IRBuilder, mask: ir.Value) -> ir.Value:
    """Whether all lanes hold."""
    lanes = lanes_of(mask)
    bits = b.bitcast(mask, ir.IntType(lanes))
    return b.icmp_unsigned("==", bits, ir.Constant(ir.IntType(lanes), (1 << lanes) - 1))
