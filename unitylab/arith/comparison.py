"""Comparisons, minima and maxima of integers: decided by bounds where they can be, otherwise freed
of what stands on both sides."""

from __future__ import annotations

import math
from types import SimpleNamespace

from ..ir import prim
from ..ir.prim import PrimExpr, literal
from ..rewrite.pattern import max_of, min_of, pconst, pvar
from ..rewrite.rule import Rule
from .linear import INDEX, Linear, add_sum, is_index, linear

_MIRROR = {prim.LT: prim.GT, prim.GT: prim.LT, prim.LE: prim.GE, prim.GE: prim.LE}
_STRICT = {prim.LT: 1, prim.GT: 1, prim.LE: 0, prim.GE: 0}


def difference(a: PrimExpr, b: PrimExpr, keys) -> Linear:
    """a - b as a sum."""
    d = linear(a, keys)
    add_sum(d, -1, b)
    return d.merge()


def decide(m: SimpleNamespace) -> PrimExpr | None:
    """True or false where the bounds of `a - b` tell."""
    kind, c = type(m.e), m.context
    known = c.known_condition(m.e)
    if known is not None:
        return literal(known)
    if not is_index(m.e.a):
        return None
    d = difference(m.e.a, m.e.b, c.keys)
    if kind in (prim.EQ, prim.NE):
        return _decide_equality(kind, d, c)
    if kind in (prim.LT, prim.LE):
        d = d.scaled(-1)
    strict = _STRICT[kind]
    if c.at_least(d, strict):
        return literal(True)
    if c.at_least(d.scaled(-1), 1 - strict):
        return literal(False)
    return None


def _decide_equality(kind: type, d: Linear, context) -> PrimExpr | None:
    if not d.terms:
        return literal((d.constant == 0) == (kind is prim.EQ))
    common = math.gcd(*[c for c, _ in d.terms.values()])
    if d.constant % common or context.at_least(d, 1) or context.at_least(d.scaled(-1), 1):
        return literal(kind is prim.NE)
    return None


def cancel(m: SimpleNamespace) -> PrimExpr | None:
    """a + x < b + x = a < b; c*x < c*y = x < y; x + 1 < 8 = x < 7."""
    kind, keys = type(m.e), m.context.keys
    a, b = linear(m.e.a, keys), linear(m.e.b, keys)
    d = difference(m.e.a, m.e.b, keys)
    common = math.gcd(*[c for c, _ in d.terms.values()])
    size = len(a.terms) + len(b.terms) + bool(a.constant) + bool(b.constant)
    new_size = len(d.terms) + bool(d.constant)
    if not d.terms or new_size >= size and common == 1:
        return None
    if kind in (prim.EQ, prim.NE) and d.constant % common:
        return None
    bound = _divide_bound(kind, -d.constant, common)  # d's terms / common <kind> bound
    sign = 1 if any(c > 0 for c, _ in d.terms.values()) else -1
    if sign < 0:
        kind, bound = _MIRROR.get(kind, kind), -bound
    left, right = d.scaled(sign, common).select(lambda c: c > 0)
    right = right.scaled(-1)
    right.constant = bound
    return prim.compare(kind, left.build(), right.build())


def _divide_bound(kind: type, bound: int, common: int) -> int:
    """The bound for a sum that was divided by `common`."""
    if kind in (prim.LT, prim.GE):
        return -(-bound // common)
    return bound // common


def smaller(m: SimpleNamespace) -> PrimExpr | None:
    """min(a, b) = a where a <= b; the same for max."""
    d = difference(m.e.b, m.e.a, m.context.keys)  # b - a
    first = type(m.e) is prim.Min
    if m.context.at_least(d, 0):
        return m.e.a if first else m.e.b
    if m.context.at_least(d.scaled(-1), 0):
        return m.e.b if first else m.e.a
    return None


x, y, z = pvar("x"), pvar("y"), pvar("z")
i = pvar("i", INDEX)
c, d = pconst("c"), pconst("d")

COMPARISON_RULES = (
    *[Rule(f"{k.__name__}: by bounds", k, decide)
      for k in (prim.EQ, prim.NE, prim.LT, prim.LE, prim.GT, prim.GE)],
    *[Rule(f"{k.__name__}: cancel both sides", k, cancel, lambda m: is_index(m.e.a))
      for k in (prim.EQ, prim.NE, prim.LT, prim.LE, prim.GT, prim.GE)],
    Rule("min(x, y) = x if x <= y", prim.Min, smaller, lambda m: is_index(m.e)),
    Rule("max(x, y) = y if x <= y", prim.Max, smaller, lambda m: is_index(m.e)),
    Rule("min(x, x) = x", min_of(x, x), x),
    Rule("max(x, x) = x", max_of(x, x), x),
    Rule("min(min(i, c), d) = min(i, min(c, d))", min_of(min_of(i, c), d), min_of(i, min_of(c, d))),
    Rule("max(max(i, c), d) = max(i, max(c, d))", max_of(max_of(i, c), d), max_of(i, max_of(c, d))),
    Rule("min(min(x, y), x) = min(x, y)", min_of(min_of(x, y), x), min_of(x, y)),
    Rule("max(max(x, y), x) = max(x, y)", max_of(max_of(x, y), x), max_of(x, y)),
    Rule("min(max(i, y), i) = i", min_of(max_of(i, y), i), i),
    Rule("max(min(i, y), i) = i", max_of(min_of(i, y), i), i),
)
