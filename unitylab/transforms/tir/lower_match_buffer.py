"""LowerMatchBuffer: views of regions inside of blocks become accesses of the viewed buffer."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import prim, tir
from ...ir.errors import TransformError
from ...ir.node import Node
from ...ir.prim import PrimExpr, Var
from ...ir.tir import Block, Buffer, BufferRegion, MatchBufferRegion, PrimFunc, Range
from ...ir.transform import PrimFuncPass, Recorder
from ...ir.visitor import Fold, Mutator, collect


@dataclass(frozen=True)
class LowerMatchBuffer(PrimFuncPass):
    """Replaces each access of a `T.match_buffer` view by one of its source; the variables that the
    view's shape, strides and offset define get their values."""

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        if not any(b.match_buffers for b in collect(func.body, Block)):
            return func
        return func.replace(body=_Matches(name, recorder).visit(func.body))


class _Matches(Mutator):
    """Outer views first, so that a view of a view ends at the real buffer."""

    def __init__(self, name: str, recorder: Recorder):
        super().__init__()
        self.name, self.recorder = name, recorder

    def visit_Block(self, block: Block) -> Block:
        if not block.match_buffers or not self.recorder.wants("match_buffer", block):
            return self.rebuild(block)
        new = block.replace(match_buffers=())
        for m in block.match_buffers:
            later = tuple(_View(m).visit(x) for x in block.match_buffers)
            new = _View(m).visit(new)
            block = block.replace(match_buffers=later)
        self.recorder.record("match_buffer", block, new, self.name)
        return self.rebuild(new)


class _View(Fold):
    """Replaces one view by its source."""

    def __init__(self, m: MatchBufferRegion):
        self.view, self.source, self.region = m.buffer, m.source.buffer, m.source.region
        self.dropped = len(self.region) - self.view.ndim
        if self.dropped < 0:
            raise TransformError(f"match_buffer {self.view.name!r} has more dimensions than its "
                                 f"region of {self.source.name!r}", span=m.span)
        super().__init__({v: e for v, e in self._meaning() if isinstance(v, Var)})

    def _meaning(self):
        """What the parts of the view stand for."""
        yield from zip(self.view.shape, (r.extent for r in self.region[self.dropped:]))
        yield from zip(self.view.strides, strides(self.source)[self.dropped:])
        if isinstance(self.view.elem_offset, Var):
            offset = prim.literal(0, self.view.elem_offset.dtype)
            for r, s in zip(self.region, strides(self.source)):
                offset = offset + r.min * s
            yield self.view.elem_offset, offset + self.source.elem_offset
        yield self.view.data, self.source.data

    def at(self, indices: tuple[PrimExpr, ...]) -> tuple[PrimExpr, ...]:
        """An element of the view as element of the source."""
        first = tuple(r.min for r in self.region[:self.dropped])
        rest = tuple(r.min + i for r, i in zip(self.region[self.dropped:], indices))
        return first + rest

    def visit_BufferLoad(self, n: tir.BufferLoad) -> Node:
        return self._moved(self.rebuild_parts(n), n.buffer)

    def visit_BufferStore(self, n: tir.BufferStore) -> Node:
        return self._moved(self.rebuild_parts(n), n.buffer)

    def rebuild_parts(self, n: Node) -> Node:
        """The access with all but its buffer rewritten."""
        parts = {f: getattr(n, f) for f in n.child_fields if f != "buffer"}
        parts = {f: tuple(map(self.visit, v)) if isinstance(v, tuple) else self.visit(v)
                 for f, v in parts.items() if v is not None}
        return n.replace(**parts)

    def _moved(self, n, buffer: Buffer) -> Node:
        if buffer is not self.view:
            return n if buffer is n.buffer and not self._touched(buffer) else \
                n.replace(buffer=self.visit(buffer))
        return n.replace(buffer=self.source, indices=self.at(n.indices))

    def _touched(self, buffer: Buffer) -> bool:
        return buffer is not self.source and self.visit(buffer) is not buffer

    def visit_Buffer(self, n: Buffer) -> Buffer:
        return n if n in (self.view, self.source) else self.rebuild(n)

    def visit_BufferRegion(self, n: BufferRegion) -> BufferRegion:
        if n.buffer is not self.view:
            return self.rebuild(n)
        first = tuple(self.region[:self.dropped])
        rest = tuple(Range(r.min + self.visit(x.min), self.visit(x.extent))
                     for r, x in zip(self.region[self.dropped:], n.region))
        return BufferRegion(self.source, first + rest)


def strides(b: Buffer) -> tuple[PrimExpr, ...]:
    """The strides of a buffer in elements; those of a compact one follow from its shape."""
    if b.strides:
        return b.strides
    found: list[PrimExpr] = []
    step = prim.literal(1, b.shape[-1].dtype) if b.shape else prim.literal(1)
    for s in reversed(b.shape):
        found.insert(0, step)
        step = step * s
    return tuple(found)
