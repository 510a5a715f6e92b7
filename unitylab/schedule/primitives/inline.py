"""Removing a block by computing its value where it is used, or where its input is made."""

from __future__ import annotations

from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int
from ...ir.structural import structural_equal
from ...ir.tir import Block, Buffer, BufferLoad, BufferStore
from ...ir.visitor import Mutator, collect, free_vars, fold_substitute, substitute, walk
from ..access import update_regions
from ..dependence import (consumers, is_output, producers, read_buffers, siblings,
                          why_not_complete, written_buffers)
from ..nest import Nest
from ..signature import BLOCK, primitive


@primitive(block=BLOCK)
def compute_inline(nest: Nest, block: Block) -> None:
    """Computes the value of a block where it is read, and removes the block with its buffer.

        B[i] = A[i] * 2
        C[i] = B[i] + 1       ->      C[i] = A[i] * 2 + 1

    The block must be complete, store one element, and not be an output. Halide: `compute_inline`;
    Exo: `inline_assign`."""
    _check_complete(nest, block)
    if is_output(nest, block):
        raise ScheduleError(f"block {block.name} writes an output of the function", span=block.span,
                            hint="reverse_compute_inline moves it into its producer")
    store, indices = _stored(block)
    _check_inputs_stay(nest, block)
    buffer = store.buffer
    scope = nest.scope(block)
    _check_only_loaded(scope, buffer)
    nest.remove(block)
    inline = _Inline(buffer, indices, store.value)
    _rewrite_scope(nest, scope, inline, buffer)


def _rewrite_scope(nest: Nest, scope: Block, mutator: Mutator, buffer: Buffer) -> None:
    """Rewrites the blocks of a scope and drops a buffer that nothing uses any more."""
    scope = nest.now(scope)
    touched = [b for b in collect(scope, Block) if b is not scope]
    new = nest.rewritten(mutator, scope.body)
    kept = tuple(b for b in scope.alloc_buffers if b is not buffer)
    rebuilt = scope.replace(body=new, alloc_buffers=kept)
    nest.forward(scope, rebuilt)
    nest.replace(scope, rebuilt)
    for old in touched:
        block = nest.now(old)
        if block is not old:
            update_regions(nest, block)


def _check_complete(nest: Nest, block: Block) -> None:
    reason = "it is the root" if block is nest.root else why_not_complete(nest, block)
    if reason:
        raise ScheduleError(f"block {block.name} is not a complete block: {reason}",
                            span=block.span, hint="only blocks whose elements are each computed "
                            "once, from other buffers, can be inlined")


def _stored(block: Block) -> tuple[BufferStore, tuple[PrimExpr, ...]]:
    """The store of a block and its indices: distinct iteration variables (or 0 where the dimension
    is 1)."""
    store = block.body
    if not isinstance(store, BufferStore) or store.predicate is not None:
        raise ScheduleError(f"the body of block {block.name} is not a single store",
                            span=block.span)
    own = {it.var for it in block.iter_vars}
    seen: set[Var] = set()
    for i, size in zip(store.indices, store.buffer.shape):
        if isinstance(i, Var) and i in own and i not in seen:
            seen.add(i)
        elif not (prim.is_const(i, 0) and as_int(size) == 1):
            raise ScheduleError(f"block {block.name} writes {store.buffer.name} at {i.script()}, "
                                f"which is not an iteration variable of its own", span=store.span)
    missing = [v for v in free_vars(store.value) if v in own and v not in seen]
    unit = {it.var for it in block.iter_vars if as_int(it.dom.extent) == 1}
    if any(v not in unit for v in missing):
        raise ScheduleError(f"the value of block {block.name} depends on {missing[0].name}, which "
                            f"does not choose the element", span=store.span)
    if missing:
        at = {it.var: it.dom.min for it in block.iter_vars if it.var in set(missing)}
        store = store.replace(value=substitute(store.value, at))
    return store, store.indices


def _check_inputs_stay(nest: Nest, block: Block) -> None:
    """What the block reads must still be the same when its readers run."""
    order = siblings(nest, block)
    needed = set(map(id, read_buffers(block)))
    for other in order[order.index(block) + 1:]:
        changed = [b for b in written_buffers(other) if id(b) in needed]
        if changed:
            raise ScheduleError(f"block {other.name} overwrites {changed[0].name}, which block "
                                f"{block.name} reads, before its readers run", span=other.span)


def _check_only_loaded(scope: Block, buffer: Buffer) -> None:
    """A buffer whose address is taken, or that is viewed, cannot vanish."""
    inside = [n for n in walk(scope.body) if isinstance(n, Block)]
    viewed = any(m.source.buffer is buffer for b in inside for m in b.match_buffers)
    raw = any(isinstance(n, prim.Call) and any(
        a is buffer.data or n.op == "address_of" and isinstance(a, BufferLoad)
        and a.buffer is buffer for a in n.args) for n in walk(scope.body))
    if viewed or raw:
        raise ScheduleError(f"{buffer.name} is used by its address or through a view",
                            hint="only plain loads can be inlined")


class _Inline(Mutator):
    """Replaces the loads of a buffer by the value stored at their indices."""

    def __init__(self, buffer: Buffer, indices, value: PrimExpr):
        super().__init__()
        self.buffer, self.indices, self.value = buffer, indices, value

    def visit_Buffer(self, n: Buffer) -> Buffer:
        return n

    def visit_BufferLoad(self, n: BufferLoad) -> PrimExpr:
        new = self.rebuild(n)
        if n.buffer is not self.buffer:
            return new
        at = {v: prim.cast(i, v.dtype) for v, i in zip(self.indices, new.indices)
              if isinstance(v, Var)}
        return fold_substitute(self.value, at)


