"""LowerAllocBuffers: buffers that blocks allocate become statements at the place of their use."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import tir
from ...ir.node import Node
from ...ir.tir import (AllocBuffer, Block, BlockRealize, Buffer, For, IfThenElse, PrimFunc, Stmt,
                       While)
from ...ir.transform import PrimFuncPass, Recorder
from ...ir.visitor import Mutator, collect, substitute, walk


@dataclass(frozen=True)
class LowerAllocBuffers(PrimFuncPass):
    """Makes each allocation a statement at the begin of its block; or, if all uses are within one
    parallel loop whose iterations write the buffer before they read it, inside of that loop, so
    that every thread has its own. TVM's `PlanAndUpdateBufferAllocationLocation`."""

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        if not any(b.alloc_buffers for b in collect(func.body, Block)):
            return func
        return func.replace(body=_Allocations(name, recorder).visit(func.body))


class _Allocations(Mutator):
    def __init__(self, name: str, recorder: Recorder):
        super().__init__()
        self.name, self.recorder = name, recorder

    def visit_Block(self, block: Block) -> Block:
        new = self.rebuild(block)
        if not new.alloc_buffers or not self.recorder.wants("allocate", block):
            return new
        body = new.body
        init = new.init
        for buffer in reversed(new.alloc_buffers):
            body = place(body, buffer) if init is None or not uses(init, buffer) else \
                tir.seq(AllocBuffer(buffer, span=buffer.span), body)
        new = new.replace(alloc_buffers=(), body=body)
        self.recorder.record("allocate", block, new, self.name)
        return new


def uses(node: Node, buffer: Buffer) -> bool:
    """Whether a buffer or its memory is used below a node."""
    return any(n is buffer or n is buffer.data for n in walk(node))


def place(stmt: Stmt, buffer: Buffer) -> Stmt:
    """`stmt` with the allocation of `buffer`."""
    alloc = AllocBuffer(buffer, span=buffer.span)
    loop = private_loop(stmt, buffer)
    if loop is None:
        return tir.seq(alloc, stmt)
    return substitute(stmt, {loop: loop.replace(body=tir.seq(alloc, loop.body))})


def private_loop(stmt: Stmt, buffer: Buffer) -> For | None:
    """The innermost parallel loop around all uses of which each iteration needs its own buffer."""
    if isinstance(stmt, tir.SeqStmt):
        users = [s for s in stmt.stmts if uses(s, buffer)]
        return private_loop(users[0], buffer) if len(users) == 1 else None
    if not isinstance(stmt, For) or written_first(stmt.body, buffer) is not True:
        return None
    inner = private_loop(stmt.body, buffer)
    return inner or (stmt if stmt.kind in (tir.PARALLEL, tir.THREAD_BINDING) else None)


def written_first(stmt: Stmt, buffer: Buffer) -> bool | None:
    """Whether the first use of a buffer below `stmt` fills it: True, False, None if no use.

    A write counts where it covers the buffer whatever the loops do: in a nest of its own that
    does not read it."""
    if isinstance(stmt, tir.SeqStmt):
        for s in stmt.stmts:
            found = written_first(s, buffer)
            if found is not None:
                return found
        return None
    if not uses(stmt, buffer):
        return None
    if isinstance(stmt, (For, BlockRealize, Block, IfThenElse, While)):
        if not _reads(stmt, buffer):
            return isinstance(stmt, (For, BlockRealize))
        if isinstance(stmt, For):
            return written_first(stmt.body, buffer)
        if isinstance(stmt, BlockRealize):
            return _block_writes_first(stmt.block, buffer)
    if isinstance(stmt, tir.BufferStore):
        return not _reads(stmt, buffer)
    return False


def _block_writes_first(block: Block, buffer: Buffer) -> bool | None:
    if block.init is not None and uses(block.init, buffer):
        return not _reads(block.init, buffer)
    return written_first(block.body, buffer)


def _reads(node: Node, buffer: Buffer) -> bool:
    """Whether a buffer is loaded (or its memory escapes) below a node; what blocks declare does
    not count."""
    if isinstance(node, BlockRealize):
        node = node.block
    if isinstance(node, Block):
        return any(_reads(p, buffer) for p in (node.init, node.body) if p is not None) or \
            any(m.source.buffer is buffer for m in node.match_buffers)
    if isinstance(node, tir.BufferLoad) and node.buffer is buffer or node is buffer.data:
        return True
    if isinstance(node, Buffer):
        return False
    return any(_reads(c, buffer) for c in node.children())
