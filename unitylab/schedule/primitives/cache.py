"""Copies of buffers in another storage scope: cache_read, cache_write."""

from __future__ import annotations

from ...ir.errors import ScheduleError
from ...ir.prim import Var, literal
from ...ir.tir import (SERIAL, SPATIAL, Block, BlockRealize, Buffer, BufferRegion, BufferStore, For,
                       IterVar, Range, Stmt, decl_buffer, seq)
from ..access import RenameBuffers
from ..dependence import consumers, read_buffers, siblings, touched, written_buffers
from ..nest import Nest
from ..regions import Span, clipped, hull
from ..signature import BLOCK, BLOCKS, INT, STR, optional, primitive


@primitive(returns=BLOCK, block=BLOCK, read_buffer_index=INT, storage_scope=STR,
           consumer_blocks=optional(BLOCKS))
def cache_read(nest: Nest, block: Block, read_buffer_index: int, storage_scope: str,
               consumer_blocks: list[Block] | None = None) -> Block:
    """Copies what a block reads into a buffer of `storage_scope` first, and reads from there;
    returns the copying block. `consumer_blocks`: who reads the copy (all readers by default)."""
    buffer = _pick(block, block.reads, read_buffer_index, "reads")
    writers = [b for b in siblings(nest, block) if buffer in written_buffers(b)]
    if len(writers) > 1:
        raise ScheduleError(f"{buffer.name} is written by several blocks: "
                            f"{', '.join(b.name for b in writers)}", span=block.span)
    readers = [b for b in siblings(nest, block) if buffer in read_buffers(b)
               and b not in writers and (not consumer_blocks or b in consumer_blocks)]
    scope, cache = nest.scope(block), _like(buffer, storage_scope)
    top, place = _common(nest, [*readers, *writers]) if writers else (None, None)
    box = _swept(nest, readers, top, buffer, "reads")
    stmt, copy = _copy(buffer, cache, box, cache.name)
    if writers:
        place = _child_of(nest, writers[0], top or scope)
    renamed = {b: RenameBuffers({buffer: cache}) for b in readers}
    for b, mutator in renamed.items():
        old = nest.now(b)
        nest.replace(old, nest.rewritten(mutator, old))
    if place is not None:
        nest.insert(nest.now(place) if isinstance(place, (For, BlockRealize)) else place, stmt,
                    after=True)
    else:
        scope = nest.now(scope)
        nest.edit(scope, body=seq(stmt, scope.body))
    nest.alloc(nest.now(scope), cache)
    return nest.now(copy)


@primitive(returns=BLOCK, block=BLOCK, write_buffer_index=INT, storage_scope=STR,
           consumer_blocks=optional(BLOCKS))
def cache_write(nest: Nest, block: Block, write_buffer_index: int, storage_scope: str,
                consumer_blocks: list[Block] | None = None) -> Block:
    """Lets a block write into a buffer of `storage_scope`, and copies from there afterwards;
    returns the copying block. `consumer_blocks` read the cache instead of the original."""
    buffer = _pick(block, block.writes, write_buffer_index, "writes")
    writers = [b for b in siblings(nest, block) if buffer in written_buffers(b)]
    if len(writers) > 1:
        raise ScheduleError(f"{buffer.name} is written by several blocks: "
                            f"{', '.join(b.name for b in writers)}", span=block.span,
                            hint="cache_write before decompose_reduction")
    scope, cache = nest.scope(block), _like(buffer, storage_scope)
    readers = consumers(nest, block)
    top, _ = _common(nest, [block, *readers]) if readers else (None, None)
    place = _child_of(nest, block, top or scope)
    box = _swept(nest, [block], top, buffer, "writes")
    stmt, copy = _copy(cache, buffer, box, cache.name)
    for b in [block, *(consumer_blocks or [])]:
        old = nest.now(b)
        nest.replace(old, nest.rewritten(RenameBuffers({buffer: cache}), old))
    nest.insert(nest.now(place), stmt, after=True)
    nest.alloc(nest.now(scope), cache)
    return nest.now(copy)


def _pick(block: Block, regions: tuple[BufferRegion, ...], index: int, what: str) -> Buffer:
    if not 0 <= index < len(regions):
        raise ScheduleError(f"block {block.name} {what} {len(regions)} buffers, there is no number "
                            f"{index}", span=block.span,
                            hint=", ".join(f"{n}: {r.buffer.name}" for n, r in enumerate(regions)))
    return regions[index].buffer


def _like(buffer: Buffer, scope: str) -> Buffer:
    name = f"{buffer.name}_{scope}".replace(".", "_")
    return decl_buffer(buffer.shape, buffer.dtype, name, scope=scope)


def _common(nest: Nest, blocks: list[Block]) -> tuple[For | None, None]:
    """The innermost loop around all blocks."""
    shared = nest.loops(blocks[0])
    for b in blocks[1:]:
        around = set(map(id, nest.loops(b)))
        shared = [l for l in shared if id(l) in around]
    return (shared[-1] if shared else None), None


def _child_of(nest: Nest, block: Block, top: For | Block) -> Stmt:
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


def _copy(source: Buffer, target: Buffer, box: list[Span], name: str) -> tuple[Stmt, Block]:
    """Loops with a block that copies a box."""
    loops, its, values = [], [], []
    for k, (s, size) in enumerate(zip(box, source.shape)):
        t = size.dtype
        ax, v = Var(f"ax{k}", t), Var(f"v{k}", t)
        loops.append((ax, s.high - s.low + 1))
        its.append(IterVar(v, Range(literal(0, t), size), SPATIAL))
        values.append(s.low + ax)
    at = tuple(it.var for it in its)
    point = tuple(Range(v, literal(1, v.dtype)) for v in at)
    block = Block(tuple(its), (BufferRegion(source, point),), (BufferRegion(target, point),),
                  name, BufferStore(target, source[at], at))
    stmt: Stmt = BlockRealize(tuple(values), literal(True), block)
    for ax, extent in reversed(loops):
        stmt = For(ax, literal(0, ax.dtype), extent, SERIAL, stmt)
    return stmt, block