@primitive(block=BLOCK)
def reverse_compute_inline(nest: Nest, block: Block) -> None:
    """Computes an elementwise block where its input is made, and removes the producer's buffer.

        B[i] = A[i] * 2
        C[i] = B[i] + 1       ->      C[i] = A[i] * 2 + 1     in the place of the first

    The block must read every element that its single producer makes exactly once."""
    _check_complete(nest, block)
    store = _single_store(block)
    producer, buffer = _only_producer(nest, block)
    made = _single_store(producer)
    reason = why_not_complete(nest, producer)
    if reason:
        hint = "fuse_reduction_epilogue, or reverse_compute_at" if producer.init is not None else ""
        raise ScheduleError(f"its producer, block {producer.name}, is not a complete block: "
                            f"{reason}", span=producer.span, hint=hint)
    _check_order(nest, producer, block)
    at, guards = _inverse(block, buffer, made, producer, nest)
    value = _Inline(buffer, (), made.value).visit(store.value)
    new = BufferStore(store.buffer, fold_substitute(value, at),
                      tuple(fold_substitute(i, at) for i in store.indices), span=store.span)
    realize = nest.realize(producer)
    values = {it.var: v for it, v in zip(producer.iter_vars, realize.iter_values)}
    guards = [fold_substitute(g, values) for g in guards]
    nest.remove(block)
    scope = nest.scope(nest.now(producer))
    producer = nest.edit(nest.now(producer), body=new)
    update_regions(nest, producer)
    if guards:
        realize = nest.realize(nest.now(producer))
        nest.edit(realize, predicate=prim.logical_and(realize.predicate, *guards))
    scope = nest.now(scope)
    nest.edit(scope, alloc_buffers=tuple(b for b in scope.alloc_buffers if b is not buffer))


def _single_store(block: Block) -> BufferStore:
    if not isinstance(block.body, BufferStore) or block.body.predicate is not None:
        raise ScheduleError(f"the body of block {block.name} is not a single store",
                            span=block.span)
    return block.body


def _only_producer(nest: Nest, block: Block) -> tuple[Block, Buffer]:
    found = producers(nest, block)
    if len(found) != 1:
        names = ", ".join(b.name for b in found) or "none"
        raise ScheduleError(f"block {block.name} must have one producer, it has: {names}",
                            span=block.span, hint="inline the others first")
    producer = found[0]
    if consumers(nest, producer) != [block]:
        names = ", ".join(b.name for b in consumers(nest, producer))
        raise ScheduleError(f"{names} read what block {producer.name} makes", span=producer.span,
                            hint=f"block {block.name} must be its only reader")
    if is_output(nest, producer) or len(written_buffers(producer)) != 1:
        raise ScheduleError(f"block {producer.name} writes an output, or several buffers",
                            span=producer.span)
    return producer, written_buffers(producer)[0]


def _check_order(nest: Nest, producer: Block, block: Block) -> None:
    """Between the producer and the block nobody may touch what moves."""
    order = siblings(nest, block)
    moved_reads, moved_writes = read_buffers(block), written_buffers(block)
    for other in order[:order.index(block)]:
        if other is producer:
            continue
        if {*map(id, read_buffers(other))} & {*map(id, moved_writes)}:
            raise ScheduleError(f"block {other.name} reads what block {block.name} overwrites")
        if order.index(other) > order.index(producer) and \
                {*map(id, written_buffers(other))} & {*map(id, moved_reads)}:
            raise ScheduleError(f"block {other.name} makes an input of block {block.name}")
    if {*map(id, read_buffers(producer))} & {*map(id, moved_writes)}:
        raise ScheduleError(f"block {block.name} overwrites an input of block {producer.name}")


def _inverse(block: Block, buffer: Buffer, made: BufferStore, producer: Block, nest: Nest):
    """What each iteration variable of the block is at a point of the producer, and the conditions
    under which the block has that point."""
    loads = [l for l in collect(block.body, BufferLoad) if l.buffer is buffer]
    first = loads[0].indices
    if not all(structural_equal(a, b) for l in loads for a, b in zip(l.indices, first)):
        raise ScheduleError(f"block {block.name} reads {buffer.name} at several places",
                            span=block.span)
    its = {it.var: it for it in block.iter_vars}
    at: dict[Var, PrimExpr] = {}
    guards = []
    analyzer = nest.analyzer(producer)
    for index, point in zip(first, made.indices):
        if isinstance(index, Var) and index in its and index not in at:
            at[index] = prim.cast(point, index.dtype)
            dom = its[index].dom
            for bound in (at[index] >= dom.min, at[index] < dom.min + dom.extent):
                if not analyzer.can_prove(bound):
                    guards.append(bound)
        elif not analyzer.can_prove_equal(index, point):
            raise ScheduleError(f"block {block.name} reads {buffer.name} at {index.script()}: "
                                "which of its points uses an element cannot be told",
                                span=block.span,
                                hint="each index must be an iteration variable of the block")
    for v, it in its.items():
        if v not in at:
            if as_int(it.dom.extent) != 1:
                raise ScheduleError(f"block {block.name} reads elements of {buffer.name} more than "
                                    f"once: along {v.name}", span=block.span,
                                    hint="compute_inline its producer instead")
            at[v] = it.dom.min
    return at, guards
