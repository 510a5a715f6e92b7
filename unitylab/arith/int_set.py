"""Intervals with symbolic ends: which values an expression takes while variables run over ranges.

An interval is (low, high), both inclusive expressions; None stands for "anything"."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ..ir import prim, tir
from ..ir.node import Node
from ..ir.prim import IntImm, PrimExpr
from ..rewrite.keys import chain
from .analyzer import Analyzer
from .linear import is_index, sum_leaves

Interval = tuple[PrimExpr, PrimExpr]
Domain = Mapping[prim.Var, "Interval | None"]


def interval_of(e: PrimExpr, domain: Domain, analyzer: Analyzer | None = None) -> Interval | None:
    """The interval of `e` while the variables of `domain` run over theirs; the others stay
    symbols. It may be wider than the exact one, never narrower."""
    return Relax(domain, analyzer or Analyzer())(e)


def of_range(r: tir.Range, domain: Domain = {}, analyzer: Analyzer | None = None):
    """The interval of a half-open range whose ends may use variables of `domain`."""
    relax = Relax(domain, analyzer or Analyzer())
    low, high = relax(r.min), relax(r.min + r.extent - 1)
    return None if low is None or high is None else (low[0], high[1])


def to_range(interval: Interval, analyzer: Analyzer) -> tir.Range:
    """The half-open range of an interval."""
    low, high = interval
    if low is high or analyzer.can_prove_equal(low, high):
        return tir.Range(low, IntImm(1, low.dtype))
    return tir.Range(low, analyzer.simplify(high - low + 1))


def union(a: Interval | None, b: Interval | None, analyzer: Analyzer) -> Interval | None:
    """The smallest interval that holds both."""
    if a is None or b is None:
        return None
    return (analyzer.simplify(prim.minimum(a[0], b[0])),
            analyzer.simplify(prim.maximum(a[1], b[1])))


def covers(outer: Interval | None, inner: Interval | None, analyzer: Analyzer) -> bool:
    """Whether `outer` certainly holds `inner`."""
    if outer is None or inner is None:
        return outer is None
    return analyzer.can_prove(outer[0] <= inner[0]) and analyzer.can_prove(inner[1] <= outer[1])


def disjoint(a: Interval | None, b: Interval | None, analyzer: Analyzer) -> bool:
    """Whether two intervals certainly share nothing."""
    if a is None or b is None:
        return False
    return analyzer.can_prove(a[1] < b[0]) or analyzer.can_prove(b[1] < a[0])


class Relax:
    """Computes intervals of expressions over one domain."""

    def __init__(self, domain: Domain, analyzer: Analyzer):
        self.domain, self.analyzer = domain, analyzer

    def __call__(self, e: PrimExpr) -> Interval | None:
        """The interval of `e`, ends simplified."""
        e = self.analyzer.simplify(e)
        found = self._interval(e)
        if found is None:
            return self._constant(e)
        return found if found[0] is e else tuple(map(self.analyzer.simplify, found))

    def _free(self, e: Node) -> bool:
        """Whether `e` is the same all over the domain."""
        stack, seen = [e], set()
        while stack:
            n = stack.pop()
            if n in self.domain or isinstance(n, tir.BufferLoad):
                return False
            if id(n) not in seen and not isinstance(n, prim.Var):
                seen.add(id(n))
                stack.extend(n.children())
        return True

    def _constant(self, e: PrimExpr) -> Interval | None:
        """Constant bounds, where both are finite."""
        with self.analyzer.scope():
            for v, i in self.domain.items():
                if i is not None:
                    low, high = self.analyzer.bound(i[0])[0], self.analyzer.bound(i[1])[1]
                    self.analyzer.bind(v, (low, high))
            low, high = self.analyzer.const_bound(e)
        if math.isinf(low) or math.isinf(high):
            return None
        return IntImm(int(low), e.dtype), IntImm(int(high), e.dtype)

    def _interval(self, e: PrimExpr) -> Interval | None:
        if e in self.domain:
            return self.domain[e]
        if self._free(e):
            return e, e
        rule = _RULES.get(type(e))
        if rule is not None:
            return rule(self, e)
        if is_index(e) and type(e) in (prim.Add, prim.Sub, prim.Mul):
            return self._sum(e)
        if type(e) is prim.Call and e.op in ("if_then_else", "likely"):
            return self._hull(*e.args[-2:])
        return None

    def _sum(self, e: PrimExpr) -> Interval | None:
        low = high = IntImm(0, e.dtype)
        for c, leaf in sum_leaves(e):
            part = self._product(leaf) if type(leaf) is prim.Mul else self._interval(leaf)
            if part is None:
                return None
            a, b = part if c > 0 else part[::-1]
            low, high = low + a * c, high + b * c
        return low, high

    def _product(self, e: PrimExpr) -> Interval | None:
        """A product in which one factor alone runs, the others keeping their sign."""
        parts = list(chain(e, prim.Mul))
        moving = [p for p in parts if not self._free(p)]
        inner = self._interval(moving[0]) if len(moving) == 1 else None
        if inner is None:
            return (e, e) if not moving else None
        low, high = inner
        for p in parts:
            if p is not moving[0]:
                if self.analyzer.bound(p)[0] >= 0:
                    low, high = low * p, high * p
                elif self.analyzer.bound(p)[1] <= 0:
                    low, high = high * p, low * p
                else:
                    return None
        return low, high

    def _divide(self, e: prim.FloorDiv) -> Interval | None:
        inner = self._interval(e.a)
        if inner is None or not self._free(e.b) or self.analyzer.bound(e.b)[0] <= 0:
            return None
        return prim.floordiv(inner[0], e.b), prim.floordiv(inner[1], e.b)

    def _modulo(self, e: prim.FloorMod) -> Interval | None:
        if not self._free(e.b) or self.analyzer.bound(e.b)[0] <= 0:
            return None
        inner = self._interval(e.a)
        if inner is not None:
            first, last = (prim.floordiv(x, e.b) for x in inner)
            if self.analyzer.can_prove_equal(first, last):
                return tuple(prim.floormod(x, e.b) for x in inner)
        return IntImm(0, e.dtype), e.b - 1

    def _hull(self, *parts: PrimExpr) -> Interval | None:
        result = self._interval(parts[0])
        for p in parts[1:]:
            result = union(result, self._interval(p), self.analyzer)
        return result

    def _ends(self, build: Callable, e: PrimExpr) -> Interval | None:
        a, b = self._interval(e.a), self._interval(e.b)
        if a is None or b is None:
            return None
        return build(a[0], b[0]), build(a[1], b[1])

    def _ramp(self, e: prim.Ramp) -> Interval | None:
        last = prim.sub(e.lanes, 1)
        ends = (e.base, e.base + prim.cast(last, e.base.dtype) * e.stride)
        return self._hull(*map(self.analyzer.simplify, ends))

    def _cast(self, e: prim.Cast) -> Interval | None:
        inner = self._interval(e.value)
        keeps = e.dtype in ("int32", "int64") and e.value.dtype in ("int32", "int64")
        return tuple(prim.cast(x, e.dtype) for x in inner) if inner and keeps else None


_RULES: dict[type, Callable] = {
    prim.FloorDiv: Relax._divide,
    prim.FloorMod: Relax._modulo,
    prim.Min: lambda r, e: r._ends(prim.minimum, e),
    prim.Max: lambda r, e: r._ends(prim.maximum, e),
    prim.Select: lambda r, e: r._hull(e.true_value, e.false_value),
    prim.Ramp: Relax._ramp,
    prim.Broadcast: lambda r, e: r._interval(e.value),
    prim.Cast: Relax._cast,
}
