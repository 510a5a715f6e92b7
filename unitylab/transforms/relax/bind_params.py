"""`BindParams`: parameters of a graph function become constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...ir.errors import TransformError, did_you_mean
from ...ir.infer import match_info
from ...ir.module import IRModule
from ...ir.node import EMPTY, FrozenDict
from ...ir.relax import Constant, Function, Var, const
from ...ir.transform import Pass, Recorder
from .binding_mutator import BindingMutator, declared_result


@dataclass(frozen=True)
class BindParams(Pass):
    """Binds parameters of the graph function `func_name` to arrays, by name. Symbolic sizes that
    the arrays determine become numbers.

    params: {"w": array, ...}; dtype and shape must fit. Raises TransformError otherwise."""

    func_name: str = "main"
    params: FrozenDict = EMPTY

    def __post_init__(self):
        given = {getattr(k, "name", k): v for k, v in dict(self.params).items()}
        object.__setattr__(self, "params", FrozenDict(given))

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        func = mod[self.func_name]
        if not isinstance(func, Function):
            raise TransformError(f"{self.func_name!r} is not a graph function")
        known = {p.name for p in func.params}
        unknown = [n for n in self.params if n not in known]
        if unknown:
            raise TransformError(f"{self.func_name} has no parameter {unknown[0]!r}",
                                 hint=did_you_mean(
                unknown[0], known, f"it has: {', '.join(p.name for p in func.params)}"))
        chosen = {p: as_argument(p, self.params[p.name]) for p in func.params
                  if p.name in self.params and recorder.wants("bind", p)}
        if not chosen:
            return mod
        new = bind(mod, self.func_name, func, chosen, recorder)
        return mod.with_functions({self.func_name: new})


def as_argument(param: Var, value) -> Constant:
    """The constant for a parameter."""
    return value if isinstance(value, Constant) else const(np.asarray(value))


def bind(mod: IRModule, name: str, func: Function, chosen: Mapping[Var, Constant],
         recorder: Recorder) -> Function:
    """The function without the chosen parameters."""
    sizes: dict = {}
    for p, c in chosen.items():
        why = match_info(p.struct_info, c.struct_info, sizes)
        if why:
            raise TransformError(f"{name}: {p.name!r} cannot be bound: {why}", span=p.span)
    mutator = Rebinder(mod, name, recorder)
    for old, new in (*sizes.items(), *chosen.items()):
        mutator.define(old, new)
    for p, c in chosen.items():
        recorder.record("bind", p, c, name)
    kept = func.replace(params=tuple(p for p in func.params if p not in chosen))
    return declared_result(mutator.visit(kept), func)


class Rebinder(BindingMutator):
    """Infers anew what the bindings are, as more becomes known."""

    def visit_VarBinding(self, binding):
        new = self.rebuild(binding)
        if new is binding:
            return new
        refined = self.refined(new)
        if refined.var is not new.var:
            self.define(binding.var, refined.var)
        return refined
