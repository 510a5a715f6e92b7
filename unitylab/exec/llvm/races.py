"""Parallel loops whose iterations may need each other: they run one by one.

Every pair of accesses of which one writes must be proven to stay apart: either along a dimension
in which later iterations lie further on, or by digits of the loop variable."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

from ...arith.analyzer import Analyzer
from ...arith.iter_map import NotAffine, detect
from ...ir import prim, tir
from ...ir.errors import UnityLabError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import Range
from ...ir.visitor import fold_substitute, free_vars
from ...schedule.regions import Span
from .touched import Touch, touches


def why_dependent(loop: tir.For) -> str | None:
    """Why the iterations of a loop may touch the same element, one of them writing it; None where
    they are proven not to."""
    analyzer = Analyzer()
    analyzer.bind(loop.loop_var, Range(loop.min, loop.extent))
    groups: dict[int, list[Touch]] = {}
    for t in touches(loop, analyzer):
        groups.setdefault(id(t.data), []).append(t)
    for group in groups.values():
        if any(t.writes for t in group) and not _apart(loop, group, analyzer):
            name = next((t.buffer.name for t in group if t.buffer is not None), "memory")
            return f"iterations of loop {loop.loop_var.name} may touch the same element of {name}"
    return None


def _apart(loop: tir.For, group: list[Touch], analyzer: Analyzer) -> bool:
    """Whether no two iterations meet in the memory behind one pointer."""
    if any(t.buffer is not group[0].buffer or t.buffer is None for t in group):
        return False  # views of the same memory, or an address that was given away
    if group[0].buffer.strides and group[0].buffer.ndim > 1:
        group = [_flat(t) for t in group]
    return _by_digits(loop, group, analyzer) or all(
        _same_iteration(a, b) or _disjoint(a, b) or _further_on(loop, a, b, analyzer)
        for a, b in product(group, group) if a.writes)


def _same_iteration(a: Touch, b: Touch) -> bool:
    """Whether one iteration alone runs both."""
    return a.when == b.when and a.when[0] == a.when[1]


def _disjoint(a: Touch, b: Touch) -> bool:
    """Whether two boxes lie apart, whatever the iterations in which they are touched."""
    return any(x[1] < y[0] or y[1] < x[0] for x, y in zip(a.ends, b.ends))


def _flat(t: Touch) -> Touch:
    """A box of a buffer with strides of its own, as an interval of elements."""
    zero = literal(0, t.buffer.shape[0].dtype)
    low = high = zero
    for s, stride in zip(t.box, t.buffer.strides):
        by = as_int(stride)
        if s is None or by is None or by < 0:
            return replace(t, box=(None,), ends=())
        low, high = low + s.low * by, high + s.high * by
    return replace(t, box=(Span(low, high, 0),), ends=())


# --- later iterations lie further on --------------------------------------------------------

def _further_on(loop: tir.For, a: Touch, b: Touch, analyzer: Analyzer) -> bool:
    """Whether what a later iteration touches by `b` lies behind (or before) all that an earlier one
    touches by `a`, and the other way round, in some dimension."""
    v = loop.loop_var
    gap = Var("gap", v.dtype)
    with analyzer.scope():
        extent = as_int(loop.extent)
        analyzer.bind(gap, (1, extent - 1 if extent else None))
        later = {v: v + gap}
        for x, y in zip(a.box, b.box):
            if x is None or y is None or gap in free_vars(x.low):
                continue
            if all(_behind(p, q, later, analyzer) for p, q in ((x, y), (y, x))) or \
                    all(_before(p, q, later, analyzer) for p, q in ((x, y), (y, x))):
                return True
    return False


def _behind(x: Span, y: Span, later: dict, analyzer: Analyzer) -> bool:
    return analyzer.can_prove(fold_substitute(y.low, later) > x.high)


def _before(x: Span, y: Span, later: dict, analyzer: Analyzer) -> bool:
    return analyzer.can_prove(fold_substitute(y.high, later) < x.low)


# --- digits of the loop variable ------------------------------------------------------------

def _by_digits(loop: tir.For, group: list[Touch], analyzer: Analyzer) -> bool:
    """Whether the corners of the boxes tell the iteration, and lie further apart than the boxes
    are wide. Dimensions in which the accesses have different corners do not count."""
    domain = {loop.loop_var: Range(loop.min, loop.extent)}
    corners = [low for spans in zip(*(t.box for t in group))
               if (low := _shared_corner(loop.loop_var, spans, domain, analyzer)) is not None]
    if not corners:
        return False
    try:
        return detect(corners, domain, None, analyzer).why_not_bijective() is None
    except NotAffine:
        return False


def _shared_corner(v: Var, spans: tuple[Span | None, ...], domain,
                   analyzer: Analyzer) -> PrimExpr | None:
    if any(s is None for s in spans) or v not in free_vars(spans[0].low):
        return None
    low = analyzer.simplify(spans[0].low)
    if not all(analyzer.can_prove_equal(low, s.low) for s in spans[1:]):
        return None
    widths = [as_int(analyzer.simplify(prim.sub(s.high, s.low))) for s in spans]
    try:
        steps = [as_int(d.scale) for d in detect((low,), domain, None, analyzer).sums[0].args]
    except (NotAffine, UnityLabError):
        return None
    if None in widths or None in steps:
        return None
    return low if math.gcd(*steps) > max(widths) else None
