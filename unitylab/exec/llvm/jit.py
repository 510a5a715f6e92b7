"""From LLVM IR to machine code in this process: verify, optimise, load."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from ...ir.errors import BuildError
from ...target.machine import machine
from ..interrupt import STOP, stop
from .openmp import openmp_symbols


@dataclass(frozen=True)
class MachineCode:
    """A loaded unit: its object code and the address of the entry.

    `tracker` keeps the code in memory."""

    object_code: bytes
    address: int
    tracker: object


@cache
def _jit() -> llvm.LLJIT:
    machine()
    # a machine of its own: the JIT takes it over
    target = llvm.Target.from_default_triple()
    return llvm.create_lljit_compiler(
        target.create_target_machine(cpu=llvm.get_host_cpu_name(), opt=3, reloc="pic",
                                     codemodel="small"), suppress_errors=True)


_numbers = itertools.count()


def compile_ir(text: str, entry: str, cpu: str = "") -> MachineCode:
    """Verifies, optimises and loads a module. Raises BuildError where LLVM complains."""
    return load(object_code(text, cpu), entry)


def object_code(text: str, cpu: str = "", passes: bool = True) -> bytes:
    """Verifies, optimises and compiles a module. Raises BuildError where LLVM complains."""
    tm = machine(cpu)
    return tm.emit_object(_optimised(text, tm) if passes else _verified(text, tm))


def listing(text: str, cpu: str = "", triple: str = "") -> tuple[str, str]:
    """The IR after optimisation, and the assembly; `triple`: for another family of processors."""
    tm = machine(cpu, triple)
    module = _optimised(text, tm)
    return str(module), tm.emit_assembly(module)


def fingerprint(cpu: str = "") -> str:
    """What machine code depends on besides the program."""
    tm = machine(cpu)
    features = llvm.get_host_cpu_features().flatten() if not cpu else ""
    return f"{tm.triple} {cpu or llvm.get_host_cpu_name()} {features} {llvm.llvm_version_info}"


def _optimised(text: str, tm: llvm.TargetMachine) -> llvm.ModuleRef:
    module = _verified(text, tm)
    optimise(module, tm)
    return module


def _verified(text: str, tm: llvm.TargetMachine) -> llvm.ModuleRef:
    try:
        module = llvm.parse_assembly(text)
        module.triple, module.data_layout = tm.triple, str(tm.target_data)
        module.verify()
    except RuntimeError as e:
        raise BuildError(f"the generated LLVM code is not valid: {e}",
                         hint="this is a mistake of the code generator, please report it") from e
    return module


def optimise(module: llvm.ModuleRef, tm: llvm.TargetMachine) -> None:
    """LLVM's O3 pipeline, for the target's widest vectors."""
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    options.loop_interleaving = options.loop_unrolling = True
    builder = llvm.create_pass_builder(tm, options)
    builder.getModulePassManager().run(module, builder)


def load(object_code: bytes, entry: str, symbols: Mapping[str, int] = {}) -> MachineCode:
    """Object code as something to call. Raises BuildError if it does not link.

    symbols: addresses of what it uses, besides what the process exports."""
    library = llvm.JITLibraryBuilder().add_object_img(object_code)
    library.add_current_process().export_symbol(entry)
    for name, address in symbols.items():
        library.import_symbol(name, address)
    for name, address in openmp_symbols().items():
        if name.encode() in object_code:
            library.import_symbol(name, address)
    if STOP.encode() in object_code:
        library.import_symbol(STOP, ctypes.addressof(stop))
    try:
        tracker = library.link(_jit(), f"unit{next(_numbers)}")
    except RuntimeError as e:
        raise BuildError(f"the machine code cannot be loaded: {e}") from e
    return MachineCode(object_code, tracker[entry], tracker)
