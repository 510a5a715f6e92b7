"""Whether all that a program uses is defined where it is used: what every primitive keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..ir.node import Node
from ..ir.prim import Let, Var
from ..ir.tir import (AllocBuffer, AttrStmt, Bind, Block, BlockRealize, Buffer, BufferLoad,
                      BufferRegion, BufferStore, DeclBuffer, For, IterVar, PrimFunc, Stmt)

Known = frozenset  # of variables and buffers


def escaping(func: PrimFunc) -> Var | Buffer | None:
    """A variable that is used outside of its loop or block, or a buffer outside of the block that
    allocates it; None where the program is closed."""
    return next(_in_stmt(func.body, Known(_parameters(func))), None)


def _parameters(func: PrimFunc) -> Iterator[Var | Buffer]:
    for p in func.params:
        yield from _of_buffer(p) if isinstance(p, Buffer) else (p,)


def _of_buffer(b: Buffer) -> Iterator[Var | Buffer]:
    """What the definition of a parameter or view defines."""
    yield b
    yield from (e for e in (b.data, b.elem_offset, *b.shape, *b.strides) if isinstance(e, Var))


def _in_stmt(s: Stmt, known: Known) -> Iterator[Var | Buffer]:
    if isinstance(s, For):
        yield from _in_exprs((s.min, s.extent, s.step), known)
        own = {s.loop_var} | ({s.thread_binding.var} if s.thread_binding is not None else set())
        yield from _in_stmt(s.body, known | own)
    elif isinstance(s, BlockRealize):
        yield from _in_exprs((*s.iter_values, s.predicate), known)
        yield from _in_block(s.block, known)
    elif isinstance(s, AttrStmt) and isinstance(s.node, IterVar):
        yield from _in_exprs((s.value,), known)
        yield from _in_stmt(s.body, known | {s.node.var})
    elif not isinstance(s, (Bind, AllocBuffer, DeclBuffer)):
        yield from _in_others(s, known)


def _in_others(s: Stmt, known: Known) -> Iterator[Var | Buffer]:
    """The parts in order; what one of them defines holds in those after it."""
    yield from _in_exprs((s,), known, deep=False)
    for c in s.children():
        if isinstance(c, (Bind, AllocBuffer, DeclBuffer)):
            known |= yield from _defined_by(c, known)
        elif isinstance(c, Stmt):
            yield from _in_stmt(c, known)


def _defined_by(s: Stmt, known: Known):
    if isinstance(s, Bind):
        yield from _in_exprs((s.value,), known)
        return {s.var}
    if isinstance(s, AllocBuffer):
        yield from _in_exprs(s.buffer.shape, known)
    return set(_of_buffer(s.buffer))


def _in_block(b: Block, known: Known) -> Iterator[Var | Buffer]:
    yield from _in_exprs((it.dom for it in b.iter_vars), known)
    known |= {it.var for it in b.iter_vars}
    for a in b.alloc_buffers:
        yield from _in_exprs(a.shape, known)
    known |= {d for a in b.alloc_buffers for d in (a, a.data)}
    for m in b.match_buffers:
        yield from _in_exprs((m.source,), known)
        known |= set(_of_buffer(m.buffer))
    yield from _in_exprs((*b.reads, *b.writes), known)
    for s in (b.init, b.body):
        if s is not None:
            yield from _in_stmt(s, known)


def _in_exprs(roots: Iterable[Node | None], known: Known, deep: bool = True):
    """What expressions use without a definition. Not `deep`: the parts that are statements are
    left out."""
    stack = [r for r in roots if r is not None]
    while stack:
        n = stack.pop()
        if isinstance(n, Let):
            known = known | {n.var}
        if isinstance(n, Var):
            if n not in known and n.pointer is None:
                yield n
            continue
        if isinstance(n, (BufferLoad, BufferStore, BufferRegion)) and n.buffer not in known:
            yield n.buffer
        stack += [c for c in n.children()
                  if not isinstance(c, Buffer) and (deep or not isinstance(c, Stmt))]
