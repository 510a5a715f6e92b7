"""Statements that do nothing."""

from __future__ import annotations

from ...ir.prim import (BinaryExpr, Broadcast, Call, Cast, FloatImm, IntImm, Not, PrimExpr, Ramp,
                        Select, Var)
from ...ir.tir import BufferLoad, Evaluate, SeqStmt, Stmt

# calls without effects, by name
_PURE_CALLS = frozenset({"if_then_else", "exp", "log", "sqrt", "rsqrt", "tanh", "sigmoid", "pow",
                         "floor", "ceil", "round", "trunc", "abs", "fabs", "likely", "max", "min"})
_PURE = (Var, IntImm, FloatImm, BinaryExpr, Cast, Not, Select, Ramp, Broadcast, BufferLoad)


def has_no_effect(e: PrimExpr) -> bool:
    """Whether evaluating an expression changes nothing (reading out of bounds aside)."""
    if isinstance(e, (Var, BufferLoad)):
        return True
    if isinstance(e, Call) and e.op not in _PURE_CALLS or not isinstance(e, (*_PURE, Call)):
        return False
    return all(has_no_effect(c) for c in e.children() if isinstance(c, PrimExpr))


def is_no_op(stmt: Stmt) -> bool:
    """Whether a statement certainly does nothing."""
    if isinstance(stmt, SeqStmt):
        return all(map(is_no_op, stmt.stmts))
    return isinstance(stmt, Evaluate) and has_no_effect(stmt.value)
