"""`BindSymbolicVars`: symbolic sizes become numbers."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.errors import TransformError
from ...ir.module import IRModule
from ...ir.node import EMPTY, FrozenDict
from ...ir.prim import PrimExpr, Var, literal
from ...ir.relax import Function
from ...ir.transform import Pass, Recorder
from ...ir.visitor import BUILD, collect
from .bind_params import Rebinder
from .binding_mutator import declared_result


@dataclass(frozen=True)
class BindSymbolicVars(Pass):
    """Gives symbolic sizes of graph functions values: `{"n": 16}`, by name or by variable.

    func_name: the function; all of them if None. Raises TransformError for a name that no
    function knows."""

    binding_map: FrozenDict = EMPTY
    func_name: str | None = None

    def __post_init__(self):
        object.__setattr__(self, "binding_map", FrozenDict(self.binding_map))

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        names = [self.func_name] if self.func_name else list(mod.graph_funcs)
        changes, used = {}, set()
        for name in names:
            func = mod[name]
            chosen = {v: self._value(v) for v in collect(func, Var) if self._value(v) is not None}
            used |= set(chosen) | {v.name for v in chosen}
            chosen = {v: x for v, x in chosen.items() if recorder.wants("bind", v)}
            if chosen:
                changes[name] = _bind(mod, name, func, chosen, recorder)
        missing = [getattr(k, "name", k) for k in self.binding_map if k not in used]
        if missing:
            raise TransformError(f"no symbolic size is called {missing[0]!r}",
                                 hint="the sizes are named in the struct info of the parameters")
        return mod.with_functions(changes)

    def _value(self, v: Var) -> PrimExpr | None:
        value = self.binding_map.get(v, self.binding_map.get(v.name))
        return None if value is None else literal(value, v.dtype)


def _bind(mod, name, func, chosen, recorder) -> Function:
    mutator = _Folding(mod, name, recorder)
    for var, value in chosen.items():
        mutator.define(var, value)
        recorder.record("bind", var, value, name)
    return declared_result(mutator.visit(func), func)


class _Folding(Rebinder):
    """Folds the literals that meet."""

    def visit_BinaryExpr(self, e):
        new = self.rebuild(e)
        build = BUILD.get(type(new))
        return build(new.a, new.b) if build and new is not e else new
