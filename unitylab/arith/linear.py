"""Sums of terms: the normal form of integer arithmetic.

A term is a coefficient times a `Digits` of an expression: `x % upper // lower`, so that splits and
fuses of one index (`i // 4 * 4 + i % 4`) find together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..ir import prim
from ..ir.dtypes import DataType
from ..ir.prim import IntImm, PrimExpr
from ..rewrite.keys import Keys, chain

INDEX = ("int32", "int64")


class Digits(NamedTuple):
    """`index % upper // lower`; the whole of `index` is `lower` 1, `upper` None."""

    index: PrimExpr
    lower: int = 1
    upper: int | None = None

    def build(self) -> PrimExpr:
        e = self.index
        if self.upper is not None:
            e = prim.FloorMod(e, IntImm(self.upper, e.dtype))
        return e if self.lower == 1 else prim.FloorDiv(e, IntImm(self.lower, e.dtype))


def digits(e: PrimExpr) -> Digits | None:
    """`e` as digits of something; None if it is zero."""
    steps = []
    inner = e
    while type(inner) in (prim.FloorDiv, prim.FloorMod) and type(inner.b) is IntImm \
            and inner.b.value > 0:
        steps.append(inner)
        inner = inner.a
    found = Digits(inner)
    for step in reversed(steps):
        c, (index, lower, upper) = step.b.value, found
        if type(step) is prim.FloorDiv:
            found = Digits(index, lower * c, upper)
        elif upper is None or upper % (lower * c) == 0:
            found = Digits(index, lower, lower * c)
        elif upper > lower * c:
            found = Digits(step)
        if found.upper is not None and found.lower >= found.upper:
            return None
    return found


class Linear:
    """`sum(coefficient * term) + constant`, in order of first appearance."""

    def __init__(self, dtype: DataType, keys: Keys):
        self.dtype, self.keys = dtype, keys
        self.terms: dict[tuple, list] = {}  # key -> [coefficient, Digits]
        self.constant = 0

    def add(self, coefficient: int, e: PrimExpr) -> Linear:
        """Adds `coefficient * e`, where `e` is no sum."""
        d = digits(e)
        if d is not None and coefficient:
            self.add_digits(coefficient, d)
        return self

    def add_digits(self, coefficient: int, d: Digits) -> None:
        key = (self.keys(d.index), d.lower, d.upper)
        term = self.terms.setdefault(key, [0, d])
        term[0] += coefficient
        if term[0] == 0:
            del self.terms[key]

    def items(self) -> list[tuple[int, PrimExpr]]:
        """(coefficient, term) of each term."""
        return [(c, d.build()) for c, d in self.terms.values()]

    def select(self, test: Callable[[int], bool]) -> tuple[Linear, Linear]:
        """The terms whose coefficient passes `test`, and the rest; constants are left out."""
        yes, no = Linear(self.dtype, self.keys), Linear(self.dtype, self.keys)
        for key, (c, d) in self.terms.items():
            (yes if test(c) else no).terms[key] = [c, d]
        return yes, no

    def scaled(self, numerator: int, denominator: int = 1) -> Linear:
        """All coefficients times `numerator / denominator`, which must divide them."""
        new = Linear(self.dtype, self.keys)
        new.terms = {k: [c * numerator // denominator, d] for k, (c, d) in self.terms.items()}
        new.constant = self.constant * numerator // denominator
        return new

    def merge(self) -> Linear:
        """Joins neighbouring digits of one index, also with symbolic divisors, and quotients of
        neighbours."""
        while self._merge_once() or self._merge_symbolic() or self._merge_quotients():
            pass
        return self

    def _merge_quotients(self) -> bool:
        """(x + k) // n - x // n = (x % n + k) // n."""
        whole = [(c, d) for c, d in self.terms.values() if d.lower > 1 and d.upper is None]
        for c, low in whole:
            for k, high in whole:
                if k != -c or low.lower != high.lower:
                    continue
                apart = linear(high.index, self.keys)
                add_sum(apart, -1, low.index)
                if apart.terms or apart.constant <= 0:
                    continue
                n = IntImm(low.lower, self.dtype)
                first = prim.FloorMod(low.index, n)
                moved = prim.Add(first, IntImm(apart.constant, self.dtype))
                self.add_digits(-c, low)
                self.add_digits(c, high)
                add_sum(self, -c, prim.FloorDiv(moved, n))
                return True
        return False

    def _merge_once(self) -> bool:
        by_top = {(k, upper): (c, d) for (k, _, upper), (c, d) in self.terms.items()
                  if upper is not None}
        for (k, lower, _), (c, high) in self.terms.items():
            if lower == 1 or (k, lower) not in by_top:
                continue
            c_low, low = by_top[k, lower]
            fits = lower % low.lower == 0 and (high.upper is None or high.upper % lower == 0)
            if fits and c * low.lower == c_low * lower:
                self.add_digits(-c, high)
                self.add_digits(-c_low, low)
                self.add_digits(c_low, Digits(low.index, low.lower, high.upper))
                return True
        return False

    def _merge_symbolic(self) -> bool:
        """x // n * n + x % n = x."""
        for c, d in list(self.terms.values()):
            e = d.index
            if type(e) is not prim.FloorMod or type(e.b) is IntImm or d.lower != 1 or d.upper:
                continue
            product = prim.Mul(prim.FloorDiv(e.a, e.b), e.b)
            other = self.terms.get((self.keys(product), 1, None))
            if other and other[0] == c:
                self.add_digits(-c, Digits(product))
                self.add_digits(-c, d)
                add_sum(self, c, e.a)
                return True
        return False

    def build(self) -> PrimExpr:
        """The expression: what is added, then what is subtracted; the constant after the terms."""
        positive = [self._scale(c, e) for c, e in self.items() if c > 0]
        if self.constant > 0 or not self.terms:
            positive.append(IntImm(self.constant, self.dtype))
        negative = [(c, e) for c, e in self.items() if c < 0]
        if not positive:
            c, e = negative.pop(0)
            positive = [self._scale(c, e)]
        negative = [self._scale(-c, e) for c, e in negative]
        if self.constant < 0 and self.terms:
            negative.append(IntImm(-self.constant, self.dtype))
        result = positive[0]
        for e in positive[1:]:
            result = prim.Add(result, e)
        for e in negative:
            result = prim.Sub(result, e)
        return result

    def _scale(self, c: int, e: PrimExpr) -> PrimExpr:
        return e if c == 1 else prim.Mul(e, IntImm(c, self.dtype))


