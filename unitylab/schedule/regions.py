"""Which elements of a buffer are touched while some loops run: symbolic boxes with a step.

A reader's box may be too large, never too small; a writer's box counts only if it is filled without
gaps. `Span.step` tells: 1 means that every integer between the ends is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..arith.analyzer import Analyzer
from ..ir import prim
from ..ir.prim import PrimExpr, Var, as_int, literal
from ..ir.tir import Buffer, BufferRegion, For, Range
from ..ir.visitor import free_vars


@dataclass(frozen=True)
class Span:
    """The integers `low`, `low + step`, ..., `high` (inclusive); step 0: some of those between."""

    low: PrimExpr
    high: PrimExpr
    step: int = 1

    @property
    def is_point(self) -> bool:
        return self.low is self.high


Domain = Mapping[Var, Span]


def loop_domain(loops: Sequence[For]) -> dict[Var, Span]:
    """What the variables of loops run over."""
    return {l.loop_var: range_span(l.min, l.extent) for l in loops}


def range_span(low: PrimExpr, extent: PrimExpr) -> Span:
    if as_int(extent) == 1:
        return Span(low, low)
    return Span(low, prim.sub(prim.add(low, extent), 1))


class Relaxer:
    """Finds the span of expressions while the variables of a domain run; the others stay fixed."""

    def __init__(self, domain: Domain, analyzer: Analyzer):
        self.domain, self.analyzer = domain, analyzer
        for var, s in domain.items():
            analyzer.bind(var, Range(s.low, prim.add(prim.sub(s.high, s.low), 1)))

    def __call__(self, e: PrimExpr) -> Span | None:
        """The span, or None where nothing is known."""
        if not any(v in self.domain for v in free_vars(e)):
            return Span(e, e)
        if isinstance(e, Var):
            return self._variable(self.domain[e])
        if isinstance(e, prim.Cast) and e.dtype.is_int and e.value.dtype.is_int:
            s = self(e.value)
            return s and Span(prim.cast(s.low, e.dtype), prim.cast(s.high, e.dtype), s.step)
        rule = _RULES.get(type(e))
        if rule is None:
            return None
        a, b = self(e.a), self(e.b)
        return rule(self, a, b) if a is not None and b is not None else None

    def _variable(self, s: Span) -> Span:
        low, high = self(s.low), self(s.high)
        return Span(low.low, high.high, s.step) if low and high else s

    def width(self, s: Span) -> int | None:
        """high - low where it is a constant."""
        return as_int(self.analyzer.simplify(prim.sub(s.high, s.low)))

    def add(self, a: Span, b: Span) -> Span:
        low, high = prim.add(a.low, b.low), prim.add(a.high, b.high)
        if a.is_point or b.is_point:
            same = a.is_point and b.is_point
            low = high if same else low
            return Span(low, high, b.step if a.is_point else a.step)
        fine, coarse = sorted((a, b), key=lambda s: s.step or 1 << 60)
        width = self.width(fine)
        filled = fine.step and coarse.step and (
            fine.step == coarse.step or width is not None and width + fine.step >= coarse.step
            and coarse.step % fine.step == 0)
        return Span(low, high, fine.step if filled else 0)

    def sub(self, a: Span, b: Span) -> Span:
        minus = Span(prim.mul(b.high, -1), prim.mul(b.low, -1), b.step)
        if b.is_point:
            minus = Span(minus.low, minus.low, b.step)
        return self.add(a, minus)

    def mul(self, a: Span, b: Span) -> Span | None:
        if a.is_point:
            a, b = b, a
        if not b.is_point:
            return None
        by = b.low
        step = a.step * as_int(by) if as_int(by) is not None else 0
        if self.analyzer.can_prove(by >= 0):
            return Span(prim.mul(a.low, by), prim.mul(a.high, by), step)
        if self.analyzer.can_prove(by <= 0):
            return Span(prim.mul(a.high, by), prim.mul(a.low, by), -step)
        return None

    def floordiv(self, a: Span, b: Span) -> Span | None:
        c = as_int(b.low) if b.is_point else None
        if c is None or c <= 0:
            return None
        step = 1 if 0 < a.step <= c else 0
        return Span(prim.floordiv(a.low, c), prim.floordiv(a.high, c), step)

    def floormod(self, a: Span, b: Span) -> Span | None:
        c = as_int(b.low) if b.is_point else None
        if c is None or c <= 0:
            return None
        first, last = prim.floordiv(a.low, c), prim.floordiv(a.high, c)
        if self.analyzer.can_prove(prim.equal(first, last)):
            return Span(prim.floormod(a.low, c), prim.floormod(a.high, c), a.step)
        width = self.width(a)
        full = a.step == 1 and width is not None and width + 1 >= c
        zero = literal(0, a.low.dtype)
        return Span(zero, literal(c - 1, a.low.dtype), 1 if full else 0)

    def minimum(self, a: Span, b: Span) -> Span:
        return Span(prim.minimum(a.low, b.low), prim.minimum(a.high, b.high), 0)

    def maximum(self, a: Span, b: Span) -> Span:
        return Span(prim.maximum(a.low, b.low), prim.maximum(a.high, b.high), 0)


_RULES = {prim.Add: Relaxer.add, prim.Sub: Relaxer.sub, prim.Mul: Relaxer.mul,
          prim.FloorDiv: Relaxer.floordiv, prim.FloorMod: Relaxer.floormod,
          prim.Min: Relaxer.minimum, prim.Max: Relaxer.maximum}


def relax_region(region: BufferRegion, relaxer: Relaxer) -> list[Span]:
    """The box that a region sweeps; a dimension of which nothing is known is taken whole, with
    step 0."""
    box = []
    for r, size in zip(region.region, region.buffer.shape):
        low = relaxer(r.min)
        high = low if as_int(r.extent) == 1 else relaxer(r.min + r.extent - 1)
        if low is None or high is None:
            box.append(Span(literal(0, size.dtype), size - 1, 0))
        elif as_int(r.extent) == 1:
            box.append(low)
        else:
            filled = low.is_point or low.step == 1 or _overlaps(low, r)
            box.append(Span(low.low, high.high, 1 if filled else 0))
    return box


def _overlaps(low: Span, r: Range) -> bool:
    extent = as_int(r.extent)
    return extent is not None and 0 < low.step <= extent


def hull(boxes: Sequence[list[Span]], analyzer: Analyzer) -> list[Span]:
    """The smallest box around all; filled only where one holds the others."""
    box = boxes[0]
    for other in boxes[1:]:
        box = [_join(a, b, analyzer) for a, b in zip(box, other)]
    return box


def _join(a: Span, b: Span, analyzer: Analyzer) -> Span:
    if contains(a, b, analyzer):
        return a
    if contains(b, a, analyzer):
        return b
    return Span(analyzer.simplify(prim.minimum(a.low, b.low)),
                analyzer.simplify(prim.maximum(a.high, b.high)), 0)


def contains(outer: Span, inner: Span, analyzer: Analyzer) -> bool:
    """Whether every point between the ends of `inner` lies between those of `outer`."""
    return analyzer.can_prove(outer.low <= inner.low) and \
        analyzer.can_prove(inner.high <= outer.high)


def clipped(box: Sequence[Span], buffer: Buffer, analyzer: Analyzer) -> list[Span]:
    """The part of a box that lies inside of its buffer."""
    found = []
    for s, size in zip(box, buffer.shape):
        zero, last = literal(0, size.dtype), size - 1
        low = s.low if analyzer.can_prove(s.low >= 0) else prim.maximum(s.low, zero)
        high = s.high if analyzer.can_prove(s.high <= last) else prim.minimum(s.high, last)
        found.append(s if low is s.low and high is s.high else Span(low, high, s.step))
    return found
