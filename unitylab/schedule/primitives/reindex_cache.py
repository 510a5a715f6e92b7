"""Caches in a layout of one's own: reindex_cache_read, reindex_cache_write."""

from __future__ import annotations

from ...arith.index_map import IndexMap
from ...arith.iter_map import NotAffine
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, literal
from ...ir.tir import (SERIAL, SPATIAL, Block, BlockRealize, Buffer, BufferRegion, BufferStore, For,
                       IterVar, Range, Stmt, decl_buffer, seq)
from ...ir.visitor import fold_substitute, free_vars
from ..dependence import siblings, written_buffers
from ..nest import Nest
from ..signature import BLOCK, INDEX_MAP, INT, STR, MapSource, primitive
from .cache import child_of, pick_buffer, shared_loop
from .reindex import Redirect, accessed_at, check_inside


@primitive(returns=BLOCK, block=BLOCK, read_buffer_index=INT, storage_scope=STR,
           index_map=INDEX_MAP)
def reindex_cache_read(nest: Nest, block: Block, read_buffer_index: int, storage_scope: str,
                       index_map: MapSource) -> Block:
    """cache_read into a buffer with indices of one's own: `index_map` takes the iteration variables
    of the block; returns the copying block.

        C[i, j] = B[i, j] * 2      (index_map=lambda i, j: (j, i // 2, i % 2))
          ->  B_local[j, i // 2, i % 2] = B[i, j]
              C[i, j] = B_local[j, i // 2, i % 2] * 2

    The block reads one element at a time. TVM: the same name."""
    old = pick_buffer(block, block.reads, read_buffer_index, "reads")
    if old in written_buffers(block):
        raise ScheduleError(f"block {block.name} writes {old.name} too", span=block.span)
    order = siblings(nest, block)
    writers = [b for b in order if old in written_buffers(b)]
    late = [b for b in writers if order.index(b) > order.index(block)]
    if len(writers) > 1 or late:
        raise ScheduleError(f"{old.name} is written by {', '.join(b.name for b in writers)}",
                            span=block.span, hint="one block, before the reader, may write it")
    plan = _Plan(nest, block, old, storage_scope, index_map)
    check_inside(nest, block, old, plan.indices)
    top = shared_loop(nest, writers[0], [block]) if writers else None
    stmt, copy = plan.copy(top, into_cache=True)
    _redirect(nest, block, plan)
    scope = nest.now(nest.scope(nest.now(block)))
    if writers:
        place = child_of(nest, nest.now(block), nest.now(top) if top else scope)
        nest.insert(place, stmt)
    else:
        nest.edit(scope, body=seq(stmt, scope.body))
    nest.alloc(nest.now(scope), plan.cache)
    return nest.now(copy)


@primitive(returns=BLOCK, block=BLOCK, write_buffer_index=INT, storage_scope=STR,
           index_map=INDEX_MAP)
def reindex_cache_write(nest: Nest, block: Block, write_buffer_index: int, storage_scope: str,
                        index_map: MapSource) -> Block:
    """cache_write into a buffer with indices of one's own: `index_map` takes the iteration
    variables of the block; returns the copying block.

        C[i, j] = A[i, j] * 2      (index_map=lambda i, j: (j, i))
          ->  C_local[j, i] = A[i, j] * 2;  C[i, j] = C_local[j, i]

    The block writes one element at a time. TVM: the same name."""
    old = pick_buffer(block, block.writes, write_buffer_index, "writes")
    order = siblings(nest, block)
    writers = [b for b in order if old in written_buffers(b)]
    if len(writers) > 1 or any(r.buffer is old for r in block.reads):
        raise ScheduleError(f"{old.name} is written or read by several parts: "
                            f"{', '.join(b.name for b in writers)}", span=block.span,
                            hint="reindex_cache_write before decompose_reduction")
    readers = [b for b in order if b is not block and any(r.buffer is old for r in b.reads)]
    plan = _Plan(nest, block, old, storage_scope, index_map)
    top = shared_loop(nest, block, readers)
    stmt, copy = plan.copy(top, into_cache=False)
    _redirect(nest, block, plan)
    scope = nest.now(nest.scope(nest.now(block)))
    place = child_of(nest, nest.now(block), nest.now(top) if top else scope)
    nest.insert(place, stmt, after=True)
    nest.alloc(nest.now(scope), plan.cache)
    return nest.now(copy)


def _redirect(nest: Nest, block: Block, plan: _Plan) -> None:
    nest.replace(block, nest.rewritten(Redirect(plan.old, plan.cache, plan.place), block))


