"""Proves that indices stay inside of their buffers, from the loops and conditions around them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..ir import prim
from ..ir.prim import PrimExpr, Var, as_int
from ..ir.tir import BufferLoad
from ..ir.visitor import walk
from .polynomial import MAX_TERMS, Polynomial, is_index, never_wraps, number

MAX_DEPTH = 24
LARGE = 2**40  # beyond, 64-bit arithmetic might wrap around


@dataclass
class Domain:
    """What is known of an atom: every one of `low` <= atom, atom <= every one of `high`;
    `cases`: it equals one of them."""

    low: tuple[Polynomial, ...] = ()
    high: tuple[Polynomial, ...] = ()
    cases: tuple[Polynomial, ...] = ()


class Bounds:
    """Knows the loops, sizes and conditions around a place in a program."""

    def __init__(self):
        self.atoms: dict[tuple, int] = {}
        self.domains: dict[int, Domain] = {}
        self.facts: list[Polynomial] = []
        self.values: dict[int, Polynomial] = {}
        self.keep: list[object] = []
        self.place = 0  # the number of the innermost `given`: what is known changes with it
        self.places = itertools.count(1)
        self.quotients: dict[int, int] = {}  # atom of a quotient -> the place that knows it

    # --- what is known ----------------------------------------------------------------------

    def size(self, v: Var) -> None:
        """A size of a buffer: not negative."""
        self.domains[self.var(v)] = Domain((number(0),))

    @contextmanager
    def loop(self, v: Var, low: PrimExpr, extent: PrimExpr) -> Iterator[None]:
        """Inside a loop over `v`; the extent is at least one there."""
        first, count = self.polynomial(low), self.polynomial(extent)
        with self.given(count - number(1)):
            self.domains[self.var(v)] = Domain((first,), (first + count - number(1),))
            yield

    @contextmanager
    def value(self, v: Var, e: PrimExpr | int) -> Iterator[None]:
        """Where `v` stands for `e`."""
        outer = self.values.get(id(v))
        self.define(v, e)
        yield
        self.values.pop(id(v), None)
        if outer is not None:
            self.values[id(v)] = outer

    def define(self, v: Var, e: PrimExpr | int) -> None:
        """`v` stands for `e` from here on."""
        self.keep.append(v)
        if isinstance(e, int):
            self.values[id(v)] = number(e)
        elif is_index(v) and is_index(e):
            self.values[id(v)] = self.polynomial(e)

    @contextmanager
    def given(self, *facts: Polynomial) -> Iterator[None]:
        """Where each fact is >= 0. What is concluded inside is forgotten outside."""
        outer = self.facts, self.domains, self.place
        self._learn([f for f in facts if f.constant is None])
        self.domains, self.place = dict(self.domains), next(self.places)
        for f in facts:
            self._tighten(f)
        yield
        self.facts, self.domains, self.place = outer

    def _learn(self, facts: Iterable[Polynomial]) -> None:
        """Each fact is >= 0, until the `given` ends."""
        known = {f.key for f in self.facts}
        new = {f.key: f for f in facts if f.key not in known}
        if new:
            self.facts = [*self.facts, *new.values()]

    def _tighten(self, fact: Polynomial) -> None:
        """Makes `fact` >= 0 a bound of the latest variable in it, if its factor is 1 or -1."""
        atom = max((a for m in fact.terms for a in m if a in self.domains), default=None)
        if atom is None or abs(fact.terms.get((atom,), 0)) != 1 or \
                any(atom in m for m in fact.terms if m != (atom,)):
            return
        domain, sign = self.domains[atom], fact.terms[(atom,)]
        bound = (Polynomial({(atom,): sign}) - fact).scale(sign)
        low, high = ((bound,), ()) if sign > 0 else ((), (bound,))
        self.domains[atom] = Domain(domain.low + low, domain.high + high, domain.cases)

    def where(self, condition: PrimExpr, holds: bool = True):
        """Where a condition holds (or does not)."""
        return self.given(*self._facts(condition, holds))

    def _facts(self, c: PrimExpr, holds: bool) -> list[Polynomial]:
        if isinstance(c, prim.Not):
            return self._facts(c.a, not holds)
        if isinstance(c, prim.And if holds else prim.Or):
            return self._facts(c.a, holds) + self._facts(c.b, holds)
        if isinstance(c, prim.Call) and c.op in ("likely", "tir.likely"):
            return self._facts(c.args[0], holds)
        if not isinstance(c, prim.CompareExpr) or not is_index(c.a):
            return []
        if isinstance(c, (prim.And, prim.Or)) or c.a.dtype.lanes > 1:
            return []
        less, one = self.polynomial(c.b) - self.polynomial(c.a), number(1)
        rows = {prim.LT: (less - one, less.scale(-1)), prim.LE: (less, less.scale(-1) - one),
                prim.GT: (less.scale(-1) - one, less), prim.GE: (less.scale(-1), less - one)}
        if type(c) in rows:
            return [rows[type(c)][0 if holds else 1]]
        if isinstance(c, prim.EQ if holds else prim.NE):
            return [less, less.scale(-1)]
        return []

    # --- expressions ------------------------------------------------------------------------

    def var(self, v: Var) -> int:
        self.keep.append(v)
        return self.atom(("var", id(v)))

    def atom(self, key: tuple) -> int:
        return self.atoms.setdefault(key, len(self.atoms))

    def polynomial(self, e: PrimExpr) -> Polynomial:
        """The expression in normal form; what is no polynomial becomes an atom."""
        value = as_int(e)
        if value is not None and abs(value) < LARGE:
            return number(value)
        if isinstance(e, Var):
            return self.values.get(id(e)) or Polynomial({(self.var(e),): 1})
        if isinstance(e, prim.Cast) and is_index(e) and is_index(e.value):
            return self.polynomial(e.value)
        if isinstance(e, prim.BinaryExpr) and is_index(e) and never_wraps(e):
            return self._binary(e)
        if isinstance(e, prim.Ramp) and isinstance(e.lanes, int):
            return self._ramp(e)
        if isinstance(e, prim.Broadcast):
            return self.polynomial(e.value)
        return self._opaque(e)

    def _opaque(self, e: PrimExpr) -> Polynomial:
        self.keep.append(e)
        if any(isinstance(n, (BufferLoad, prim.Call)) for n in walk(e)):
            # memory may change between two evaluations: each is a number of its own
            return Polynomial({(self.atom(("value", len(self.atoms))),): 1})
        return Polynomial({(self.atom(("node", id(e))),): 1})

    def _ramp(self, e: prim.Ramp) -> Polynomial:
        self.keep.append(e)
        lane = self.atom(("lane", id(e)))
        self.domains[lane] = Domain((number(0),), (number(e.lanes - 1),))
        return self.polynomial(e.base) + self.polynomial(e.stride) * Polynomial({(lane,): 1})

    def _binary(self, e: prim.BinaryExpr) -> Polynomial:
        a, b = self.polynomial(e.a), self.polynomial(e.b)
        if len(a.terms) * len(b.terms) > MAX_TERMS:
            return self._opaque(e)
        if isinstance(e, prim.Add):
            return a + b
        if isinstance(e, prim.Sub):
            return a - b
        if isinstance(e, prim.Mul):
            return a * b
        if isinstance(e, (prim.Min, prim.Max)):
            return self._extreme(e, a, b)
        if isinstance(e, prim.FloorDiv):
            return self._floordiv(a, b)
        if isinstance(e, prim.FloorMod):
            return self._floormod(a, b)
        if isinstance(e, (prim.Div, prim.Mod)) and self.holds(a):
            return (self._floordiv if isinstance(e, prim.Div) else self._floormod)(a, b)
        return self._opaque(e)

    def _extreme(self, e, a: Polynomial, b: Polynomial) -> Polynomial:
        atom = self.atom((type(e).__name__, a.key, b.key))
        least = isinstance(e, prim.Min)
        self.domains[atom] = Domain(() if least else (a, b), (a, b) if least else (), (a, b))
        return Polynomial({(atom,): 1})

    def _floordiv(self, a: Polynomial, b: Polynomial) -> Polynomial:
        if len(b.terms) != 1 or not self.holds(b - number(1)):
            return Polynomial({(self.atom(("//", a.key, b.key)),): 1})
        whole, rest = a.split(b)
        if not rest.terms or self.holds(rest) and self.holds(b - number(1) - rest):
            return whole
        return whole + Polynomial({(self._quotient(rest, b),): 1})

    def _quotient(self, rest: Polynomial, b: Polynomial) -> int:
        """The atom of rest // b, with what is known of it here."""
        atom = self.atom(("//", rest.key, b.key))
        if self.quotients.get(atom) == self.place and atom in self.domains:
            return atom
        low = (number(0),) if self.holds(rest) else ()
        self.domains[atom] = Domain(low + tuple(self._least_quotients(rest, b)),
                                    tuple(self._quotients(rest, b)))
        self.quotients[atom] = self.place
        product = b * Polynomial({(atom,): 1})  # b * q <= rest <= b * q + b - 1
        self._learn((rest - product, product + b - number(1) - rest))
        return atom

    def _quotients(self, rest: Polynomial, b: Polynomial) -> Iterator[Polynomial]:
        """Upper bounds of rest // b."""
        for top in self.extremes(rest, upper=True):
            whole, left = top.split(b)
            if self.holds(left.scale(-1) - number(1)):
                yield whole - number(1)
            elif not left.terms or self.holds(b - number(1) - left):
                yield whole

    def _least_quotients(self, rest: Polynomial, b: Polynomial) -> Iterator[Polynomial]:
        """Lower bounds of rest // b."""
        for bottom in self.extremes(rest, upper=False):
            whole, left = bottom.split(b)
            if self.holds(left):
                yield whole

    def _floormod(self, a: Polynomial, b: Polynomial) -> Polynomial:
        if len(b.terms) != 1 or not self.holds(b - number(1)):
            return Polynomial({(self.atom(("%", a.key, b.key)),): 1})
        _, rest = a.split(b)
        if self.holds(rest) and self.holds(b - number(1) - rest):
            return rest
        atom = self.atom(("%", rest.key, b.key))
        self.domains[atom] = Domain((number(0),), (b - number(1),))
        return Polynomial({(atom,): 1})

    # --- proofs -----------------------------------------------------------------------------

    def extremes(self, p: Polynomial, upper: bool, depth: int = 0) -> Iterator[Polynomial]:
        """Bounds of `p` from which the bounded atoms are eliminated, latest first."""
        atom = self._latest(p)
        if atom is None or depth > MAX_DEPTH:
            yield p
            return
        sign = self._sign(p, atom)
        domain = self.domains[atom]
        if sign is None:
            return
        for side in (domain.high if (sign > 0) == upper else domain.low):
            yield from self.extremes(p.substitute(atom, side), upper, depth + 1)

    def _latest(self, p: Polynomial) -> int | None:
        bounded = [a for a in p.atoms if a in self.domains and
                   (self.domains[a].high or self.domains[a].cases)]
        return max(bounded, default=None)

    def _sign(self, p: Polynomial, atom: int) -> int | None:
        """The sign of the factor of `atom`, whose other atoms are sizes (not negative)."""
        factors = [(tuple(a for a in m if a != atom), c) for m, c in p.terms.items() if atom in m]
        if any(m.count(atom) > 1 for m in p.terms):
            return None
        if not all(self._natural(a) for m, _ in factors for a in m):
            return None
        if all(c > 0 for _, c in factors):
            return 1
        return -1 if all(c < 0 for _, c in factors) else None

    def _natural(self, atom: int) -> bool:
        domain = self.domains.get(atom)
        return bool(domain) and any(low.constant is not None and low.constant >= 0
                                    for low in domain.low)

    def _plainly(self, p: Polynomial) -> bool:
        """All terms are products of numbers that are not negative."""
        return all(c >= 0 and all(map(self._natural, m)) for m, c in p.terms.items())

    def holds(self, p: Polynomial, depth: int = 0) -> bool:
        """Whether `p` >= 0 is certain."""
        if self._plainly(p) or any(self._plainly(q) for q in self.extremes(p, upper=False)):
            return True
        if depth > 2:
            return False
        if any(self._split_holds(p, a, depth) for a in p.atoms
               if a in self.domains and self.domains[a].cases):
            return True
        return any(self._plainly_after(p - f, depth) for f in self.facts
                   if not f.atoms.isdisjoint(p.atoms))

    def _plainly_after(self, p: Polynomial, depth: int) -> bool:
        return any(self._plainly(q) for q in self.extremes(p, upper=False)) or \
            depth < 1 and self.holds(p, depth + 2)

    def _split_holds(self, p: Polynomial, atom: int, depth: int) -> bool:
        return all(self.holds(p.substitute(atom, c), depth + 1)
                   for c in self.domains[atom].cases)

    def inside(self, index: PrimExpr, extent: PrimExpr) -> tuple[bool, bool]:
        """Whether 0 <= index, and index < extent, are certain."""
        if isinstance(index, BufferLoad):
            return index.dtype.kind == "uint", False
        p = self.polynomial(index)
        return self.holds(p), self.holds(self.polynomial(extent) - number(1) - p)
