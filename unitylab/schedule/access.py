"""Keeping the declared reads and writes of blocks right after a rewrite."""

from __future__ import annotations

from collections.abc import Mapping

from ..arith.regions import derive_regions
from ..ir.tir import Block, Buffer, BufferLoad, BufferRegion, BufferStore
from ..ir.visitor import Mutator
from .nest import Nest


def update_regions(nest: Nest, block: Block) -> Block:
    """Derives the reads and writes of a block anew, and of the blocks around it."""
    reads, writes = derive_regions(block, nest.analyzer(block, unit_loops=False))
    block = nest.edit(block, reads=reads, writes=writes)
    return block


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
