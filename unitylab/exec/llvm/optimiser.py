"""From LLVM IR to object code. Needs llvmlite alone: processes that only compile load this file by
itself."""

from __future__ import annotations

import llvmlite.binding as llvm


def object_code(text: str, tm: llvm.TargetMachine, passes: bool = True) -> bytes:
    """Verifies, optimises and compiles a module. Raises RuntimeError where LLVM complains."""
    module = optimised(text, tm) if passes else verified(text, tm)
    return tm.emit_object(module)


def optimised(text: str, tm: llvm.TargetMachine) -> llvm.ModuleRef:
    """The module after LLVM's passes. Raises RuntimeError where LLVM complains."""
    module = verified(text, tm)
    optimise(module, tm)
    return module


def verified(text: str, tm: llvm.TargetMachine) -> llvm.ModuleRef:
    """The module for a target machine, as it is. Raises RuntimeError where LLVM complains."""
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = tm.triple, str(tm.target_data)
    module.verify()
    return module


def optimise(module: llvm.ModuleRef, tm: llvm.TargetMachine) -> None:
    """LLVM's O3 pipeline, for the target's widest vectors."""
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    options.loop_interleaving = options.loop_unrolling = True
    builder = llvm.create_pass_builder(tm, options)
    builder.getModulePassManager().run(module, builder)
