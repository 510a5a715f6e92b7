"""`EliminateCommonSubexpr`: what is computed twice is computed once."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.module import IRModule
from ...ir.node import Node
from ...ir.op import Op
from ...ir.prim import GlobalVar
from ...ir.relax import (BindingBlock, Call, Constant, DataflowVar, Expr, Function, If, SeqExpr,
                         Tuple, TupleGetItem, Var, VarBinding)
from ...ir.structural import structural_equal, structural_hash
from ...ir.transform import Pass, Recorder
from .binding_mutator import BindingMutator, same_info
from .purity import is_pure

# each call of these makes something new
ALLOCATIONS = ("builtin.", "memory.", "vm.")


@dataclass(frozen=True)
class EliminateCommonSubexpr(Pass):
    """A pure value that an earlier binding in scope holds already is read from there:
    `lv1 = add(x, y)` becomes `lv1 = lv`, and readers of `lv1` read `lv`.

    call_only: looks at calls alone, not at tuples and their fields."""

    call_only: bool = False

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        return mod.map_functions(
            lambda name, f: _Shared(mod, name, recorder, self.call_only).visit(f), Function)


class _Shared(BindingMutator):
    def __init__(self, mod, function, recorder, call_only: bool):
        super().__init__(mod, function, recorder)
        self.kinds = (Call,) if call_only else (Call, Tuple, TupleGetItem)
        self.held: dict[object, list[VarBinding]] = {}

    def scoped(self, node: Node, held: dict) -> Node:
        """`node` rewritten with values that hold in it alone."""
        outer, self.held = self.held, held
        new = self.rebuild(node) if not isinstance(node, SeqExpr) else super().visit_SeqExpr(node)
        self.held = outer
        return new

    def visit_Function(self, func: Function) -> Function:
        return self.scoped(func, {})

    def visit_SeqExpr(self, seq: SeqExpr) -> SeqExpr:
        return self.scoped(seq, {k: list(v) for k, v in self.held.items()})

    def visit_BindingBlock(self, block: BindingBlock) -> BindingBlock:
        new = super().visit_BindingBlock(block)
        self.held = {k: [b for b in v if not isinstance(b.var, DataflowVar)]
                     for k, v in self.held.items()}
        return new

    def visit_VarBinding(self, binding: VarBinding) -> VarBinding:
        new = self.rebuild(binding)
        if not isinstance(new.value, self.kinds) or not self.is_repeatable(new.value):
            return new
        same = self.held.setdefault(value_key(new.value), [])
        for earlier in same:
            if structural_equal(earlier.value, new.value) and \
                    same_info(earlier.var.struct_info, new.var.struct_info) and \
                    self.wants("share", binding):
                return self.shared(binding, new, earlier.var)
        same.append(new)
        return new

    def shared(self, binding: VarBinding, new: VarBinding, earlier: Var) -> VarBinding:
        result = new.replace(value=earlier)
        self.record("share", (binding, binding.value), (result, earlier))
        if isinstance(new.var, DataflowVar) or not isinstance(earlier, DataflowVar):
            self.define(binding.var, earlier)
        return result

    def is_repeatable(self, value: Expr) -> bool:
        """Whether evaluating it again gives the same."""
        if isinstance(value, Call) and isinstance(value.op, Op) and \
                value.op.short.startswith(ALLOCATIONS):
            return False
        return is_pure(value, self.mod) and not isinstance(value, If)


def value_key(e: Node) -> object:
    """Equal for values that may be the same; cheap, large constants count by identity."""
    if isinstance(e, Var):
        return id(e)
    if isinstance(e, Constant):
        return e.data.tobytes() if e.data.size <= 16 else id(e.data)
    if isinstance(e, (Op, GlobalVar)):
        return e.name
    if isinstance(e, Tuple):
        return ("tuple", *map(value_key, e.fields))
    if isinstance(e, TupleGetItem):
        return (value_key(e.tuple), e.index)
    if isinstance(e, Call):
        return (value_key(e.op), *map(value_key, e.args),
                *[structural_hash(s) for s in e.sinfo_args])
    return structural_hash(e)
