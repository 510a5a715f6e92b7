"""`build`: a module at any stage becomes something to call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from weakref import WeakKeyDictionary

from ..ir.errors import StructInfoError, TransformError
from ..ir.module import IRModule, as_module
from ..ir.op import Op
from ..ir.relax import Call
from ..ir.tir import BaseFunc
from ..ir.transform import Pass, Sequential, as_pass
from ..ir.visitor import collect
from ..pipelines import default, find_pipeline, legalize
from ..target import Target, parse_target
from .compiling import compile_kernels
from .executable import Executable
from .graph import compile_graph
from .tensor_function import TensorFunction


def build(mod: IRModule | BaseFunc, target: str | Target = "native", *,
          pipeline: str | Pass | Sequence[Pass] = default, checked: bool = True,
          progress: Callable[[int, int], None] | None = None) -> Executable:
    """Machine code for the functions of a module, at whatever stage it is.

    Where the graph still has operators, `pipeline` fuses, legalizes and schedules them first;
    operators without a computation run their NumPy reference. Tensor programs that are there
    already are compiled as they are written: blocks and buffers are lowered on the way. The
    module itself stays as it is; `compiled` of the result is the module after the pipeline.

    target: "native", with `-threads=N` for the threads of parallel loops (all cores by default).
    pipeline: the passes for graphs with operators, or a name of `ul.pipelines`: "legalize" keeps
        each operator a kernel of its own, without a schedule. Passes with an option `skip` leave
        the tensor programs that are there alone, those with a `target` have this one unless they
        say another.
    checked: an access that is not proven to stay inside of its buffer is checked when it runs;
        with False it is not, and a wrong program may crash the process.
    progress: is called before each step with the number of tensor programs that are done and of
        all; what it raises ends the build.
    Raises BuildError where there is no machine code for something, TransformError where a
    pipeline of one's own fails."""
    mod = as_module(mod)
    target = parse_target(target)
    whole = whole_module(mod, target, pipeline)
    kernels = compile_kernels(whole, whole.prim_funcs, target, checked, progress)
    callees: dict[str, Callable] = {n: TensorFunction(n, k) for n, k in kernels.items()}
    compile_graph(whole, callees)
    return Executable(mod, target, callees, whole)


def whole_module(mod: IRModule, target: Target,
                 pipeline: str | Pass | Sequence[Pass] = default) -> IRModule:
    """The module with the tensor programs that `build` compiles, those of its operators too."""
    pipeline = as_pass(find_pipeline(pipeline))
    return _lowered(mod, pipeline, target) if _has_operators(mod) else mod


def _has_operators(mod: IRModule) -> bool:
    """Whether a graph calls an operator that says how it is computed."""
    return any(isinstance(c.op, Op) and c.op.te is not None
               for f in mod.graph_funcs.values() for c in collect(f, Call))


_OURS = (Sequential(default), Sequential(legalize))
# modules are values, and the pipelines here depend on nothing else: a module that is built again
# need not go through one again
_known: WeakKeyDictionary[IRModule, dict[tuple, IRModule]] = WeakKeyDictionary()


def _lowered(mod: IRModule, pipeline: Pass, target: Target) -> IRModule:
    """The module after the pipeline; after one of ours, as it is if an operator has no tensor
    program after all."""
    if pipeline not in _OURS:
        return _through(mod, pipeline, target)
    known = _known.setdefault(mod, {})
    found = known.get((pipeline, target))
    if found is None:
        try:
            found = _through(mod, pipeline, target)
        except (StructInfoError, TransformError):
            return mod
        if found is not mod:  # it would keep itself alive
            known[pipeline, target] = found
    return found


def _through(mod: IRModule, pipeline: Pass, target: Target) -> IRModule:
    options = {"target": str(target), "skip": frozenset(mod.prim_funcs)}
    return _with(pipeline, options)(mod)


def _with(p: Pass, options: dict) -> Pass:
    """The pass with those options that it has, where they were left at their defaults."""
    if isinstance(p, Sequential):
        return Sequential(_with(q, options) for q in p.passes)
    own = {f.name: options[f.name] for f in fields(p)
           if f.name in options and getattr(p, f.name) == f.default}
    return replace(p, **own) if own else p
