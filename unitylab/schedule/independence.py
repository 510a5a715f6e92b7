"""Whether the iterations of a loop may run at the same time; the refusal says why not."""

from __future__ import annotations

from ..ir.errors import ScheduleError
from ..ir.prim import as_int
from ..ir.tir import PARALLEL, REDUCE, SPATIAL, THREAD_BINDING, VECTORIZED, Block, For, IterVar
from .dependence import (bound_by, read_and_written, why_iterations_depend, why_not_affine,
                         why_not_reduction, why_order_matters, written_buffers)
from .nest import Nest, child_realizes, statements


def check_independent(nest: Nest, loop: For, private: bool, reduces: bool = False) -> None:
    """Refuses a loop whose iterations write the same element or read each other's. `reduces`: they
    may add up one element, which threads of a block do together."""
    name = loop.loop_var.name
    for realize in child_realizes(loop.body):
        block, used = realize.block, bound_by(realize, loop.loop_var)
        if private and all(it.kind == SPATIAL for it in used) and _own_copy(nest, loop, block):
            continue
        if reduces and used and all(it.kind == REDUCE for it in used) and \
                not why_not_reduction(nest, block):
            continue
        order = why_order_matters(block, used)
        if order:
            raise ScheduleError(f"the iterations of loop {name} run block {block.name} in an order "
                                f"that matters: {order}", span=block.span)
        mixed = why_not_affine(realize)
        if mixed:
            raise ScheduleError(mixed, span=block.span,
                                hint="fuse the parts back, or split another loop")
        for it in used:
            _check_spatial(nest, loop, block, it)
        if not used and as_int(loop.extent) != 1:
            raise ScheduleError(
                f"loop {name} does not choose the element that block {block.name} writes: its "
                f"iterations write the same element", span=block.span,
                hint=f"compute {block.name} outside of loop {name}, or choose another loop")
    reason = why_iterations_depend(nest, loop)
    if reason:
        raise ScheduleError(reason, span=loop.span, hint="move one of the blocks out of the loop")


def _check_spatial(nest: Nest, loop: For, block: Block, it: IterVar) -> None:
    name = loop.loop_var.name
    if it.kind != SPATIAL:
        raise ScheduleError(
            f"loop {name} carries the reduction of block {block.name}: its iterations write the "
            f"same element", span=loop.span or block.span,
            hint=f"rfactor, or a spatial loop{_spatial_loop(nest, block)}")


def _spatial_loop(nest: Nest, block: Block) -> str:
    realize = nest.realize(block)
    for l in nest.loops(block):
        used = bound_by(realize, l.loop_var)
        if used and all(it.kind == SPATIAL for it in used):
            return f" such as {l.loop_var.name}"
    return ""


def _own_copy(nest: Nest, loop: For, block: Block) -> bool:
    """Whether each iteration of a loop can have its own copy of what a block writes: allocated in
    the function, used below the loop alone, and not carried from one iteration to the next."""
    if block.init is None and read_and_written(block):
        return False
    inside = {id(s) for s in statements(loop)}
    allocated = {id(b) for x in nest.blocks() for b in x.alloc_buffers}
    for b in written_buffers(block):
        if id(b) not in allocated:
            return False
        for other in nest.blocks():
            uses = any(r.buffer is b for r in (*other.reads, *other.writes))
            if uses and id(other) not in inside and not nest.is_below(loop, other):
                return False
    return True


def check_loops_around(nest: Nest, block: Block) -> None:
    """Loops that run in parallel or as vectors must still be independent with a block moved in."""
    for l in nest.loops(block):
        if l.kind in (PARALLEL, VECTORIZED, THREAD_BINDING):
            tag = l.thread_binding.thread_tag if l.thread_binding is not None else ""
            check_independent(nest, l, private=l.kind != VECTORIZED,
                              reduces=tag.startswith("threadIdx"))
