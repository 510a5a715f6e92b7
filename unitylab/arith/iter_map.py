"""Iterator maps: whether indices are mixed-radix digits of loops, and the way back.

An index is *affine* here when it is a sum of digits of loop variables,
`(i // lower) % extent * scale`, whose scales fit together as in `i * 8 + j` with `j` in range(8).
Then no point is met twice, and each loop variable can be computed from the indices.

    found = detect((i * 8 + j,), {i: Range(0, 4), j: Range(0, 8)})
    found.simplified()         # the indices, written with as few digits as possible
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..ir import prim
from ..ir.prim import PrimExpr, Var, as_int, literal
from ..ir.tir import Range
from ..ir.visitor import free_vars
from .analyzer import Analyzer

Domain = Mapping[Var, Range]


class NotAffine(ValueError):
    """An index is no sum of digits; the message says which and why."""


@dataclass(frozen=True, eq=False)
class Mark:
    """Something that runs over range(extent): a variable (less its minimum) or a sum of digits."""

    source: Var | Sum
    extent: PrimExpr


@dataclass(frozen=True)
class Digit:
    """`(mark // lower) % extent * scale`."""

    mark: Mark
    lower: PrimExpr
    extent: PrimExpr
    scale: PrimExpr


@dataclass(frozen=True)
class Sum:
    """A sum of digits and `base`."""

    args: tuple[Digit, ...]
    base: PrimExpr


@dataclass
class IterMap:
    """The indices as sums, with what is needed to write and check them."""

    sums: list[Sum]
    detector: Detector

    def simplified(self) -> tuple[PrimExpr, ...]:
        """The indices as expressions, without needless digits."""
        return tuple(map(self.detector.expression, self.sums))

    def why_not_surjective(self) -> str | None:
        """Why points may be met twice; None if each digit is used at most once."""
        return _Usage(self.detector).check(self.sums, whole=False)

    def why_not_bijective(self) -> str | None:
        """Why points may be met twice or variables be lost; None if all digits are used once."""
        return _Usage(self.detector).check(self.sums, whole=True)


def detect(indices: Iterable[PrimExpr], domain: Domain, predicate: PrimExpr | None = None,
           analyzer: Analyzer | None = None, unit_loops: bool = False) -> IterMap:
    """The indices as iterator sums over a domain where `predicate` holds. `unit_loops`: variables
    with one value stay in the expressions. Raises NotAffine."""
    detector = Detector(domain, analyzer or Analyzer(), unit_loops)
    for term in _terms(predicate):
        detector.constrain(term)
    return IterMap([detector.fused(detector(i)) for i in indices], detector)


def is_affine(indices: Sequence[PrimExpr], domain: Domain, predicate: PrimExpr | None = None,
              analyzer: Analyzer | None = None) -> bool:
    """Whether every index is affine and no two points of the domain that differ in a variable which
    is used give the same indices."""
    try:
        found = detect(indices, domain, predicate, analyzer)
    except NotAffine:
        return False
    return found.why_not_surjective() is None


def simplify_affine(indices: Sequence[PrimExpr], domain: Domain, predicate: PrimExpr | None = None,
                    analyzer: Analyzer | None = None, unit_loops: bool = False):
    """The indices with as few digits as possible; as they are where they are not affine."""
    for condition in (predicate, None):
        try:
            found = detect(indices, domain, condition, analyzer, unit_loops)
        except NotAffine:
            continue
        if found.why_not_surjective() is None:
            return found.simplified()
        if condition is None:
            break
    return tuple(indices)


def _terms(e: PrimExpr | None) -> list[PrimExpr]:
    if e is None or prim.is_const(e):
        return []
    return _terms(e.a) + _terms(e.b) if isinstance(e, prim.And) else [e]


@dataclass
class Detector:
    """Rewrites expressions to sums of digits."""

    domain: Domain
    analyzer: Analyzer
    unit_loops: bool = False
    start: dict[Var, Sum] = field(default_factory=dict)
    fusions: list[tuple[Sum, Mark]] = field(default_factory=list)

    def __post_init__(self):
        self.domain = dict(self.domain)
        for v, r in self.domain.items():
            self.start[v] = self._variable(v, r)

    def _variable(self, v: Var, r: Range) -> Sum:
        low, extent = prim.cast(r.min, v.dtype), prim.cast(r.extent, v.dtype)
        if self.is_one(extent) and not self.unit_loops:
            return Sum((), low)
        one = literal(1, v.dtype)
        return Sum((Digit(Mark(v, extent), one, extent, one),), low)

    # --- arithmetic on sizes ----------------------------------------------------------------

    def is_one(self, e: PrimExpr) -> bool:
        return as_int(e) == 1

    def is_zero(self, e: PrimExpr) -> bool:
        return as_int(e) == 0 or as_int(e) is None and as_int(self.analyzer.simplify(e)) == 0

    def same(self, a: PrimExpr, b: PrimExpr) -> bool:
        x, y = as_int(a), as_int(b)
        return x == y if x is not None and y is not None else self.analyzer.can_prove_equal(a, b)

    def divides(self, a: PrimExpr, b: PrimExpr) -> bool:
        """Whether `a` divides `b`."""
        x, y = as_int(a), as_int(b)
        if x is not None and y is not None:
            return x != 0 and y % x == 0
        if self.is_one(a) or y == 0 or self.same(a, b):
            return True
        if isinstance(b, prim.Mul) and (self.divides(a, b.a) or self.divides(a, b.b)):
            return True
        return self.is_zero(prim.floormod(b, a))

    def quotient(self, a: PrimExpr, b: PrimExpr) -> PrimExpr:
        return self.analyzer.simplify(prim.floordiv(a, b))

    def times(self, a: PrimExpr, b: PrimExpr) -> PrimExpr:
        return self.analyzer.simplify(prim.mul(a, b))

    # --- expressions to sums ----------------------------------------------------------------

    def __call__(self, e: PrimExpr) -> Sum:
        if isinstance(e, Var) and e in self.start:
            return self.start[e]
        if not any(v in self.start for v in free_vars(e)):
            return Sum((), e)
        rule = _RULES.get(type(e))
        if rule is None:
            raise NotAffine(f"{e.script()} is no sum of digits of loops")
        return rule(self, e)

    def add(self, e: prim.Add) -> Sum:
        return self.plus(self(e.a), self(e.b))

    def sub(self, e: prim.Sub) -> Sum:
        return self.plus(self(e.a), self.scaled(self(e.b), literal(-1, e.dtype)))

    def plus(self, a: Sum, b: Sum) -> Sum:
        args = list(a.args)
        for d in b.args:
            for k, o in enumerate(args):
                if o.mark is d.mark and self.same(o.lower, d.lower) \
                        and self.same(o.extent, d.extent):
                    scale = self.analyzer.simplify(o.scale + d.scale)
                    args[k] = replace(o, scale=scale)
                    break
            else:
                args.append(d)
        args = [d for d in args if not self.is_zero(d.scale)]
        return Sum(tuple(args), self.analyzer.simplify(a.base + b.base))

    def scaled(self, s: Sum, by: PrimExpr) -> Sum:
        args = tuple(replace(d, scale=self.times(d.scale, by)) for d in s.args)
        return Sum(args if not self.is_zero(by) else (), self.times(s.base, by))

    def mul(self, e: prim.Mul) -> Sum:
        a, b = self(e.a), self(e.b)
        if a.args and b.args:
            raise NotAffine(f"{e.script()} multiplies two loops")
        return self.scaled(a, b.base) if a.args else self.scaled(b, a.base)

    def divide(self, e) -> Sum:
        a, b = self(e.a), self(e.b)
        if b.args:
            raise NotAffine(f"{e.script()} divides by a loop")
        if not a.args:
            return Sum((), self.analyzer.simplify(e.replace(a=a.base, b=b.base)))
        a = self.fused(a)
        if len(a.args) != 1:
            raise NotAffine(f"the parts of {e.a.script()} do not fit together as digits")
        build = self._floordiv if isinstance(e, prim.FloorDiv) else self._floormod
        found = build(a.args[0], a.base, b.base)
        if found is None:
            raise NotAffine(f"{b.base.script()} does not divide the extent of {e.a.script()}")
        return found

    def _unscaled(self, d: Digit, base: PrimExpr, by: PrimExpr):
        """The same with scale 1: `(d * c + base) by (by)` where c divides all."""
        if self.is_one(d.scale):
            return d, base, by
        if self.divides(d.scale, by) and self.divides(d.scale, base):
            return (replace(d, scale=literal(1, d.scale.dtype)), self.quotient(base, d.scale),
                    self.quotient(by, d.scale))
        return None

    def _floordiv(self, d: Digit, base: PrimExpr, by: PrimExpr) -> Sum | None:
        if self.divides(by, d.scale):
            return Sum((replace(d, scale=self.quotient(d.scale, by)),), self.quotient(base, by))
        plain = self._unscaled(d, base, by)
        if plain is None:
            return None
        d, base, by = plain
        if self.is_zero(base) and self.analyzer.can_prove(d.extent <= by):
            return Sum((), literal(0, by.dtype))
        d = self._fitting(d, by)
        if d is None or not self.divides(by, base):
            return None
        found = replace(d, lower=self.times(d.lower, by), extent=self.quotient(d.extent, by))
        return Sum((found,), self.quotient(base, by))

    def _floormod(self, d: Digit, base: PrimExpr, by: PrimExpr) -> Sum | None:
        if self.divides(by, d.scale):
            return Sum((), self.analyzer.simplify(prim.floormod(base, by)))
        plain = self._unscaled(d, base, by)
        if plain is None:
            return None
        scale = d.scale
        d, base, by = plain
        if self.is_zero(base) and self.analyzer.can_prove(d.extent <= by):
            return Sum((replace(d, scale=scale),), base)
        d = self._fitting(d, by)
        if d is None or not self.divides(by, base):
            return None
        return Sum((replace(d, extent=by, scale=scale),), literal(0, by.dtype))

    def _fitting(self, d: Digit, by: PrimExpr) -> Digit | None:
        """The digit where `by` divides its extent."""
        return d if self.divides(by, d.extent) else None

    def cast(self, e: prim.Cast) -> Sum:
        inner = self(e.value)
        return Sum(tuple(replace(d, scale=prim.cast(d.scale, e.dtype)) for d in inner.args),
                   prim.cast(inner.base, e.dtype))

    # --- fusing digits that fit together ----------------------------------------------------

    def fused(self, s: Sum) -> Sum:
        """The sum with all digits as one, where their scales fit together; else as it is."""
        s = self._joined(self._combined(s))
        if len(s.args) <= 1:
            return s
        ordered = self._in_order(s.args)
        if ordered is None:
            return s
        unit = ordered[-1].scale
        args = tuple(replace(d, scale=self.quotient(d.scale, unit)) for d in ordered)
        return Sum((self._mark(args, unit),), s.base)

    def _combined(self, s: Sum) -> Sum:
        """Neighbouring digits of one mark as one: `f // 8 * 8 + f % 8` is `f`."""
        args = list(s.args)
        while pair := self._neighbours(args):
            high, low = pair
            args[args.index(high)] = replace(low, extent=self.times(high.extent, low.extent))
            args.remove(low)
        return s if len(args) == len(s.args) else Sum(tuple(args), s.base)

    def _neighbours(self, args: list[Digit]) -> tuple[Digit, Digit] | None:
        for high in args:
            for low in args:
                if high.mark is low.mark and high is not low \
                        and self.same(high.lower, self.times(low.lower, low.extent)) \
                        and self.same(high.scale, self.times(low.scale, low.extent)):
                    return high, low
        return None

    def _joined(self, s: Sum) -> Sum:
        """Groups of digits that a condition limits as one digit each."""
        for pattern, mark in self.fusions:
            found = self._occurrence(pattern, s.args)
            if found is not None:
                used, scale = found
                rest = tuple(d for d in s.args if not any(d is u for u in used))
                one = literal(1, scale.dtype)
                s = Sum((*rest, Digit(mark, one, mark.extent, scale)), s.base)
        return s

    def _occurrence(self, pattern: Sum, args: tuple[Digit, ...]):
        scale, used = None, []
        for p in reversed(pattern.args):
            d = next((d for d in args if self._same_digit(d, p)), None)
            if d is None:
                return None
            if scale is None:
                if not self.divides(p.scale, d.scale):
                    return None
                scale = self.quotient(d.scale, p.scale)
            if not self.same(d.scale, p.scale * scale):
                return None
            used.append(d)
        return used, scale

    def _same_digit(self, a: Digit, b: Digit) -> bool:
        return a.mark is b.mark and self.same(a.lower, b.lower) and self.same(a.extent, b.extent)

    def _in_order(self, args: tuple[Digit, ...]) -> list[Digit] | None:
        """Largest scale first, each scale the product of what is below."""
        rest, found = list(args), []
        while rest:
            nxt = self._smallest(rest) if not found else self._next(rest, found[-1])
            if nxt is None:
                return None
            found.append(nxt)
            rest.remove(nxt)
        return found[::-1]

    def _smallest(self, args: list[Digit]) -> Digit | None:
        numbers = [(as_int(d.scale), k) for k, d in enumerate(args)]
        known = [(n, not self.is_one(args[k].extent), k) for n, k in numbers if n is not None]
        if any(n <= 0 for n, *_ in known):
            return None
        if known:
            low = min(n for n, *_ in known)
            # of several with the same scale, those of extent 1 are the lower digits
            ties = [k for n, _, k in known if n == low]
            units = [k for k in ties if self.is_one(args[k].extent)]
            return args[(units or ties)[-1]]
        for d in args:
            if all(o is d or self.divides(d.scale, o.scale) for o in args):
                return d
        return None

    def _next(self, args: list[Digit], below: Digit) -> Digit | None:
        expected = self.times(below.scale, below.extent)
        fits = [d for d in args if self.same(d.scale, expected)]
        units = [d for d in fits if self.is_one(d.extent)]
        return (units or fits or [None])[-1]

    def _mark(self, args: tuple[Digit, ...], unit: PrimExpr) -> Digit:
        for known, mark in self.fusions:
            if len(known.args) == len(args) and all(
                    self._same_digit(a, b) and self.same(a.scale, b.scale)
                    for a, b in zip(known.args, args)):
                break
        else:
            total = self.times(args[0].scale, args[0].extent)
            known = Sum(args, literal(0, unit.dtype))
            mark = Mark(known, total)
            self.fusions.append((known, mark))
        return Digit(mark, literal(1, unit.dtype), mark.extent, unit)

    # --- conditions -------------------------------------------------------------------------

    def constrain(self, term: PrimExpr) -> None:
        """`sum < bound` limits a group of digits. Raises NotAffine for other conditions."""
        if isinstance(term, prim.Call) and term.op == "likely":
            term = term.args[0]
        if self._lower_bound(term):
            return
        found = _upper_bound(term)
        if found is None:
            raise NotAffine(f"the condition {term.script()} is no upper bound")
        e, bound = found
        s = self(e)
        for v, start in self.start.items():
            if len(s.args) == 1 and start.args and s.args[0] == start.args[0]:
                low = start.base
                extent = self.analyzer.simplify(prim.minimum(s.args[0].extent, bound - low))
                self.domain[v] = Range(low, extent)
                self.start[v] = self._variable(v, self.domain[v])
                return
        one = self.fused(Sum(s.args, literal(0, e.dtype)))
        if len(one.args) != 1 or not self.is_one(one.args[0].scale):
            raise NotAffine(f"the condition {term.script()} limits no digit")
        d, bound = one.args[0], self.analyzer.simplify(bound - s.base)
        if self.analyzer.can_prove(d.mark.extent <= bound):
            return
        if isinstance(d.mark.source, Var):
            raise NotAffine(f"the condition {term.script()} limits a digit of a loop")
        self.fusions = [(p, m) for p, m in self.fusions if m is not d.mark]
        self.fusions.append((d.mark.source, Mark(d.mark.source, bound)))

    def _lower_bound(self, term: PrimExpr) -> bool:
        """`bound <= v` lets a variable start there."""
        v, low = next(((v, low) for v, low in _lower_bounds(term) if v in self.start), (None, None))
        if v is None:
            return False
        r = self.domain[v]
        extent = self.analyzer.simplify(r.extent - (low - r.min))
        if not self.analyzer.can_prove(low > r.min) or not self.analyzer.can_prove(extent > 0):
            return self.analyzer.can_prove(low <= r.min)
        self.domain[v] = Range(low, extent)
        self.start[v] = self._variable(v, self.domain[v])
        return True

    # --- sums to expressions ----------------------------------------------------------------

    def expression(self, s: Sum) -> PrimExpr:
        """The sum, written out."""
        result = None
        for d in s.args:
            part = self._digit(d)
            result = part if result is None else prim.add(result, part)
        if result is None:
            return self.analyzer.simplify(s.base)
        if self.is_zero(s.base):
            return result
        return prim.add(result, self.analyzer.simplify(s.base))

    def _digit(self, d: Digit) -> PrimExpr:
        m = d.mark
        if isinstance(m.source, Var):
            low = self.domain[m.source].min
            source = m.source if self.is_zero(low) else prim.sub(m.source, low)
        else:
            source = self.expression(m.source)
        if not (self.is_one(d.lower) and self.same(d.extent, m.extent)):
            if not self.same(m.extent, d.lower * d.extent):
                source = prim.floormod(source, self.times(d.lower, d.extent))
            source = prim.floordiv(source, d.lower)
        source = prim.cast(source, d.scale.dtype)
        return _spread(source, d.scale) if not self.is_one(d.scale) else source


def _spread(e: PrimExpr, c: PrimExpr) -> PrimExpr:
    """e * c, into sums and literal factors."""
    if isinstance(e, prim.Add):
        return prim.add(_spread(e.a, c), _spread(e.b, c))
    if isinstance(e, prim.Mul) and as_int(e.b) is not None and as_int(c) is not None:
        return prim.mul(e.a, prim.mul(e.b, c))
    return prim.mul(e, c)


_RULES = {prim.Add: Detector.add, prim.Sub: Detector.sub, prim.Mul: Detector.mul,
          prim.FloorDiv: Detector.divide, prim.FloorMod: Detector.divide, prim.Cast: Detector.cast}


def _upper_bound(term: PrimExpr) -> tuple[PrimExpr, PrimExpr] | None:
    """(e, b) of `e < b`."""
    if isinstance(term, prim.LT):
        return term.a, term.b
    if isinstance(term, prim.LE):
        return term.a, prim.add(term.b, 1)
    if isinstance(term, prim.GT):
        return term.b, term.a
    if isinstance(term, prim.GE):
        return term.b, prim.add(term.a, 1)
    return None


def _lower_bounds(term: PrimExpr) -> list[tuple[PrimExpr, PrimExpr]]:
    """(e, b) of `b <= e`, read in each way in which it can be."""
    if isinstance(term, prim.LT):
        return [(term.b, prim.add(term.a, 1))]
    if isinstance(term, prim.LE):
        return [(term.b, term.a)]
    if isinstance(term, prim.GT):
        return [(term.a, prim.add(term.b, 1))]
    return [(term.a, term.b)] if isinstance(term, prim.GE) else []


class _Usage:
    """Checks that the digits of every mark are used once each."""

    def __init__(self, detector: Detector):
        self.d = detector
        self.used: dict[Mark, list[Digit]] = {}

    def check(self, sums: list[Sum], whole: bool) -> str | None:
        for s in sums:
            if len(s.args) > 1:
                return "an index adds up loops that do not fit together as digits"
            self.used_by(s)
        pending = list(self.used)
        while pending:
            mark = pending.pop()
            reason = self.digits_fit(mark, whole)
            if reason:
                return reason
            if not isinstance(mark.source, Var):
                before = set(self.used)
                self.used_by(mark.source)
                pending += [m for m in self.used if m not in before]
        for mark in list(self.used):
            reason = self.digits_fit(mark, whole)
            if reason:
                return reason
        return self.lost() if whole else None

    def used_by(self, s: Sum) -> None:
        for d in s.args:
            self.used.setdefault(d.mark, []).append(d)

    def digits_fit(self, mark: Mark, whole: bool) -> str | None:
        rest, expected = list(self.used[mark]), literal(1, mark.extent.dtype)
        while rest:
            found = next((d for d in rest if self.d.same(d.lower, expected)
                          and not (self.d.is_one(d.extent) and len(rest) > 1)), None) or \
                next((d for d in rest if self.d.same(d.lower, expected)), None)
            if found is None and not whole:
                later = [d for d in rest if self.d.divides(expected, d.lower)]
                found = min(later, key=lambda d: as_int(d.lower) or 0) if later else None
            if found is None:
                return f"digits of {_name(mark)} overlap or leave gaps"
            rest.remove(found)
            expected = self.d.times(found.lower, found.extent)
        if whole and not self.d.same(expected, mark.extent):
            return f"some digits of {_name(mark)} are not used"
        return None

    def lost(self) -> str | None:
        for v, s in self.d.start.items():
            if s.args and s.args[0].mark not in self.used and not self.d.is_one(s.args[0].extent):
                return f"{v.name} is not used"
        return None


def _name(mark: Mark) -> str:
    return mark.source.name if isinstance(mark.source, Var) else "a fused loop"
