"""The way a schedule was made: a list of plain instructions that print as Python and replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..ir.errors import ScheduleError
from ..ir.node import Node
from ..ir.prim import FloatImm, IntImm, StringImm
from .handles import BlockRV, ExprRV, Handle, LoopRV
from .signature import PRIMITIVES

_LETTER = {BlockRV: "b", LoopRV: "l", ExprRV: "v"}


@dataclass(frozen=True)
class Instruction:
    """One call of a primitive: positional `args` (for `*loops`), named `kwargs`, and `outputs`.

    `single` tells that the primitive returned one handle and not a list. `decision` is what a
    sampling primitive chose."""

    name: str
    args: tuple
    kwargs: Mapping[str, object]
    outputs: tuple[Handle, ...] = ()
    single: bool = False
    decision: object = None


@dataclass
class Trace:
    """The instructions of a schedule, in order."""

    insts: list[Instruction] = field(default_factory=list)

    def append(self, inst: Instruction) -> None:
        self.insts.append(inst)

    def __len__(self) -> int:
        return len(self.insts)

    def apply_to(self, sch) -> None:
        """Does the same on another schedule, decisions kept. Raises ScheduleError where a step is
        not legal there; the steps before it stay."""
        known: dict[Handle, Handle] = {}
        for inst in self.insts:
            args = [_map(a, known) for a in inst.args]
            kwargs = {k: _map(v, known) for k, v in inst.kwargs.items()}
            if inst.decision is not None:
                kwargs["decision"] = inst.decision
            if inst.name not in PRIMITIVES and inst.name != "get_sblock":
                raise ScheduleError(f"there is no primitive {inst.name!r}")
            result = getattr(sch, inst.name)(*args, **kwargs)
            outs = [result] if inst.single else result or []
            known.update(zip(inst.outputs, outs))

    def as_python(self) -> str:
        """The trace as a Python function `apply_trace(sch)`."""
        lines = [_line(*parts) for parts in texts(self)]
        return "\n    ".join(["def apply_trace(sch) -> None:", *(lines or ["pass"])]) + "\n"

    def __str__(self) -> str:
        return self.as_python()


def _map(value, known: Mapping[Handle, Handle]):
    if isinstance(value, Handle):
        return known.get(value, value)
    if isinstance(value, (list, tuple)):
        return type(value)(_map(v, known) for v in value)
    if isinstance(value, dict):
        return {k: _map(v, known) for k, v in value.items()}
    return value


def texts(trace: Trace) -> Iterator[tuple[Instruction, list[str], list[str], dict[str, str]]]:
    """Each instruction with the names of its results and its arguments as Python text."""
    names: dict[Handle, str] = {}
    for inst in trace.insts:
        args = [_text(a, names) for a in inst.args]
        kwargs = {k: _text(v, names) for k, v in inst.kwargs.items()}
        for h in inst.outputs:
            names[h] = f"{_LETTER[type(h)]}{len(names)}"
        yield inst, [names[h] for h in inst.outputs], args, kwargs


def _line(inst: Instruction, outputs: list[str], args: list[str], kwargs: dict[str, str]) -> str:
    given = [*args, *(f"{k}={v}" for k, v in kwargs.items())]
    if inst.decision is not None:
        given.append(f"decision={inst.decision!r}")
    call = f"sch.{inst.name}({', '.join(given)})"
    if not outputs:
        return call
    return f"{', '.join(outputs)}{'' if inst.single or len(outputs) > 1 else ','} = {call}"


def _text(value, names: Mapping[Handle, str]) -> str:
    if isinstance(value, Handle):
        return names.get(value, repr(value))
    if isinstance(value, (list, tuple)):
        inner = ", ".join(_text(v, names) for v in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_text(v, names)}" for k, v in value.items()) + "}"
    if isinstance(value, (IntImm, FloatImm, StringImm)):
        return repr(value.value)
    if isinstance(value, Node):
        return value.script()
    return getattr(value, "source_text", None) or repr(value)
