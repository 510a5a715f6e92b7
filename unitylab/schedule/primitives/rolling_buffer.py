"""A buffer that keeps what the next tile needs again: rolling_buffer."""

from __future__ import annotations

from dataclasses import dataclass

from ...arith.analyzer import Analyzer
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import SERIAL, Block, Buffer, BufferLoad, BufferStore, For
from ...ir.visitor import Mutator, collect, fold_substitute, free_vars
from ..access import check_no_pointer
from ..dependence import (bindings, consumers, is_output, siblings, touched, why_not_dominant,
                          written_buffers)
from ..nest import Nest
from ..regions import Span
from ..signature import BLOCK, INT, primitive
from .cache import pick_buffer
from .buffer_layout import update_regions_of


@primitive(block=BLOCK, write_buffer_index=INT)
def rolling_buffer(nest: Nest, block: Block, write_buffer_index: int) -> None:
    """Keeps the rows that neighbouring tiles share instead of computing them twice: the buffer
    becomes a ring along one dimension, and the block computes what is new only.

        for t in range(4):                               # each tile needs 6 rows, 2 of them again
            for r in range(6): B[t * 4 + r] = ...   ->   if t < 1 or 2 <= r: B[(t * 4 + r) % 6] = ..
            ... uses B[t * 4 + 0 .. t * 4 + 5]           ... uses B[(...) % 6]

    The block and all its consumers are in one loop (compute_at brings them there) whose tiles
    overlap; the outermost such loop rolls. TVM: the same name; Halide: `fold_storage`."""
    buffer = pick_buffer(block, block.writes, write_buffer_index, "writes")
    users = _users(nest, block, buffer)
    top = _common_loop(nest, block, users)
    axes = _axes(nest, block, buffer, top)
    rolled = _outermost(nest, block, buffer, axes)
    loop = axes[rolled].loop
    if loop.kind != SERIAL:
        raise ScheduleError(f"loop {loop.loop_var.name} is {loop.kind}: its iterations need what "
                            f"the one before left", span=loop.span)
    _skip_known(nest, block, axes)
    shape = list(buffer.shape)
    shape[rolled] = prim.cast(axes[rolled].extent, buffer.shape[rolled].dtype)
    new = buffer.replace(shape=tuple(shape))
    scope = nest.now(nest.scope(nest.now(block)))
    check_no_pointer(scope, buffer)
    ring = _Ring(buffer, new, rolled, {id(nest.now(b)) for b in (block, *users)})
    names = [nest.now(b) for b in (block, *users)]
    nest.replace(scope, nest.rewritten(ring, scope))
    for b in names:
        update_regions_of(nest, nest.now(b), new)


def _users(nest: Nest, block: Block, buffer: Buffer) -> list[Block]:
    reason = why_not_dominant(nest, block)
    if reason:
        raise ScheduleError(f"block {block.name} is neither complete nor a reduction: {reason}",
                            span=block.span)
    if is_output(nest, block) or buffer not in nest.scope(block).alloc_buffers:
        raise ScheduleError(f"{buffer.name} is not allocated in the scope of block {block.name}",
                            span=block.span)
    others = [b for b in siblings(nest, block) if b is not block
              and buffer in written_buffers(b)]
    users = [b for b in consumers(nest, block) if any(r.buffer is buffer for r in b.reads)]
    if others or not users:
        raise ScheduleError(f"{buffer.name} must have one writer and a reader", span=block.span)
    return users


def _common_loop(nest: Nest, block: Block, users: list[Block]) -> For:
    """The innermost loop around the block and all that reads its result."""
    for loop in reversed(nest.loops(block)):
        if all(nest.is_below(u, loop) for u in users):
            return loop
    raise ScheduleError(f"block {block.name} and its consumers are in no common loop",
                        span=block.span, hint="compute_at moves it into a loop of its consumer")


@dataclass(frozen=True)
class _Axis:
    """A dimension along which tiles follow one another in steps of a loop."""

    loop: For | None
    overlap: int
    extent: PrimExpr


