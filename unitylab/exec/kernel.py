"""Compiled tensor programs: what they are made from, and what an error code of theirs means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from ..ir.errors import BoundsError, BuildError, RuntimeCallError, UnityLabError
from ..ir.module import IRModule
from ..ir.node import FrozenDict
from ..ir.tir import PrimFunc
from ..pipelines.lower import lower
from ..target import Target, cpu_of
from .family import Family
from .llvm import unit as codes
from .llvm.functions import emit_unit, readable
from .llvm.jit import MachineCode, listing
from .llvm.openmp import NONE, openmp_interface
from .llvm.signature import Signature, signature_of
from .llvm.unit import Unit


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

    def under(self, source: Source) -> Kernel:
        """The machine code of an equal program, which speaks of `source` when something is
        wrong."""
        if self.name == source.name and self.func is source.func:
            return self
        return replace(self, name=source.name, func=source.func,
                       signature=signature_of(source.func), source=source)

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
        if code == codes.OUTSIDE:
            first, last, size = record[2:5]
            return BoundsError(
                f"{self.name}: buffer {place.buffer.name!r} reaches outside of its memory{block}: "
                f"elements {first} to {last}, the memory has {size}", span=place.span,
                hint="check shape, strides and elem_offset of the view")
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


@dataclass(frozen=True)
class Source:
    """What a kernel is made from: a program, those that it calls, and how."""

    name: str
    part: IRModule
    target: Target
    options: FrozenDict

    @staticmethod
    def of(family: Family, target: Target, checked: bool) -> Source:
        parallel = openmp_interface() if target.threads > 1 else NONE
        return Source(family.name, IRModule(family.functions), target,
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
