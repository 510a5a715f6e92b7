"""`CancelPermutes`: neighbouring changes of the order of axes become one, or none."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.module import IRModule
from ...ir.op import Op
from ...ir.relax import Call, DataflowVar, Expr, Function, Var, VarBinding, info_of
from ...ir.struct_info import TensorStructInfo
from ...ir.transform import Pass, Recorder
from .binding_mutator import BindingMutator


@dataclass(frozen=True)
class CancelPermutes(Pass):
    """`permute_dims(permute_dims(x, a), b)` is one `permute_dims` of `x`; where it leaves all axes
    in place, its readers read `x`. The first one stays for others that read it."""

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        return mod.map_functions(lambda name, f: _Orders(mod, name, recorder).visit(f), Function)


class _Orders(BindingMutator):
    def __init__(self, mod, function, recorder):
        super().__init__(mod, function, recorder)
        self.orders: dict[Var, tuple[Expr, tuple[int, ...]]] = {}

    def visit_VarBinding(self, binding: VarBinding) -> VarBinding | None:
        new = self.rebuild(binding)
        order = _order(new.value)
        if order is None:
            return new
        source = new.value.args[0]
        if source not in self.orders and order != tuple(range(len(order))):
            self.orders[new.var] = source, order
            return new
        if not self.wants("cancel", binding):
            return new
        first, before = self.orders.get(source, (source, tuple(range(len(order)))))
        order = tuple(before[k] for k in order)
        return self._replaced(binding, new, first, order)

    def _replaced(self, binding: VarBinding, new: VarBinding, source: Expr,
                  order: tuple[int, ...]) -> VarBinding | None:
        if order == tuple(range(len(order))):
            result = new.replace(value=source)
            self.record("cancel", (binding, binding.value), (result, source))
            if isinstance(new.var, DataflowVar):
                self.define(binding.var, source)
                return None
            return result
        value = new.value.op(source, axes=order).replace(struct_info=info_of(new.value))
        result = new.replace(value=value)
        self.orders[new.var] = source, order
        self.record("cancel", (binding, binding.value), (result, value))
        return result


def _order(e: Expr) -> tuple[int, ...] | None:
    """The order of axes of a `permute_dims`, counted from the front."""
    if not isinstance(e, Call) or not isinstance(e.op, Op) or e.op.short != "permute_dims":
        return None
    info, axes = info_of(e.args[0]), e.op.attr(e, "axes")
    if not isinstance(info, TensorStructInfo) or info.ndim < 0:
        return None
    if axes is None:
        return tuple(reversed(range(info.ndim)))
    return tuple(int(a) % info.ndim for a in axes)
