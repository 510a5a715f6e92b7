"""Parallel loops whose iterations write to the same elements: they have to run one by one."""

from __future__ import annotations

from collections.abc import Iterator

from ...ir import tir
from ...ir.node import Node
from ...ir.prim import PrimExpr, Var
from ...ir.visitor import walk

_OWN = (tir.AllocBuffer, tir.DeclBuffer)


def collides(loop: tir.For) -> bool:
    """Whether iterations may write to the same elements of a buffer from outside: some store has
    indices that do not depend on the loop variable, or only by way of loaded values.

    A condition may choose one iteration for a store at fixed indices, so that this is no race."""
    own = {id(n.buffer) for n in walk(loop.body) if isinstance(n, _OWN)}
    varying, loaded = _varying(loop), _loaded(loop)
    certain = {id(s) for s in _certain_stores(loop.body)}
    for s in walk(loop.body):
        if not isinstance(s, tir.BufferStore) or id(s.buffer) in own or \
                any(_depends(i, varying) for i in s.indices):
            continue
        if id(s) in certain or any(_reads(i, loaded) for i in s.indices):
            return True
    return False


def _varying(loop: tir.For) -> set[Var]:
    """The loop variable and what is computed from it without a load."""
    found = {loop.loop_var}
    size = 0
    while size != len(found):
        size = len(found)
        for n in walk(loop.body):
            if isinstance(n, tir.Bind) and _depends(n.value, found):
                found.add(n.var)
            if isinstance(n, tir.For) and (_depends(n.min, found) or _depends(n.extent, found)):
                found.add(n.loop_var)
    return found


def _loaded(loop: tir.For) -> set[Var]:
    """Variables that hold loaded values."""
    found: set[Var] = set()
    for n in walk(loop.body):
        if isinstance(n, tir.Bind) and _reads(n.value, found):
            found.add(n.var)
    return found


def _depends(e: PrimExpr, varying: set[Var]) -> bool:
    """Whether an expression has one of the variables outside of a load."""
    if isinstance(e, tir.BufferLoad):
        return False
    return e in varying if isinstance(e, Var) else any(_depends(c, varying) for c in e.children())


def _reads(e: PrimExpr, loaded: set[Var]) -> bool:
    return any(isinstance(n, tir.BufferLoad) or isinstance(n, Var) and n in loaded
               for n in walk(e))


def _certain_stores(body: Node) -> Iterator[tir.BufferStore]:
    """The stores under no condition."""
    if isinstance(body, tir.BufferStore):
        yield body
    elif isinstance(body, tir.SeqStmt):
        for s in body.stmts:
            yield from _certain_stores(s)
    elif isinstance(body, (tir.For, tir.AttrStmt)):
        yield from _certain_stores(body.body)