def is_index(e) -> bool:
    """Whether `e` is a scalar int32 or int64: the integers on which sums are put in order."""
    return e.dtype in INDEX


def sum_leaves(e: PrimExpr) -> Iterator[tuple[int, PrimExpr]]:
    """(factor, leaf) for the terms of a sum: through `+`, `-` and multiplication by a literal."""
    stack = [(1, e)]
    while stack:
        c, e = stack.pop()
        kind = type(e)
        if kind is prim.Add:
            stack += ((c, e.b), (c, e.a))
        elif kind is prim.Sub:
            stack += ((-c, e.b), (c, e.a))
        elif kind is prim.Mul and type(e.b) is IntImm:
            stack.append((c * e.b.value, e.a))
        elif kind is prim.Mul and type(e.a) is IntImm:
            stack.append((c * e.a.value, e.b))
        else:
            yield c, e


def replace_leaves(e: PrimExpr, new: Callable[[PrimExpr], PrimExpr]) -> PrimExpr:
    """The sum with `new(leaf)` for each of its leaves; `e` itself if none changes."""
    done: dict[int, PrimExpr] = {id(leaf): new(leaf) for _, leaf in sum_leaves(e)}
    stack = [e]
    while stack:
        n = stack[-1]
        if id(n) in done:
            stack.pop()
        elif type(n.b) is IntImm and id(n.b) not in done:
            done[id(n.b)] = n.b
        elif type(n.a) is IntImm and id(n.a) not in done:
            done[id(n.a)] = n.a
        elif id(n.a) in done and id(n.b) in done:
            a, b = done[id(n.a)], done[id(n.b)]
            done[id(n)] = n if a is n.a and b is n.b else n.replace(a=a, b=b)
        else:
            stack += [p for p in (n.b, n.a) if id(p) not in done]
    return done[id(e)]


def add_sum(lin: Linear, factor: int, e: PrimExpr) -> None:
    """Adds `factor * e` for any `e`."""
    for c, leaf in sum_leaves(e):
        if type(leaf) is IntImm:
            lin.constant += factor * c * leaf.value
        else:
            lin.add(factor * c, leaf)


def linear(e: PrimExpr, keys: Keys | None = None) -> Linear:
    """`e` as a sum of terms."""
    lin = Linear(e.dtype, keys or Keys())
    add_sum(lin, 1, e)
    return lin


def coefficients(e: PrimExpr, variables) -> tuple[dict[prim.Var, int], PrimExpr] | None:
    """`e` as `sum(coefficient * variable) + rest` with constant coefficients and a rest without
    the variables; None if it is not linear in them."""
    wanted, found = set(variables), {}
    rest = Linear(e.dtype, Keys())
    for c, leaf in sum_leaves(e):
        if leaf in wanted:
            found[leaf] = found.get(leaf, 0) + c
        elif any(v in wanted for v in _vars(leaf)):
            return None
        else:
            add_sum(rest, c, leaf)
    return found, rest.build()


def _vars(e: PrimExpr) -> Iterator[prim.Var]:
    stack = [e]
    while stack:
        n = stack.pop()
        if type(n) is prim.Var:
            yield n
        stack.extend(n.children())


def factors(e: PrimExpr) -> list[PrimExpr]:
    """The factors of a product, left to right."""
    return list(chain(e, prim.Mul))


def product_of(parts: list[PrimExpr], like: PrimExpr) -> PrimExpr:
    """The product of factors; one if there is none."""
    result = None
    for p in parts:
        result = p if result is None else prim.mul(result, p)
    return IntImm(1, like.dtype) if result is None else result
