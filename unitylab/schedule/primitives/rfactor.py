"""Reducing in parts: rfactor."""

from __future__ import annotations

from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import FloatImm, IntImm, PrimExpr, Var, as_int, literal
from ...ir.structural import structural_equal
from ...ir.tir import (REDUCE, SERIAL, SPATIAL, Block, BlockRealize, Buffer, BufferLoad,
                       BufferStore, For, IterVar, Range, Stmt, decl_buffer)
from ...ir.visitor import collect, fold_substitute, free_vars
from ..access import update_regions
from ..dependence import bound_by, why_not_reduction
from ..nest import Nest
from ..signature import BLOCK, INT, LOOP, primitive

_IDENTITY = {prim.Add: 0, prim.Mul: 1}


@primitive(returns=BLOCK, loop=LOOP, factor_axis=INT)
def rfactor(nest: Nest, loop: For, factor_axis: int) -> Block:
    """Makes a reduction loop spatial: each of its iterations reduces into an element of its own,
    and a second block reduces these. Returns the first; the handle stays with the second.

        for i, k in T.grid(8, 4): B[i] += A[i, k]     (rfactor k)
          ->  for i, k in T.grid(8, 4): B_rf[k, i] += A[i, k]
              for i, k in T.grid(8, 4): B[i] += B_rf[k, i]

    `factor_axis`: the place of the new dimension. Halide: `rfactor`; Exo: `stage_mem` of partial
    sums."""
    realize = _only_block(nest, loop)
    block = realize.block
    combiner, value = _combiner(nest, block)
    carried = bound_by(realize, loop.loop_var)
    unit = as_int(loop.extent) == 1 and not carried
    if not (carried or unit) or any(it.kind != REDUCE for it in carried):
        raise ScheduleError(f"loop {loop.loop_var.name} does not carry the reduction of block "
                            f"{block.name}", span=block.span, hint="choose a reduction loop")
    store = block.body
    axis = factor_axis + store.buffer.ndim + 1 if factor_axis < 0 else factor_axis
    if not 0 <= axis <= store.buffer.ndim:
        raise ScheduleError(f"the factor axis {factor_axis} is not in {-store.buffer.ndim - 1} to "
                            f"{store.buffer.ndim}")
    old = store.buffer
    shape = (*old.shape[:axis], loop.extent, *old.shape[axis:])
    parts = decl_buffer(shape, old.dtype, f"{old.name}_rf", scope=old.scope)
    loops, scope = nest.loops(block), nest.scope(block)
    first = _partial(realize, loop, loops, parts, axis, combiner, value)
    second = _total(realize, loop, loops, parts, axis, combiner)
    top = loops[0]
    total = second.block
    nest.replace(realize, first)
    nest.forward(block, total)
    nest.insert(nest.now(top), _wrapped(second, realize, loops, loop), after=True)
    nest.alloc(nest.now(scope), parts)
    update_regions(nest, nest.now(total))
    return update_regions(nest, nest.now(first.block))


def _only_block(nest: Nest, loop: For) -> BlockRealize:
    top = (nest.loops(loop) or [loop])[0]
    node: Stmt = top
    while isinstance(node, For):
        node = node.body
    if not isinstance(node, BlockRealize):
        raise ScheduleError(f"loop {top.loop_var.name} holds more than one block",
                            hint="rfactor before blocks are moved into its loops")
    _check_guard(nest, node, loop)
    return node


def _check_guard(nest: Nest, realize: BlockRealize, loop: For) -> None:
    """A predicate may limit the reduction, but every part must start."""
    if prim.is_const(realize.predicate, 1):
        return
    around, block = nest.loops(realize.block), realize.block
    reducing = {l.loop_var for l in around
                if any(it.kind == REDUCE for it in bound_by(realize, l.loop_var))}
    first = {l.loop_var: l.min for l in around if l.loop_var in reducing and l is not loop}
    used = free_vars(realize.predicate)
    starts = nest.analyzer(realize).can_prove(fold_substitute(realize.predicate, first))
    if not starts or any(v not in reducing for v in used if any(v is l.loop_var for l in around)):
        raise ScheduleError(f"block {block.name} runs only where {realize.predicate.script()}: "
                            f"some iterations of loop {loop.loop_var.name} would have no part",
                            span=block.span, hint="split by factors that divide")


