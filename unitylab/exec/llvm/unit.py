"""One unit of compilation: an LLVM module with a tensor program and all that it calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from llvmlite import ir

from ...ir.errors import Span
from ...ir.module import IRModule
from ...ir.tir import Buffer
from ...target import Cpu
from .lines import Lines
from .types import I64

# what a kernel returns, and what the record's first word says
OK, OUT_OF_BOUNDS, DIVISION_BY_ZERO, NO_MEMORY, ASSERTION, STOPPED, OUTSIDE = range(7)
RECORD_WORDS = 8  # code, place, index, dimension, extent; word 5 is a returned value


@dataclass(frozen=True)
class Place:
    """Where in the program something can fail: the error record holds its number."""

    buffer: Buffer | None
    block: str
    span: Span | None
    message: str = ""


@dataclass
class Unit:
    """The module under construction, and what errors at run time refer to."""

    mod: IRModule
    module: ir.Module
    checked: bool = True
    threads: int = 1
    parallel_runtime: str = ""  # the interface of the OpenMP runtime, or none
    cpu: Cpu = Cpu()
    places: list[Place] = field(default_factory=list)
    functions: dict[str, ir.Function] = field(default_factory=dict)
    arguments: set[Buffer] = field(default_factory=set)  # tensors of more than one dimension
    outlined: int = 0
    lines: Lines | None = None  # for a listing: where each instruction comes from

    def place(self, place: Place) -> ir.Constant:
        """The number of a place."""
        self.places.append(place)
        return ir.Constant(I64, len(self.places) - 1)
