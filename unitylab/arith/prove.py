"""Proving that a symbolic expression is never negative.

The expression is expanded to a polynomial of atoms (variables, quotients, loads, ...). Atoms are
then replaced, one by one, by the end of their range that makes it smallest, until constants decide:

    m*n - 1 - (i*n + j)   with 0 <= j < n:   m*n - i*n - n   with 0 <= i < m:   0
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Protocol

from ..ir import prim
from ..ir.prim import IntImm, PrimExpr
from ..rewrite.keys import Keys, chain
from .bounds import Bound, product
from .linear import Linear, sum_leaves

MAX_TERMS = 64

Poly = dict[tuple[int, ...], int]  # numbers of the atoms of a monomial, sorted -> coefficient


class Facts(Protocol):
    """What the prover asks."""

    keys: Keys

    def bound(self, e: PrimExpr) -> Bound: ...
    def symbolic_ranges(self, e: PrimExpr) -> list[tuple[PrimExpr | None, PrimExpr | None]]: ...
    def depth(self, e: PrimExpr) -> int: ...
    def variables(self, e: PrimExpr) -> int: ...
    def inequalities(self) -> list[Linear]: ...


class Prover:
    """Proves with a bounded number of tries; False means "not proven"."""

    def __init__(self, facts: Facts, tries: int = 40):
        self.facts, self.tries = facts, tries
        self.atoms: dict[int, PrimExpr] = {}

    # --- polynomials ------------------------------------------------------------------------

    def of_linear(self, lin: Linear, less: int = 0) -> Poly:
        """The polynomial of `lin - less`."""
        poly: Poly = {(): lin.constant - less}
        for c, term in lin.items():
            _add(poly, self.expand(term), c)
        return poly

    def expand(self, e: PrimExpr) -> Poly:
        """The polynomial of an expression."""
        poly: Poly = {}
        for c, leaf in sum_leaves(e):
            if type(leaf) is IntImm:
                _add(poly, {(): leaf.value}, c)
            elif type(leaf) is prim.Mul:
                result: Poly = {(): 1}
                for f in chain(leaf, prim.Mul):
                    result = _multiply(result, self.expand(f))
                _add(poly, result, c)
            else:
                number = self.facts.keys(leaf)
                self.atoms[number] = leaf
                _add(poly, {(number,): 1}, c)
        return poly

    def lower(self, poly: Poly) -> float:
        """A constant lower bound."""
        return sum(product(c, self._product_bound(m)[0 if c > 0 else 1])
                   for m, c in poly.items() if c)

    def _product_bound(self, monomial: tuple[int, ...]) -> Bound:
        low, high = 1, 1
        for number in monomial:
            b = self.facts.bound(self.atoms[number])
            corners = [product(x, y) for x in (low, high) for y in b]
            low, high = min(corners), max(corners)
        return low, high

    # --- the search -------------------------------------------------------------------------

    def proves(self, poly: Poly) -> bool:
        """Whether the polynomial is proven to be at least zero."""
        return not self._hopeless(poly) and self.nonnegative(poly)

    def _hopeless(self, poly: Poly) -> bool:
        """Whether some variable is unbounded where it matters and nothing else mentions it: then
        no search can help. Most questions that a simplifier asks are of this kind."""
        facts, stuck, others = self.facts, 0, 0
        for term in (t for lin in facts.inequalities() for _, t in lin.items()):
            others |= facts.variables(term)
        for monomial, c in poly.items():
            for number in monomial:
                atom = self.atoms[number]
                low, high = facts.bound(atom)
                free = type(atom) is prim.Var and not facts.symbolic_ranges(atom)
                if free and len(monomial) == 1 and c and math.isinf(low if c > 0 else high):
                    stuck |= facts.variables(atom)
                elif not free:
                    others |= facts.variables(atom)
                    for end in itertools.chain(*facts.symbolic_ranges(atom)):
                        others |= facts.variables(end) if end is not None else 0
        return bool(stuck & ~others)

    def nonnegative(self, poly: Poly) -> bool:
        """`proves` without looking ahead."""
        if len(poly) > MAX_TERMS or self.tries <= 0:
            return False
        self.tries -= 1
        if self.lower(poly) >= 0:
            return True
        for fact in self.facts.inequalities():
            rest = dict(poly)
            _add(rest, self.of_linear(fact), -1)
            if self.lower(rest) >= 0:
                return True
        return any(all(map(self.nonnegative, needed)) for needed in self._moves(poly))

    def _moves(self, poly: Poly) -> Iterator[list[Poly]]:
        """Lists of polynomials: if all of one list are not negative, then neither is `poly`."""
        numbers = sorted({n for m in poly for n in m}, key=self._order)
        for number in numbers:
            rest, cofactor = _split(poly, number)
            if cofactor is None:
                continue
            signs = {(c > 0) for m, c in cofactor.items() if c}
            if len(signs) != 1 or any(self._product_bound(m)[0] < 0 for m in cofactor):
                continue
            for ends in self._ends(self.atoms[number], signs.pop()):
                yield from self._replaced(rest, cofactor, ends)

    def _replaced(self, rest: Poly, cofactor: Poly, ends) -> Iterator[list[Poly]]:
        needed = []
        for scale, end in ends:  # atom * scale >= end (or <= where the sign is minus)
            new: Poly = {}
            _add(new, rest, scale)
            _add(new, _multiply(cofactor, self.expand(end)), 1)
            needed.append(new)
        yield needed

    def _ends(self, atom: PrimExpr, positive: bool) -> Iterator[list[tuple[int, PrimExpr]]]:
        """Ways to bound `atom` from below (`positive`) or above. Each is a list of (scale, end)
        with `scale * atom` bounded by `end`; all of a list are needed."""
        kind = type(atom)
        if kind in (prim.Min, prim.Max):
            if (kind is prim.Min) == positive:
                yield [(1, atom.a), (1, atom.b)]
            else:
                yield [(1, atom.a)]
                yield [(1, atom.b)]
        elif kind is prim.Select or kind is prim.Call and atom.op == "if_then_else":
            sides = atom.args[1:] if kind is prim.Call else (atom.true_value, atom.false_value)
            yield [(1, s) for s in sides]
        elif kind is prim.FloorDiv and type(atom.b) is IntImm and atom.b.value > 0:
            c = atom.b.value
            yield [(c, prim.sub(atom.a, c - 1) if positive else atom.a)]
        elif kind is prim.FloorMod and self.facts.bound(atom.b)[0] > 0:
            yield [(1, IntImm(0, atom.dtype) if positive else prim.sub(atom.b, 1))]
            if not positive and self.facts.bound(atom.a)[0] >= 0:
                yield [(1, atom.a)]
        else:
            yield from self._range_ends(atom, positive)

    def _range_ends(self, atom: PrimExpr, positive: bool):
        for low, high in self.facts.symbolic_ranges(atom):
            end = low if positive else high
            if end is not None:
                yield [(1, end)]

    def _order(self, number: int) -> tuple[int, int]:
        """Compound atoms first, then variables from the innermost out."""
        atom = self.atoms[number]
        kinds = (prim.Min, prim.Max, prim.FloorDiv, prim.FloorMod)
        return (0 if type(atom) in kinds else 1, -self.facts.depth(atom))


def _add(into: Poly, other: Poly, factor: int) -> None:
    for m, c in other.items():
        new = into.get(m, 0) + c * factor
        if new or not m:
            into[m] = new
        else:
            into.pop(m, None)


def _multiply(a: Poly, b: Poly) -> Poly:
    result: Poly = {}
    for m, c in a.items():
        for n, k in b.items():
            _add(result, {tuple(sorted(m + n)): c * k}, 1)
    return result


def _split(poly: Poly, number: int) -> tuple[Poly, Poly | None]:
    """(rest, cofactor): poly = rest + atom * cofactor; no cofactor where the atom is squared."""
    rest, cofactor = {}, {}
    for m, c in poly.items():
        count = m.count(number)
        if count > 1:
            return poly, None
        if count:
            k = m.index(number)
            cofactor[m[:k] + m[k + 1:]] = c
        else:
            rest[m] = c
    return rest, cofactor
