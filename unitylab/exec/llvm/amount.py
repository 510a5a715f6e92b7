"""How much a parallel loop does: what is too little is not shared out to threads."""

from __future__ import annotations

from collections.abc import Container

from ...ir import prim, tir
from ...ir.node import Node
from ...ir.prim import PrimExpr, Var
from ...ir.visitor import walk

ENOUGH = 1 << 12  # statements that take about as long as threads need to begin


def amount(stmt: Node, known: Container[int]) -> PrimExpr | None:
    """How many statements run, int64; None where it depends on more than the variables `known`
    (by id): then it may be any amount."""
    if isinstance(stmt, tir.While) or isinstance(stmt, tir.Evaluate) \
            and isinstance(stmt.value, prim.Call):
        return None
    parts = [amount(c, known) for c in stmt.children() if isinstance(c, tir.Stmt)]
    if None in parts:
        return None
    inner = prim.literal(0, "int64") if parts else prim.literal(1, "int64")
    for part in parts:
        inner = prim.add(inner, part)
    if not isinstance(stmt, tir.For):
        return inner
    if any(isinstance(n, Var) and id(n) not in known or isinstance(n, (tir.BufferLoad, prim.Call))
           for n in walk(stmt.extent)):
        return None
    return prim.mul(prim.cast(stmt.extent, "int64"), inner)
