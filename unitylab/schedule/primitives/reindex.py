"""A copy of a buffer that is indexed by the variables of the block that uses it: reindex."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.structural import structural_equal
from ...ir.tir import (SERIAL, SPATIAL, Bind, Block, BlockRealize, Buffer, BufferLoad,
                       BufferRegion, BufferStore, For, IfThenElse, IterVar, Range, Stmt,
                       decl_buffer, seq)
from ...ir.visitor import Mutator, collect, free_vars, fold_substitute, walk
from ..access import check_no_pointer
from ..dependence import siblings, why_not_dominant, written_buffers
from ..nest import Nest
from ..signature import BLOCK, BUFFER, primitive
from .buffer_layout import buffer_of


@primitive(returns=BLOCK, block=BLOCK, buffer=BUFFER)
def reindex(nest: Nest, block: Block, buffer) -> Block:
    """Lets a block use a buffer through a copy that is indexed by its own iteration variables;
    returns the copying block.

        C[i, j] += P[i * 2 + k] * ...   ->   P_reindex[i, k] = P[i * 2 + k]
                                             C[i, j] += P_reindex[i, k] * ...

    What is read is copied before the block, what is written after it."""
    old = buffer_of(nest, block, buffer)
    writes = any(r.buffer is old for r in block.writes)
    reason = why_not_dominant(nest, block)
    if reason:
        raise ScheduleError(f"block {block.name} is neither complete nor a reduction: {reason}",
                            span=block.span)
    indices = accessed_at(nest, block, old)
    if not writes:
        check_inside(nest, block, old, indices)
    used = {v for i in indices for v in free_vars(i)}
    its = [it for it in block.iter_vars if it.var in used]
    if not its:
        raise ScheduleError(f"block {block.name} uses one element of {old.name} only",
                            span=block.span)
    _check_whole(nest, block, its)
    check_place(nest, block, old, writes)
    new = decl_buffer(tuple(it.dom.extent for it in its), old.dtype, f"{old.name}_reindex",
                      scope=old.scope)
    stmt, copy = _copy(old, new, its, indices, writes)
    _insert(nest, block, stmt, new, writes)
    block = nest.now(block)
    nest.replace(block, nest.rewritten(Redirect(old, new, [it.var for it in its]), block))
    return nest.now(copy)


def _check_whole(nest: Nest, block: Block, its: list[IterVar]) -> None:
    """The copy takes all points of these variables at once: the block's own loops must run over
    them."""
    realize = nest.realize(block)
    inner = {l.loop_var for l in nest.loops(block)}
    for it, value in zip(block.iter_vars, realize.iter_values):
        if it in its and (not prim.is_const(it.dom.min, 0)
                          or any(v not in inner for v in free_vars(value))):
            raise ScheduleError(f"{it.var.name} of block {block.name} does not run over all of its "
                                f"domain here", span=block.span,
                                hint="reindex_cache_read and reindex_cache_write copy what it "
                                     "runs over")


def accessed_at(nest: Nest, block: Block, buffer: Buffer):
    """The indices at which a block accesses a buffer, the same everywhere, in its own variables
    and those of blocks around it."""
    check_no_pointer(block, buffer)
    accesses = [a for a in (*collect(block, BufferLoad), *collect(block, BufferStore))
                if a.buffer is buffer]
    if not accesses:
        raise ScheduleError(f"block {block.name} does not access {buffer.name} itself",
                            span=block.span)
    first = accesses[0].indices
    if not all(structural_equal(i, f) for a in accesses for i, f in zip(a.indices, first)):
        raise ScheduleError(f"block {block.name} accesses {buffer.name} at several places",
                            span=block.span)
    at = {it.var: it.dom.min for it in block.iter_vars if as_int(it.dom.extent) == 1}
    bare = {i for i in first if isinstance(i, Var)}
    at = {v: e for v, e in at.items() if v not in bare}
    inside = [n.loop_var if isinstance(n, For) else n.var for n in collect(block, (For, Bind))]
    loops = {l.loop_var for l in nest.loops(block)} | set(inside)
    if any(v in loops for i in first for v in free_vars(i)):
        raise ScheduleError(f"the place of {buffer.name} depends on variables of loops, not of "
                            f"block {block.name}", span=block.span)
    return tuple(_tidy(fold_substitute(i, at), block) for i in first)


def check_inside(nest: Nest, block: Block, buffer: Buffer, indices) -> None:
    """Refuses to copy what a block reads under a condition only, where the copy might reach outside
    of the buffer."""
    choices = [n for n in walk(block.body) if isinstance(n, (IfThenElse, prim.Select)) or
               isinstance(n, prim.Call) and n.op in ("if_then_else", "tir.if_then_else")]
    if not any(l.buffer is buffer for c in choices for l in collect(c, BufferLoad)):
        return
    analyzer = nest.analyzer(block)
    for i, size in zip(indices, buffer.shape):
        if not (analyzer.can_prove(i >= 0) and analyzer.can_prove(i < size)):
            raise ScheduleError(f"block {block.name} reads {buffer.name} at {i.script()} under a "
                                f"condition: a copy of all that would reach outside of it",
                                span=block.span, hint="cache_read copies what is inside")


def _tidy(e, block: Block):
    from ...arith.analyzer import Analyzer  # noqa: PLC0415
    analyzer = Analyzer()
    for it in block.iter_vars:
        if as_int(it.dom.extent) != 1:
            analyzer.bind(it.var, it.dom)
    return analyzer.simplify(e)


def check_place(nest: Nest, block: Block, buffer: Buffer, writes: bool) -> None:
    """Refuses where a copy before (or after) all loops of a block would come too early (late)."""
    order = siblings(nest, block)
    for other in order:
        if other is block or buffer not in written_buffers(other):
            continue
        if order.index(other) > order.index(block) and not writes:
            raise ScheduleError(f"block {other.name} overwrites {buffer.name} later",
                                span=other.span)
        if set(map(id, nest.loops(other))) & set(map(id, nest.loops(block))):
            raise ScheduleError(f"block {other.name} writes {buffer.name} in a loop around block "
                                f"{block.name}", span=other.span, hint="reindex before compute_at")
    if writes:
        for other in order:
            shared = set(map(id, nest.loops(other))) & set(map(id, nest.loops(block)))
            if other is not block and shared and any(r.buffer is buffer for r in other.reads):
                raise ScheduleError(f"block {other.name} reads {buffer.name} in a loop around "
                                    f"block {block.name}", span=other.span)


def _copy(old: Buffer, new: Buffer, its: list[IterVar], indices, writes: bool):
    fresh = [Var(f"v{k}", it.var.dtype) for k, it in enumerate(its)]
    at = {it.var: v for it, v in zip(its, fresh)}
    there, here = tuple(fold_substitute(i, at) for i in indices), tuple(fresh)
    ends = [(old, there), (new, here)]
    (source, i), (target, j) = reversed(ends) if writes else ends
    name = new.name if writes else f"{new.name}_reindex"

    def region(b, point):
        return BufferRegion(b, tuple(Range(p, literal(1, p.dtype)) for p in point))
    variables = tuple(IterVar(v, it.dom, SPATIAL) for v, it in zip(fresh, its))
    block = Block(variables, (region(source, i),), (region(target, j),), name,
                  BufferStore(target, source[i], j))
    axes = [Var(f"ax{k}", v.dtype) for k, v in enumerate(fresh)]
    values = tuple(prim.add(it.dom.min, ax) for it, ax in zip(its, axes))
    stmt: Stmt = BlockRealize(values, literal(True), block)
    for ax, it in reversed(list(zip(axes, its))):
        stmt = For(ax, literal(0, ax.dtype), it.dom.extent, SERIAL, stmt)
    return stmt, block


def _insert(nest: Nest, block: Block, stmt: Stmt, new: Buffer, after: bool) -> None:
    loops, scope = nest.loops(block), nest.scope(block)
    at = loops[0] if loops else nest.realize(block)
    if nest.parent(at) is scope:
        body = seq(scope.body, stmt) if after else seq(stmt, scope.body)
        nest.edit(scope, body=body)
    else:
        nest.insert(at, stmt, after=after)
    nest.alloc(nest.now(scope), new)


class Redirect(Mutator):
    """Accesses of a buffer become accesses of its copy at one point."""

    def __init__(self, old: Buffer, new: Buffer, at: Sequence[PrimExpr]):
        super().__init__()
        self.old, self.new, self.at = old, new, tuple(at)

    def visit_Buffer(self, n):
        return n

    def _moved(self, n):
        new = self.rebuild(n)
        return new.replace(buffer=self.new, indices=self.at) if n.buffer is self.old else new

    visit_BufferLoad = visit_BufferStore = _moved

    def visit_BufferRegion(self, n: BufferRegion) -> BufferRegion:
        if n.buffer is not self.old:
            return n
        return BufferRegion(self.new, tuple(Range(v, literal(1, v.dtype)) for v in self.at))
