"""How a trace gets handles of nodes that were found by walking the tree (`Schedule.handle_of`)."""

from __future__ import annotations

from ..ir.tir import Block
from .handles import Handle
from .nest import Nest, child_realizes
from .trace import Instruction


def introduce(sch, handle: Handle) -> None:
    """Records the primitives that find the node of a handle: by the name of its block, else among
    the blocks of its scope."""
    sch._silent.discard(handle)
    name, node = sch._targets[handle]
    nest = Nest(sch._program(name))
    if not isinstance(node, Block):
        _loop(sch, handle, nest, name)
    elif sum(b.name == node.name for b in nest.blocks()) == 1:
        given = {"name": node.name, "func_name": name}
        sch.trace.append(Instruction("get_block", (), given, (handle,), True))
    else:
        _child(sch, handle, nest, name)


def _loop(sch, handle: Handle, nest: Nest, name: str) -> None:
    node = sch.get(handle)
    below = child_realizes(node.body)[0].block
    block = sch._handle(name, below)
    introduce(sch, block)
    outputs = tuple(handle if l is node else sch._handle(name, l) for l in nest.loops(below))
    sch.trace.append(Instruction("get_loops", (), {"block": block}, outputs))


def _child(sch, handle: Handle, nest: Nest, name: str) -> None:
    node = sch.get(handle)
    scope = nest.scope(node)
    around = sch._handle(name, scope)
    introduce(sch, around)
    inside = [r.block for r in child_realizes(scope)]
    outputs = tuple(handle if b is node else sch._handle(name, b) for b in inside)
    sch.trace.append(Instruction("get_child_blocks", (), {"block_or_loop": around}, outputs))
