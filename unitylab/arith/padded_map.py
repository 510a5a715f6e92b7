"""The way back of an index map that needs padding: `i -> (i // 4, i % 4)` over range(14).

Whatever is divided, `x + base`, is rounded up to whole tiles: `x + base = q` with q in range(16).
Then `q` can be told from the tiles, `x` from `q`, and where `q` is past the end nothing is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..ir import prim
from ..ir.prim import PrimExpr, Var, as_int, literal
from ..ir.structural import structural_equal
from ..ir.tir import Range
from ..ir.visitor import collect, fold_substitute, free_vars, substitute
from .analyzer import Analyzer
from .index_map import IndexMap
from .iter_inverse import invert_affine
from .iter_map import NotAffine, detect


@dataclass
class Divided:
    """Something that a map divides: `core + base`, by `tile` (the least that all its divisors
    divide)."""

    core: PrimExpr
    base: int
    tile: int


@dataclass(frozen=True)
class PaddedInverse:
    """What the inputs are at a place, and when nothing is kept there."""

    values: tuple[PrimExpr, ...]
    padding: PrimExpr


def padded_inverse(index_map: IndexMap, shape: Sequence[PrimExpr], at: Sequence[Var],
                   sizes: Sequence[PrimExpr], analyzer: Analyzer) -> PaddedInverse:
    """The inverse of a map of a buffer of `shape` at the place `at`, which lies within `sizes`.
    Raises NotAffine where several elements come to one place."""
    domain = {v: Range(literal(0, v.dtype), prim.cast(s, v.dtype))
              for v, s in zip(index_map.inputs, shape)}
    for v, s in zip(at, sizes):
        analyzer.bind(v, Range(literal(0, v.dtype), s))
    outputs, whole, padding = index_map.outputs, {}, []
    found = _divided(outputs)
    for d in found:
        q = Var("q", d.core.dtype)
        left = d.base % d.tile
        extent = _extent(d.core, domain)
        whole[q] = d, left, left + extent
        outputs = tuple(_rounded(o, d, q + (d.base - left)) for o in outputs)
    rest = {v: r for v, r in domain.items() if not any(v in free_vars(d.core) for d in found)}
    tiles = {q: Range(literal(0, q.dtype), _up(end, d.tile)) for q, (d, _, end) in whole.items()}
    back = invert_affine(outputs, at, tiles | rest, analyzer)
    for q, (d, left, end) in whole.items():
        back |= _core(d, back[q] - left, domain, analyzer)
        padding += [_simple(c, analyzer) for c in _outside(back[q], d.tile, left, end)]
    values = tuple(analyzer.simplify(back[v]) for v in index_map.inputs)
    return PaddedInverse(values, _either(padding))


def _divided(outputs: Sequence[PrimExpr]) -> list[Divided]:
    """What stands below divisions, innermost."""
    found: list[Divided] = []
    for o in outputs:
        for e in collect(o, (prim.FloorDiv, prim.FloorMod)):
            by, of = as_int(e.b), e.a
            if by is None or by <= 0:
                raise NotAffine(f"{e.script()} divides by no positive number")
            while isinstance(of, prim.FloorDiv) and as_int(of.b):
                of, by = of.a, by * as_int(of.b)
            if not isinstance(of, prim.FloorMod):
                _add(found, *_parts(of), by, e)
    return found


def _add(found: list[Divided], core: PrimExpr, base: int, by: int, e: PrimExpr) -> None:
    for d in found:
        if structural_equal(d.core, core):
            if d.base != base:
                raise NotAffine(f"{e.script()}: {core.script()} is divided at several offsets")
            d.tile = math.lcm(d.tile, by)
            return
    found.append(Divided(core, base, by))


def _parts(e: PrimExpr) -> tuple[PrimExpr, int]:
    """`core + base`."""
    if isinstance(e, (prim.Add, prim.Sub)) and as_int(e.b) is not None:
        core, base = _parts(e.a)
        return core, base + (as_int(e.b) if isinstance(e, prim.Add) else -as_int(e.b))
    return e, 0


def _extent(core: PrimExpr, domain) -> PrimExpr:
    """How far something runs that is a digit of the domain."""
    s, = detect([core], domain, unit_loops=True).sums
    if len(s.args) != 1 or as_int(s.args[0].scale) != 1 or as_int(s.base) != 0:
        raise NotAffine(f"{core.script()} does not run from 0 in steps of 1")
    return s.args[0].extent


def _rounded(output: PrimExpr, d: Divided, q: PrimExpr) -> PrimExpr:
    """An output with what is divided replaced."""
    dividends = {e.a: q for e in collect(output, (prim.FloorDiv, prim.FloorMod))
                 if _is(e.a, d)}
    return substitute(output, dividends)


def _is(e: PrimExpr, d: Divided) -> bool:
    core, base = _parts(e)
    return base == d.base and structural_equal(core, d.core)


def _up(end: PrimExpr, tile: int) -> PrimExpr:
    known = as_int(end)
    if known is not None:
        return literal(-(-known // tile) * tile, end.dtype)
    return prim.mul(prim.floordiv(end + (tile - 1), tile), tile)


def _core(d: Divided, value: PrimExpr, domain, analyzer: Analyzer) -> dict[Var, PrimExpr]:
    if isinstance(d.core, Var):
        return {d.core: value}
    own = {v: domain[v] for v in free_vars(d.core) if v in domain}
    v = Var("x", d.core.dtype)
    back = invert_affine([d.core], [v], own, analyzer)
    return {k: fold_substitute(e, {v: value}) for k, e in back.items()}


def _outside(q: PrimExpr, tile: int, left: int, end: PrimExpr) -> list[PrimExpr]:
    """Conditions under which `q` is before `left`, or at `end` or after it."""
    found, known = [], as_int(end)
    number, inside = prim.floordiv(q, tile), prim.floormod(q, tile)
    if left:
        found.append(prim.logical_and(prim.equal(number, literal(0, q.dtype)), inside < left))
    if known is None:
        found.append(prim.logical_and(prim.equal(number, prim.floordiv(end, tile)),
                                      prim.floormod(end, tile) <= inside))
    elif known % tile:
        first = literal(known % tile, q.dtype)
        last = prim.equal(inside, first) if known % tile == tile - 1 else first <= inside
        found.append(prim.logical_and(prim.equal(number, literal(known // tile, q.dtype)), last))
    return found


def _simple(e: PrimExpr, analyzer: Analyzer) -> PrimExpr:
    """Both sides of the comparisons in it."""
    return e.map_children(lambda c: c.map_children(analyzer.simplify))


def _either(conditions: list[PrimExpr]) -> PrimExpr:
    found = conditions[0] if conditions else literal(False)
    for c in conditions[1:]:
        found = prim.logical_or(found, c)
    return found