def _combiner(nest: Nest, block: Block) -> tuple[type, PrimExpr]:
    """(operator, what is reduced) of `B[..] = B[..] + value` with its identity as the init."""
    reason = why_not_reduction(nest, block)
    if reason:
        raise ScheduleError(f"block {block.name} is not a reduction block: {reason}",
                            span=block.span)
    store, init = block.body, block.init
    if not isinstance(store, BufferStore) or not isinstance(init, BufferStore):
        raise ScheduleError(f"block {block.name} is more than one store", span=block.span)
    e = store.value
    if type(e) in (prim.Add, prim.Mul, prim.Max, prim.Min):
        for own, value in ((e.a, e.b), (e.b, e.a)):
            again = any(l.buffer is store.buffer for l in collect(value, BufferLoad))
            if isinstance(own, BufferLoad) and own.buffer is store.buffer and not again and all(
                    structural_equal(x, y) for x, y in zip(own.indices, store.indices)):
                _check_identity(block, type(e), init.value)
                return type(e), value
    raise ScheduleError(f"block {block.name} reduces by {e.script()}, which is not known to be "
                        f"associative and commutative", span=block.span,
                        hint="sums, products, minima and maxima can be factored")


def _check_identity(block: Block, kind: type, value: PrimExpr) -> None:
    wanted = _IDENTITY.get(kind)
    if wanted is not None and not prim.is_const(value, wanted):
        raise ScheduleError(f"block {block.name} starts from {value.script()}, which each part "
                            f"would count again", span=block.span,
                            hint=f"a reduction that starts from {wanted}")
    if wanted is None and not isinstance(value, (IntImm, FloatImm, prim.Call)):
        raise ScheduleError(f"block {block.name} starts from {value.script()}", span=block.span)


def _element(parts: Buffer, axis: int, rf: Var, indices) -> tuple[PrimExpr, ...]:
    rf = prim.cast(rf, parts.shape[axis].dtype)
    return (*indices[:axis], rf, *indices[axis:])


def _partial(realize: BlockRealize, loop: For, loops: list[For], parts: Buffer, axis: int,
             kind: type, value: PrimExpr) -> BlockRealize:
    """The block in which the loop is spatial."""
    block, around = realize.block, {l.loop_var: l for l in loops}
    rf = Var(f"v{loop.loop_var.name}", loop.loop_var.dtype)
    its = [IterVar(rf, Range(loop.min, loop.extent), SPATIAL)]
    values: list[PrimExpr] = [loop.loop_var]
    known, at = {loop.loop_var: rf}, {}
    for it, v in zip(block.iter_vars, realize.iter_values):
        if loop.loop_var not in free_vars(v):
            its.append(it)
            values.append(v)
            continue
        for x in free_vars(v):
            if x in around and x not in known:
                known[x] = Var(f"v{x.name}", x.dtype)
                dom = Range(around[x].min, around[x].extent)
                its.append(IterVar(known[x], dom, REDUCE))
                values.append(x)
        at[it.var] = fold_substitute(v, known)
    place = _element(parts, axis, rf, block.body.indices)
    value = fold_substitute(value, at)
    reduces = any(it.kind == REDUCE for it in its)  # else each part is one value
    update = kind(BufferLoad(parts, place), value) if reduces else value
    init = BufferStore(parts, block.init.value, place) if reduces else None
    made = block.replace(iter_vars=tuple(its), name=f"{block.name}_rf", init=init,
                         body=BufferStore(parts, update, place))
    return BlockRealize(tuple(values), realize.predicate, made)


def _total(realize: BlockRealize, loop: For, loops: list[For], parts: Buffer, axis: int,
           kind: type) -> BlockRealize:
    """The block that reduces the parts, on variables of its own."""
    block = realize.block
    rf = Var(f"v{loop.loop_var.name}", loop.loop_var.dtype)
    kept = [(it, v) for it, v in zip(block.iter_vars, realize.iter_values) if it.kind == SPATIAL]
    fresh = {it.var: it.var.replace() for it, _ in kept}
    its = [IterVar(rf, Range(loop.min, loop.extent), REDUCE)]
    its += [IterVar(fresh[it.var], it.dom, SPATIAL) for it, _ in kept]
    place = tuple(fold_substitute(i, fresh) for i in block.body.indices)
    old = block.body.buffer
    update = kind(BufferLoad(old, place), BufferLoad(parts, _element(parts, axis, rf, place)))
    made = block.replace(iter_vars=tuple(its), init=BufferStore(old, block.init.value, place),
                         body=BufferStore(old, update, place))
    return BlockRealize((loop.loop_var, *[v for _, v in kept]), literal(True), made)


def _wrapped(second: BlockRealize, realize: BlockRealize, loops: list[For], loop: For) -> Stmt:
    """The spatial loops and the factored one around the second block, with new variables."""
    used = {v for e in second.iter_values for v in free_vars(e)}
    kept = [l for l in loops if l is loop or l.loop_var in used or as_int(l.extent) == 1
            and not bound_by(realize, l.loop_var)]
    fresh = {l.loop_var: l.loop_var.replace() for l in kept}
    stmt: Stmt = second.replace(iter_values=tuple(fold_substitute(v, fresh)
                                                  for v in second.iter_values))
    for l in reversed(kept):
        kind = SERIAL if l.thread_binding is not None else l.kind
        stmt = For(fresh[l.loop_var], l.min, fold_substitute(l.extent, fresh), kind, stmt)
    return stmt
