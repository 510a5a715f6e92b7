"""Puts a nest that a rule wrote in the place of blocks, after checking that it can stand there."""

from __future__ import annotations

from ..ir.errors import ScheduleError
from ..ir.tir import (AllocBuffer, Block, Buffer, BufferLoad, BufferStore, DeclBuffer, For, Stmt)
from ..ir.visitor import collect
from .dependence import read_buffers, written_buffers
from .nest import Nest


def replace_blocks(nest: Nest, blocks: list[Block], new: Stmt, at: Block) -> None:
    """`new` takes the place of `at`, one of `blocks`, which vanish with the loops that only they
    are in, and with the buffers that only they used.

    Raises ScheduleError where a block shares its loops with another one, and where `new` does not
    write what the blocks wrote for others, or uses a buffer that is not there."""
    homes = [home(nest, b) for b in blocks]
    for block, place in zip(blocks, homes):
        if place is None:
            raise ScheduleError(f"block {block.name!r} shares its loops with another block",
                                hint="a nest of its own can be replaced")
    gone = _only_theirs(nest, blocks)
    _check(nest, blocks, new, gone)
    place = homes[next(k for k, b in enumerate(blocks) if b is at)]
    nest.replace(place, new)
    for other in homes:
        if other is not place:
            nest.replace(other, None)
    root = nest.root
    nest.edit(root, alloc_buffers=tuple(b for b in root.alloc_buffers if b not in gone))


def home(nest: Nest, block: Block) -> Stmt | None:
    """The nest right below the root that holds only this block; None if it holds others too."""
    node = nest.realize(block)
    while nest.parent(node) is not nest.root:
        parent = nest.parent(node)
        if isinstance(parent, For):
            node = parent
        elif parent is nest.root.body:
            return node
        else:
            return None
    return node


def _only_theirs(nest: Nest, blocks: list[Block]) -> list[Buffer]:
    """The buffers of the root that no other block touches."""
    inside = set(map(id, blocks))
    others = [b for b in nest.blocks() if b is not nest.root and id(b) not in inside]
    used = {id(b) for o in others for b in (*read_buffers(o), *written_buffers(o))}
    touched = {id(b) for o in blocks for b in (*read_buffers(o), *written_buffers(o))}
    return [b for b in nest.root.alloc_buffers if id(b) in touched and id(b) not in used]


def _check(nest: Nest, blocks: list[Block], new: Stmt, gone: list[Buffer]) -> None:
    own = {id(n.buffer) for n in collect(new, (AllocBuffer, DeclBuffer))}
    own |= {id(b) for n in collect(new, Block) for b in n.alloc_buffers}
    stored = [s.buffer for s in collect(new, BufferStore) if id(s.buffer) not in own]
    used = stored + [l.buffer for l in collect(new, BufferLoad) if id(l.buffer) not in own]
    there = {id(b) for b in (*nest.func.buffers, *nest.root.alloc_buffers)} - set(map(id, gone))
    for b in used:
        if id(b) not in there:
            raise ScheduleError(f"the new nest uses the buffer {b.name!r}, which is not there")
    needed = {id(b): b for o in blocks for b in written_buffers(o) if id(b) in there}
    for b in needed.values():
        if id(b) not in set(map(id, stored)):
            raise ScheduleError(f"the new nest does not write {b.name!r}, which "
                                "the blocks that it replaces wrote")
    for b in stored:
        if id(b) not in needed:
            raise ScheduleError(f"the new nest writes {b.name!r}, which the blocks that it "
                                "replaces did not write")
