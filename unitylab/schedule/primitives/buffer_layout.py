"""The layout of buffers in memory: transform_layout."""

from __future__ import annotations

from ...arith.analyzer import Analyzer
from ...arith.index_map import IndexMap
from ...arith.iter_map import NotAffine
from ...arith.padded_map import PaddedInverse, padded_inverse
from ...arith.regions import derive_regions
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, literal
from ...ir.tir import Block, Buffer, BufferLoad, BufferStore, For, Range
from ..access import check_no_pointer
from ..nest import Nest
from ..signature import (BLOCK, BOOL, BUFFER, INDEX_MAP, PAD_VALUE, MapSource, optional,
                         primitive)
from .digits import InDigits
from .padding import Padding, assume_padding, fill_apart, fill_in_place


@primitive(block=BLOCK, buffer=BUFFER, index_map=INDEX_MAP, pad_value=optional(PAD_VALUE),
           assume_injective_transform=BOOL)
def transform_layout(nest: Nest, block: Block, buffer, index_map: MapSource, pad_value=None,
                     assume_injective_transform: bool = False) -> None:
    """Keeps a buffer in memory in another layout; all accesses of it change with it.

        B[i, j]    ->    B[i // 16, j, i % 16]      (lambda i, j: (i // 16, j, i % 16))

    `buffer`: ("read" or "write", number) at `block`, or its name. A parameter changes its shape:
    callers must bring that layout. `pad_value`: what the elements hold that the map adds, for an
    input what callers promise to bring there; without it they hold anything."""
    old = buffer_of(nest, block, buffer)
    point = index_map.resolve(old.ndim, [s.dtype for s in old.shape])
    analyzer = nest.analyzer(nest.scope(block) if block is not nest.root else block, False)
    try:
        shape = point.map_shape(old.shape, analyzer)
    except ValueError as e:
        raise ScheduleError(f"the index map {point.text} gives no shape: {e}") from None
    new = old.replace(shape=tuple(shape), strides=())
    padding = None
    if not assume_injective_transform:
        padding = _padding(nest, point, old, new, pad_value)
    filled = padding is None or fill_in_place(nest, old, padding)
    _relayout(nest, old, new, point)
    if not filled and not fill_apart(nest, new, padding):
        assume_padding(nest, new, padding)


def buffer_of(nest: Nest, block: Block, which) -> Buffer:
    """The buffer that ("read", 1) or a name means at a block."""
    regions = (*block.reads, *block.writes)
    if isinstance(which, tuple):
        regions = block.reads if which[0] == "read" else block.writes
        if 0 <= which[1] < len(regions):
            return regions[which[1]].buffer
    else:
        found = [r.buffer for r in regions if r.buffer.name == which]
        if found:
            return found[0]
    known = ", ".join(f"({w!r}, {k}): {r.buffer.name}" for w, rs in
                      (("read", block.reads), ("write", block.writes)) for k, r in enumerate(rs))
    raise ScheduleError(f"block {block.name} has no buffer {which!r}", span=block.span,
                        hint=f"it has {known}")


def _padding(nest: Nest, point: IndexMap, old: Buffer, new: Buffer, value) -> Padding | None:
    """What comes into the places that a map adds; None where nothing is added or asked for.
    Refuses a map that puts two elements at one place."""
    names = [o.name if isinstance(o, Var) else f"axis{k}" for k, o in enumerate(point.outputs)]
    at = [Var(f"v_{n}", s.dtype) for n, s in zip(names, new.shape)]
    analyzer = nest.analyzer(nest.root, False)
    ranges = [Range(literal(0, s.dtype), s) for s in old.shape]
    try:
        point.inverse(ranges, analyzer)
        return None
    except NotAffine:
        pass
    try:
        back: PaddedInverse = padded_inverse(point, old.shape, at, new.shape, analyzer)
    except NotAffine as e:
        raise ScheduleError(f"the index map {point.text} puts several elements of {old.name} at "
                            f"one place: {e}", hint="assume_injective_transform=True if you know "
                            "better") from None
    if value is None or prim.is_const(back.padding, 0):
        return None
    return Padding(names, at, new.shape, back.values, back.padding, _pad_value(value, at, new))


def _pad_value(value, at: list[Var], buffer: Buffer) -> PrimExpr:
    if isinstance(value, MapSource):
        found = value.resolve(len(at), [v.dtype for v in at])(at)
        return prim.cast(found[0], buffer.dtype)
    return literal(value, buffer.dtype) if not isinstance(value, PrimExpr) else value


def _relayout(nest: Nest, old: Buffer, new: Buffer, point: IndexMap) -> None:
    """Puts `new` in the place of `old` in the whole function, with indices mapped."""
    func = nest.func
    check_no_pointer(func.body, old)
    users = [b for b in nest.blocks() if any(r.buffer is old for r in (*b.reads, *b.writes))]
    mutator = _Relayout(old, new, point, nest)
    body = nest.rewritten(mutator, func.body)
    params = tuple(new if p is old else p for p in func.params)
    if old in func.params:
        nest.relaid.append((func.params.index(old), point))
    nest.set_func(func.replace(params=params, body=body))
    for b in reversed(users):
        block = nest.now(b)
        if block is not nest.root:
            update_regions_of(nest, block, new)


def update_regions_of(nest: Nest, block: Block, buffer: Buffer) -> None:
    """Derives the declared regions of one buffer anew; the others stay as they are."""
    reads, writes = derive_regions(block, nest.analyzer(block, unit_loops=False))

    def fresh(declared, derived):
        found = {r.buffer: r for r in derived}
        return tuple(found.get(r.buffer, r) if r.buffer is buffer else r for r in declared)
    nest.edit(block, reads=fresh(block.reads, reads), writes=fresh(block.writes, writes))


class _Relayout(InDigits):
    """Maps the indices of accesses of one buffer."""

    def __init__(self, old: Buffer, new: Buffer, point: IndexMap, nest: Nest):
        super().__init__({})
        self.old, self.new, self.point = old, new, point
        self.plain = Analyzer()

    def visit_Buffer(self, n):
        return self.new if n is self.old else n

    def visit_Block(self, n: Block) -> Block:
        for it in n.iter_vars:
            self.domain[it.var] = it.dom
        if any(m.source.buffer is self.old for m in n.match_buffers):
            raise ScheduleError(f"block {n.name} views {self.old.name} by match_buffer: its layout "
                                f"must stay", span=n.span)
        reads, writes = (tuple(self._region(r) for r in rs) for rs in (n.reads, n.writes))
        return self.rebuild(n.replace(reads=reads, writes=writes))

    def _region(self, r):
        if r.buffer is not self.old:
            return r
        return self.new.region()

    def visit_For(self, n: For) -> For:
        self.domain[n.loop_var] = Range(n.min, n.extent)
        return self.rebuild(n)

    def _mapped(self, n):
        at = [self.plain.simplify(e) for e in self.point(n.indices)]
        return n.replace(buffer=self.new, indices=self.in_digits(at))

    def visit_BufferLoad(self, n: BufferLoad):
        if n.buffer is not self.old:
            return self.rebuild(n)
        return self._mapped(n.replace(indices=tuple(map(self.visit, n.indices))))

    def visit_BufferStore(self, n: BufferStore):
        if n.buffer is not self.old:
            return self.rebuild(n)
        return self._mapped(n.replace(indices=tuple(map(self.visit, n.indices)),
                                      value=self.visit(n.value)))
