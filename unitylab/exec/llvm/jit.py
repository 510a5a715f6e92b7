"""From LLVM IR to machine code in this process: verify, optimise, load."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from ...ir.errors import BuildError
from ...target.machine import machine
from ..interrupt import STOP, stop
from . import optimiser
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
    with _complaints():
        return optimiser.object_code(text, machine(cpu), passes)


def listing(text: str, cpu: str = "", triple: str = "") -> tuple[str, str]:
    """The IR after optimisation, and the assembly; `triple`: for another family of processors."""
    tm = machine(cpu, triple)
    with _complaints():
        module = optimiser.optimised(text, tm)
    return str(module), tm.emit_assembly(module)


@contextmanager
def _complaints() -> Iterator[None]:
    try:
        yield
    except RuntimeError as e:
        raise not_valid(str(e)) from e


def not_valid(complaint: str) -> BuildError:
    """What LLVM says of a module that it does not take."""
    return BuildError(f"the generated LLVM code is not valid: {complaint}",
                      hint="this is a mistake of the code generator, please report it")


def fingerprint(cpu: str = "") -> str:
    """What machine code depends on besides the program."""
    tm = machine(cpu)
    features = llvm.get_host_cpu_features().flatten() if not cpu else ""
    return f"{tm.triple} {cpu or llvm.get_host_cpu_name()} {features} {llvm.llvm_version_info}"


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
