"""The way back from indices to loop variables: `v = i * 8 + j` gives `i = v // 8`, `j = v % 8`."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import prim
from ..ir.prim import PrimExpr, Var, as_int, literal
from ..ir.tir import Range
from ..ir.visitor import collect, free_vars
from .analyzer import Analyzer
from .iter_map import Digit, Domain, IterMap, Mark, NotAffine, Sum, detect


def invert_affine(indices: Sequence[PrimExpr], values: Sequence[PrimExpr], domain: Domain,
                  analyzer: Analyzer | None = None,
                  as_written: bool = False) -> dict[Var, PrimExpr]:
    """What the variables of `domain` are where `indices` have `values`. Raises NotAffine where they
    cannot be told. `as_written`: not simplified, low digits first: `j + i * 16`."""
    analyzer = analyzer or Analyzer()
    found = detect(indices, domain, None, analyzer)
    reason = found.why_not_bijective()
    if reason:
        raise NotAffine(reason)
    return Inverse(found, domain, as_written).solve(values)


def rounded_domain(indices: Sequence[PrimExpr], domain: Domain) -> dict[Var, Range]:
    """The domain with extents rounded up to multiples of what the indices divide by."""
    return {v: Range(r.min, _rounded(v, r.extent, indices)) for v, r in domain.items()}


def _rounded(v: Var, size: PrimExpr, indices: Sequence[PrimExpr]) -> PrimExpr:
    divisors = [as_int(e.b) for i in indices for e in collect(i, (prim.FloorDiv, prim.FloorMod))
                if as_int(e.b) and v in free_vars(e.a)]
    step, s = max(divisors, default=1), as_int(size)
    if step == 1:
        return size
    if s is not None:
        return literal(-(-s // step) * step, size.dtype)
    return prim.mul(prim.floordiv(size + (step - 1), step), step)


class Inverse:
    """Computes variables from the values of indices."""

    def __init__(self, found: IterMap, domain: Domain, as_written: bool = False):
        self.as_written = as_written
        self.sums, self.d, self.domain = found.sums, found.detector, domain
        self.parts: dict[Mark, list[tuple[Digit, PrimExpr]]] = {}

    def solve(self, values: Sequence[PrimExpr]) -> dict[Var, PrimExpr]:
        for s, v in zip(self.sums, values):
            for d in s.args:
                self.give(d, self.simple(prim.floordiv(v - s.base, d.scale)))
        for mark in self._sums_first():
            value = self.value(mark)
            for k, d in enumerate(mark.source.args):
                part = prim.floordiv(value, d.scale)
                if k:
                    part = prim.floormod(part, d.extent)
                self.give(d, part)
        return {v: self._variable(v, s) for v, s in self.d.start.items()}

    def simple(self, e: PrimExpr) -> PrimExpr:
        return e if self.as_written else self.d.analyzer.simplify(e)

    def give(self, d: Digit, value: PrimExpr) -> None:
        self.parts.setdefault(d.mark, []).append((d, value))

    def _sums_first(self):
        done: set[Mark] = set()
        while True:
            todo = [m for m in self.parts if not isinstance(m.source, Var) and m not in done
                    and not self._feeds(m, done)]
            if not todo:
                return
            done.add(todo[0])
            yield todo[0]

    def _feeds(self, mark: Mark, done: set) -> bool:
        """Whether some other sum that waits is made of `mark`."""
        return any(m is not mark and m not in done and not isinstance(m.source, Var)
                   and any(d.mark is mark for d in m.source.args) for m in self.parts)

    def value(self, mark: Mark) -> PrimExpr:
        result = None
        parts = sorted(self.parts[mark], key=lambda p: as_int(p[0].lower) or 1 << 60,
                       reverse=not self.as_written)
        for d, v in parts:
            part = v if self.d.is_one(d.lower) else prim.mul(v, d.lower)
            result = part if result is None else prim.add(result, part)
        return self.simple(result)

    def _variable(self, v: Var, s: Sum) -> PrimExpr:
        if not s.args:
            return s.base
        mark = s.args[0].mark
        if mark not in self.parts:
            return s.base
        value = prim.cast(self.value(mark), v.dtype)
        return self.simple(prim.add(value, s.base))
