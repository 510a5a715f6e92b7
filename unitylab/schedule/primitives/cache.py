"""Copies of buffers in another storage scope: cache_read, cache_write."""

from __future__ import annotations

from ...arith.analyzer import Analyzer
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import Var, literal
from ...ir.tir import (SERIAL, SPATIAL, Block, BlockRealize, Buffer, BufferRegion, BufferStore, For,
                       IterVar, Range, Stmt, decl_buffer, seq)
from ...ir.visitor import Mutator
from ..access import RenameBuffers, check_no_pointer
from ..dependence import (consumers, read_and_written, read_buffers, siblings, touched,
                          written_buffers)
from ..filled import why_not_filled
from ..nest import Nest
from ..regions import Span, clipped, contains, hull
from ..signature import BLOCK, BLOCKS, INT, STR, optional, primitive


@primitive(returns=BLOCK, block=BLOCK, read_buffer_index=INT, storage_scope=STR,
           consumer_blocks=optional(BLOCKS))
def cache_read(nest: Nest, block: Block, read_buffer_index: int, storage_scope: str,
               consumer_blocks: list[Block] | None = None) -> Block:
    """Copies what a block reads into a buffer of `storage_scope` first, and reads from there;
    returns the copying block. `consumer_blocks`: who reads the copy (all readers by default)."""
    buffer = pick_buffer(block, block.reads, read_buffer_index, "reads")
    order = siblings(nest, block)
    writers = [b for b in order if buffer in written_buffers(b)]
    if len(writers) > 1:
        raise ScheduleError(f"{buffer.name} is written by several blocks: "
                            f"{', '.join(b.name for b in writers)}", span=block.span)
    readers = [b for b in order if buffer in read_buffers(b)
               and b not in writers and (not consumer_blocks or b in consumer_blocks)]
    writers = _earlier(order, writers, readers, buffer)
    scope = nest.scope(block)
    top = shared_loop(nest, writers[0], readers) if writers else None
    box = _swept(nest, writers or readers, top, buffer, "writes" if writers else "reads")
    if writers:
        _check_holds(nest, writers[0], readers, buffer, top)
    place = child_of(nest, writers[0], top or scope) if writers else None
    plan = _Plan(buffer, box, storage_scope, relative=top is None)
    stmt, copy = plan.copy(into_cache=True)
    for b in readers:
        old = nest.now(b)
        nest.replace(old, nest.rewritten(plan.redirect(nest, old), old))
    if place is not None:
        nest.insert(nest.now(place) if isinstance(place, (For, BlockRealize)) else place, stmt,
                    after=True)
    else:
        scope = nest.now(scope)
        nest.edit(scope, body=seq(stmt, scope.body))
    nest.alloc(nest.now(scope), plan.cache)
    return nest.now(copy)


@primitive(returns=BLOCK, block=BLOCK, write_buffer_index=INT, storage_scope=STR,
           consumer_blocks=optional(BLOCKS))
def cache_write(nest: Nest, block: Block, write_buffer_index: int, storage_scope: str,
                consumer_blocks: list[Block] | None = None) -> Block:
    """Lets a block write into a buffer of `storage_scope`, and copies from there afterwards;
    returns the copying block. `consumer_blocks` read the cache instead of the original."""
    buffer = pick_buffer(block, block.writes, write_buffer_index, "writes")
    writers = [b for b in siblings(nest, block) if buffer in written_buffers(b)]
    if len(writers) > 1:
        raise ScheduleError(f"{buffer.name} is written by several blocks: "
                            f"{', '.join(b.name for b in writers)}", span=block.span,
                            hint="cache_write before decompose_reduction")
    if block.init is None and buffer in read_and_written(block):
        raise ScheduleError(f"block {block.name} reads {buffer.name}, which it also writes: the "
                            f"cache would be read before it is filled", span=block.span,
                            hint="a block with an init starts from what the init writes")
    hole = why_not_filled(nest, block, buffer)
    if hole:
        raise ScheduleError(f"block {block.name} may leave a part of the cache empty: {hole}",
                            span=block.span, hint="declare the elements that it writes, no more")
    scope = nest.scope(block)
    readers = [b for b in consumers(nest, block) if b not in (consumer_blocks or ())]
    top = shared_loop(nest, block, readers)
    place = child_of(nest, block, top or scope)
    box = _swept(nest, [block], top, buffer, "writes")
    plan = _Plan(buffer, box, storage_scope, relative=top is None)
    stmt, copy = plan.copy(into_cache=False)
    for b in dict.fromkeys([block, *(consumer_blocks or [])]):
        old = nest.now(b)
        nest.replace(old, nest.rewritten(plan.redirect(nest, old), old))
    if readers:
        nest.insert(nest.now(place), stmt, after=True)
    else:
        scope = nest.now(scope)
        nest.edit(scope, body=seq(scope.body, stmt))
    nest.alloc(nest.now(scope), plan.cache)
    return nest.now(copy)


def pick_buffer(block: Block, regions: tuple[BufferRegion, ...], index: int,
                what: str) -> Buffer:
    """The buffer of a region by its number. `what`: "reads" or "writes", for the message."""
    if not 0 <= index < len(regions):
        raise ScheduleError(f"block {block.name} {what} {len(regions)} buffers, there is no number "
                            f"{index}", span=block.span,
                            hint=", ".join(f"{n}: {r.buffer.name}" for n, r in enumerate(regions)))
    return regions[index].buffer


def _earlier(order: list[Block], writers: list[Block], readers: list[Block],
             buffer: Buffer) -> list[Block]:
    """The writer, unless it comes after all readers: then they read what came in."""
    late = [w for w in writers if any(order.index(r) < order.index(w) for r in readers)]
    if late and not all(order.index(r) < order.index(late[0]) for r in readers):
        raise ScheduleError(f"block {late[0].name} writes {buffer.name} between its readers "
                            f"{', '.join(r.name for r in readers)}", span=late[0].span,
                            hint="name the readers on one side of it as consumer_blocks")
    return [] if late else writers


