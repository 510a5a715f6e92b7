"""What can be done at a block or loop: every primitive tried with typical arguments."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir.errors import ScheduleError
from ..ir.prim import as_int
from ..ir.tir import Block, For
from .dependence import consumers, producers
from .handles import Handle
from .nest import Nest


@dataclass(frozen=True)
class Candidate:
    """One request: `sch.<name>(*args)`; `reason` says why it would be refused."""

    name: str
    args: tuple
    legal: bool
    reason: str = ""


def candidates(sch, handle: Handle) -> list[Candidate]:
    """The primitives tried at a handle on copies of the schedule; it stays as it is."""
    node = sch.get(handle)
    at = _at_block if isinstance(node, Block) else _at_loop
    requests = at(sch, handle, node)
    return [_try(sch, name, args) for name, args in requests]


def _try(sch, name: str, args: tuple) -> Candidate:
    try:
        getattr(sch.copy(), name)(*args)
    except ScheduleError as e:
        return Candidate(name, args, False, e.brief())
    return Candidate(name, args, True)


def _at_loop(sch, loop: Handle, node: For) -> list[tuple[str, tuple]]:
    extent = as_int(node.extent)
    factor = next((f for f in (16, 8, 4, 2, 3) if extent and extent % f == 0), 16)
    found = [("split", (loop, [None, factor])), ("parallel", (loop,)), ("vectorize", (loop,)),
             ("unroll", (loop,)), ("bind", (loop, "threadIdx.x"))]
    if isinstance(node.body, For):
        inner = sch.handle_of(node.body)
        found += [("fuse", (loop, inner)), ("reorder", (inner, loop))]
    return found


def _at_block(sch, block: Handle, node: Block) -> list[tuple[str, tuple]]:
    nest = Nest(sch.func_of(block))
    if node is nest.root:
        return []
    found = [("compute_inline", (block,)), ("reverse_compute_inline", (block,))]
    for name, others in (("compute_at", consumers(nest, node)),
                         ("reverse_compute_at", producers(nest, node))):
        loops = dict.fromkeys(l for b in others for l in nest.loops(b))
        found += [(name, (block, sch.handle_of(l))) for l in loops]
    found += [("decompose_reduction", (block, sch.handle_of(l))) for l in nest.loops(node)]
    found += [("cache_read", (block, k, "local")) for k in range(len(node.reads))]
    found += [("cache_write", (block, k, "local")) for k in range(len(node.writes))]
    return found
