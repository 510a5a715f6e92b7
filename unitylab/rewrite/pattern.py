"""Scalar patterns that read as algebra, compiled to matchers.

    x, y, c = pvar("x"), pvar("y"), pconst("c")
    x + 0          matches `v + 0` and `0 + v`, x stands for v
    x // c * c     c is an integer literal; conditions and results see its Python value

A variable that appears twice must stand for the same expression. Operands of
`+ * min max & | == !=` match in either order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from ..ir import prim

SYMBOL = {prim.Add: "+", prim.Sub: "-", prim.Mul: "*", prim.FloorDiv: "//", prim.FloorMod: "%",
          prim.EQ: "==", prim.NE: "!=", prim.LT: "<", prim.LE: "<=", prim.GT: ">", prim.GE: ">="}
BUILD: dict[type, Callable] = {
    prim.Add: prim.add, prim.Sub: prim.sub, prim.Mul: prim.mul, prim.Div: prim.div,
    prim.FloorDiv: prim.floordiv, prim.FloorMod: prim.floormod, prim.Mod: prim.truncmod,
    prim.Min: prim.minimum, prim.Max: prim.maximum, prim.And: prim.logical_and,
    prim.Or: prim.logical_or, prim.Not: prim.logical_not, prim.Select: prim.Select,
    **{k: (lambda a, b, k=k: prim.compare(k, a, b))
       for k in (prim.EQ, prim.NE, prim.LT, prim.LE, prim.GT, prim.GE)}}
FIELDS = {prim.Not: ("a",), prim.Select: ("condition", "true_value", "false_value"),
          prim.Cast: ("value",), prim.Ramp: ("base", "stride"), prim.Broadcast: ("value",)}
COMMUTES = {prim.Add, prim.Mul, prim.Min, prim.Max, prim.And, prim.Or, prim.EQ, prim.NE}


class Pattern:
    """What an expression must look like. Python's operators build bigger patterns."""

    def __add__(self, other): return Op(prim.Add, self, other)
    def __radd__(self, other): return Op(prim.Add, other, self)
    def __sub__(self, other): return Op(prim.Sub, self, other)
    def __rsub__(self, other): return Op(prim.Sub, other, self)
    def __mul__(self, other): return Op(prim.Mul, self, other)
    def __rmul__(self, other): return Op(prim.Mul, other, self)
    def __truediv__(self, other): return Op(prim.Div, self, other)
    def __floordiv__(self, other): return Op(prim.FloorDiv, self, other)
    def __rfloordiv__(self, other): return Op(prim.FloorDiv, other, self)
    def __mod__(self, other): return Op(prim.FloorMod, self, other)
    def __rmod__(self, other): return Op(prim.FloorMod, other, self)
    def __lt__(self, other): return Op(prim.LT, self, other)
    def __le__(self, other): return Op(prim.LE, self, other)
    def __gt__(self, other): return Op(prim.GT, self, other)
    def __ge__(self, other): return Op(prim.GE, self, other)
    def __eq__(self, other): return Op(prim.EQ, self, other)
    def __ne__(self, other): return Op(prim.NE, self, other)
    def __and__(self, other): return Op(prim.And, self, other)
    def __or__(self, other): return Op(prim.Or, self, other)
    def __invert__(self): return Op(prim.Not, self)
    __hash__ = object.__hash__


class PVar(Pattern):
    """Any expression, or only those of some dtypes."""

    def __init__(self, name: str, dtypes: tuple[str, ...] | None = None):
        self.name, self.dtypes = name, dtypes


class PConst(Pattern):
    """Any integer literal; stands for its value."""

    def __init__(self, name: str):
        self.name = name


class Op(Pattern):
    """A node of class `kind` with operands that match."""

    def __init__(self, kind: type, *operands):
        self.kind, self.operands = kind, tuple(operands)

    def variants(self) -> Iterator[Op]:
        """This pattern with the operands of commutative operators in both orders."""
        choices = [list(p.variants()) if isinstance(p, Op) else [p] for p in self.operands]
        for picked in itertools.product(*choices):
            yield Op(self.kind, *picked)
            if self.kind in COMMUTES and self.operands[0] is not self.operands[1]:
                yield Op(self.kind, *reversed(picked))


def pvar(name: str, dtypes: tuple[str, ...] | None = None) -> PVar:
    """A variable of a pattern, optionally of certain dtypes only."""
    return PVar(name, dtypes)


def pconst(name: str) -> PConst:
    """An integer literal in a pattern."""
    return PConst(name)


def min_of(a, b) -> Op:
    return Op(prim.Min, a, b)


def max_of(a, b) -> Op:
    return Op(prim.Max, a, b)


def select(condition, true_value, false_value) -> Op:
    return Op(prim.Select, condition, true_value, false_value)


def cast_of(value) -> Op:
    """A conversion, to any dtype."""
    return Op(prim.Cast, value)
