"""From LLVM IR to machine code in this process: verify, optimise, load."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from ...ir.errors import BuildError
from .openmp import openmp_symbols


@dataclass(frozen=True)
class MachineCode:
    """A loaded unit: its optimised IR, assembly, object code, and the address of the entry.

    `tracker` keeps the code in memory."""

    llvm_ir: str
    assembly: str
    address: int
    tracker: object


@cache
def machine(cpu: str = "") -> llvm.TargetMachine:
    """The target machine of this host, or of a CPU of its family."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = "" if cpu else llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=cpu or llvm.get_host_cpu_name(), features=features,
                                        opt=3, reloc="pic", codemodel="small")


@cache
def _jit() -> llvm.LLJIT:
    machine()
    # a machine of its own: the JIT takes it over
    target = llvm.Target.from_default_triple()
    return llvm.create_lljit_compiler(
        target.create_target_machine(cpu=llvm.get_host_cpu_name(), opt=3, reloc="pic",
                                     codemodel="small"), suppress_errors=True)


@cache
def vector_bytes() -> int:
    """Bytes of the widest vector register."""
    machine()
    features = llvm.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


_numbers = itertools.count()


def compile_ir(text: str, entry: str, cpu: str = "") -> MachineCode:
    """Verifies, optimises and loads a module. Raises BuildError where LLVM complains."""
    tm = machine(cpu)
    try:
        module = llvm.parse_assembly(text)
        module.triple, module.data_layout = tm.triple, str(tm.target_data)
        module.verify()
    except RuntimeError as e:
        raise BuildError(f"the generated LLVM code is not valid: {e}",
                         hint="this is a mistake of the code generator, please report it") from e
    optimise(module, tm)
    try:
        return _load(module, tm, entry)
    except RuntimeError as e:
        raise BuildError(f"the machine code cannot be loaded: {e}") from e


def optimise(module: llvm.ModuleRef, tm: llvm.TargetMachine) -> None:
    """LLVM's O3 pipeline, for the target's widest vectors."""
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    options.loop_interleaving = options.loop_unrolling = True
    builder = llvm.create_pass_builder(tm, options)
    builder.getModulePassManager().run(module, builder)


def _load(module: llvm.ModuleRef, tm: llvm.TargetMachine, entry: str) -> MachineCode:
    llvm_ir = str(module)
    assembly = tm.emit_assembly(module)
    library = llvm.JITLibraryBuilder().add_object_img(tm.emit_object(module))
    library.add_current_process().export_symbol(entry)
    for name, address in openmp_symbols().items():
        if name in llvm_ir:
            library.import_symbol(name, address)
    tracker = library.link(_jit(), f"unit{next(_numbers)}")
    return MachineCode(llvm_ir, assembly, tracker[entry], tracker)
