"""From LLVM IR to object code. Needs llvmlite alone: processes that only compile load this file by
itself."""

from __future__ import annotations

import re

import llvmlite.binding as llvm


def object_code(text: str, tm: llvm.TargetMachine, passes: bool = True) -> bytes:
    """Verifies, optimises and compiles a module. Raises RuntimeError where LLVM complains."""
    module = optimised(text, tm) if passes else verified(text, tm)
    return tm.emit_object(module)


def optimised(text: str, tm: llvm.TargetMachine) -> llvm.ModuleRef:
    """The module after LLVM's passes. Raises RuntimeError where LLVM complains."""
    module = verified(text, tm)
    optimise(module, tm, 2 if _VECTORS.search(text) else 3)
    return module


def verified(text: str, tm: llvm.TargetMachine) -> llvm.ModuleRef:
    """The module for a target machine, as it is. Raises RuntimeError where LLVM complains."""
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = tm.triple, str(tm.target_data)
    module.verify()
    return module


# a program that says its vectors is unrolled as far as it pays: O3's larger limits would double
# the code and the time to compile it, for the same speed
_VECTORS = re.compile(r"<\d+ x (float|double|half|bfloat|i\d+)>")


def optimise(module: llvm.ModuleRef, tm: llvm.TargetMachine, level: int) -> None:
    """LLVM's O2 or O3 pipeline, for the target's widest vectors."""
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = options.slp_vectorization = True
    options.loop_interleaving = options.loop_unrolling = True
    builder = llvm.create_pass_builder(tm, options)
    builder.getModulePassManager().run(module, builder)
