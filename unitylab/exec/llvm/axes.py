"""The dimensions of an access, and which of them are one in memory."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from ...ir import prim
from ...ir.prim import PrimExpr, as_int, literal
from ...ir.structural import structural_equal
from .types import known


@dataclass(frozen=True)
class Axis:
    """An index, what it must be below, and by how many elements it moves. `dim` is the dimension of
    the buffer; None if it is several, of which the index is proven to be right."""

    index: PrimExpr
    extent: PrimExpr
    stride: ir.Value
    dim: int | None


def joined_axis(outer: Axis, inner: Axis) -> Axis | None:
    """(e // c, e % c) of a dimension of size c as one index e."""
    size, rows = as_int(inner.extent), as_int(outer.extent)
    if size is None or rows is None or known(outer.stride) is None or \
            known(outer.stride) != size * (known(inner.stride) or 0):
        return None
    high, low = outer.index, inner.index
    if not isinstance(high, prim.FloorDiv) or not isinstance(low, prim.FloorMod) or \
            _number(high.b) != size or _number(low.b) != size:
        return None
    whole = high.a
    same = structural_equal(whole, low.a) or isinstance(whole, prim.FloorMod) and \
        structural_equal(whole.a, low.a) and (_number(whole.b) or 1) % size == 0
    if not same:
        return None
    return Axis(whole, literal(rows * size, inner.extent.dtype), inner.stride, None)


def _number(e: PrimExpr) -> int | None:
    """A literal, or that of all lanes."""
    return as_int(e.value if isinstance(e, prim.Broadcast) else e)
