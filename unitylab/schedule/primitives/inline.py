"""Removing a block by computing its value where it is used, or where its input is made."""

from __future__ import annotations

from ...arith.iter_inverse import invert_affine, rounded_domain
from ...arith.bound_form import bound_form
from ...arith.iter_map import NotAffine
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
    if block.init is not None and not reason:
        reason = "it has an init: its value is made in several steps"
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
    guards += _own_guard(nest, block, at)
    place = tuple(fold_substitute(i, at) for i in store.indices)
    if producer.init is not None:
        _check_copies(block, store, buffer, producer)
        moved = _Redirect(buffer, store.buffer, place)
        new, init = moved.visit(made), moved.visit(producer.init)
    else:
        value = _Inline(buffer, (), made.value).visit(store.value)
        new, init = BufferStore(store.buffer, fold_substitute(value, at), place,
                                span=store.span), None
    realize = nest.realize(producer)
    values = {it.var: v for it, v in zip(producer.iter_vars, realize.iter_values)}
    guards = _new_guards(nest, realize, [fold_substitute(g, values) for g in guards])
    nest.remove(block)
    scope = nest.scope(nest.now(producer))
    producer = nest.edit(nest.now(producer), body=new, init=init)
    update_regions(nest, producer)
    if guards:
        realize = nest.realize(nest.now(producer))
        nest.edit(realize, predicate=prim.logical_and(realize.predicate, *guards))
    scope = nest.now(scope)
    nest.edit(scope, alloc_buffers=tuple(b for b in scope.alloc_buffers if b is not buffer))


def _check_copies(block: Block, store: BufferStore, buffer: Buffer, producer: Block) -> None:
    if not (isinstance(store.value, BufferLoad) and store.value.buffer is buffer):
        raise ScheduleError(f"its producer, block {producer.name}, has an init, and block "
                            f"{block.name} does more than copy", span=block.span,
                            hint="fuse_reduction_epilogue, or reverse_compute_at")


class _Redirect(Mutator):
    """Accesses of one element of a buffer become accesses of an element of another."""

    def __init__(self, old: Buffer, new: Buffer, place):
        super().__init__()
        self.old, self.new, self.place = old, new, place

    def visit_Buffer(self, n: Buffer) -> Buffer:
        return n

    def visit_BufferLoad(self, n: BufferLoad) -> BufferLoad:
        new = self.rebuild(n)
        return BufferLoad(self.new, self.place) if n.buffer is self.old else new

    def visit_BufferStore(self, n: BufferStore) -> BufferStore:
        new = self.rebuild(n)
        return new.replace(buffer=self.new, indices=self.place) if n.buffer is self.old else new


def _own_guard(nest: Nest, block: Block, at: dict[Var, PrimExpr]) -> list[PrimExpr]:
    """The predicate of a block at the points of its producer, where it says more than the domains
    of its variables."""
    realize = nest.realize(block)
    analyzer = nest.analyzer(realize)
    for it, value in zip(block.iter_vars, realize.iter_values):
        analyzer.assume(prim.logical_and(value >= it.dom.min, value < it.dom.min + it.dom.extent))
    if prim.is_const(realize.predicate, 1) or analyzer.can_prove(realize.predicate):
        return []
    moved = {v: at[it.var] for it, v in zip(block.iter_vars, realize.iter_values)
             if isinstance(v, Var)}
    loops = {l.loop_var for l in nest.loops(block)}
    if any(v in loops and v not in moved for v in free_vars(realize.predicate)):
        raise ScheduleError(f"block {block.name} runs only where {realize.predicate.script()}",
                            span=block.span, hint="inline it before it is split")
    return [fold_substitute(realize.predicate, moved)]


def _new_guards(nest: Nest, realize, guards: list[PrimExpr]) -> list[PrimExpr]:
    """The conditions that the predicate does not say already."""
    analyzer = nest.analyzer(realize, unit_loops=False)
    if not prim.is_const(realize.predicate):
        analyzer.assume(realize.predicate)
    found = [g for g in map(analyzer.simplify, guards) if not prim.is_const(g, 1)]
    return [bound_form(g, analyzer) for g in found]


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
    analyzer = nest.analyzer(producer)
    moving = [(i, p) for i, p in zip(first, made.indices) if any(v in its for v in free_vars(i))]
    for index, point in zip(first, made.indices):
        fixed = not any(v in its for v in free_vars(index))
        if fixed and not analyzer.can_prove_equal(index, point):
            raise ScheduleError(f"block {block.name} reads {buffer.name} at {index.script()} only",
                                span=block.span)
    at = _solved(block, buffer, moving, analyzer, as_written=True)
    tidy = _solved(block, buffer, moving, analyzer, as_written=False)
    guards = []
    for v, it in its.items():
        if v not in at:
            at[v] = it.dom.min
            continue
        for bound in (tidy[v] >= it.dom.min, tidy[v] < it.dom.min + it.dom.extent):
            if not analyzer.can_prove(bound):
                guards.append(bound)
    return at, guards


def _check_read_once(block: Block, buffer: Buffer, moving, plain, indices) -> None:
    twice = [i for i, _ in moving if i in plain]
    if len(twice) != len(plain) or any(v in plain for i in indices for v in free_vars(i)):
        raise ScheduleError(f"block {block.name} reads only a part of {buffer.name}: one of its "
                            f"variables stands in two indices", span=block.span)


def _solved(block: Block, buffer: Buffer, moving, analyzer,
            as_written: bool) -> dict[Var, PrimExpr]:
    """The block's variables at the points of its producer."""
    domain = {it.var: it.dom for it in block.iter_vars}
    plain: dict[Var, PrimExpr] = {}
    for i, p in moving:
        if i in domain and i not in plain:
            plain[i] = prim.cast(p, i.dtype)
    rest = [(i, p) for i, p in moving if plain.get(i) is None]
    domain = {v: r for v, r in domain.items() if v not in plain}
    indices, points = [i for i, _ in rest], [prim.cast(p, i.dtype) for i, p in rest]
    _check_read_once(block, buffer, moving, plain, indices)
    if not indices and all(as_int(r.extent) == 1 for r in domain.values()):
        return plain
    reason = ""
    for d in (domain, rounded_domain(indices, domain)):
        try:
            return plain | invert_affine(indices, points, d, analyzer, as_written)
        except NotAffine as e:
            reason = reason or str(e)
    shown = ", ".join(i.script() for i in indices)
    raise ScheduleError(f"block {block.name} reads {buffer.name} at [{shown}]: which of its points "
                        f"uses an element cannot be told: {reason}", span=block.span,
                        hint="each element must be read once; compute_inline its producer instead")
