"""CompactBuffers: a buffer that each iteration fills and uses up holds one iteration only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...arith.analyzer import Analyzer
from ...ir import prim
from ...ir.node import Node
from ...ir.prim import PrimExpr, as_int, literal
from ...ir.structural import structural_equal
from ...ir.tir import (AllocBuffer, Buffer, BufferLoad, BufferStore, For, IfThenElse, PrimFunc,
                       Range, SeqStmt, Stmt, decl_buffer)
from ...ir.transform import PrimFuncPass, Recorder
from ...ir.visitor import Mutator, collect, fold_substitute, free_vars, walk
from .lower_alloc_buffers import uses, written_first

Access = tuple[BufferLoad | BufferStore, tuple[For, ...]]


@dataclass(frozen=True)
class CompactBuffers(PrimFuncPass):
    """Shrinks the dimensions of allocated buffers of which each iteration of the loops around uses
    a part of its own, and fills it before it reads it.

        for i: for j: e[i, j] = exp(x[i, j])          for i: for j: e[0, j] = exp(x[i, j])
               for j: s[i] += e[i, j]          ->            for j: s[0] += e[0, j]

    Needs LowerBlocks before it. TVM's `CompactBufferAllocation`."""

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        if not collect(func.body, AllocBuffer):
            return func
        return func.replace(body=_Compact(name, recorder).visit(func.body))


class _Compact(Mutator):
    def __init__(self, name: str, recorder: Recorder):
        super().__init__()
        self.name, self.recorder = name, recorder

    def visit_SeqStmt(self, n: SeqStmt) -> SeqStmt:
        new = self.rebuild(n)
        stmts = list(new.stmts)
        for k, s in enumerate(stmts):
            if not isinstance(s, AllocBuffer) or s.buffer.strides:
                continue
            smaller = _smaller(s.buffer, stmts[k + 1:])
            if smaller is None or not self.recorder.wants("compact", s):
                continue
            buffer, bases = smaller
            move = _Move(s.buffer, buffer, bases)
            self.recorder.record("compact", s, s.replace(buffer=buffer), self.name)
            stmts[k] = s.replace(buffer=buffer)
            stmts[k + 1:] = [move.visit(r) for r in stmts[k + 1:]]
        if all(a is b for a, b in zip(stmts, new.stmts)):
            return new
        return new.replace(stmts=tuple(stmts))


class _Move(Mutator):
    """Moves the accesses of a buffer to the smaller one, which begins at `bases`."""

    def __init__(self, old: Buffer, new: Buffer, bases: list[PrimExpr | None]):
        super().__init__()
        self.old, self.new, self.bases = old, new, bases

    def _moved(self, n):
        n = self.rebuild(n)
        if n.buffer is not self.old:
            return n
        simplify = Analyzer().simplify
        at = tuple(i if b is None else simplify(i - b) for i, b in zip(n.indices, self.bases))
        return n.replace(buffer=self.new, indices=at)

    def visit_Buffer(self, n: Buffer) -> Buffer:
        return n

    visit_BufferLoad = visit_BufferStore = _moved


def _smaller(buffer: Buffer, stmts: list[Stmt]):
    """(new buffer, where each shrunk dimension begins), None if nothing shrinks."""
    body = SeqStmt(tuple(stmts))
    accesses = list(_accesses(body, buffer, ()))
    if not accesses or _escapes(body, buffer):
        return None
    shared = _shared([path for _, path in accesses])
    if shared and not _filled_first(shared[-1], buffer):
        return None
    bases, sizes = [], []
    for d, size in enumerate(buffer.shape):
        base, extent = _part(d, accesses, len(shared))
        whole = base is None or as_int(size) is not None and as_int(size) <= extent
        bases.append(None if whole else base)
        sizes.append(size if whole else literal(extent, size.dtype))
    if all(b is None for b in bases):
        return None
    smaller = decl_buffer(tuple(sizes), buffer.dtype, buffer.name, scope=buffer.scope)
    return smaller, bases


def _accesses(node: Node, buffer: Buffer, path: tuple[For, ...]) -> Iterator[Access]:
    if isinstance(node, (BufferLoad, BufferStore)) and node.buffer is buffer:
        yield node, path
    below = (*path, node) if isinstance(node, For) else path
    for c in node.children():
        if not isinstance(c, Buffer):
            yield from _accesses(c, buffer, below)


def _escapes(body: Stmt, buffer: Buffer) -> bool:
    """Whether the memory is reached by anything but loads and stores of the buffer."""
    for n in walk(body):
        if isinstance(n, Buffer) and n is not buffer and n.data is buffer.data:
            return True
        if isinstance(n, prim.Call) and (n.op == "address_of" or any(
                a is buffer.data for a in n.args)) and uses(n, buffer):
            return True
    return False


def _shared(paths: list[tuple[For, ...]]) -> tuple[For, ...]:
    first, count = paths[0], min(map(len, paths))
    for p in paths:
        count = next((k for k in range(count) if p[k] is not first[k]), count)
    return first[:count]


def _filled_first(loop: For, buffer: Buffer) -> bool:
    """Whether each iteration writes the buffer, on no condition, before it reads it."""
    if written_first(loop.body, buffer) is not True:
        return False
    return not any(uses(s, buffer) for s in collect(loop.body, IfThenElse))


def _part(d: int, accesses: list[Access], shared: int) -> tuple[PrimExpr | None, int]:
    """(where the used part of dimension `d` begins, its size): None where it does not move with
    the loops around or the accesses disagree."""
    base, sizes = None, []
    for access, path in accesses:
        index, inner = access.indices[d], path[shared:]
        analyzer = Analyzer()
        own = fold_substitute(index, {l.loop_var: l.min for l in inner})
        own = analyzer.simplify(own)
        if not free_vars(own) or base is not None and not structural_equal(own, base):
            return None, 0
        base = own
        offset = analyzer.simplify(index - own)
        if any(v not in {l.loop_var for l in inner} for v in free_vars(offset)):
            return None, 0
        for l in inner:
            analyzer.bind(l.loop_var, Range(l.min, l.extent))
        last = fold_substitute(offset, {l.loop_var: l.min + l.extent - 1 for l in inner})
        last = analyzer.simplify(last)
        if as_int(last) is None or not analyzer.can_prove(offset <= last) or \
                not analyzer.can_prove(offset >= 0):
            return None, 0
        sizes.append(as_int(last) + 1)
    return (base, sizes[0]) if len(set(sizes)) == 1 else (None, 0)
