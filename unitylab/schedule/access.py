"""Keeping the declared reads and writes of blocks right after a rewrite."""

from __future__ import annotations

from collections.abc import Mapping

from ..arith.regions import derive_regions
from ..ir.errors import ScheduleError
from ..ir.node import Node
from ..ir.prim import Var
from ..ir.tir import Block, Buffer, BufferLoad, BufferRegion, BufferStore
from ..ir.visitor import Mutator, Visitor, collect
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


class _Pointers(Visitor):
    """Collects variables that stand for memory themselves, not through an access."""

    def __init__(self):
        self.found: set[Var] = set()

    def visit_Buffer(self, n: Buffer) -> None:
        """Its own pointer is no use of it."""

    def visit_Var(self, n: Var) -> None:
        if n.pointer is not None:
            self.found.add(n)


def check_no_pointer(root: Node, buffer: Buffer) -> None:
    """Refuses where the address of a buffer is taken: what is touched through it is not known."""
    pointers = _Pointers()
    pointers.visit(root)
    if buffer.data in pointers.found:
        raise ScheduleError(f"the address of {buffer.name} is taken (`{buffer.name}.data`): its "
                            f"layout must stay")


class RenameBuffers(Mutator):
    """Replaces buffers in accesses, declared regions and addresses, not where they are
    allocated."""

    def __init__(self, buffers: Mapping[Buffer, Buffer]):
        super().__init__()
        self.buffers = buffers
        for old, new in buffers.items():
            self._memo[id(old.data)] = old.data, new.data

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
