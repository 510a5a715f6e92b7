"""Constant bounds: the smallest and largest value that an integer expression can take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ..ir import prim, tir
from ..ir.node import Node
from ..ir.prim import PrimExpr
from .bottom_up import BottomUp

Bound = tuple[float, float]  # ints, or minus and plus infinity
INF = math.inf
EVERYTHING: Bound = (-INF, INF)
BIT: Bound = (0, 1)


def const_bound(e: PrimExpr, ranges: Mapping[prim.Var, Bound] | None = None) -> Bound:
    """(low, high), both inclusive, of `e` for variables within `ranges` (inclusive as well; a
    missing one may be anything of its dtype). Overflow is taken not to happen."""
    return Bounds((ranges or {}).get)(e)


class Bounds(BottomUp):
    """Bounds of many expressions; `known(e)` gives what else is known of one, or None."""

    def __init__(self, known: Callable[[Node], Bound | None]):
        super().__init__()
        self.known = known

    def parts(self, e: Node) -> tuple[Node, ...]:
        if isinstance(e, prim.BinaryExpr):
            return () if isinstance(e, prim.CompareExpr) else (e.a, e.b)
        if type(e) is prim.Cast or type(e) is prim.Broadcast:
            return (e.value,)
        if type(e) is prim.Select:
            return (e.true_value, e.false_value)
        if type(e) is prim.Call and e.op in _CALLS:
            return tuple(e.args)
        return ()

    def compute(self, e: Node, values: list[Bound]) -> Bound:
        rule = _RULES.get(type(e))
        if isinstance(e, prim.CompareExpr):
            bound = BIT
        elif type(e) is prim.Call:
            bound = _CALLS[e.op](*values) if e.op in _CALLS else of_dtype(e)
        else:
            bound = rule(e, *values) if rule else of_dtype(e)
        extra = self.known(e)
        return bound if extra is None else (max(bound[0], extra[0]), min(bound[1], extra[1]))


def of_dtype(e: Node) -> Bound:
    """What the dtype alone says; 32 and 64 bit integers count as unbounded."""
    t = getattr(e, "dtype", None)
    if t is None or t.kind not in ("int", "uint", "bool"):
        return EVERYTHING
    if t.kind == "bool":
        return BIT
    if t.bits >= 32:
        return (0, INF) if t.kind == "uint" else EVERYTHING
    return (0, 2**t.bits - 1) if t.kind == "uint" else (-2**(t.bits - 1), 2**(t.bits - 1) - 1)


def product(x: float, y: float) -> float:
    """`x * y`, where zero wins over infinity."""
    return 0 if x == 0 or y == 0 else x * y


def quotient(x: float, y: float) -> float:
    """`x // y` for y != 0, also where one is infinite."""
    if math.isinf(y):
        return 0 if x == 0 or (x > 0) == (y > 0) else -1
    if math.isinf(x):
        return x if y > 0 else -x
    return x // y


def hull(*bounds: Bound) -> Bound:
    """The smallest bound that holds all."""
    return min(b[0] for b in bounds), max(b[1] for b in bounds)


def _corners(f: Callable, a: Bound, b: Bound) -> Bound:
    values = [f(x, y) for x in a for y in b]
    return min(values), max(values)


def multiply(a: Bound, b: Bound) -> Bound:
    return _corners(product, a, b)


def floor_divide(a: Bound, b: Bound) -> Bound:
    """Bounds of `a // b`; a divisor of zero is taken not to happen."""
    sides = [s for s in ((max(b[0], 1), b[1]), (b[0], min(b[1], -1))) if s[0] <= s[1]]
    return hull(*[_corners(quotient, a, s) for s in sides]) if sides else EVERYTHING


def floor_modulo(a: Bound, b: Bound) -> Bound:
    if b[0] > 0:
        if b[0] == b[1] and not math.isinf(a[0]) and quotient(a[0], b[0]) == quotient(a[1], b[0]):
            return a[0] % b[0], a[1] % b[0]
        if a[0] >= 0:
            return (a[0] if a[1] < b[0] else 0), min(a[1], b[1] - 1)
        return 0, b[1] - 1
    return (b[0] + 1, 0) if b[1] < 0 else EVERYTHING


def _trunc_divide(a: Bound, b: Bound) -> Bound:
    if a[0] >= 0 and b[0] > 0:
        return floor_divide(a, b)
    most = max(abs(a[0]), abs(a[1]))
    return -most, most


def _trunc_modulo(a: Bound, b: Bound) -> Bound:
    most = max(abs(b[0]), abs(b[1])) - 1
    low = 0 if a[0] >= 0 else max(a[0], -most)
    return low, (0 if a[1] <= 0 else min(a[1], most))


def _integer(f: Callable) -> Callable:
    """A rule for integers; of floats nothing is said."""
    return lambda e, a, b: f(a, b) if e.dtype.is_int else EVERYTHING


def _cast(e: prim.Cast, a: Bound) -> Bound:
    own = of_dtype(e)
    exact = e.value.dtype.kind in ("int", "uint", "bool") and own[0] <= a[0] and a[1] <= own[1]
    return a if exact else own


def _bit_and(a: Bound, b: Bound) -> Bound:
    if a[0] >= 0 or b[0] >= 0:
        return 0, min(x[1] for x in (a, b) if x[0] >= 0)
    return EVERYTHING


def _shift_right(a: Bound, b: Bound) -> Bound:
    if b[0] < 0 or b[0] > 63:
        return EVERYTHING
    return floor_divide(a, (2**b[0], 2**b[1] if b[1] < 64 else INF))


def _shift_left(a: Bound, b: Bound) -> Bound:
    return multiply(a, (2**b[0], 2**b[1] if b[1] < 64 else INF)) if 0 <= b[0] < 64 else EVERYTHING


def _magnitude(a: Bound) -> Bound:
    low = 0 if a[0] <= 0 <= a[1] else min(abs(a[0]), abs(a[1]))
    return low, max(abs(a[0]), abs(a[1]))


_RULES: dict[type, Callable[..., Bound]] = {
    prim.IntImm: lambda e: (e.value, e.value),
    prim.Add: _integer(lambda a, b: (a[0] + b[0], a[1] + b[1])),
    prim.Sub: _integer(lambda a, b: (a[0] - b[1], a[1] - b[0])),
    prim.Mul: _integer(multiply),
    prim.FloorDiv: _integer(floor_divide),
    prim.FloorMod: _integer(floor_modulo),
    prim.Div: _integer(_trunc_divide),
    prim.Mod: _integer(_trunc_modulo),
    prim.Min: _integer(lambda a, b: (min(a[0], b[0]), min(a[1], b[1]))),
    prim.Max: _integer(lambda a, b: (max(a[0], b[0]), max(a[1], b[1]))),
    prim.Not: lambda e: BIT,
    prim.Select: lambda e, a, b: hull(a, b),
    prim.Broadcast: lambda e, a: a,
    prim.Cast: _cast,
    tir.BufferLoad: of_dtype,
}

_CALLS: dict[str, Callable[..., Bound]] = {
    "if_then_else": lambda c, a, b: hull(a, b),
    "likely": lambda a: a,
    "bitwise_and": _bit_and,
    "shift_right": _shift_right,
    "shift_left": _shift_left,
    "abs": _magnitude,
    "vscale": lambda: (1, INF),
}
