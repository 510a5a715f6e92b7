"""What the parser of tensor programs keeps while it reads: suites, blocks, scalars; values of
attributes and regions."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir import prim, tir
from ..ir.errors import ParseError
from ..ir.node import FrozenDict, Node
from .values import Region


@dataclass
class Frame:
    """Statements of one suite; for a block also its parts."""

    stmts: list[tir.Stmt] = field(default_factory=list)
    block: str | None = None
    iter_vars: list[tir.IterVar] = field(default_factory=list)
    iter_values: list[prim.PrimExpr] = field(default_factory=list)
    predicate: list[prim.PrimExpr] = field(default_factory=list)
    reads: list[tir.BufferRegion] | None = None
    writes: list[tir.BufferRegion] | None = None
    annotations: dict = field(default_factory=dict)
    allocs: list[tir.Buffer] = field(default_factory=list)
    matches: list[tir.MatchBufferRegion] = field(default_factory=list)
    init: tir.Stmt | None = None


@dataclass(frozen=True)
class ScalarCell:
    """A local buffer of one element whose name reads and writes the element."""

    buffer: tir.Buffer

    def load(self, span) -> tir.BufferLoad:
        return tir.BufferLoad(self.buffer, (prim.literal(0),), span=span)

    def store(self, value: prim.PrimExpr) -> tir.BufferStore:
        return tir.BufferStore(self.buffer, prim.cast(value, self.buffer.dtype),
                               (prim.literal(0),))


def attr_value(v):
    """An attribute as plain value where it is a literal."""
    if isinstance(v, prim.IntImm):
        return bool(v.value) if v.dtype.is_bool else v.value
    if isinstance(v, prim.FloatImm) and v.dtype == "float32":
        return v.value
    if isinstance(v, (list, tuple)):
        return tuple(attr_value(x) for x in v)
    if isinstance(v, dict):
        return FrozenDict({k: attr_value(x) for k, x in v.items()})
    if callable(v) and not isinstance(v, Node):
        raise ParseError("a function is no value of an attribute here")
    return v


def point_region(load: tir.BufferLoad) -> tir.BufferRegion:
    """The region of one element (or of the vector that a load covers)."""
    ranges = []
    for i in load.indices:
        if isinstance(i, prim.Ramp):
            ranges.append(tir.Range(i.base, prim.literal(i.lanes, i.base.dtype)))
        else:
            ranges.append(tir.Range(i, prim.literal(1, i.dtype)))
    return tir.BufferRegion(load.buffer, tuple(ranges), span=load.span)


def region_of(value) -> tir.BufferRegion | None:
    """The region that `A`, `A[i, j]` or `A[0:4, j]` names; None for any other value."""
    if isinstance(value, Region):
        return value.region()
    if isinstance(value, tir.BufferLoad):
        return point_region(value)
    return value.region() if isinstance(value, tir.Buffer) else None
