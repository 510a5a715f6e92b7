"""`build`: a module at any stage becomes something to call."""

from __future__ import annotations

from collections.abc import Callable

from ..ir.errors import StructInfoError, TransformError
from ..ir.module import IRModule, as_module
from ..ir.tir import BaseFunc
from ..ir.transform import apply
from ..target import Target, parse_target
from ..transforms.relax.legalize_ops import LegalizeOps
from .executable import Executable
from .graph import compile_graph
from .kernel import compile_kernel
from .tensor_function import TensorFunction


def build(mod: IRModule | BaseFunc, target: str | Target = "native", *,
          checked: bool = True,
          progress: Callable[[int, int], None] | None = None) -> Executable:
    """Machine code for the functions of a module, at whatever stage it is.

    Operators that are not legalized yet are so on the way; those without a computation run their
    NumPy reference. Blocks and buffers are lowered on the way. The module itself stays as it is.

    target: "native", with `-threads=N` for the threads of parallel loops (all cores by default).
    checked: an access that is not proven to stay inside of its buffer is checked when it runs;
        with False it is not, and a wrong program may crash the process.
    progress: is called before each tensor program with the number of those that are done and of
        all; what it raises ends the build.
    Raises BuildError where there is no machine code for something."""
    mod = as_module(mod)
    target = parse_target(target)
    whole = _legalized(mod)
    callees: dict[str, Callable] = {}
    for k, name in enumerate(whole.prim_funcs):
        if progress is not None:
            progress(k, len(whole.prim_funcs))
        kernel = compile_kernel(whole, name, target, checked)
        callees[name] = TensorFunction(name, kernel)
    compile_graph(whole, callees)
    return Executable(mod, target, callees)


def _legalized(mod: IRModule) -> IRModule:
    """The module with operators as tensor programs; as it is if one of them cannot be."""
    if not mod.graph_funcs:
        return mod
    try:
        return apply(LegalizeOps(), mod)
    except (StructInfoError, TransformError):
        return mod
