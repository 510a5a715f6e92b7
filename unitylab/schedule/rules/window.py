"""Reductions over small windows that slide along contiguous memory: pooling, short filters.

    for n, c, i:
        for j (in vectors):
            y[j] = init
            for a, b (unrolled): y[j] += x[i*s + a, j*s + b]
"""

from __future__ import annotations

import math

from ...arith.analyzer import Analyzer
from ...ir.prim import PrimExpr, Var, as_int
from ...ir.tir import REDUCE, SPATIAL, Block, BufferLoad
from ...ir.visitor import collect, fold_substitute, free_vars
from ..handles import BlockRV
from .elementwise import row_wise
from .reduction import LANES, SHORTEST
from .scheduling import Scheduling

LARGEST = 64     # elements of a window that are written out
FARTHEST = 4     # elements from one window to the next
WIDTH = 64       # lanes: four vectors of sums


def window(s: Scheduling, block: BlockRV) -> bool:
    """Sums of neighbouring windows in the lanes of vectors, the elements of a window one after the
    other; False, with nothing changed, for other reductions."""
    node = s.sch.get(block)
    loops = s.sch.get_loops(block)
    by_var = s.loop_of_var(block, loops)
    spatial = [it.var for it in node.iter_vars if it.kind == SPATIAL]
    reduce = [it for it in node.iter_vars if it.kind == REDUCE]
    sizes = [as_int(it.dom.extent) for it in reduce]
    if not spatial or not reduce or any(it.var not in by_var for it in node.iter_vars) or \
            None in sizes or math.prod(sizes) > LARGEST or not slides(node, spatial[-1]):
        return False
    column = by_var[spatial[-1]]
    width = as_int(s.sch.get(column).extent)
    if width is not None and width < SHORTEST:
        return False
    outer, inner = [by_var[v] for v in spatial[:-1]], [by_var[it.var] for it in reduce]
    s.sch.reorder(*outer, column, *inner)
    for loop in inner:
        s.attempt("unroll", loop)
    s.attempt("annotate", column, LANES, WIDTH)
    _gather(s, block, outer)
    s.sch.decompose_reduction(block, inner[0])
    return True


def slides(block: Block, column: Var) -> bool:
    """Whether the result is contiguous along `column`, and all loads move a few elements along
    the last dimension with it."""
    store = block.body
    if store.indices[-1] is not column or any(column in free_vars(i) for i in store.indices[:-1]):
        return False
    loads = [l for l in collect(store.value, BufferLoad) if l.buffer is not store.buffer]
    return bool(loads) and all(_step(l.indices, column) in range(FARTHEST + 1) for l in loads)


def _step(indices: tuple[PrimExpr, ...], column: Var) -> int | None:
    if any(column in free_vars(i) for i in indices[:-1]):
        return None
    moved = fold_substitute(indices[-1], {column: column + 1})
    return as_int(Analyzer().simplify(moved - indices[-1]))


def _gather(s: Scheduling, block: BlockRV, outer: list) -> None:
    """What the windows read, paddings for example, is made where it stays in the cache."""
    for producer in s.sch.get_producers(block):
        for loop in reversed(outer):
            if row_wise(s, producer, loop) and s.attempt("compute_at", producer, loop):
                s.placed.add(s.sch.get(producer).name)
                s.attempt("annotate", s.sch.get_loops(producer)[-1], LANES, WIDTH)
                break
