"""Copies that swap the contiguous axis: square tiles, transposed in registers."""

from __future__ import annotations

from ...ir.prim import Var, as_int
from ...ir.tir import Block, BufferLoad
from ...ir.visitor import collect
from ..handles import BlockRV
from ..patterns import is_elementwise
from .reduction import stream
from .scheduling import Scheduling

TILES = (16, 8, 4)


def transpose(s: Scheduling, block: BlockRV) -> bool:
    """Tiles of the last axis of the output and the last axis of the input."""
    node = s.sch.get(block)
    row = swapped(node) if is_elementwise(node) else None
    if row is None:
        return False
    loops = s.sch.get_loops(block)
    by_var = s.loop_of_var(block, loops)
    column = node.iter_vars[-1].var
    if any(it.var not in by_var for it in node.iter_vars):
        return False
    extents = [as_int(s.sch.get(by_var[v]).extent) for v in (row, column)]
    size = next((n for n in TILES if all(e and e % n == 0 for e in extents)), None)
    if size is None:
        return False
    i0, i1 = s.sch.split(by_var[row], [None, size])
    j0, j1 = s.sch.split(by_var[column], [None, size])
    rest = [by_var[it.var] for it in node.iter_vars if it.var not in (row, column)]
    s.sch.reorder(*rest, j0, i0, i1, j1)  # whole rows are read, tiles are written here and there
    stream(s, block, i0)
    return all(s.attempt("vectorize", l) for l in (i1, j1))


def swapped(block: Block) -> Var | None:
    """The variable that the last index of every load is, if it is not the store's last one."""
    loads = collect(block.body.value, BufferLoad)
    own = [it.var for it in block.iter_vars]
    if not loads or len(own) < 2 or any(not l.indices for l in loads):
        return None
    last = loads[0].indices[-1]
    same = all(l.indices[-1] is last and own[-1] in l.indices[:-1] for l in loads)
    return last if same and isinstance(last, Var) and last in own[:-1] else None
