"""Taking reductions apart: decompose_reduction, rfactor."""

from __future__ import annotations

from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import Var
from ...ir.tir import REDUCE, SERIAL, Block, BlockRealize, For, IterVar
from ...ir.visitor import fold_substitute, free_vars
from ..access import update_regions
from ..dependence import bound_by, why_not_reduction
from ..nest import Nest
from ..signature import BLOCK, LOOP, primitive


@primitive(returns=BLOCK, block=BLOCK, loop=LOOP)
def decompose_reduction(nest: Nest, block: Block, loop: For) -> Block:
    """Moves the init of a reduction into a block of its own before `loop`; returns that block.

        for i, k in T.grid(8, 8):             for i in range(8):
            with T.init(): B[i] = 0     ->        B[i] = 0
            B[i] += A[i, k]                       for k in range(8): B[i] += A[i, k]

    All loops of the reduction must be at or inside of `loop`. The handle of the block stays with
    the update. Halide: `update()`."""
    reason = why_not_reduction(nest, block)
    if reason:
        raise ScheduleError(f"block {block.name} is not a reduction block: {reason}",
                            span=block.span)
    if not nest.is_below(nest.realize(block), loop):
        raise ScheduleError(f"loop {loop.loop_var.name} is not around block {block.name}")
    realize = nest.realize(block)
    around = nest.loops(block)
    at = around.index(loop)
    for l in around[:at]:
        if any(it.kind == REDUCE for it in bound_by(realize, l.loop_var)):
            raise ScheduleError(
                f"loop {l.loop_var.name}, outside of loop {loop.loop_var.name}, carries the "
                f"reduction of block {block.name}: the init would run in each of its iterations",
                span=block.span, hint=f"decompose at loop {l.loop_var.name}, or reorder")
    init_stmt, init = _init_nest(realize, around[at:])
    update = nest.edit(block, init=None, name=f"{block.name}_update")
    written = {w.buffer for w in update.writes}
    reads = (*update.writes, *(r for r in update.reads if r.buffer not in written))
    update = nest.edit(update, reads=reads)
    nest.insert(nest.now(loop), init_stmt)
    update_regions(nest, init)
    return nest.now(init)


def _init_nest(realize: BlockRealize, loops: list[For]) -> tuple[object, Block]:
    """The init as a block in loops of its own: those that choose an element."""
    block = realize.block
    kept = [(it, v) for it, v in zip(block.iter_vars, realize.iter_values) if it.kind != REDUCE]
    used = {v for _, value in kept for v in free_vars(value)}
    copies = {l.loop_var: Var(f"{l.loop_var.name}_init", l.loop_var.dtype) for l in loops
              if l.loop_var in used}
    fresh = {it.var: Var(f"{it.var.name}_init", it.var.dtype) for it, _ in kept}
    its = tuple(IterVar(fresh[it.var], it.dom, it.kind) for it, _ in kept)
    dropped = {l.loop_var for l in loops} - set(copies)
    guards = [fold_substitute(c, copies) for c in reversed(_terms(realize.predicate))
              if not any(v in dropped for v in free_vars(c))]
    init = Block(its, (), (), f"{block.name}_init", fold_substitute(block.init, fresh),
                 annotations=block.annotations)
    stmt = BlockRealize(tuple(fold_substitute(v, copies) for _, v in kept),
                        prim.logical_and(*guards), init)
    for l in reversed(loops):
        if l.loop_var in copies:
            stmt = For(copies[l.loop_var], l.min, fold_substitute(l.extent, copies),
                       l.kind if l.kind != "thread_binding" else SERIAL, stmt)
    return stmt, init


def _terms(predicate) -> list:
    if isinstance(predicate, prim.And):
        return _terms(predicate.a) + _terms(predicate.b)
    return [predicate]
