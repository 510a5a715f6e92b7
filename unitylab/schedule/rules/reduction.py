"""Reductions that read each element once: along rows in lanes, down columns row by row."""

from __future__ import annotations

import math

from ...ir.prim import Call, Div, FloorMod, Var, as_int
from ...ir.tir import REDUCE, SPATIAL, Block, BufferLoad, BufferStore
from ...ir.visitor import collect, free_vars, substitute
from ..handles import BlockRV, LoopRV
from ..patterns import is_reduction, strides_of
from .scheduling import Scheduling

LANES = "lanes"
ROW_LANES = 64     # partial results of a row: four registers of 16 floats hide the latency
SHORTEST = 8       # a loop of fewer iterations is left to the compiler
LEAST_CHUNK = 256  # columns of a chunk: shorter pieces of rows are read too slowly
COSTLY = frozenset({"exp", "exp2", "tanh", "erf", "sigmoid", "pow", "power", "log"})
ROWS_AT_ONCE = 8   # rows that are added while a piece of the sums is in registers


def row_reduction(s: Scheduling, block: BlockRV) -> bool:
    """A reduction along contiguous memory, of one or several results: its innermost loop keeps
    them in each lane."""
    node = s.sch.get(block)
    loops = s.sch.get_loops(block)
    if node.init is None or not loops or all(it.kind != REDUCE for it in node.iter_vars):
        return False
    return fuse_contiguous(s, block) or in_lanes(s, block, loops[-1])


def fuse_contiguous(s: Scheduling, block: BlockRV) -> bool:
    """The innermost loops of a reduction as one in lanes, where memory is walked along in order and
    the last one alone does not fill vectors."""
    node, loops = s.sch.get(block), s.sch.get_loops(block)
    by_var = s.loop_of_var(block, loops)
    reduce = [it for it in node.iter_vars if it.kind == REDUCE and it.var in by_var]
    sizes = [as_int(it.dom.extent) for it in reduce]
    if len(reduce) < 2 or None in sizes or sizes[-1] % ROW_LANES == 0 or \
            [by_var[it.var] for it in reduce] != loops[-len(reduce):] or \
            not isinstance(node.body, BufferStore) or \
            not all(_in_order(l, [it.var for it in reduce], sizes)
                    for l in collect(node.body.value, BufferLoad)):
        return False
    fused = s.sch.fuse(*loops[-len(reduce):])
    return bool(s.attempt("annotate", fused, LANES, ROW_LANES))


def _in_order(load: BufferLoad, variables: list[Var], sizes: list[int]) -> bool:
    """Whether a load does not move with the variables, or they are its last indices and cover
    these dimensions."""
    used = [v for i in load.indices for v in free_vars(i)]
    if not any(v in used for v in variables):
        return True
    count = len(variables)
    return list(load.indices[-count:]) == variables and \
        [as_int(e) for e in load.buffer.shape[-count:]] == sizes and \
        sum(v in variables for v in used) == count and not load.buffer.strides


def in_lanes(s: Scheduling, block: BlockRV, loop: LoopRV) -> bool:
    """Walks a loop of a block in vectors, if memory is contiguous along it."""
    node, extent = s.sch.get(block), as_int(s.sch.get(loop).extent)
    if extent is not None and extent < SHORTEST or s.sch.get(loop).kind != "serial" or \
            LANES in s.sch.get(loop).annotations:
        return False
    var = variable_of(s, block, loop)
    if var is None or any(d not in (0, 1) for d in strides_of(_unrolled(node, var), var)):
        return False
    if not s.attempt("annotate", loop, LANES, ROW_LANES):
        return False
    if any(var not in free_vars(d.b) for d in collect(node.body, Div)):
        s.attempt("annotate", loop, "reciprocal", True)  # rows share their divisor
    return True


def _unrolled(block: Block, var: Var) -> Block:
    """The block without long repetitions along `var`: loops in lanes are cut where they begin."""
    long = {d: var for d in collect(block.body, FloorMod)
            if d.a is var and (as_int(d.b) or 0) >= ROW_LANES}
    return substitute(block, long)


def stream(s: Scheduling, block: BlockRV, loop: LoopRV) -> None:
    """Stores past the caches what would fill half of the last one, and pushes the inputs out."""
    buffer = s.sch.get(block).body.buffer
    sizes = [as_int(e) for e in buffer.shape]
    if None not in sizes and \
            math.prod(sizes) * buffer.dtype.itemsize >= s.target.cpu.caches[2] // 2:
        s.attempt("annotate", loop, "nontemporal", True)


