"""Compiled tensor programs: how they are made, kept, and what an error code of theirs means."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ..ir import prim
from ..ir.errors import BoundsError, BuildError, RuntimeCallError, UnityLabError
from ..ir.module import IRModule
from ..ir.node import FrozenDict
from ..ir.structural import structural_equal, structural_hash
from ..ir.tir import PrimFunc
from ..ir.visitor import collect
from ..pipelines.lower import lower
from ..target import Target, cpu_of
from . import object_cache
from .interrupt import STOP, interruptible
from .llvm import unit as codes
from .llvm.functions import emit_unit, readable
from .llvm.jit import MachineCode, compile_ir, fingerprint, listing, load
from .llvm.openmp import NONE, openmp_interface
from .llvm.signature import Signature, signature_of, written_buffers
from .llvm.unit import Unit

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
    target: Target
    source: Source
    run: object

    @property
    def unit(self) -> Unit:
        """The LLVM module and the places that can fail; generated anew if the machine code came
        from the cache."""
        return self.source.unit

    @property
    def places(self) -> tuple[codes.Place, ...]:
        return tuple(self.unit.places)

    @property
    def unoptimised(self) -> str:
        """The LLVM IR as it was generated."""
        return str(self.unit.module)

    @cached_property
    def listing(self) -> tuple[str, str]:
        """The LLVM IR after optimisation, and the assembly."""
        return listing(self.unoptimised, self.target.cpu)

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
        if code == codes.STOPPED:  # and the handler of the signal did not raise
            return RuntimeCallError(f"{self.name}: stopped by an interrupt{block}",
                                    span=place.span)
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
    _refuse_recursion(name, dict(family))
    key = (structural_hash(_anonymous(func)), target, checked)
    for other, callees, kernel in _cache.get(key, ()):
        if _same(func, other, family, callees):
            return _with_names_of(kernel, Source.of(mod, name, target, checked, family))
    kernel = _compile(Source.of(mod, name, target, checked, family))
    _cache.setdefault(key, []).append((func, tuple(f for _, f in family), kernel))
    return kernel


@dataclass(frozen=True)
class Source:
    """What a kernel is made from: a program, those that it calls, and how."""

    name: str
    part: IRModule
    target: Target
    options: FrozenDict

    @staticmethod
    def of(mod: IRModule, name: str, target: Target, checked: bool, family) -> Source:
        names = {n for n, _ in family}
        parallel = openmp_interface() if target.threads > 1 else NONE
        return Source(name, IRModule(FrozenDict({n: mod[n] for n in mod if n in names})), target,
                      FrozenDict(checked=checked, threads=target.threads, cpu=cpu_of(target.cpu),
                                 parallel_runtime=parallel))

    @property
    def func(self) -> PrimFunc:
        return self.part[self.name]

    @property
    def entry(self) -> str:
        """No name of the C library, whatever the program is called."""
        return f"{readable(self.name)}.entry"

    @cached_property
    def unit(self) -> Unit:
        """The LLVM module and the places that can fail, generated when they are asked for."""
        return emit(self.part, self.name, self.entry, dict(self.options))


def _with_names_of(kernel: Kernel, source: Source) -> Kernel:
    """The machine code of an equal program, which speaks of `source` when something is wrong."""
    if kernel.name == source.name and kernel.func is source.func:
        return kernel
    return replace(kernel, name=source.name, func=source.func,
                   signature=signature_of(source.func), source=source)


def _anonymous(func: PrimFunc) -> PrimFunc:
    return func.replace(attrs=FrozenDict())


def _same(a: PrimFunc, b: PrimFunc, family, callees) -> bool:
    if len(family) != len(callees):
        return False
    return structural_equal(_anonymous(a), _anonymous(b)) and all(
        structural_equal(f, g) for (_, f), g in zip(family[1:], callees[1:]))


def _refuse_recursion(name: str, family: dict[str, PrimFunc]) -> None:
    """Raises BuildError for programs that call themselves: nothing bounds the stack they need."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise BuildError(f"{name} calls itself ({' -> '.join((*path, name))})",
                             span=family[name].span, hint="write the repetition as a loop")
        if name in done or name not in family:
            return
        for callee in _callees(family[name]):
            visit(callee, (*path, name))
        done.add(name)
    visit(name, ())


def _callees(func: PrimFunc) -> list[str]:
    return [c.op.name for c in collect(func.body, prim.Call) if isinstance(c.op, prim.GlobalVar)]


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
        todo += _callees(func)


def _compile(source: Source) -> Kernel:
    place = object_cache.key(_content(source.part), source.name, str(dict(source.options)),
                             fingerprint(source.target.cpu))
    code = _from_cache(place, source.entry)
    if code is None:
        code = compile_ir(str(source.unit.module), source.entry, source.target.cpu)
        object_cache.write(place, code.object_code)
    run = _ENTRY(code.address)
    if STOP.encode() in code.object_code:
        run = interruptible(run)
    func = source.func
    return Kernel(source.name, func, signature_of(func), written_buffers(func), code,
                  source.target, source, run)


def _from_cache(place: str, entry: str) -> MachineCode | None:
    body = object_cache.read(place)
    try:
        return load(body, entry) if body is not None else None
    except BuildError:
        return None


_SPAN = re.compile(r',?"span":\{"span":\[[-\d,]*\]\}')


def _content(part: IRModule) -> str:
    """The functions as text without the places that they were written in."""
    return "\n".join(f"{n}: {_without_spans(f.to_json())}" for n, f in part.items())


def _without_spans(text: str) -> str:
    return _SPAN.sub("", text.partition('"arrays"')[2])


def emit(part: IRModule, name: str, entry: str, options: dict, located: bool = False) -> Unit:
    """The LLVM module of a program and those that it calls. Raises BuildError."""
    func = part[name]
    try:
        return emit_unit(lower(part), name, entry, located, **options)
    except UnityLabError:
        raise
    except RecursionError as e:
        raise BuildError(f"{name}: the program is nested too deeply", span=func.span) from e
    except Exception as e:
        raise BuildError(f"{name}: code generation failed: {type(e).__name__}: {e}",
                         span=func.span) from e
