"""LLVM's target machines: of this host, of a CPU of its family, of another family."""

from __future__ import annotations

from functools import cache

import llvmlite.binding as llvm


@cache
def machine(cpu: str = "", triple: str = "") -> llvm.TargetMachine:
    """The target machine of this host (no name), or of a CPU by LLVM's name. `triple`: of another
    family of processors, whose code cannot run here."""
    _initialize(bool(triple))
    target = llvm.Target.from_triple(triple) if triple else llvm.Target.from_default_triple()
    native = not cpu and not triple
    return target.create_target_machine(
        cpu=cpu or ("generic" if triple else llvm.get_host_cpu_name()),
        features=llvm.get_host_cpu_features().flatten() if native else "",
        opt=3, reloc="pic", codemodel="small")


@cache
def _initialize(every: bool) -> None:
    (llvm.initialize_all_targets if every else llvm.initialize_native_target)()
    (llvm.initialize_all_asmprinters if every else llvm.initialize_native_asmprinter)()