def _axes(nest: Nest, block: Block, buffer: Buffer, top: For) -> list[_Axis]:
    """Per dimension: the loop that moves the tile, and how much of it is the last tile's."""
    analyzer = nest.analyzer(top, unit_loops=False)
    regions = [w for w in block.writes if w.buffer is buffer]
    box = touched(nest, block, top, regions, analyzer)
    loops = {l.loop_var: l for l in nest.loops(block)}
    return [_axis(s, loops, analyzer) for s in box]


def _axis(s: Span, loops: dict[Var, For], analyzer: Analyzer) -> _Axis:
    extent = analyzer.simplify(s.high - s.low + 1)
    moved = _steps(analyzer.simplify(s.low))
    if moved is None or as_int(extent) is None or moved[0] not in loops:
        return _Axis(None, 0, extent)
    overlap = as_int(extent) - moved[1]
    return _Axis(loops[moved[0]] if overlap > 0 else None, overlap, extent)


def _steps(low: PrimExpr) -> tuple[Var, int] | None:
    """(loop, step) of `v`, `v * step` or `v * step // d`."""
    divisor = 1
    if isinstance(low, prim.FloorDiv) and as_int(low.b) is not None:
        low, divisor = low.a, as_int(low.b)
    step = 1
    if isinstance(low, prim.Mul) and as_int(low.b) is not None:
        low, step = low.a, as_int(low.b)
    return (low, -(-step // divisor)) if isinstance(low, Var) else None


def _outermost(nest: Nest, block: Block, buffer: Buffer, axes: list[_Axis]) -> int:
    for loop in nest.loops(block):
        for k, axis in enumerate(axes):
            if axis.loop is loop:
                return k
    raise ScheduleError(f"the tiles of {buffer.name} that block {block.name} makes do not overlap",
                        span=block.span, hint="a tile such as t * 4 : t * 4 + 6 of a loop t")


def _skip_known(nest: Nest, block: Block, axes: list[_Axis]) -> None:
    """The block computes what no tile before has computed."""
    realize, at = nest.realize(block), bindings(nest.realize(block))
    stores = collect(block, BufferStore)
    predicate = realize.predicate
    for k, axis in enumerate(axes):
        if axis.loop is None:
            continue
        places = {s.indices[k] for s in stores}
        index = next(iter(places))
        if len(places) != 1 or index not in at or axis.loop.loop_var not in free_vars(at[index]):
            raise ScheduleError(f"dimension {k} of what block {block.name} writes is not one of "
                                f"its variables", span=block.span)
        v = axis.loop.loop_var
        inside = Analyzer().simplify(fold_substitute(at[index], {v: literal(0, v.dtype)}))
        new = prim.logical_or(v < 1, literal(axis.overlap, inside.dtype) <= inside)
        predicate = prim.logical_and(predicate, new)
    nest.edit(realize, predicate=predicate)


class _Ring(Mutator):
    """Accesses of a buffer in a ring; the variable that moves along it runs in order."""

    def __init__(self, old: Buffer, new: Buffer, axis: int, blocks: set[int]):
        super().__init__()
        self._memo[id(old)] = (old, new)
        self.axis, self.size, self.blocks = axis, new.shape[axis], blocks
        self.new = new

    def visit_Block(self, n: Block) -> Block:
        rebuilt = self.rebuild(n)
        if id(n) not in self.blocks or self.axis >= len(rebuilt.iter_vars):
            return rebuilt
        its = list(rebuilt.iter_vars)
        its[self.axis] = its[self.axis].replace(kind="opaque")
        return rebuilt.replace(iter_vars=tuple(its))

    def _moved(self, n: BufferLoad | BufferStore):
        new = self.rebuild(n)
        if new.buffer is not self.new:
            return new
        indices = list(new.indices)
        indices[self.axis] = prim.floormod(indices[self.axis], self.size)
        return new.replace(indices=tuple(indices))

    visit_BufferLoad = visit_BufferStore = _moved
