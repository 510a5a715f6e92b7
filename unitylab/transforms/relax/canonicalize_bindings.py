"""`CanonicalizeBindings`: copies, tuple round trips and casts that say nothing new go away."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ...ir import prim
from ...ir.module import IRModule
from ...ir.node import Node
from ...ir.relax import (Binding, Constant, DataflowBlock, DataflowVar, Expr, Function, MatchCast,
                         Tuple, TupleGetItem, Var, VarBinding, info_of)
from ...ir.struct_info import ShapeStructInfo, TensorStructInfo
from ...ir.transform import Pass, Recorder
from ...ir.visitor import collect, walk
from .binding_mutator import BindingMutator, declared_result, same_info


@dataclass(frozen=True)
class CanonicalizeBindings(Pass):
    """Until nothing changes:
    forward: `y = x`, `y = (x, z)[0]`, `y = (t[0], t[1])`: readers of `y` read what it stands for.
    rename: `lv = f(x); gv = lv` with `gv` leaving the block becomes `gv = f(x)`.
    match_cast: a cast to what is known already goes away; `match_cast(x, (o, p))` of a known
        shape `(m, n)` gives `o` and `p` their values.
    demote: a variable that is read in its dataflow block alone becomes local to it."""

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        return mod.map_functions(lambda name, f: self._fixed_point(mod, name, f, recorder),
                                 Function)

    def _fixed_point(self, mod: IRModule, name: str, func: Function,
                     recorder: Recorder) -> Function:
        while True:
            new = _Canonicalizer(mod, name, recorder, func).visit(func)
            if new is func:
                return func
            func = declared_result(new, func)


class _Canonicalizer(BindingMutator):
    def __init__(self, mod, function, recorder, func: Function):
        super().__init__(mod, function, recorder)
        self.appearances = appearances(func)
        self.bound: dict[Var, Expr] = {}
        self.sizes = {v for p in func.params for v in collect(p, prim.Var)}

    def visit_DataflowBlock(self, block: DataflowBlock) -> DataflowBlock:
        inside = appearances(block)
        local = {b.var: b for b in block.bindings if isinstance(b.var, DataflowVar)}
        for b in block.bindings:
            if isinstance(b.var, DataflowVar):
                continue
            if self.appearances[b.var] == inside[b.var]:
                self._demote(b)
            elif isinstance(b, VarBinding) and b.value in local and self.wants("rename", b):
                old = local.pop(b.value)
                self.define(old.var, b.var)
                self.record("rename", (b, old), (b.var,))
        return self.visit_BindingBlock(block)

    def _demote(self, b: Binding) -> None:
        if self.wants("demote", b):
            new = DataflowVar(b.var.name, b.var.struct_info, span=b.var.span)
            self.define(b.var, new)
            self.record("demote", (b, b.var), (new,))

    def visit_VarBinding(self, binding: VarBinding) -> VarBinding | None:
        new = self.rebuild(binding)
        if new.value is new.var:  # was renamed
            return None
        meaning = self.meaning(new.value)
        self.bound[new.var] = meaning
        if isinstance(meaning, Var) and self.wants("forward", binding):
            self.record("forward", (binding, binding.value), (meaning,))
            self.define(binding.var, meaning)
            return None
        if isinstance(meaning, Constant) and self.appearances[binding.var] > 1 \
                and self.wants("forward", binding):
            self.record("forward", (binding, binding.value), (meaning,))
            self.define(binding.var, meaning)
        return self.refined(new) if new is not binding else new

    def refined(self, binding: VarBinding) -> VarBinding:
        new = super().refined(binding)
        if new.var is not binding.var:
            self._memo |= {k: (old, new.var) for k, (old, v) in self._memo.items()
                           if v is binding.var}
            self.define(binding.var, new.var)
        return new

    def meaning(self, value: Expr) -> Expr:
        """What a value stands for: a variable or constant that says the same, else itself."""
        if isinstance(value, TupleGetItem):
            inner = self.bound.get(value.tuple, value.tuple)
            if isinstance(inner, Tuple) and isinstance(inner.fields[value.index], (Var, Constant)):
                return inner.fields[value.index]
        if isinstance(value, Tuple):
            return self._round_trip(value) or value
        return value

    def _round_trip(self, value: Tuple) -> Var | None:
        """`t` for `(t[0], t[1], ...)` with all fields of `t` in order."""
        parts = [self.bound.get(f, f) for f in value.fields]
        if not parts or not all(isinstance(p, TupleGetItem) and p.index == i
                                and p.tuple is parts[0].tuple for i, p in enumerate(parts)):
            return None
        whole = parts[0].tuple
        fields = getattr(info_of(whole), "fields", None) or ()
        return whole if isinstance(whole, Var) and len(fields) == len(parts) else None

    def visit_MatchCast(self, binding: MatchCast) -> Binding | None:
        value = self.visit(binding.value)
        known = info_of(value)
        new_sizes = fresh_sizes(binding.struct_info, known, self.sizes)
        trivial = same_info(known, binding.struct_info) or new_sizes is not None
        if not trivial or not self.wants("match_cast", binding):
            self.sizes |= set(collect(binding.struct_info, prim.Var))
            return self.rebuild(binding)
        self.record("match_cast", (binding,), (value,))
        for size, meaning in (new_sizes or {}).items():
            self.define(size, meaning)
        if isinstance(value, Var) and (isinstance(binding.var, DataflowVar)
                                       or not isinstance(value, DataflowVar)):
            self.define(binding.var, value)
            return None
        return VarBinding(self.visit(binding.var), value, span=binding.span)


def appearances(root: Node) -> Counter[Node]:
    """How often each variable stands below `root`, its definition included."""
    return Counter(n for n in walk(root) if isinstance(n, Var))


def fresh_sizes(want, known, defined: set[prim.Var]) -> dict[prim.Var, prim.PrimExpr] | None:
    """The values of the symbolic sizes that a cast introduces, if it does nothing else: all sizes
    are new variables, and the value's shape is known."""
    if type(want) is not type(known) or not isinstance(want, (TensorStructInfo, ShapeStructInfo)):
        return None
    is_tensor = isinstance(want, TensorStructInfo)
    if is_tensor and want.dtype is not None and want.dtype != known.dtype:
        return None
    new, old = (want.dims, known.dims) if is_tensor else (want.values, known.values)
    if not new or not old or len(new) != len(old) or len(set(new)) < len(new):
        return None
    if not all(isinstance(v, prim.Var) and v not in defined for v in new):
        return None
    return dict(zip(new, old))
