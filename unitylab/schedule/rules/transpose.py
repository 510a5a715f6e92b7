"""Copies that swap the contiguous axis: square tiles, transposed in registers."""

from __future__ import annotations

from ...ir import prim
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import PARALLEL, SERIAL, VECTORIZED, Block, BufferLoad, Stmt, seq
from ...ir.visitor import collect, fresh_copy, substitute
from ..handles import BlockRV
from ..nest import Nest
from ..patterns import is_elementwise, work_of
from ..replace_blocks import home
from .loops import loop, nested
from .reduction import stream
from .scheduling import Scheduling

TILES = (16, 8, 4)
FEW = 32        # rows or columns from which whole tiles and what is left are told apart
LARGE = 1 << 16  # elements from which threads share a transpose


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
    if size is None or size < TILES[0] and None not in extents and min(extents) >= FEW:
        return _with_edges(s, node, row)
    i0, i1 = s.sch.split(by_var[row], [None, size])
    j0, j1 = s.sch.split(by_var[column], [None, size])
    rest = [by_var[it.var] for it in node.iter_vars if it.var not in (row, column)]
    s.sch.reorder(*rest, j0, i0, i1, j1)  # whole rows are read, tiles are written here and there
    stream(s, block, i0)
    return all(s.attempt("vectorize", l) for l in (i1, j1))


def _with_edges(s: Scheduling, block: Block, row: Var) -> bool:
    """Whole tiles as far as there are, then the columns and the rows that are left."""
    iters = list(block.iter_vars)
    t, size = row.dtype, literal(TILES[0], row.dtype)
    rows, columns = (next(it.dom.extent for it in iters if it.var is v)
                     for v in (row, iters[-1].var))
    if any(it.var.dtype != t or as_int(it.dom.min) != 0 for it in iters) or \
            any((as_int(e) or FEW) < FEW for e in (rows, columns)) or \
            home(Nest(s.now), block) is None:
        return False
    others = [it for it in iters if it.var not in (row, iters[-1].var)]
    whole = [prim.floordiv(e, size) for e in (rows, columns)]

    def store(outer: list, i: PrimExpr, j: PrimExpr) -> Stmt:
        at = {**{it.var: v for it, v in zip(others, outer)}, row: i, iters[-1].var: j}
        return fresh_copy(substitute(block.body, at))

    def nest(outer: list) -> Stmt:
        def tile(i, j) -> Stmt:
            return loop("i1", size, lambda a: loop("j1", size, lambda b: store(
                outer, i * size + a, j * size + b), VECTORIZED, t), VECTORIZED, t)
        i0, j0 = whole[0] * size, whole[1] * size
        tiles = loop("j0", whole[1], lambda j: loop("i0", whole[0], lambda i: tile(i, j), dtype=t),
                     kind, t)
        right = nested(["i", "j"], [rows, columns - j0],
                       lambda at: store(outer, at[0], j0 + at[1]), t)
        below = nested(["i", "j"], [rows - i0, j0], lambda at: store(outer, i0 + at[0], at[1]), t)
        return seq(tiles, right, below)

    kind = PARALLEL if s.target.threads > 1 and (work_of(block) or LARGE) >= LARGE else SERIAL
    extents = [it.dom.extent for it in others]
    s.sch.replace_blocks([block], nested([it.var.name for it in others], extents, nest, t),
                         by="transpose")
    s.placed.add(block.name)
    return True


def swapped(block: Block) -> Var | None:
    """The variable that the last index of every load is, if it is not the store's last one."""
    loads = collect(block.body.value, BufferLoad)
    own = [it.var for it in block.iter_vars]
    if not loads or len(own) < 2 or any(not l.indices for l in loads):
        return None
    last = loads[0].indices[-1]
    same = all(l.indices[-1] is last and own[-1] in l.indices[:-1] for l in loads)
    return last if same and isinstance(last, Var) and last in own[:-1] else None
