"""Moving what follows a reduction into the reduction: fuse_reduction_epilogue."""

from __future__ import annotations

from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, as_int
from ...ir.tir import REDUCE, Block, Buffer, BufferLoad, BufferStore
from ...ir.structural import structural_equal
from ...ir.visitor import Mutator, collect, fold_substitute, fresh_copy, substitute
from ..access import update_regions
from ..dependence import consumers, is_output, read_buffers, siblings, why_not_complete, \
    why_not_reduction, written_buffers
from ..nest import Nest
from ..replace_blocks import home
from ..signature import BLOCK, primitive


@primitive(reduction_block=BLOCK, epilogue_block=BLOCK)
def fuse_reduction_epilogue(nest: Nest, reduction_block: Block, epilogue_block: Block) -> None:
    """Computes an elementwise block that follows a reduction inside of the reduction.

        C[i, j] = 0; C[i, j] += ...        ->    D[i, j] = bias[j]; D[i, j] += ...
        D[i, j] = C[i, j] + bias[j]

    A sum followed by an addition starts from what is added. Any other epilogue is computed in the
    last step of the reduction. The epilogue must read element by element; for other readers the
    reduction is kept beside it, and computed twice."""
    red, epi = reduction_block, epilogue_block
    source = _check(nest, red, epi)
    if len(consumers(nest, red)) > 1:
        _keep(nest, red)
        red = nest.now(red)
    at = _points(red, epi, source)
    store: BufferStore = epi.body
    place = tuple(fold_substitute(i, at) for i in store.indices)
    value = fold_substitute(store.value, at)
    move = _Move(source, store.buffer, place)
    update, init = move.visit(red.body), move.visit(red.init)
    added = _added(value, source, red)
    if added is not None:
        init = init.replace(value=added)
    else:
        update = update.replace(value=_at_the_end(red, source, value, update.value))
    nest.remove(epi)
    red = nest.edit(nest.now(red), body=update, init=init)
    update_regions(nest, red)  # the buffer stays allocated, as in TVM; lowering drops it


def _check(nest: Nest, red: Block, epi: Block) -> Buffer:
    for block, reason in ((red, why_not_reduction(nest, red)), (epi, why_not_complete(nest, epi))):
        if reason:
            raise ScheduleError(f"block {block.name} is not what it must be: {reason}",
                                span=block.span, hint="a reduction block and a complete block")
        if not isinstance(block.body, BufferStore) or block.init is not None \
                and not isinstance(block.init, BufferStore):
            raise ScheduleError(f"block {block.name} is more than one store", span=block.span)
    source = red.body.buffer
    if is_output(nest, red):
        raise ScheduleError(f"{source.name} is an output of the function", span=red.span)
    if epi not in consumers(nest, red):
        raise ScheduleError(f"block {epi.name} does not read {source.name}, which block {red.name} "
                            f"makes", span=epi.span)
    _check_between(nest, red, epi, source)
    return source


def _keep(nest: Nest, red: Block) -> None:
    """A second nest that computes the reduction, for its other readers."""
    place = home(nest, red)
    if place is None:
        others = ", ".join(b.name for b in consumers(nest, red))
        raise ScheduleError(f"block {red.name} shares its loops with another block, and several "
                            f"blocks read what it makes: {others}", span=red.span,
                            hint="fuse the epilogue before compute_at")
    block = red.replace(name=f"{red.name}_kept")
    kept = fresh_copy(substitute(place, {red: block}))
    nest.insert(place, kept)


def _check_between(nest: Nest, red: Block, epi: Block, source: Buffer) -> None:
    order = siblings(nest, red)
    inputs = {*map(id, read_buffers(epi))} - {id(source)}
    outputs = {*map(id, written_buffers(epi))}
    late = order[order.index(red):order.index(epi)]
    for b in order[:order.index(epi)]:
        if b in late and {*map(id, written_buffers(b))} & inputs:
            raise ScheduleError(f"block {b.name} makes an input of block {epi.name} after block "
                                f"{red.name} started", span=b.span)
        if {*map(id, read_buffers(b)), *map(id, written_buffers(b))} & outputs:
            raise ScheduleError(f"block {b.name} uses {epi.body.buffer.name} before block "
                                f"{epi.name} writes it", span=b.span)
    if inputs & outputs:
        raise ScheduleError(f"block {epi.name} reads what it writes", span=epi.span)


def _points(red: Block, epi: Block, source: Buffer) -> dict:
    """The epilogue's variables in terms of the reduction's."""
    loads = [l for l in collect(epi.body.value, BufferLoad) if l.buffer is source]
    own = {it.var: it for it in epi.iter_vars}
    where = red.body.indices
    doms = {it.var: it.dom for it in red.iter_vars}
    at = {}
    for load in loads:
        for i, point in zip(load.indices, where):
            known = at.setdefault(i, point) if i in own else None
            same = known is point and point in doms and structural_equal(own[i].dom, doms[point])
            if not same:
                raise ScheduleError(f"block {epi.name} does not read {source.name} element by "
                                    f"element as block {red.name} writes it", span=epi.span)
    for v, it in own.items():
        if v not in at:
            if as_int(it.dom.extent) != 1:
                raise ScheduleError(f"block {epi.name} reads {source.name} again for each "
                                    f"{v.name}", span=epi.span)
            at[v] = it.dom.min
    return at


def _added(value: PrimExpr, source: Buffer, red: Block) -> PrimExpr | None:
    """What an epilogue adds to a sum that starts at zero; None for anything else."""
    update = red.body.value
    is_sum = isinstance(update, prim.Add) and prim.is_const(red.init.value, 0) and any(
        isinstance(x, BufferLoad) and x.buffer is source for x in (update.a, update.b))
    if not is_sum or not isinstance(value, prim.Add):
        return None
    for own, other in ((value.a, value.b), (value.b, value.a)):
        reads = any(l.buffer is source for l in collect(other, BufferLoad))
        if isinstance(own, BufferLoad) and own.buffer is source and not reads:
            return other
    return None


def _at_the_end(red: Block, source: Buffer, value: PrimExpr, update: PrimExpr) -> PrimExpr:
    """`value` of the finished reduction in the last step, the update itself before."""
    last = prim.logical_and(*[prim.equal(it.var, it.dom.min + it.dom.extent - 1)
                              for it in red.iter_vars if it.kind == REDUCE])
    final = _Finished(source, update).visit(value)
    return prim.call_intrin(update.dtype, "if_then_else", last, final, update)


class _Finished(Mutator):
    """The result of the reduction where the epilogue reads it."""

    def __init__(self, source: Buffer, value: PrimExpr):
        super().__init__()
        self.source, self.value = source, value

    def visit_Buffer(self, n):
        return n

    def visit_BufferLoad(self, n: BufferLoad) -> PrimExpr:
        return self.value if n.buffer is self.source else self.rebuild(n)


class _Move(Mutator):
    """The reduction accumulates in another buffer."""

    def __init__(self, old: Buffer, new: Buffer, place):
        super().__init__()
        self.old, self.new, self.place = old, new, place

    def visit_Buffer(self, n):
        return n

    def visit_BufferLoad(self, n: BufferLoad) -> BufferLoad:
        return BufferLoad(self.new, self.place) if n.buffer is self.old else self.rebuild(n)

    def visit_BufferStore(self, n: BufferStore) -> BufferStore:
        new = self.rebuild(n)
        return new.replace(buffer=self.new, indices=self.place) if n.buffer is self.old else new