class _Plan:
    """The cache of what a block uses of one buffer, and the block that copies."""

    def __init__(self, nest: Nest, block: Block, old: Buffer, scope: str, index_map: MapSource):
        self.nest, self.block, self.old = nest, block, old
        self.indices = accessed_at(nest, block, old)
        point = index_map.resolve(len(block.iter_vars), [it.var.dtype for it in block.iter_vars])
        self.its = self._used(point)
        self.place = point([it.var for it in block.iter_vars])
        shape = self._shape(point)
        name = f"{old.name}_{scope}"
        self.cache = decl_buffer(shape, old.dtype, name.replace(".", "_"), scope=scope)
        self.name = name

    def _used(self, point: IndexMap) -> list[IterVar]:
        """The variables that choose an element: the same in the buffer and in the map."""
        block = self.block
        own = {v for i in self.indices for v in free_vars(i)}
        mapped = {it.var for it, v in zip(block.iter_vars, point.inputs)
                  if any(v in free_vars(o) for o in point.outputs)}
        for it in block.iter_vars:
            if (it.var in own) != (it.var in mapped):
                where = (f"{self.old.name}'s index", "the index map")
                first, second = where if it.var in own else where[::-1]
                raise ScheduleError(f"{it.var.name} of block {block.name} is in {first}, not in "
                                    f"{second}", span=block.span,
                                    hint=f"the index map is {point.text}")
        return [it for it in block.iter_vars if it.var in own]

    def _shape(self, point: IndexMap):
        """The sizes of the cache. Raises ScheduleError where two elements get one place."""
        block = self.block
        used = {it.var for it in self.its}
        pairs = [(v, it) for v, it in zip(point.inputs, block.iter_vars) if it.var in used]
        small = IndexMap(tuple(v for v, _ in pairs), point.outputs)
        analyzer = self.nest.analyzer(self.nest.scope(block), False)
        doms = [it.dom for _, it in pairs]
        try:
            if not all(prim.is_const(d.min, 0) for d in doms):
                raise ValueError("a variable does not start at 0")
            shape = small.map_shape([d.extent for d in doms], analyzer)
            small.inverse(doms, analyzer)
        except (NotAffine, ValueError) as e:
            raise ScheduleError(f"the index map {point.text} does not give each element of "
                                f"{self.old.name} a place of its own: {e}",
                                span=block.span) from None
        return shape

    def copy(self, top: For | None, into_cache: bool) -> tuple[Stmt, Block]:
        """The loops of the block below `top` that choose an element, with a copying block."""
        nest, realize = self.nest, self.nest.realize(self.block)
        loops = nest.loops(self.block) if top is None else nest.loops_below(self.block, top)
        values = {it.var: v for it, v in zip(self.block.iter_vars, realize.iter_values)}
        used = {v for it in self.its for v in free_vars(values[it.var])}
        kept = [l for l in loops if l.loop_var in used]
        dropped = {l.loop_var for l in loops} - used
        predicate = self._guard(realize, dropped)
        fresh = {l.loop_var: Var(l.loop_var.name, l.loop_var.dtype) for l in kept}
        block = self._block(into_cache)
        stmt: Stmt = BlockRealize(tuple(fold_substitute(values[it.var], fresh) for it in self.its),
                                  fold_substitute(predicate, fresh), block)
        for l in reversed(kept):
            low, extent = (fold_substitute(e, fresh) for e in (l.min, l.extent))
            stmt = For(fresh[l.loop_var], low, extent, SERIAL, stmt)
        return stmt, block

    def _guard(self, realize: BlockRealize, dropped: set[Var]) -> PrimExpr:
        """The predicate, as far as it limits what is copied."""
        terms = [t for t in _terms(realize.predicate)]
        mixed = [t for t in terms if any(v in dropped for v in free_vars(t))
                 and not all(v in dropped for v in free_vars(t))]
        if mixed:
            raise ScheduleError(f"block {self.block.name} runs only where {mixed[0].script()}",
                                span=self.block.span, hint="cache before splitting")
        return prim.logical_and(*(t for t in terms if not any(v in dropped for v in free_vars(t))))

    def _block(self, into_cache: bool) -> Block:
        fresh = {it.var: Var(it.var.name, it.var.dtype) for it in self.its}
        its = tuple(IterVar(fresh[it.var], it.dom, SPATIAL) for it in self.its)
        there = tuple(fold_substitute(i, fresh) for i in self.indices)
        here = tuple(fold_substitute(i, fresh) for i in self.place)
        ends = [(self.old, there), (self.cache, here)]
        (source, i), (target, j) = ends if into_cache else reversed(ends)
        return Block(its, (_point(source, i),), (_point(target, j),), self.name,
                     BufferStore(target, source[i], j))


def _terms(e: PrimExpr) -> list[PrimExpr]:
    if prim.is_const(e, 1):
        return []
    return _terms(e.a) + _terms(e.b) if isinstance(e, prim.And) else [e]


def _point(buffer: Buffer, at) -> BufferRegion:
    return BufferRegion(buffer, tuple(Range(i, literal(1, i.dtype)) for i in at))
