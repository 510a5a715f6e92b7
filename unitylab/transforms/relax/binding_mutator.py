"""Rewriting graph functions binding by binding, with records of what fired."""

from __future__ import annotations

from ...ir import prim
from ...ir.errors import UnityLabError
from ...ir.infer import infer
from ...ir.module import IRModule
from ...ir.node import Node
from ...ir.relax import (Binding, BindingBlock, Call, Expr, Function, If, SeqExpr, Var,
                         VarBinding, info_of)
from ...ir.struct_info import StructInfo, TensorStructInfo, TupleStructInfo
from ...ir.structural import structural_equal
from ...ir.transform import Recorder
from ...ir.visitor import Mutator, collect


class BindingMutator(Mutator):
    """Rewrites one function. A method `visit_VarBinding` or `visit_MatchCast` may return None (the
    binding vanishes) or a tuple of bindings; blocks that become empty vanish."""

    def __init__(self, mod: IRModule, function: str, recorder: Recorder):
        super().__init__()
        self.mod, self.function, self.recorder = mod, function, recorder

    def wants(self, rule: str, place: Node) -> bool:
        return self.recorder.wants(rule, place)

    def record(self, rule: str, before, after) -> None:
        self.recorder.record(rule, before, after, self.function)

    def define(self, old: Var, new: Node) -> None:
        """From here on `old` reads as `new`."""
        self._memo[id(old)] = (old, new)

    def visit_BindingBlock(self, block: BindingBlock) -> BindingBlock:
        new: list[Binding] = []
        for b in block.bindings:
            result = self.visit(b)
            new += result if isinstance(result, tuple) else [] if result is None else [result]
        same = len(new) == len(block.bindings) and all(a is b for a, b in zip(new, block.bindings))
        return block if same else block.replace(bindings=tuple(new))

    def visit_SeqExpr(self, seq: SeqExpr) -> SeqExpr:
        blocks = tuple(self.visit(b) for b in seq.blocks)
        kept = tuple(b for b, old in zip(blocks, seq.blocks) if b.bindings or b is old)
        body = self.visit(seq.body)
        same = body is seq.body and len(kept) == len(seq.blocks) and \
            all(a is b for a, b in zip(kept, seq.blocks))
        return seq if same else seq.replace(blocks=kept, body=body)

    def refined(self, binding: VarBinding) -> VarBinding:
        """The binding with the struct info of its variable inferred anew, where more is known."""
        old, new = binding.var.struct_info, self.infer(binding.value)
        if new is None or not more_is_known(new, old):
            return binding
        value = binding.value
        if isinstance(value, (Call, If)):
            value = value.replace(struct_info=new)
        var = binding.var.replace(struct_info=new)
        return binding.replace(var=var, value=value)

    def infer(self, value: Expr) -> StructInfo | None:
        if isinstance(value, Call) and value.sinfo_args:
            return info_of(value)
        try:
            return infer(value, self.mod)
        except UnityLabError:
            return None


def more_is_known(new: StructInfo, old: StructInfo | None) -> bool:
    """Whether `new` says something that `old` leaves open."""
    if old is None or type(new) is not type(old):
        return old is None or type(old).__name__ == "ObjectStructInfo"
    if isinstance(new, TensorStructInfo):
        return (old.shape is None and new.shape is not None) or \
            (old.dtype is None and new.dtype is not None) or (old.ndim < 0 <= new.ndim)
    if isinstance(new, TupleStructInfo) and new.fields and old.fields:
        return any(map(more_is_known, new.fields, old.fields))
    return False


def declared_result(func: Function, old: Function) -> Function:
    """The function with the struct info of its result, if the body now says more than declared."""
    info = info_of(func.body)
    if func is old or info is None or func.ret_struct_info is None:
        return func
    callers_know = set(collect(info, prim.Var)) <= {v for p in func.params
                                                    for v in collect(p, prim.Var)}
    known = callers_know and more_is_known(info, func.ret_struct_info)
    return func.replace(ret_struct_info=info) if known else func


def same_info(a: StructInfo | None, b: StructInfo | None) -> bool:
    """Whether two struct infos say the same."""
    return a is b or (a is not None and b is not None and structural_equal(a, b))
