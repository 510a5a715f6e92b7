"""Keeping the declared reads and writes of blocks right after a rewrite."""

from __future__ import annotations

from collections.abc import Mapping

from ..arith.regions import derive_regions
from ..ir.prim import Var
from ..ir.tir import Block, Buffer, BufferLoad, BufferRegion, BufferStore
from ..ir.visitor import Mutator, collect
from .nest import Nest


def update_regions(nest: Nest, block: Block) -> Block:
    """Derives the reads and writes of a block anew, and of the blocks around it."""
    reads, writes = derive_regions(block, nest.analyzer(block, unit_loops=False))
    reads, writes = _raw(block, block.reads, reads), _raw(block, block.writes, writes)
    block = nest.edit(block, reads=reads, writes=writes)
    return block


def _raw(block: Block, declared, derived) -> tuple[BufferRegion, ...]:
    """The derived regions, and those declared of buffers that are used by their pointer: what such
    a use touches only the declaration tells."""
    pointers = {v for v in collect(block.body, Var) if v.pointer is not None}
    known = {r.buffer for r in derived}
    kept = [r for r in declared if r.buffer.data in pointers and r.buffer not in known]
    return (*kept, *derived)


class RenameBuffers(Mutator):
    """Replaces buffers in accesses and declared regions, not where they are allocated."""

    def __init__(self, buffers: Mapping[Buffer, Buffer]):
        super().__init__()
        self.buffers = buffers

    def _renamed(self, n):
        new = self.rebuild(n)
        return new.replace(buffer=self.buffers[n.buffer]) if n.buffer in self.buffers else new

    def visit_Buffer(self, n: Buffer) -> Buffer:
        return n

    def visit_BufferLoad(self, n: BufferLoad) -> BufferLoad:
        return self._renamed(n)

    def visit_BufferStore(self, n: BufferStore) -> BufferStore:
        return self._renamed(n)

    def visit_BufferRegion(self, n: BufferRegion) -> BufferRegion:
        return self._renamed(n)