def fetch_ahead(s: Scheduling, block: BlockRV, row: LoopRV, loop: LoopRV) -> None:
    """While a row is busy with a function that costs, the next one is fetched."""
    node = s.sch.get(block)
    var = variable_of(s, block, row)
    if var is None or not any(c.op in COSTLY for c in collect(node.body, Call)):
        return
    sizes = [_row_bytes(l, var) for l in collect(node.body, BufferLoad)]
    if 0 < max(sizes, default=0) <= s.target.cpu.caches[0] // 4:
        s.attempt("annotate", loop, "prefetch", max(sizes))


def _row_bytes(load: BufferLoad, var: Var) -> int:
    """The bytes from a row to the next one; 0 where `var` does not simply count rows."""
    if load.indices.count(var) != 1 or sum(var in free_vars(i) for i in load.indices) != 1:
        return 0
    inner = [as_int(e) for e in load.buffer.shape[load.indices.index(var) + 1:]]
    return 0 if None in inner else math.prod(inner) * load.buffer.dtype.itemsize


def variable_of(s: Scheduling, block: BlockRV, loop: LoopRV) -> Var | None:
    """The one iteration variable that a loop moves."""
    moved = [it.var for it, value in zip(s.sch.get(block).iter_vars, s.realize(block).iter_values)
             if s.sch.get(loop).loop_var in free_vars(value)]
    return moved[0] if len(moved) == 1 else None


def column_reduction(s: Scheduling, block: BlockRV) -> bool:
    """Sums down columns: a chunk of the sums stays in the cache while rows stream by."""
    node = s.sch.get(block)
    if not is_reduction(node) or not reads_once(node):
        return False
    loops = s.sch.get_loops(block)
    by_var = s.loop_of_var(block, loops)
    spatial = [it for it in node.iter_vars if it.kind == SPATIAL]
    reduce = [it for it in node.iter_vars if it.kind == REDUCE]
    if not spatial or not reduce or any(it.var not in by_var for it in node.iter_vars) or \
            any(d not in (0, 1) for d in strides_of(node, spatial[-1].var)):
        return False
    column, rows = by_var[spatial[-1].var], [by_var[it.var] for it in reduce]
    width = as_int(s.sch.get(column).extent)
    if width is not None and width < SHORTEST:
        return False
    outer = [by_var[it.var] for it in spatial[:-1]]
    chunk = _chunk(s, width, node.body.buffer.dtype.itemsize, not outer)
    if chunk is not None:
        pieces, column = s.sch.split(column, [None, chunk])
        outer.append(pieces)
    inner = []
    height = as_int(s.sch.get(rows[-1]).extent)
    at_once = next((n for n in (ROWS_AT_ONCE, 4, 7, 3, 2) if height and height % n == 0), 1)
    if at_once > 1:
        rows[-1], part = s.sch.split(rows[-1], [None, at_once])
        inner.append(part)
    s.sch.reorder(*outer, *rows, column, *inner)
    for loop in inner:
        s.attempt("unroll", loop)
    s.sch.decompose_reduction(block, rows[0])
    s.attempt("annotate", column, LANES, ROW_LANES)
    return True


def _chunk(s: Scheduling, width: int | None, item: int, alone: bool) -> int | None:
    """Columns whose sums stay in half of the first-level cache, as many as possible: memory is
    read in pieces of rows of that length. `alone`: there is no other loop for threads."""
    if width is None:
        return None
    pieces = s.target.threads if alone else 1
    most = min(s.target.cpu.caches[0] // 2 // item, width // pieces)
    if width <= most:
        return None
    return next((n for n in range(most // ROW_LANES * ROW_LANES, LEAST_CHUNK - 1, -ROW_LANES)
                 if width % n == 0), None)


def reads_once(block: Block) -> bool:
    """Whether each load moves with every variable of more than one value: nothing is reused."""
    moving = {it.var for it in block.iter_vars if as_int(it.dom.extent) != 1}
    own = block.body.buffer
    loads = [l for l in collect(block.body.value, BufferLoad) if l.buffer is not own]
    return bool(loads) and all(moving <= {v for i in l.indices for v in free_vars(i)}
                               for l in loads)
