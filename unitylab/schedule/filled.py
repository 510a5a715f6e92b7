"""Whether a block writes all that it declares to write: what a copy of its result relies on."""

from __future__ import annotations

from ..arith.regions import derive_regions
from ..ir import prim
from ..ir.node import Node
from ..ir.tir import Block, BlockRealize, Buffer, BufferLoad, BufferStore, IfThenElse, While
from ..ir.visitor import walk
from .nest import Nest


def why_not_filled(nest: Nest, block: Block, buffer: Buffer) -> str | None:
    """Why elements of a buffer that a block declares to write may keep what they hold; None where
    it writes them all, or writes by way of a pointer, of which only the declaration tells."""
    stores = [s for s in walk(block.body) if isinstance(s, BufferStore) and s.buffer is buffer]
    if not stores:
        return None
    certain = {id(s) for s in _certain(block.body)}
    if not any(id(s) in certain for s in stores):
        return f"it writes {buffer.name} under a condition only"
    if any(isinstance(n, BufferLoad) for s in stores for i in s.indices for n in walk(i)):
        return f"it writes {buffer.name} at places that are loaded"
    analyzer = nest.analyzer(block)
    found = [w for w in derive_regions(block, analyzer)[1] if w.buffer is buffer]
    declared = next(w for w in block.writes if w.buffer is buffer)
    same = found and all(
        analyzer.can_prove_equal(a.min, b.min) and analyzer.can_prove_equal(a.extent, b.extent)
        for a, b in zip(found[0].region, declared.region))
    return None if same else f"it declares to write more of {buffer.name} than it writes"


def _certain(node: Node):
    """The statements that run whenever `node` does; of two branches that store, the first."""
    if isinstance(node, IfThenElse):
        both = node.else_case is not None
        yield from _certain(node.then_case) if both and _stores_alike(node) else ()
        return
    if isinstance(node, While) or isinstance(node, BlockRealize) and \
            not prim.is_const(node.predicate, 1):
        return
    yield node
    for c in node.children():
        yield from _certain(c)


def _stores_alike(node: IfThenElse) -> bool:
    """Whether both branches write the same buffers."""
    then, other = ({s.buffer for s in walk(c) if isinstance(s, BufferStore)}
                   for c in (node.then_case, node.else_case))
    return then == other
