"""Sizes that are multiples of a tile: pad_einsum."""

from __future__ import annotations

from ...arith.analyzer import Analyzer
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import (REDUCE, SPATIAL, Block, BlockRealize, Buffer, BufferLoad, BufferRegion,
                       BufferStore, For, IterVar, Range, Stmt, decl_buffer, seq)
from ...ir.visitor import Mutator, collect
from ..access import RenameBuffers, check_no_pointer
from ..dependence import bound_by, why_not_dominant
from ..nest import Nest, child_realizes
from ..signature import BLOCK, INT, list_of, primitive
from .reindex import check_place


@primitive(block=BLOCK, padding=list_of(INT))
def pad_einsum(nest: Nest, block: Block, padding: list[int]) -> None:
    """Makes the extents of a block multiples of `padding` (one number an iteration variable): its
    inputs are copied into buffers filled up with zeros, of its output the real part is copied back.

        C[i, j] += A[i, k] * B[k, j]   (127 x 127, padding [32, 32, 32])
          ->  A_pad[i, k] = A[i, k] if i < 127 and k < 127 else 0; B_pad likewise
              C_pad[i, j] += A_pad[i, k] * B_pad[k, j]            (128 x 128)
              C[i, j] = C_pad[i, j]

    Each index of what the block uses is one of its variables or a constant; zeros must not change
    a sum. TVM: the same name."""
    _check_padding(block, padding)
    realize, analyzer = nest.realize(block), nest.analyzer(nest.scope(block))
    sizes = _new_extents(block, padding, analyzer)
    if not sizes:
        return
    _check_loops(nest, realize, sizes)
    reads = [r for r in block.reads if _grows(r, sizes)]
    writes = [w for w in block.writes if _grows(w, sizes)]
    _check_accesses(block, sizes, analyzer)
    pads = {r.buffer: _padded(r, sizes) for r in (*reads, *writes)}
    _check_zeros(block, sizes, set(pads))
    _check_copies(nest, block, reads, writes)
    before = [_copy_in(r.buffer, pads[r.buffer], analyzer) for r in reads]
    after = [_copy_out(w.buffer, pads[w.buffer]) for w in writes]
    _grow(nest, realize, sizes, pads)
    _surround(nest, nest.now(block), before, after)
    nest.alloc(nest.scope(nest.now(block)), *pads.values())


def _check_copies(nest: Nest, block: Block, reads, writes) -> None:
    """Inputs are complete before the loops of the block, its results are used after them."""
    reason = why_not_dominant(nest, block)
    if reason:
        raise ScheduleError(f"block {block.name} is neither complete nor a reduction: {reason}",
                            span=block.span)
    for r in reads:
        check_place(nest, block, r.buffer, writes=False)
    for w in writes:
        check_place(nest, block, w.buffer, writes=True)


def _check_padding(block: Block, padding: list[int]) -> None:
    if len(padding) != len(block.iter_vars):
        raise ScheduleError(f"block {block.name} has {len(block.iter_vars)} iteration variables, "
                            f"and {len(padding)} paddings are given", span=block.span,
                            hint=f"one number for each of "
                            f"{', '.join(it.var.name for it in block.iter_vars)}")
    bad = [p for p in padding if p <= 0]
    if bad:
        raise ScheduleError(f"the padding {bad[0]} is not positive", hint="1 pads nothing")


def _new_extents(block: Block, padding: list[int], analyzer: Analyzer) -> dict[Var, PrimExpr]:
    """The extents of the variables that grow."""
    found = {}
    for it, p in zip(block.iter_vars, padding):
        old = it.dom.extent
        new = analyzer.simplify(prim.floordiv(old + (p - 1), literal(p, old.dtype)) * p)
        if not analyzer.can_prove_equal(new, old):
            found[it.var] = new
            if it.kind not in (SPATIAL, REDUCE) or not prim.is_const(it.dom.min, 0):
                raise ScheduleError(f"{it.var.name} of block {block.name} cannot grow: it is of "
                                    f"kind {it.kind} from {it.dom.min.script()}", span=block.span)
    return found


