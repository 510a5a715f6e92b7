"""`Normalize`: A-normal form, with struct info inferred."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.module import IRModule, fresh_name
from ...ir.op import Op
from ...ir.prim import GlobalVar
from ...ir.relax import (Binding, BindingBlock, Call, Constant, DataflowBlock, DataflowVar,
                         DataTypeImm, Expr, ExternFunc, Function, If, MatchCast, PrimValue,
                         SeqExpr, ShapeExpr, StringImm, Tuple, TupleGetItem, Var, VarBinding)
from ...ir.transform import Pass, Recorder
from ...ir.visitor import collect
from .binding_mutator import BindingMutator

LEAVES = (Var, Constant, ShapeExpr, PrimValue, StringImm, DataTypeImm, ExternFunc, GlobalVar, Op)


@dataclass(frozen=True)
class Normalize(Pass):
    """Binds every nested call to a variable of its own, wraps branches in sequences, and infers
    struct info where it is missing."""

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        return mod.map_functions(lambda name, f: _Normalizer(mod, name, recorder, f).visit(f),
                                 Function)


class _Normalizer(BindingMutator):
    def __init__(self, mod, function, recorder, func: Function):
        super().__init__(mod, function, recorder)
        self.names = {v.name for v in collect(func, Var)}
        self.pending: list[Binding] = []
        self.in_dataflow = False

    def visit_BindingBlock(self, block: BindingBlock) -> BindingBlock:
        outer, self.in_dataflow = self.in_dataflow, isinstance(block, DataflowBlock)
        new = super().visit_BindingBlock(block)
        self.in_dataflow = outer
        return new

    def visit_SeqExpr(self, seq: SeqExpr) -> SeqExpr:
        new = super().visit_SeqExpr(seq)
        outer, self.pending = self.pending, []
        body = self.leaf(new.body)
        extra, self.pending = tuple(self.pending), outer
        if not extra:
            return new
        self.record("bind", (seq.body,), extra)
        return new.replace(blocks=(*new.blocks, BindingBlock(extra)), body=body)

    def visit_VarBinding(self, binding: VarBinding) -> Binding | tuple[Binding, ...]:
        if not self.wants("bind", binding):
            return self.rebuild(binding)
        outer, self.pending = self.pending, []
        value = self.flat(binding.value)
        extra, self.pending = tuple(self.pending), outer
        if extra:
            self.record("bind", (binding, binding.value), extra)
        new = self.rebuild(binding.replace(value=value) if value is not binding.value else binding)
        new = self.with_info(new)
        return (*extra, new) if extra else new

    def with_info(self, b: VarBinding) -> VarBinding:
        """The binding with what can be inferred of its variable."""
        new = self.refined(b)
        if new.var is not b.var:
            self.define(b.var, new.var)
        if isinstance(new.value, (Call, If)) and new.value.struct_info is None:
            return new.replace(value=new.value.replace(struct_info=new.var.struct_info))
        return new

    def visit_MatchCast(self, binding: MatchCast) -> Binding | tuple[Binding, ...]:
        outer, self.pending = self.pending, []
        value = self.leaf(binding.value)
        extra, self.pending = tuple(self.pending), outer
        new = self.rebuild(binding.replace(value=value) if extra else binding)
        return (*extra, new) if extra else new

    def visit_If(self, branch: If) -> If:
        sides = [s if isinstance(s, SeqExpr) else SeqExpr((), s)
                 for s in (branch.true_branch, branch.false_branch)]
        if sides[0] is not branch.true_branch or sides[1] is not branch.false_branch:
            branch = branch.replace(true_branch=sides[0], false_branch=sides[1])
        return self.rebuild(branch)

    def flat(self, e: Expr) -> Expr:
        """`e` with leaves in all its places."""
        if isinstance(e, Call):
            args = tuple(map(self.leaf, e.args))
            op = e.op if isinstance(e.op, (*LEAVES, Function)) else self.leaf(e.op)
            same = op is e.op and all(a is b for a, b in zip(args, e.args))
            return e if same else e.replace(op=op, args=args, struct_info=None)
        if isinstance(e, Tuple):
            fields = tuple(map(self.leaf, e.fields))
            return e if all(a is b for a, b in zip(fields, e.fields)) else e.replace(fields=fields)
        if isinstance(e, TupleGetItem):
            inner = self.leaf(e.tuple)
            return e if inner is e.tuple else e.replace(tuple=inner)
        if isinstance(e, If):
            cond = self.leaf(e.cond)
            return e if cond is e.cond else e.replace(cond=cond)
        return e

    def leaf(self, e: Expr) -> Expr:
        """`e` if it may stand as an argument, else a new variable for it."""
        if isinstance(e, LEAVES):
            return self.visit(e) if isinstance(e, Var) else e
        e = self.flat(e)
        if isinstance(e, Tuple):
            return e
        info = self.infer(e)
        hint = fresh_name("lv" if self.in_dataflow else "gv", self.names)
        self.names.add(hint)
        var = (DataflowVar if self.in_dataflow else Var)(hint, info)
        value = e.replace(struct_info=info) if isinstance(e, (Call, If)) else e
        self.pending.append(VarBinding(var, self.visit(value)))
        return var
