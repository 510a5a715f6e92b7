"""Dividing a space of loops into an outer and an inner part.

    i = i_0 * 16 + i_1, inner loop i_1    ->    outer i_0 (extent n), inner i_1 (extent 16)

Every index becomes `outer * inner_extent + inner`, each part using the loops of its side alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..ir import prim
from ..ir.prim import PrimExpr, Var, as_int, literal
from ..ir.visitor import free_vars
from .analyzer import Analyzer
from .iter_map import Detector, Digit, Domain, NotAffine, Sum, detect

OUTER, INNER, MIXED = "outer", "inner", "mixed"


@dataclass(frozen=True)
class Side:
    """A part of an index, running over range(extent)."""

    value: PrimExpr
    extent: PrimExpr


@dataclass(frozen=True)
class Division:
    """`outer.value * inner.extent + inner.value`."""

    outer: Side
    inner: Side


def divide(indices: Sequence[PrimExpr], extents: Sequence[PrimExpr], domain: Domain,
           inner: Sequence[Var], predicate: PrimExpr, analyzer: Analyzer | None = None,
           unit_loops: bool = True) -> tuple[list[Division], PrimExpr, PrimExpr]:
    """The division of each index, and the predicate in its outer and its inner part.

    `extents`: how far each index runs; `inner`: the loops of the inner part, the others of
    `domain` are outer ones; `unit_loops`: loops of one iteration stay in the values. Raises
    NotAffine where a part would need loops of both sides."""
    sides = predicate_sides(predicate, inner)
    try:
        found = detect(indices, domain, predicate, analyzer, unit_loops)
        reason = found.why_not_surjective()
        if reason:
            raise NotAffine(reason)
        divider = _Divider(found.detector, set(inner))
        plain = Detector(domain, found.detector.analyzer, unit_loops)
        return [divider.index(s) for s in found.sums], *(_written(p, plain) for p in sides)
    except NotAffine:
        if not prim.is_const(predicate, 1):
            raise
        return _whole(indices, extents, domain, set(inner)), *sides


def predicate_sides(predicate: PrimExpr, inner: Sequence[Var]) -> tuple[PrimExpr, PrimExpr]:
    """The terms of a predicate without inner variables, and those with inner variables only."""
    outer_terms, inner_terms, own = [], [], set(inner)
    for term in _terms(predicate):
        used = set(free_vars(term))
        if not used & own:
            outer_terms.append(term)
        elif used <= own:
            inner_terms.append(term)
        else:
            raise NotAffine(f"the condition {term.script()} uses loops of both sides")
    return prim.logical_and(*outer_terms), prim.logical_and(*inner_terms)


def _written(predicate: PrimExpr, detector: Detector) -> PrimExpr:
    """The bounds of a predicate with their digits written out."""
    def bound(e: PrimExpr) -> PrimExpr:
        try:
            return e.replace(a=detector.expression(detector(e.a))) if isinstance(e, prim.LT) else e
        except NotAffine:
            return e
    return prim.logical_and(*map(bound, _terms(predicate)))


def _terms(e: PrimExpr) -> list[PrimExpr]:
    if prim.is_const(e, 1):
        return []
    return _terms(e.a) + _terms(e.b) if isinstance(e, prim.And) else [e]


def _unit(dtype) -> Side:
    return Side(literal(0, dtype), literal(1, dtype))


def _whole(indices, extents, domain: Domain, inner: set[Var]) -> list[Division]:
    """Indices of any form, each wholly on one side."""
    found = []
    for e, extent in zip(indices, extents):
        used = {v for v in free_vars(e) if v in domain}
        if used & inner and used - inner:
            raise NotAffine(f"{e.script()} uses loops of both sides")
        whole, unit = Side(e, prim.cast(extent, e.dtype)), _unit(e.dtype)
        if not used and as_int(e) == 0:
            whole = unit
        found.append(Division(unit, whole) if used & inner else Division(whole, unit))
    return found


class _Divider:
    """Divides sums of digits."""

    def __init__(self, detector: Detector, inner: set[Var]):
        self.detector, self.inner = detector, inner

    def index(self, s: Sum) -> Division:
        if not self.detector.is_zero(s.base):
            raise NotAffine("an index does not start at 0")
        if not s.args:
            return Division(_unit(s.base.dtype), _unit(s.base.dtype))
        if len(s.args) > 1 or not self.detector.is_one(s.args[0].scale):
            raise NotAffine(f"{self.detector.expression(s).script()} is no single digit")
        return self.digit(s.args[0])

    def digit(self, d: Digit) -> Division:
        side, unit = self.side(d), _unit(d.scale.dtype)
        if side is not MIXED:
            whole = Side(self.written(replace(d, scale=unit.extent)), d.extent)
            return Division(unit, whole) if side is INNER else Division(whole, unit)
        source = self.sum(d.mark.source)
        if not self.detector.same(d.mark.extent, source.outer.extent * source.inner.extent):
            raise NotAffine(f"a condition limits {self.written(d).script()}, which uses loops of "
                            f"both sides")
        return self.cut(d, source)

    def cut(self, d: Digit, source: Division) -> Division:
        """The division of `(source // lower) % extent`."""
        detector, size, unit = self.detector, source.inner.extent, _unit(d.scale.dtype)
        if detector.is_one(d.lower) and detector.same(d.extent, d.mark.extent):
            return source
        if detector.divides(size, d.lower):
            lower = detector.quotient(d.lower, size)
            value = prim.floormod(prim.floordiv(source.outer.value, lower), d.extent)
            return Division(Side(value, d.extent), unit)
        if detector.divides(detector.times(d.lower, d.extent), size):
            value = prim.floormod(prim.floordiv(source.inner.value, d.lower), d.extent)
            return Division(unit, Side(value, d.extent))
        if detector.is_one(d.lower) and detector.divides(size, d.extent):
            extent = detector.quotient(d.extent, size)
            return Division(Side(prim.floormod(source.outer.value, extent), extent), source.inner)
        raise NotAffine(f"{self.written(d).script()} takes a part of both sides")

    def sum(self, s: Sum) -> Division:
        """Digits from the lowest: the inner ones, at most one of both sides, the outer ones."""
        dtype = s.base.dtype
        inner: list[PrimExpr] = []
        outer: list[tuple[Digit, PrimExpr]] = []
        size = literal(1, dtype)
        for d in reversed(s.args):
            side = self.side(d)
            if side is OUTER:
                outer.insert(0, (d, d.scale))
                continue
            if any(as_int(o.extent) != 1 for o, _ in outer):
                raise NotAffine(f"{self.written(d).script()} of the inner loops stands above "
                                f"outer ones")
            if side is INNER:
                inner.insert(0, self.written(d))
                size = self.detector.times(size, d.extent)
                continue
            part = self.digit(d)
            inner.insert(0, prim.mul(part.inner.value, d.scale))
            size = self.detector.times(d.scale, part.inner.extent)
            outer.insert(0, (replace(d, extent=part.outer.extent), part.outer.value))
        return self.put_together(s, outer, inner, size)

    def put_together(self, s: Sum, outer, inner: list[PrimExpr], size: PrimExpr) -> Division:
        dtype, values = s.base.dtype, []
        extent = literal(1, dtype)
        for d, known in outer:
            mixed = self.side(d) is MIXED
            scale = literal(1, dtype) if mixed else self.detector.quotient(d.scale, size)
            if as_int(scale) == 0:
                scale = literal(1, dtype)  # a digit of one value below the inner ones
            values.append(known if mixed else self.written(replace(d, scale=scale)))
            extent = self.detector.times(extent, d.extent)
        zero = literal(0, dtype)
        return Division(Side(_total(values, zero), extent), Side(_total(inner, zero), size))

    def side(self, d: Digit) -> str:
        used = set(_variables(d))
        if not used & self.inner:
            return OUTER
        return INNER if used <= self.inner else MIXED

    def written(self, d: Digit) -> PrimExpr:
        return self.detector.expression(Sum((d,), literal(0, d.scale.dtype)))


def _variables(d: Digit):
    if isinstance(d.mark.source, Var):
        yield d.mark.source
        return
    for part in d.mark.source.args:
        yield from _variables(part)


def _total(values: list[PrimExpr], zero: PrimExpr) -> PrimExpr:
    return sum(values[1:], start=values[0]) if values else zero