def _check_loops(nest: Nest, realize: BlockRealize, sizes: dict[Var, PrimExpr]) -> None:
    block = realize.block
    if not prim.is_const(realize.predicate, 1):
        raise ScheduleError(f"block {block.name} runs only where {realize.predicate.script()}",
                            span=block.span, hint="pad it before it gets a predicate")
    loops = {l.loop_var: l for l in nest.loops(block)}
    for it, v in zip(block.iter_vars, realize.iter_values):
        if it.var not in sizes:
            continue
        loop = loops.get(v) if isinstance(v, Var) else None
        if loop is None or len(bound_by(realize, v)) != 1 or loop.min is not it.dom.min and \
                as_int(loop.min) != 0:
            raise ScheduleError(f"{it.var.name} of block {block.name} is not bound to a loop of its"
                                f" own", span=block.span, hint="pad it before split or fuse")
        if child_realizes(loop.body) != [realize]:
            raise ScheduleError(f"loop {v.name} holds more than block {block.name}",
                                span=block.span, hint="pad it before others move into its loops")


def _grows(region: BufferRegion, sizes) -> bool:
    return any(r.min in sizes for r in region.region if isinstance(r.min, Var))


def _check_accesses(block: Block, sizes, analyzer: Analyzer) -> None:
    """Each buffer once, each index a variable or a constant, each growing index over a whole
    dimension."""
    seen: set[Buffer] = set()
    extents = {it.var: it.dom.extent for it in block.iter_vars}
    for region in (*block.reads, *block.writes):
        buffer = region.buffer
        check_no_pointer(block, buffer)
        if buffer in seen:
            raise ScheduleError(f"block {block.name} uses {buffer.name} in two ways",
                                span=block.span, hint="pad it before decompose_reduction")
        seen.add(buffer)
        grows = _grows(region, sizes)
        for r, size in zip(region.region, buffer.shape):
            if as_int(r.extent) != 1 or not (isinstance(r.min, Var) or as_int(r.min) is not None):
                raise ScheduleError(f"block {block.name} uses {buffer.name} at {r.min.script()}: "
                                    f"an index must be one of its variables or a constant",
                                    span=block.span, hint="reindex brings it to this form")
            whole = extents.get(r.min, literal(1, size.dtype))
            if grows and not analyzer.can_prove_equal(whole, size):
                raise ScheduleError(f"block {block.name} does not run over all of {buffer.name}",
                                    span=block.span, hint="cache_read or cache_write the part")


def _padded(region: BufferRegion, sizes) -> Buffer:
    shape = [sizes.get(r.min, s) for r, s in zip(region.region, region.buffer.shape)]
    return decl_buffer(tuple(shape), region.buffer.dtype, f"{region.buffer.name}_pad",
                       scope=region.buffer.scope)


class _Zeros(Mutator):
    """Loads of padded buffers become zeros."""

    def __init__(self, buffers: set[Buffer]):
        super().__init__()
        self.buffers = buffers

    def visit_BufferLoad(self, n: BufferLoad):
        return literal(0, n.dtype) if n.buffer in self.buffers else n


def _check_zeros(block: Block, sizes, pads: set[Buffer]) -> None:
    """What a reduction adds in the padding must be zero, and nothing there may fail."""
    for e in collect(block.body, (prim.Div, prim.FloorDiv, prim.FloorMod, prim.Mod)):
        loads = [l for l in collect(e.b, BufferLoad) if l.buffer in pads]
        if e.dtype.is_int and loads:
            raise ScheduleError(f"block {block.name} divides by {loads[0].buffer.name}, which would"
                                f" be 0 in the padding", span=block.span)
    grown = [it.var for it in block.iter_vars if it.kind == REDUCE and it.var in sizes]
    if not grown:
        return
    store = block.body
    own = {r.buffer for r in block.writes}
    parts = (store.value.a, store.value.b) if isinstance(store, BufferStore) and \
        isinstance(store.value, prim.Add) else ()
    terms = [p for p in parts if not (isinstance(p, BufferLoad) and p.buffer in own)]
    for v in grown:
        reached = {r.buffer for r in block.reads if any(x.min is v for x in r.region)}
        if len(parts) != 2 or len(terms) != 1 or not _vanishes(terms[0], reached):
            raise ScheduleError(f"zeros along {v.name} would change what block {block.name} "
                                f"reduces", span=block.span,
                                hint="only sums whose terms are 0 where an input is 0")


