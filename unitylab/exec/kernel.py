"""Compiled tensor programs: how they are made, kept, and what an error code of theirs means."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

from ..ir import prim
from ..ir.errors import BoundsError, BuildError, RuntimeCallError, UnityLabError
from ..ir.module import IRModule
from ..ir.node import FrozenDict
from ..ir.structural import structural_equal, structural_hash
from ..ir.tir import PrimFunc
from ..ir.visitor import collect
from ..pipelines.lower import lower
from .llvm import unit as codes
from .llvm.functions import emit_unit, readable
from .llvm.jit import MachineCode, compile_ir, vector_bytes
from .llvm.openmp import openmp_symbols
from .llvm.signature import Signature, signature_of, written_buffers
from .target import Target

_ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


@dataclass(frozen=True)
class Kernel:
    """A tensor program in machine code.

    `run(address_of_words)` returns 0 or an error code, see `llvm.signature` for the words."""

    name: str
    func: PrimFunc
    signature: Signature
    written: frozenset[int]
    code: MachineCode
    unoptimised: str
    places: tuple[codes.Place, ...]
    run: object

    def error(self, code: int, record) -> UnityLabError:
        """What the record says as an error."""
        place = self.places[record[1]]
        block = f" in block {place.block!r}" if place.block else ""
        if code == codes.OUT_OF_BOUNDS:
            return self._out_of_bounds(place, block, *record[2:5])
        if code == codes.DIVISION_BY_ZERO:
            return RuntimeCallError(f"{self.name}: integer division by zero{block}",
                                    span=place.span)
        if code == codes.NO_MEMORY:
            name = place.buffer.name if place.buffer else "a buffer"
            return RuntimeCallError(f"{self.name}: no memory for {name!r} ({record[2]} bytes "
                                    "or a negative size)", span=place.span)
        return RuntimeCallError(f"{self.name}: assertion failed{block}: {place.message}",
                                span=place.span)

    def _out_of_bounds(self, place, block: str, index: int, dim: int, extent: int) -> BoundsError:
        return BoundsError(
            f"{self.name}: index {index} is outside of dimension {dim} of {place.buffer.name!r}, "
            f"which has size {extent}{block}", span=place.span,
            hint="check the loop extents and the index expression")


_cache: dict[tuple, list[tuple[PrimFunc, tuple[PrimFunc, ...], Kernel]]] = {}


def compile_kernel(mod: IRModule, name: str, target: Target, checked: bool) -> Kernel:
    """The kernel of a tensor program; equal programs are compiled once a process."""
    func = mod[name]
    family = tuple(_family(mod, name))
    key = (structural_hash(_anonymous(func)), target, checked)
    for other, callees, kernel in _cache.get(key, ()):
        if _same(func, other, family, callees):
            return _renamed(kernel, name, func)
    kernel = _compile(mod, name, target, checked, {n for n, _ in family})
    _cache.setdefault(key, []).append((func, tuple(f for _, f in family), kernel))
    return kernel


def _renamed(kernel: Kernel, name: str, func: PrimFunc) -> Kernel:
    if kernel.name == name and kernel.func is func:
        return kernel
    return Kernel(name, kernel.func, kernel.signature, kernel.written, kernel.code,
                  kernel.unoptimised, kernel.places, kernel.run)


def _anonymous(func: PrimFunc) -> PrimFunc:
    return func.replace(attrs=FrozenDict())


def _same(a: PrimFunc, b: PrimFunc, family, callees) -> bool:
    if len(family) != len(callees):
        return False
    return structural_equal(_anonymous(a), _anonymous(b)) and all(
        structural_equal(f, g) for (_, f), g in zip(family[1:], callees[1:]))


def _family(mod: IRModule, name: str) -> Iterator[tuple[str, PrimFunc]]:
    """A tensor program and those that it calls."""
    seen, todo = set(), [name]
    while todo:
        name = todo.pop()
        func = mod.functions.get(name)
        if name in seen or not isinstance(func, PrimFunc):
            continue
        seen.add(name)
        yield name, func
        todo += [c.op.name for c in collect(func.body, prim.Call)
                 if isinstance(c.op, prim.GlobalVar)]


def _compile(mod: IRModule, name: str, target: Target, checked: bool, names: set[str]) -> Kernel:
    func = mod[name]
    part = lower(IRModule(FrozenDict({n: mod[n] for n in mod if n in names})))
    entry = f"{readable(name)}.entry"  # no name of the C library, whatever the program is called
    parallel = target.threads > 1 and bool(openmp_symbols())
    try:
        unit = emit_unit(part, name, entry, checked=checked, threads=target.threads,
                         parallel_runtime=parallel, vector_bytes=vector_bytes())
        text = str(unit.module)
    except UnityLabError:
        raise
    except RecursionError as e:
        raise BuildError(f"{name}: the program is nested too deeply", span=func.span) from e
    except Exception as e:
        raise BuildError(f"{name}: code generation failed: {type(e).__name__}: {e}",
                         span=func.span) from e
    code = compile_ir(text, entry, target.cpu)
    return Kernel(name, func, signature_of(func), written_buffers(func), code, text,
                  tuple(unit.places), _ENTRY(code.address))
