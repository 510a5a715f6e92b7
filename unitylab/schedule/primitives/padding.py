"""What stands in the places that another layout of a buffer adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import prim
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.structural import structural_equal
from ...ir.tir import (SERIAL, SPATIAL, Block, BlockRealize, Buffer, BufferLoad, BufferStore,
                       Evaluate, For, IterVar, Range, Stmt)
from ...ir.visitor import Mutator, collect, fold_substitute, free_vars
from ..access import update_regions
from ..nest import Nest


@dataclass(frozen=True)
class Padding:
    """At the place `at` in the new `shape` stands the element `values` of the old layout, or where
    `where` holds `value`."""

    names: Sequence[str]
    at: Sequence[Var]
    shape: Sequence[PrimExpr]
    values: Sequence[PrimExpr]
    where: PrimExpr
    value: PrimExpr


# --- by the block that fills the rest -------------------------------------------------------

def fill_in_place(nest: Nest, buffer: Buffer, p: Padding) -> bool:
    """Lets the only writer, if it runs over the elements in order, run over the padding too. To be
    called before accesses are mapped. False where the writer is of another form."""
    writers = writers_of(nest, buffer)
    if len(writers) != 1:
        return False
    block, = writers
    found = _in_order(nest, block, buffer)
    if found is None:
        return False
    loops, own = found
    axes = [Var(n, s.dtype) for n, s in zip(p.names, p.shape)]
    made = _over_padding(block, own, buffer, p)
    realize = nest.realize(block)
    values = dict(zip((it.var for it in block.iter_vars), realize.iter_values))
    values |= dict(zip(p.at, axes))
    inner = realize.replace(iter_values=tuple(values[it.var] for it in made.iter_vars), block=made)
    nest.forward(block, made)
    stmt = nest.substitute(loops[-1].body, {realize: inner})
    for ax, s in reversed(list(zip(axes, p.shape))):
        stmt = For(ax, literal(0, ax.dtype), s, SERIAL, stmt)
    nest.replace(loops[0], stmt)
    return True


def writers_of(nest: Nest, buffer: Buffer) -> list[Block]:
    """The innermost blocks that store to a buffer."""
    return [b for b in nest.blocks() if any(
        s.buffer is buffer and _innermost(nest, s) is b for s in collect(b, BufferStore))]


def _innermost(nest: Nest, store: BufferStore) -> Block:
    return next(n for n in nest.above(store) if isinstance(n, Block))


def _in_order(nest: Nest, block: Block, buffer: Buffer) -> tuple[list[For], list[IterVar]] | None:
    """The neighbouring loops that run over the dimensions of a buffer in order, and the iteration
    variables that they give, if a block stores to `buffer[those]` only and the loops hold nothing
    else."""
    stores = [s for s in collect(block, BufferStore) if s.buffer is buffer]
    first, realize = stores[0].indices, nest.realize(block)
    bound = dict(zip((it.var for it in block.iter_vars), realize.iter_values))
    chain = {l.loop_var: l for l in nest.loops(block)}
    loops = [chain.get(bound.get(i)) for i in first]
    if not loops or None in loops or any(
            not structural_equal(a, b) for s in stores for a, b in zip(s.indices, first)):
        return None
    whole = all(l.kind == SERIAL and not l.annotations and as_int(l.min) == 0
                and structural_equal(l.extent, s) for l, s in zip(loops, buffer.shape))
    node: Stmt = loops[0]
    for l in loops:
        if node is not l:
            return None
        node = l.body
    while isinstance(node, For):
        node = node.body
    turning = {l.loop_var for l in loops}
    others = [e for v, e in bound.items() if v not in first]
    used = {v for e in (*others, realize.predicate) for v in free_vars(e)}
    if not whole or node is not realize or len(turning) < len(loops) or turning & used:
        return None
    return loops, [it for it in block.iter_vars if it.var in first]


def _over_padding(block: Block, own: list[IterVar], buffer: Buffer, p: Padding) -> Block:
    """The block with variables that run over the new shape."""
    its = [it for it in block.iter_vars if it not in own]
    new = [IterVar(v, Range(literal(0, v.dtype), s), SPATIAL) for v, s in zip(p.at, p.shape)]
    its[block.iter_vars.index(own[0]):0] = new
    store = next(s for s in collect(block, BufferStore) if s.buffer is buffer)
    at = dict(zip(store.indices, p.values))
    plain = block.replace(iter_vars=())
    made = _Guarded(buffer, p).visit(fold_substitute(plain, at))
    return made.replace(iter_vars=tuple(its))


class _Guarded(Mutator):
    """Stores of a buffer store the padding where it is."""

    def __init__(self, buffer: Buffer, p: Padding):
        super().__init__()
        self.buffer, self.p = buffer, p

    def visit_Buffer(self, n: Buffer) -> Buffer:
        return n

    def visit_BufferStore(self, n: BufferStore) -> BufferStore:
        if n.buffer is not self.buffer:
            return n
        return n.replace(value=prim.call_intrin(n.value.dtype, "if_then_else", self.p.where,
                                                self.p.value, n.value))


# --- by a block of its own ------------------------------------------------------------------

def fill_apart(nest: Nest, buffer: Buffer, p: Padding) -> bool:
    """A further block that fills the padding after the last writer; False for an input."""
    writers = writers_of(nest, buffer)
    if not writers:
        return False
    node = nest.realize(writers[-1])
    for above in nest.above(node):
        if isinstance(above, For):
            node = above
        elif isinstance(above, Block):
            if above is nest.root or buffer in above.alloc_buffers:
                break
            node = nest.realize(above)
    body = BufferStore(buffer, p.value, tuple(p.at))
    stmt, block = _nest_of(f"buffer_{buffer.name}_padding", body, p, guarded=True)
    nest.insert(node, stmt, after=True)
    update_regions(nest, block)
    return True


def assume_padding(nest: Nest, buffer: Buffer, p: Padding) -> None:
    """A block that says what callers bring in the padding of an input."""
    load = BufferLoad(buffer, tuple(p.at))
    holds = prim.logical_or(prim.logical_not(p.where), prim.equal(load, p.value))
    body = Evaluate(prim.Call(holds.dtype, "assume", (holds,)))
    stmt, block = _nest_of(f"buffer_{buffer.name}_assumptions", body, p, guarded=False)
    nest.insert(nest.root.body, stmt)
    update_regions(nest, block)


def _nest_of(name: str, body: Stmt, p: Padding, guarded: bool) -> tuple[Stmt, Block]:
    axes = [Var(n, s.dtype) for n, s in zip(p.names, p.shape)]
    its = tuple(IterVar(v, Range(literal(0, v.dtype), s), SPATIAL) for v, s in zip(p.at, p.shape))
    block = Block(its, (), (), name, body)
    where = fold_substitute(p.where, dict(zip(p.at, axes))) if guarded else literal(True)
    stmt: Stmt = BlockRealize(tuple(axes), where, block)
    for ax, s in reversed(list(zip(axes, p.shape))):
        stmt = For(ax, literal(0, ax.dtype), s, SERIAL, stmt)
    return stmt, block