def _vanishes(term: PrimExpr, zeros: set[Buffer]) -> bool:
    """Whether a term is 0 where some buffers are 0."""
    if isinstance(term, BufferLoad):
        return term.buffer in zeros
    if isinstance(term, prim.Cast):
        return _vanishes(term.value, zeros)
    if isinstance(term, prim.Mul):
        return _vanishes(term.a, zeros) or _vanishes(term.b, zeros)
    if isinstance(term, (prim.Add, prim.Sub, prim.Max, prim.Min)):
        return _vanishes(term.a, zeros) and _vanishes(term.b, zeros)
    return prim.is_const(term, 0)


def _grow(nest: Nest, realize: BlockRealize, sizes, pads: dict[Buffer, Buffer]) -> None:
    loops = {l.loop_var: l for l in nest.loops(realize.block)}
    for it, v in zip(realize.block.iter_vars, realize.iter_values):
        if it.var in sizes:
            nest.edit(nest.now(loops[v]), extent=prim.cast(sizes[it.var], v.dtype))
    block = nest.now(realize.block)
    new = nest.rewritten(RenameBuffers(pads), block)
    nest.replace(block, new)
    its = tuple(it.replace(dom=Range(it.dom.min, sizes[it.var])) if it.var in sizes else it
                for it in new.iter_vars)
    nest.edit(new, iter_vars=its)


def _copy_in(old: Buffer, new: Buffer, analyzer: Analyzer) -> Stmt:
    at = _variables(new)
    inside = prim.logical_and(*(v < s for v, s, n in zip(at, old.shape, new.shape)
                                if not analyzer.can_prove_equal(s, n)))
    value = prim.Call(old.dtype, "if_then_else",
                      (inside, BufferLoad(old, at), literal(0, old.dtype)))
    return _copy(old, new, at, BufferStore(new, value, at), new)


def _copy_out(old: Buffer, new: Buffer) -> Stmt:
    at = _variables(old)
    return _copy(new, old, at, BufferStore(old, BufferLoad(new, at), at), new)


def _variables(buffer: Buffer) -> tuple[Var, ...]:
    return tuple(Var(f"v{k}", s.dtype) for k, s in enumerate(buffer.shape))


def _copy(source: Buffer, target: Buffer, at: tuple[Var, ...], store: BufferStore,
          named: Buffer) -> Stmt:
    """Loops over all of `target` with a block that runs `store`."""
    point = tuple(Range(v, literal(1, v.dtype)) for v in at)
    its = tuple(IterVar(v, Range(literal(0, v.dtype), s), SPATIAL)
                for v, s in zip(at, target.shape))
    block = Block(its, (BufferRegion(source, point),), (BufferRegion(target, point),), named.name,
                  store)
    loops = [Var(f"i{k}", v.dtype) for k, v in enumerate(at)]
    stmt: Stmt = BlockRealize(tuple(loops), literal(True), block)
    for v, it in reversed(list(zip(loops, its))):
        stmt = For(v, literal(0, v.dtype), it.dom.extent, "serial", stmt)
    return stmt


def _surround(nest: Nest, block: Block, before: list[Stmt], after: list[Stmt]) -> None:
    """Puts copies around the outermost statement of a block in its scope."""
    loops = nest.loops(block)
    at = loops[0] if loops else nest.realize(block)
    nest.replace(at, seq(*before, at, *after))
