"""Floor division and modulo of sums: what divides moves out, what is small vanishes.

`context` is the analyzer: it bounds expressions and proves inequalities."""

from __future__ import annotations

import math

from ..ir import prim
from ..ir.prim import IntImm, PrimExpr
from ..rewrite.rule import Rule
from .linear import Linear, add_sum, factors, is_index, linear, product_of


def divide_by_literal(m) -> PrimExpr | None:
    """(c*q + r) // c = q + r // c, and r // c = k where k*c <= r < (k+1)*c."""
    c = m.e.b.value
    if c == -1:
        return prim.mul(m.e.a, IntImm(-1, m.e.dtype))
    if c <= 0:
        return None
    lin = linear(m.e.a, m.context.keys)
    whole, rest = lin.select(lambda k: k % c == 0)
    rest.constant = lin.constant % c
    moved = whole.scaled(1, c)
    moved.constant = lin.constant // c
    k = constant_quotient(rest, c, m.context)
    if k is not None:
        moved.constant += k
        return moved.build()
    divided = _divide_digits(rest, c)
    if divided is None:
        divided = _divide_reduced(rest, c, m.context)
    if divided is not None:
        add_sum(moved, 1, divided)
        return moved.build()
    if whole.terms or moved.constant:
        add_sum(moved, 1, prim.FloorDiv(rest.build(), m.e.b))
        return moved.build()
    return None


def constant_quotient(rest: Linear, c: int, context) -> int | None:
    """`rest // c` where it is the same for all values."""
    low, high = context.linear_bound(rest)
    if math.isinf(low) or math.isinf(high) or low // c != high // c:
        return None
    return low // c


def _divide_digits(rest: Linear, c: int) -> PrimExpr | None:
    """(x // a) // c = x // (a*c)."""
    if len(rest.terms) != 1 or rest.constant:
        return None
    [(k, d)] = rest.terms.values()
    if k != 1:
        return None
    if d.upper is not None and d.lower * c >= d.upper:
        return IntImm(0, rest.dtype)
    return None if d.lower == 1 else d._replace(lower=d.lower * c).build()


def split_by_divisor(rest: Linear, c: int, context) -> tuple[int, Linear, Linear, int] | None:
    """(g, a, s, k) with rest = g*a + s, g a divisor of c, k*g <= s < (k+1)*g.

    Only factors that a term has are taken out: `i * 12 // 40` stays, as in TVM."""
    divisors = {abs(k) for k, _ in rest.terms.values() if c % k == 0}
    for g in sorted(divisors - {1}, reverse=True):
        big, small = rest.select(lambda k, g=g: k % g == 0)
        small.constant = rest.constant
        k = constant_quotient(small, g, context) if big.terms else None
        if k is not None:
            return g, big.scaled(1, g), small, k
    return None


def _divide_reduced(rest: Linear, c: int, context) -> PrimExpr | None:
    """(g*a + s) // (g*d) = (a + k) // d where s // g = k."""
    found = split_by_divisor(rest, c, context)
    if found is None:
        return None
    g, big, _, k = found
    big.constant += k
    return prim.floordiv(big.build(), IntImm(c // g, rest.dtype))


def modulo_by_literal(m) -> PrimExpr | None:
    """(c*q + r) % c = r % c, and r % c = r - k*c where k*c <= r < (k+1)*c. The digits of `x // a`
    are written as x % (a*c) // a."""
    c = m.e.b.value
    if c <= 0:
        return None
    if c == 1:
        return IntImm(0, m.e.dtype)
    if type(m.e.a) is prim.FloorDiv and type(m.e.a.b) is IntImm and m.e.a.b.value > 0:
        by = m.e.a.b
        return prim.floordiv(prim.floormod(m.e.a.a, IntImm(by.value * c, by.dtype)), by)
    lin = linear(m.e.a, m.context.keys)
    rest = lin.select(lambda k: k % c == 0)[1]
    reduced = lin.terms.keys() != rest.terms.keys()
    for term in rest.terms.values():
        if abs(term[0]) > c:
            term[0], reduced = int(math.fmod(term[0], c)), True
    rest.constant = lin.constant % c
    reduced = reduced or rest.constant != lin.constant
    k = constant_quotient(rest, c, m.context)
    if k is not None:
        rest.constant -= k * c
        return rest.build()
    found = split_by_divisor(rest, c, m.context)
    if found is not None:
        g, big, small, k = found
        big.constant += k
        small.constant -= k * g
        inner = prim.floormod(big.build(), IntImm(c // g, rest.dtype))
        return prim.add(prim.mul(inner, IntImm(g, rest.dtype)), small.build())
    return prim.FloorMod(rest.build(), m.e.b) if reduced else None


def _split_symbolic(a: PrimExpr, n: PrimExpr, context) -> tuple[Linear, Linear]:
    """(q, r) with a = q*n + r, as far as n is a visible factor of the terms."""
    lin = linear(a, context.keys)
    q, r = Linear(a.dtype, context.keys), Linear(a.dtype, context.keys)
    r.constant = lin.constant
    wanted = [context.keys(f) for f in factors(n)]
    for c, term in lin.items():
        left = factors(term)
        numbers = [context.keys(f) for f in left]
        for number in wanted:
            if number not in numbers:
                add_sum(r, c, term)
                break
            del left[numbers.index(number)]
            numbers.remove(number)
        else:
            add_sum(q, c, product_of(left, a))
    return q, r


def divide_by_symbol(m) -> PrimExpr | None:
    """(n*q + r) // n = q + r // n, and r // n = 0 where 0 <= r < n."""
    q, r = _split_symbolic(m.e.a, m.e.b, m.context)
    rest = r.build()
    if not r.terms and r.constant == 0:
        return q.build()
    if m.context.in_range(rest, m.e.b):
        return q.build()
    if q.terms or q.constant:
        add_sum(q, 1, prim.FloorDiv(rest, m.e.b))
        return q.build()
    return None


def modulo_by_symbol(m) -> PrimExpr | None:
    """(n*q + r) % n = r % n, and r % n = r where 0 <= r < n."""
    q, r = _split_symbolic(m.e.a, m.e.b, m.context)
    rest = r.build()
    if m.context.in_range(rest, m.e.b):
        return rest
    return prim.floormod(rest, m.e.b) if q.terms or q.constant else None


def toward_zero(m) -> PrimExpr | None:
    """Division toward zero of what is not negative is floor division."""
    if m.context.bound(m.e.a)[0] < 0 or m.context.bound(m.e.b)[0] <= 0:
        return None
    return (prim.floordiv if type(m.e) is prim.Div else prim.floormod)(m.e.a, m.e.b)


def _literal(m) -> bool:
    return is_index(m.e) and type(m.e.b) is IntImm


def _symbol(m) -> bool:
    return is_index(m.e) and type(m.e.b) is not IntImm


DIVISION_RULES = (
    Rule("(c*q + r) // c = q + r // c", prim.FloorDiv, divide_by_literal, _literal),
    Rule("(c*q + r) % c = r % c", prim.FloorMod, modulo_by_literal, _literal),
    Rule("(n*q + r) // n = q + r // n", prim.FloorDiv, divide_by_symbol, _symbol),
    Rule("(n*q + r) % n = r % n", prim.FloorMod, modulo_by_symbol, _symbol),
    Rule("truncdiv(x, y) = x // y", prim.Div, toward_zero, lambda m: is_index(m.e)),
    Rule("truncmod(x, y) = x % y", prim.Mod, toward_zero, lambda m: is_index(m.e)),
)
