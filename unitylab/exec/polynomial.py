"""Integer expressions as polynomials: sums of products of atoms, so that equal ones look equal."""

from __future__ import annotations

from collections.abc import Mapping

from ..ir import prim
from ..ir.prim import PrimExpr

Monomial = tuple[int, ...]
MAX_TERMS = 64


class Polynomial:
    """A sum of integer multiples of monomials; a monomial is a sorted tuple of atom numbers."""

    __slots__ = ("_atoms", "_key", "terms")

    def __init__(self, terms: Mapping[Monomial, int]):
        self.terms = {m: c for m, c in terms.items() if c}
        self._atoms = self._key = None

    def _plus(self, other: Polynomial, k: int) -> Polynomial:
        """self + k * other"""
        terms = self.terms.copy()
        for m, c in other.terms.items():
            terms[m] = terms.get(m, 0) + k * c
        return Polynomial(terms)

    def __add__(self, other: Polynomial) -> Polynomial:
        return self._plus(other, 1)

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self._plus(other, -1)

    def scale(self, k: int) -> Polynomial:
        return Polynomial({m: c * k for m, c in self.terms.items()})

    def __mul__(self, other: Polynomial) -> Polynomial:
        terms: dict[Monomial, int] = {}
        for m, c in self.terms.items():
            for n, d in other.terms.items():
                key = tuple(sorted(m + n)) if m and n else m or n
                terms[key] = terms.get(key, 0) + c * d
        return Polynomial(terms)

    @property
    def constant(self) -> int | None:
        """The number, if it is one."""
        if not self.terms:
            return 0
        return self.terms.get(()) if len(self.terms) == 1 else None

    @property
    def key(self) -> tuple:
        if self._key is None:
            self._key = tuple(sorted(self.terms.items()))
        return self._key

    @property
    def atoms(self) -> frozenset[int]:
        if self._atoms is None:
            self._atoms = frozenset(a for m in self.terms for a in m)
        return self._atoms

    def substitute(self, atom: int, value: Polynomial) -> Polynomial:
        """With `value` for `atom`, which appears at most linearly in each term."""
        rest: dict[Monomial, int] = {}
        factor: dict[Monomial, int] = {}
        for m, c in self.terms.items():
            if atom in m:
                k = m.index(atom)
                factor[m[:k] + m[k + 1:]] = c
            else:
                rest[m] = c
        return Polynomial(rest) + Polynomial(factor) * value

    def split(self, divisor: Polynomial) -> tuple[Polynomial, Polynomial]:
        """(q, r) with self == q * divisor + r, for a divisor of one term."""
        (m, c), = divisor.terms.items()
        quotient: dict[Monomial, int] = {}
        rest: dict[Monomial, int] = {}
        for n, d in self.terms.items():
            left = _divide_monomial(n, m)
            whole = d // c if c > 0 and left is not None else 0
            if left is not None and (d % c == 0 or not n):
                quotient[left] = whole
                d -= whole * c
            if d:
                rest[n] = d
        return Polynomial(quotient), Polynomial(rest)


def _divide_monomial(n: Monomial, m: Monomial) -> Monomial | None:
    rest = list(n)
    for a in m:
        if a not in rest:
            return None
        rest.remove(a)
    return tuple(rest)


def number(n: int) -> Polynomial:
    return Polynomial({(): n})


def is_index(e: PrimExpr) -> bool:
    """Whether an expression is a scalar of a type that indices have."""
    return e.dtype in ("int32", "int64")


def never_wraps(e: PrimExpr) -> bool:
    """Whether an expression is computed in 64 bits from variables and literals. What is loaded or
    comes out of a call keeps the arithmetic of its own dtype."""
    if isinstance(e, (prim.Var, prim.IntImm)):
        return True
    if isinstance(e, prim.Cast):
        return is_index(e) and is_index(e.value) and never_wraps(e.value)
    return isinstance(e, prim.BinaryExpr) and never_wraps(e.a) and never_wraps(e.b)
