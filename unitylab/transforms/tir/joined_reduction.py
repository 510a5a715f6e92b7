"""Reductions along a loop in lanes, alone or of what the loop makes.

    for k: y[k] = exp(x[k])                for k: y[k] = exp(x[k])
    s[0] = 0                           ->         s[0] = s[0] + y[k]
    for k: s[0] = s[0] + y[k]

So what was made is added while it is in a register.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ir import prim
from ...ir.node import FrozenDict
from ...ir.structural import structural_equal
from ...ir.tir import AttrStmt, BufferLoad, BufferStore, For, SeqStmt, Stmt, seq
from ...ir.visitor import collect, free_vars, substitute
from .lower_vectorized_loop import independent

COMBINERS = (prim.Add, prim.Mul, prim.Min, prim.Max)


def reduction(loop: For) -> BufferStore | None:
    """The store `s[i] = s[i] op value` that is all of a loop which does not choose `i`."""
    stmt = loop.body
    while isinstance(stmt, AttrStmt):
        stmt = stmt.body
    if not isinstance(stmt, BufferStore) or stmt.predicate is not None:
        return None
    e, own = stmt.value, stmt.indices
    if not isinstance(e, COMBINERS) or any(loop.loop_var in free_vars(i) for i in own):
        return None
    loads = [l for l in collect(e, BufferLoad) if l.buffer.data is stmt.buffer.data]
    first = e.a
    if len(loads) != 1 or loads[0] is not first or first.buffer is not stmt.buffer or \
            not all(structural_equal(a, b) for a, b in zip(first.indices, own)):
        return None
    return stmt


def last_reduction(loop: For) -> BufferStore | None:
    """The reduction with which the body of a loop ends, if `joined_reduction` put it there."""
    if not isinstance(loop.body, SeqStmt) or len(loop.body.stmts) != 2:
        return None
    first, last = loop.body.stmts
    store = reduction(loop.replace(body=last))
    made = plain(first)
    return store if store is not None and made is not None and \
        _joins(loop.replace(body=first), made, loop.replace(body=last), store) else None


def joined_reduction(before: Sequence[Stmt], loop: Stmt) -> list[Stmt] | None:
    """The statements with the reduction `loop` inside of the loop that makes what it reads, which
    only stores of literals follow; None where it cannot be there."""
    if not _in_lanes(loop):
        return None
    store = reduction(loop)
    k = len(before) - 1
    while k >= 0 and _starts(before[k], store):
        k -= 1
    first = before[k] if k >= 0 else None
    made = plain(first.body) if _in_lanes(first) else None
    if store is None or made is None or not _joins(first, made, loop, store):
        return None
    notes = FrozenDict({**loop.annotations, **first.annotations})
    body = seq(first.body, substitute(loop.body, {loop.loop_var: first.loop_var}))
    return [*before[:k], *before[k + 1:], first.replace(body=body, annotations=notes)]


def _in_lanes(stmt: Stmt | None) -> bool:
    return isinstance(stmt, For) and "lanes" in stmt.annotations and stmt.kind == "serial" and \
        stmt.step is None


def _starts(stmt: Stmt, store: BufferStore | None) -> bool:
    """Whether a statement gives the result of a reduction its first value."""
    first = plain(stmt)
    return store is not None and first is not None and first.buffer is store.buffer and \
        prim.is_const(first.value)


def plain(stmt: Stmt) -> BufferStore | None:
    """The store that is all of a statement."""
    while isinstance(stmt, AttrStmt):
        stmt = stmt.body
    return stmt if isinstance(stmt, BufferStore) and stmt.predicate is None else None


def _joins(first: For, made: BufferStore, loop: For, store: BufferStore) -> bool:
    """Whether both loops count alike, and an iteration of the second reads of what the first one
    makes only what the same iteration makes."""
    same = {loop.loop_var: first.loop_var}
    value = substitute(store.value.b, same)
    reads = [l for l in collect(value, BufferLoad) if l.buffer.data is made.buffer.data]
    own = [l for l in collect(made, BufferLoad)
           if l.buffer.data in (store.buffer.data, made.buffer.data)]
    return (structural_equal(first.min, loop.min) and structural_equal(first.extent, loop.extent)
            and first.annotations.get("lanes") == loop.annotations.get("lanes")
            and first.annotations.get("reciprocal") == loop.annotations.get("reciprocal")
            and bool(reads) and not own and made.buffer.data is not store.buffer.data
            and all(l.buffer is made.buffer and all(map(structural_equal, l.indices, made.indices))
                    for l in reads)
            and first.loop_var in free_vars(made.indices[-1]) and independent(first))
