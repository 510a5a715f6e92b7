"""`FuseTIR`: a fused graph function becomes one tensor program."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.infer import match_info
from ...ir.module import IRModule
from ...ir.node import EMPTY, Node
from ...ir.op import get_op
from ...ir.prim import GlobalVar
from ...ir.relax import (Call, Expr, Function, ShapeExpr, Tuple, TupleGetItem, VarBinding, info_of)
from ...ir.struct_info import ShapeStructInfo, TupleStructInfo
from ...ir.transform import Pass, Recorder
from ...ir.visitor import collect
from ..reachable import without_unreachable
from ..relax.binding_mutator import BindingMutator
from .merge_programs import MergedProgram, merge_programs


@dataclass(frozen=True)
class FuseTIR(Pass):
    """Merges the tensor programs that a `Primitive` function calls into one, with the values in
    between as buffers allocated in its root block; calls of the function become `call_tir`.
    The programs that nobody calls any more are dropped. What cannot be merged (library calls,
    control flow) stays a graph function."""

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        merged: dict[str, MergedProgram] = {}
        for name, func in mod.graph_funcs.items():
            if func.attrs.get("Primitive") and recorder.wants("merge", func):
                program = merge_programs(mod, func)
                if program is not None:
                    merged[name] = program
        if not merged:
            return mod
        before, after = {n: [] for n in merged}, {n: [] for n in merged}
        changes = {n: p.func for n, p in merged.items()}
        for name, func in mod.graph_funcs.items():
            if name not in merged:
                changes[name] = _CallSites(mod, name, recorder, merged, before, after).visit(func)
        for name, program in merged.items():
            recorder.record("merge", (mod[name], *before[name]), (program.func, *after[name]), name)
        called = {g.name for n in merged for g in collect(mod[n], GlobalVar)}
        return without_unreachable(mod.with_functions(changes), called)


class _CallSites(BindingMutator):
    """Calls of merged functions become `call_tir`; what changed is collected by callee."""

    def __init__(self, mod, function, recorder, merged: dict[str, MergedProgram],
                 before: dict[str, list[Node]], after: dict[str, list[Node]]):
        super().__init__(mod, function, recorder)
        self.merged, self.before, self.after = merged, before, after

    def visit_VarBinding(self, binding: VarBinding) -> VarBinding:
        new = self.rebuild(binding)
        call = new.value
        if not isinstance(call, Call) or not isinstance(call.op, GlobalVar) \
                or call.op.name not in self.merged:
            return new
        name = call.op.name
        made = call_tir(self.mod[name], self.merged[name], call, new)
        result = new.replace(value=made)
        self.before[name] += (binding, binding.value)
        self.after[name] += (result, made)
        return result


def call_tir(func: Function, program: MergedProgram, call: Call, binding: VarBinding) -> Call:
    """The call of the merged program that does what `call` of `func` did."""
    bound: dict = {}
    for p, a in zip(func.params, call.args):
        match_info(p.struct_info, info_of(a), bound)
    inputs = [x for p, a in zip(func.params, call.args) for x in _flat(a, p.struct_info)]
    args: tuple[Expr, ...] = (call.op, Tuple(tuple(inputs)))
    if program.sizes:
        args += (ShapeExpr(tuple(bound[v] for v in program.sizes)),)
    info = info_of(binding.var)
    return Call(get_op("call_tir"), args, EMPTY, (info,), info, span=call.span)


def _flat(arg: Expr, info) -> list[Expr]:
    """An argument as single tensors; shapes travel as sizes."""
    if isinstance(info, ShapeStructInfo):
        return []
    if not isinstance(info, TupleStructInfo):
        return [arg]
    fields = arg.fields if isinstance(arg, Tuple) else \
        [TupleGetItem(arg, i) for i in range(len(info.fields))]
    return [x for f, i in zip(fields, info.fields) for x in _flat(f, i)]
