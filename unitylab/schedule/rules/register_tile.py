"""Reductions with a contiguous output: a register tile.

    for i0, j0:  for k:  for i1 (unrolled):  for j1 (unrolled), j2 (vector):  C[...] += ...
"""

from __future__ import annotations

from ...ir.prim import as_int
from ...ir.tir import REDUCE, SPATIAL
from ..handles import BlockRV, LoopRV
from ..patterns import is_elementwise, strides_of
from .scheduling import Scheduling

ROWS = (8, 7, 6, 5, 4)  # rows of a register tile, the best first
TILE_VECTORS = 2        # vectors of a row of the tile


def register_tile(s: Scheduling, block: BlockRV) -> bool:
    """Tiles a reduction whose accesses move by 0 or 1 along the last dimension of the output;
    False, with nothing changed, for others."""
    node = s.sch.get(block)
    by_var = s.loop_of_var(block, s.sch.get_loops(block))
    spatial = [it for it in node.iter_vars if it.kind == SPATIAL and it.var in by_var]
    reduce = [by_var[it.var] for it in node.iter_vars if it.kind == REDUCE and it.var in by_var]
    if not spatial or not reduce or any(d not in (0, 1)
                                        for d in strides_of(node, spatial[-1].var)):
        return False
    column = by_var[spatial[-1].var]
    lanes, vectors = columns(s, as_int(s.sch.get(column).extent))
    if lanes is None:
        return False
    j0, j1, j2 = s.sch.split(column, [None, vectors, lanes])
    outer, inner = _rows(s, spatial, by_var)
    s.sch.reorder(*outer, j0, *reduce, *inner, j1, j2)
    s.attempt("vectorize", j2)
    for l in (*inner, j1):
        s.attempt("unroll", l)
    epilogue(s, block, j0)
    s.sch.decompose_reduction(block, reduce[0])
    return True


def columns(s: Scheduling, width: int | None) -> tuple[int | None, int]:
    """Lanes of a vector and vectors of a row for an innermost extent."""
    lanes = s.target.lanes
    if width is None:
        return None, 1
    if width % lanes == 0:
        return lanes, TILE_VECTORS if width % (lanes * TILE_VECTORS) == 0 else 1
    fits = [d for d in range(2, min(width, 2 * lanes) + 1) if width % d == 0]
    return (max(fits), 1) if fits else (None, 1)


def _rows(s: Scheduling, spatial, by_var) -> tuple[list[LoopRV], list[LoopRV]]:
    """The spatial loops outside of the tile, and the one of its rows."""
    outer = [by_var[it.var] for it in spatial[:-1]]
    row = _pick_row(s, spatial, by_var)
    if row is None:
        return outer, []
    outer.remove(row)
    i0, i1 = _split_row(s, row)
    return [*outer, i0], [i1]


def _pick_row(s: Scheduling, spatial, by_var) -> LoopRV | None:
    """The spatial loop to unroll: the innermost one that is no unit loop."""
    for it in reversed(spatial[:-1]):
        extent = as_int(it.dom.extent)
        if extent is None or extent > 1:
            return by_var[it.var]
    return None


def _split_row(s: Scheduling, row: LoopRV) -> list[LoopRV]:
    extent = as_int(s.sch.get(row).extent)
    factor = next((r for r in ROWS if extent and extent % r == 0), None)
    if factor is None and extent is not None and extent < ROWS[0]:
        factor = extent
    if factor is not None:
        return s.sch.split(row, [None, factor])
    loops = s.sch.split(row, [None, ROWS[0]])
    s.tails.append(loops[0])
    return loops


def epilogue(s: Scheduling, block: BlockRV, loop: LoopRV) -> None:
    """Elementwise consumers move into the tile, and become vectors there."""
    users = s.sch.get_consumers(block)
    if len(users) != 1 or not is_elementwise(s.sch.get(users[0])):
        return
    user = users[0]
    if s.attempt("reverse_compute_at", user, loop):
        s.placed.add(s.sch.get(user).name)
        s.vectorize_last(user)