def shared_loop(nest: Nest, writer: Block, readers: list[Block]) -> For | None:
    """The innermost loop around the writer that a reader is in too."""
    for loop in reversed(nest.loops(writer)):
        if any(nest.is_below(r, loop) for r in readers if r is not writer):
            return loop
    return None


def _check_holds(nest: Nest, writer: Block, readers: list[Block], buffer: Buffer,
                 top: For | None) -> None:
    """The copy holds what the writer makes: the readers must need no more."""
    analyzer = nest.analyzer(nest.scope(writer))
    made = _swept(nest, [writer], None, buffer, "writes")
    for r in readers:
        need = _swept(nest, [r], None, buffer, "reads")
        if not all(contains(m, n, analyzer) for m, n in zip(made, need)):
            raise ScheduleError(f"block {r.name} reads elements of {buffer.name} that block "
                                f"{writer.name} does not write", span=r.span,
                                hint="name the readers of what it writes as consumer_blocks")
    if top is not None and len({*map(id, readers)}) > 1:
        order = siblings(nest, writer)
        early = [r for r in readers if order.index(r) < order.index(writer)]
        if early:
            raise ScheduleError(f"block {early[0].name} reads {buffer.name} before block "
                                f"{writer.name} writes it", span=early[0].span)


def child_of(nest: Nest, block: Block, top: For | Block) -> Stmt:
    """The statement directly in the body of `top` that holds a block."""
    node: Stmt = nest.realize(block)
    last = node
    for a in nest.above(node):
        if a is top:
            return last
        if isinstance(a, (For, BlockRealize)):
            last = a
    return last


def _swept(nest: Nest, blocks: list[Block], top: For | None, buffer: Buffer,
           what: str) -> list[Span]:
    """The box of a buffer that blocks use in one iteration of `top`."""
    at = top if top is not None else nest.scope(blocks[0])
    analyzer = nest.analyzer(at)
    boxes = [touched(nest, b, top, [r for r in getattr(b, what) if r.buffer is buffer], analyzer)
             for b in blocks]
    box = clipped(hull(boxes, analyzer), buffer, analyzer)
    return [Span(analyzer.simplify(s.low), analyzer.simplify(s.high), s.step) for s in box]


class _Plan:
    """A cache of a box of a buffer. `relative`: the cache has the size of the box and counts from
    its corner; else it has the shape of the whole buffer."""

    def __init__(self, buffer: Buffer, box: list[Span], scope: str, relative: bool):
        tidy = Analyzer()
        self.buffer, self.box = buffer, box
        self.extents = [tidy.simplify(s.high - s.low + 1) for s in box]
        self.relative = relative
        self.name = f"{buffer.name}_{scope}"
        shape = self.extents if relative else buffer.shape
        self.cache = decl_buffer(tuple(shape), buffer.dtype, self.name.replace(".", "_"),
                                 scope=scope)

    def copy(self, into_cache: bool) -> tuple[Stmt, Block]:
        """Loops with a block that copies the box."""
        loops, its, values, here = [], [], [], []
        for k, (s, extent, size) in enumerate(zip(self.box, self.extents, self.buffer.shape)):
            t = size.dtype
            ax, v = Var(f"ax{k}", t), Var(f"v{k}", t)
            loops.append((ax, extent))
            whole = extent if self.relative else size
            its.append(IterVar(v, Range(literal(0, t), whole), SPATIAL))
            values.append(ax if self.relative else prim.add(s.low, ax))
            here.append(prim.add(s.low, v) if self.relative else v)
        at, there = tuple(it.var for it in its), tuple(here)
        ends = [(self.buffer, there), (self.cache, at)]
        (source, i), (target, j) = ends if into_cache else reversed(ends)
        block = Block(tuple(its), (_point(source, i),), (_point(target, j),), self.name,
                      BufferStore(target, source[i], j))
        stmt: Stmt = BlockRealize(tuple(values), literal(True), block)
        for ax, extent in reversed(loops):
            stmt = For(ax, literal(0, ax.dtype), extent, SERIAL, stmt)
        return stmt, block

    def redirect(self, nest: Nest, block: Block) -> Mutator:
        """Rewrites accesses of the buffer to accesses of the cache."""
        if not self.relative or all(prim.is_const(s.low, 0) for s in self.box):
            return RenameBuffers({self.buffer: self.cache})
        check_no_pointer(block, self.buffer)
        analyzer = nest.analyzer(block, unit_loops=False)
        return _Shift(self.buffer, self.cache, [s.low for s in self.box], analyzer)


def _point(buffer: Buffer, at) -> BufferRegion:
    return BufferRegion(buffer, tuple(Range(i, literal(1, i.dtype)) for i in at))


class _Shift(RenameBuffers):
    """Renames a buffer and counts its indices from a corner."""

    def __init__(self, old: Buffer, new: Buffer, corner, analyzer: Analyzer):
        super().__init__({old: new})
        self.old, self.corner, self.analyzer = old, corner, analyzer

    def _shifted(self, indices):
        return tuple(self.analyzer.simplify(i - prim.cast(c, i.dtype))
                     for i, c in zip(indices, self.corner))

    def _renamed(self, n):
        new = super()._renamed(n)
        if n.buffer is not self.old:
            return new
        if isinstance(new, BufferRegion):
            lows = self._shifted([r.min for r in new.region])
            return new.replace(region=tuple(r.replace(min=m) for r, m in zip(new.region, lows)))
        return new.replace(indices=self._shifted(new.indices))
