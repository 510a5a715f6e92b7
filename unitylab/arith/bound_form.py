"""Bounds as they are usually written: `2 <= i` and `i < 8`, the constant by itself."""

from __future__ import annotations

from ..ir import prim
from ..ir.prim import IntImm, PrimExpr, as_int, literal
from .analyzer import Analyzer
from .linear import Linear, linear


def bound_form(term: PrimExpr, analyzer: Analyzer) -> PrimExpr:
    """A comparison of integers with its constant on one side; others as they are.

        i - 2 >= 0  ->  2 <= i        i // 4 < 3  ->  i < 12        i * 3 + j < 18  ->  i < 6
    where j is in range(3)."""
    found = _upper(term)
    if found is None or not found[0].dtype.is_int:
        return term
    left, right, strict = found  # left < right or left <= right
    total = linear(left, analyzer.keys)
    for c, e in linear(right, analyzer.keys).items():
        total.add(-c, e)
    total.merge()
    bound = linear(right, analyzer.keys).constant - total.constant + (0 if strict else 1)
    total.constant = 0
    if not total.terms:
        return term
    if all(c > 0 for c, _ in total.items()):
        return _below(total, bound, analyzer)
    if all(c < 0 for c, _ in total.items()):
        return _from(total.scaled(-1), 1 - bound)
    return term


def _upper(term: PrimExpr) -> tuple[PrimExpr, PrimExpr, bool] | None:
    """(a, b, strict) of `a < b` or `a <= b`, whichever way it is written."""
    if isinstance(term, (prim.LT, prim.LE)):
        return term.a, term.b, isinstance(term, prim.LT)
    if isinstance(term, (prim.GT, prim.GE)):
        return term.b, term.a, isinstance(term, prim.GT)
    return None


def _below(total: Linear, bound: int, analyzer: Analyzer) -> PrimExpr:
    """`total < bound`."""
    for g in sorted({abs(c) for c, _ in total.items()} - {1}, reverse=True):
        big, small = total.select(lambda c, g=g: c % g == 0)
        low, high = analyzer.linear_bound(small)
        if bound % g == 0 and low >= 0 and high < g:
            return _below(big.scaled(1, g), bound // g, analyzer)
    e = total.build()
    if isinstance(e, prim.FloorDiv) and (as_int(e.b) or 0) > 0:
        return prim.LT(e.a, literal(bound * as_int(e.b), e.dtype))
    return prim.LT(e, IntImm(bound, e.dtype))


def _from(total: Linear, bound: int) -> PrimExpr:
    """`bound <= total`."""
    e = total.build()
    if isinstance(e, prim.FloorDiv) and (as_int(e.b) or 0) > 0:
        return prim.LE(literal(bound * as_int(e.b), e.dtype), e.a)
    return prim.LE(IntImm(bound, e.dtype), e)
