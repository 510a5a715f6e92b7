"""`Analyzer`: simplifies and proves with what is known of the variables.

    analyzer = Analyzer()
    analyzer.bind(i, Range(0, n))
    analyzer.can_prove(i * 4 + 3 < n * 4)      # True
    with analyzer.constraint(i > 0): ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ..ir import prim, tir
from ..ir.node import Node
from ..ir.prim import IntImm, PrimExpr, literal
from ..ir.transform import SILENT, Recorder
from ..rewrite.keys import Keys
from .bottom_up import VariableSets
from .bounds import EVERYTHING, INF, Bound, Bounds, product
from .comparison import difference
from .linear import Linear, is_index, linear
from .prove import Prover
from .simplify import Simplifier

SymbolicRange = tuple[PrimExpr | None, PrimExpr | None]  # inclusive ends, None where unknown


@dataclass(frozen=True)
class _Known:
    """What holds in a scope; a new one for every change, so that leaving a scope is a reference."""

    bounds: Mapping[int, Bound] = field(default_factory=dict)  # by key
    values: Mapping[prim.Var, PrimExpr] = field(default_factory=dict)
    ranges: Mapping[int, tuple[SymbolicRange, ...]] = field(default_factory=dict)  # by key
    depths: Mapping[int, int] = field(default_factory=dict)
    inequalities: tuple[Linear, ...] = ()  # each is not negative
    conditions: Mapping[int, bool] = field(default_factory=dict)


class Analyzer:
    """Knows ranges of variables and conditions that hold. Everything it says assumes that the bound
    ranges are not empty and that integers do not overflow."""

    def __init__(self, ranges: Mapping[prim.Var, object] | None = None):
        self.keys = Keys()
        self.variables = VariableSets()
        self._adopt(_Known())
        for var, r in (ranges or {}).items():
            self.bind(var, r)

    def _adopt(self, known: _Known) -> None:
        self._known = known
        self._bounds = Bounds(self._bound_of)
        self._simplifier = Simplifier(self)
        self._proofs: dict[tuple, bool] = {}
        self._digit_bounds: dict[tuple, Bound] = {}

    # --- learning ---------------------------------------------------------------------------

    def bind(self, var: prim.Var, value) -> None:
        """`value`: a Range, an expression that the variable equals, or (low, high), inclusive
        ints or None for unbounded."""
        if isinstance(value, tir.Range):
            self._bind_range(var, value)
        elif isinstance(value, tuple):
            low, high = value
            self._narrow(var, -INF if low is None else low, INF if high is None else high)
        else:
            self._adopt(replace(self._known, values={**self._known.values,
                                                     var: self.simplify(literal(value))}))

    def _bind_range(self, var: prim.Var, r: tir.Range) -> None:
        low, extent = self.simplify(r.min), self.simplify(r.extent)
        if isinstance(extent, IntImm) and extent.value == 1:
            self.bind(var, low)
            return
        if not isinstance(extent, IntImm):
            self.assume(extent >= 1)  # else nothing happens for `var` at all
        high = self.simplify(low + extent - 1)
        self._narrow(var, self.bound(low)[0], self.bound(high)[1], (low, high))

    def _narrow(self, e: PrimExpr, low: float, high: float,
                symbolic: SymbolicRange = (None, None)) -> None:
        known, key = self._known, self.keys(e)
        old = known.bounds.get(key, EVERYTHING)
        ranges = known.ranges
        low_end, high_end = (None if isinstance(s, IntImm) else s for s in symbolic)
        if low_end is not None or high_end is not None:
            ranges = {**ranges, key: (*ranges.get(key, ()), (low_end, high_end))}
        bounds = {**known.bounds, key: (max(old[0], low), min(old[1], high))}
        depths = {key: len(known.depths), **known.depths}
        self._adopt(replace(known, bounds=bounds, ranges=ranges, depths=depths))

    def assume(self, condition: PrimExpr) -> None:
        """From now on `condition` holds."""
        given = self.simplify(literal(condition))
        for term in _conjuncts(given):
            self._assume_one(term)
        if given is not condition and not isinstance(given, IntImm):
            self._remember(condition, True)

    def _remember(self, condition: PrimExpr, holds: bool) -> None:
        conditions = {**self._known.conditions, self.keys(condition): holds}
        negated = condition.a if type(condition) is prim.Not else prim.Not(condition)
        conditions[self.keys(negated)] = not holds
        self._adopt(replace(self._known, conditions=conditions))

    def _assume_one(self, term: PrimExpr) -> None:
        if isinstance(term, IntImm):
            return
        self._remember(term, True)
        if type(term) not in _AT_LEAST or not is_index(term.a):
            return
        for larger, smaller, gap in _AT_LEAST[type(term)](term.a, term.b):
            d = difference(larger, smaller, self.keys)  # d >= gap
            d.constant -= gap
            self._learn(d)

    def _learn(self, d: Linear) -> None:
        """d >= 0."""
        self._adopt(replace(self._known, inequalities=(*self._known.inequalities, d)))
        for key, (c, digit) in list(d.terms.items()):
            if abs(c) != 1 and len(d.terms) > 1:
                continue
            rest = Linear(d.dtype, self.keys)
            rest.terms = {k: t for k, t in d.terms.items() if k != key}
            rest.constant = d.constant  # c * digit >= -rest
            low, high = self.linear_bound(rest)
            end = rest.scaled(-c).build() if rest.terms else None
            e = digit.build()
            if c > 0:
                self._narrow(e, -(high // c) if high != INF else -INF, INF, (end, None))
            else:
                self._narrow(e, -INF, high // -c if high != INF else INF, (None, end))
            self._learn_inside(e)

    def _learn_inside(self, e: PrimExpr) -> None:
        """x // c >= k says x >= k*c; x // c <= k says x < (k+1)*c."""
        if type(e) is prim.FloorDiv and type(e.b) is IntImm and e.b.value > 0:
            low, high = self.bound(e)
            c, lin = e.b.value, linear(e.a, self.keys)
            if low != -INF:
                lin.constant -= int(low) * c
                self._learn(lin)
            if high != INF:
                upper = linear(e.a, self.keys).scaled(-1)
                upper.constant += (int(high) + 1) * c - 1
                self._learn(upper)

    @contextmanager
    def constraint(self, condition: PrimExpr) -> Iterator[None]:
        """`condition` holds inside of the `with`."""
        before = self._known
        self.assume(condition)
        try:
            yield
        finally:
            self._adopt(before)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is learnt inside of the `with` is forgotten after it."""
        before = self._known
        try:
            yield
        finally:
            self._adopt(before)

    # --- asking -----------------------------------------------------------------------------

    def simplify(self, e: Node, recorder: Recorder = SILENT, function: str = "") -> Node:
        """The simplest equal expression; `e` itself if it is that."""
        if isinstance(e, (IntImm, prim.FloatImm)):
            return e
        if recorder is SILENT:
            return self._simplifier(e)
        return Simplifier(self, recorder=recorder, function=function)(e)

    def can_prove(self, condition: PrimExpr) -> bool:
        """Whether the condition certainly holds."""
        result = self.simplify(literal(condition))
        return isinstance(result, IntImm) and bool(result.value)

    def can_prove_equal(self, a, b) -> bool:
        """Whether two expressions certainly have the same value."""
        a, b = prim.unify(a, b)
        if self.keys.same(a, b):
            return True
        if isinstance(a, IntImm) and isinstance(b, IntImm):
            return a.value == b.value
        if not is_index(a):
            return self.can_prove(prim.equal(a, b))
        prover = Prover(self)
        d = difference(self.simplify(a), self.simplify(b), self.keys)
        poly = prover.of_linear(d)
        return not any(poly.values()) or self.at_least(d, 0) and self.at_least(d.scaled(-1), 0)

    def const_bound(self, e: PrimExpr) -> Bound:
        """(low, high), inclusive; infinite where nothing is known."""
        return self.linear_bound(linear(self.simplify(e), self.keys)) if is_index(e) \
            else self.bound(e)

    # --- what rules and the prover ask ------------------------------------------------------

    def bound(self, e: PrimExpr) -> Bound:
        """Bounds of `e` as it is written."""
        return self._bounds(e)

    def _bound_of(self, e: Node) -> Bound | None:
        bounds = self._known.bounds
        return bounds.get(self.keys(e)) if bounds and not isinstance(e, IntImm) else None

    def linear_bound(self, lin: Linear) -> Bound:
        """Bounds of a sum."""
        low = high = lin.constant
        for key, (c, d) in lin.terms.items():
            b = self._digit_bounds.get(key)
            if b is None:
                b = self._digit_bounds[key] = self.bound(d.build())
            ends = product(c, b[0]), product(c, b[1])
            low, high = low + min(ends), high + max(ends)
        return low, high

    def at_least(self, lin: Linear, k: int) -> bool:
        """Whether `lin >= k` is proven."""
        if self.linear_bound(lin)[0] >= k:
            return True
        if not lin.terms:
            return False
        key = (frozenset((t, c) for t, (c, _) in lin.terms.items()), lin.constant - k)
        found = self._proofs.get(key)
        if found is None:
            prover = Prover(self)
            found = self._proofs[key] = prover.proves(prover.of_linear(lin, k))
        return found

    def in_range(self, e: PrimExpr, extent: PrimExpr) -> bool:
        """Whether 0 <= e < extent is proven."""
        return self.at_least(linear(e, self.keys), 0) and \
            self.at_least(difference(extent, e, self.keys), 1)

    def value_of(self, var: prim.Var) -> PrimExpr | None:
        """What a variable was bound to."""
        return self._known.values.get(var)

    def known_condition(self, e: PrimExpr) -> bool | None:
        """Whether `e` was assumed to hold, or not to hold."""
        known = self._known.conditions
        return known.get(self.keys(e)) if known else None

    def symbolic_ranges(self, e: PrimExpr) -> tuple[SymbolicRange, ...]:
        """Inclusive ends of `e` that are not constant."""
        return self._known.ranges.get(self.keys(e), ())

    def depth(self, e: PrimExpr) -> int:
        """How late `e` was bound: the innermost loop has the greatest."""
        return self._known.depths.get(self.keys(e), -1)

    def inequalities(self) -> tuple[Linear, ...]:
        """Sums that are assumed not to be negative."""
        return self._known.inequalities


_AT_LEAST = {  # comparison -> (larger, smaller, by how much)
    prim.GE: lambda a, b: [(a, b, 0)],
    prim.GT: lambda a, b: [(a, b, 1)],
    prim.LE: lambda a, b: [(b, a, 0)],
    prim.LT: lambda a, b: [(b, a, 1)],
    prim.EQ: lambda a, b: [(a, b, 0), (b, a, 0)],
}


def _conjuncts(condition: PrimExpr) -> Iterator[PrimExpr]:
    stack = [condition]
    while stack:
        e = stack.pop()
        if type(e) is prim.And:
            stack += (e.b, e.a)
        elif type(e) is prim.Call and e.op == "likely":
            stack.append(e.args[0])
        else:
            yield e
