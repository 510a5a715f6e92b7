"""Which graph-level values have effects, and so must stay where they are."""

from __future__ import annotations

from ...ir.module import IRModule
from ...ir.op import Op
from ...ir.prim import GlobalVar
from ...ir.relax import Call, Expr, ExternFunc, Function, If, MatchCast, SeqExpr, info_of
from ...ir.relax import Binding
from ...ir.struct_info import FuncStructInfo


def is_pure(value: Expr, mod: IRModule) -> bool:
    """Whether evaluating `value` changes nothing that others see."""
    if isinstance(value, Call):
        return callee_is_pure(value, mod)
    if isinstance(value, If):
        return is_pure(value.true_branch, mod) and is_pure(value.false_branch, mod)
    if isinstance(value, SeqExpr):
        return all(binding_is_pure(b, mod) for b in value.bindings)
    return True


def binding_is_pure(binding: Binding, mod: IRModule) -> bool:
    """Whether a binding may be dropped when its variable is unused; a `match_cast` is a check."""
    return not isinstance(binding, MatchCast) and is_pure(binding.value, mod)


def callee_is_pure(call: Call, mod: IRModule) -> bool:
    """Library functions have effects unless they are called through a pure op."""
    op = call.op
    if isinstance(op, Op):
        return op.pure
    if isinstance(op, ExternFunc):
        return False
    if isinstance(op, GlobalVar):
        func = mod.functions.get(op.name)
        return isinstance(func, Function) and func.is_pure
    info = info_of(op)
    return isinstance(info, FuncStructInfo) and info.pure
