"""Symbolic variables of graph functions: defined by whole dimensions, then used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..ir import prim
from ..ir.node import Node
from ..ir.struct_info import (
    FuncStructInfo,
    PrimStructInfo,
    ShapeStructInfo,
    StructInfo,
    TensorStructInfo,
    TupleStructInfo,
)
from ..ir.visitor import walk
from .report import Report


class Symbols:
    """The symbolic variables that are known at a place."""

    def __init__(self, report: Report):
        self.report = report
        self.known: set[int] = set()
        self._keep: list[prim.Var] = []

    def save(self) -> set[int]:
        """What is known now, for `restore`."""
        return set(self.known)

    def restore(self, known: set[int]) -> None:
        """Back to what was known."""
        self.known = known

    def define_params(self, infos: Iterable[StructInfo | None]) -> None:
        """The whole dimensions of the parameters are variables that the caller gives."""
        for info in infos:
            if info is not None:
                self.define_by_match(info)

    def define_by_match(self, info: StructInfo) -> None:
        """What a value of this struct info defines."""
        for v in defining(info):
            self.known.add(id(v))
            self._keep.append(v)

    def check(self, info: StructInfo, at: Node) -> None:
        """All variables in a struct info are known. A function's own are its business."""
        if isinstance(info, FuncStructInfo):
            return
        if isinstance(info, TupleStructInfo):
            for f in info.fields or ():
                self.check(f, at)
            return
        for e in sizes(info):
            self.expression(e, at)

    def expression(self, e: Node, at: Node) -> None:
        """All variables in an expression are known."""
        if type(e) is prim.IntImm:
            return
        for n in walk(e):
            if type(n) is prim.Var and id(n) not in self.known:
                self.report.say(
                    "symbolic-variable", f"the symbolic variable {n.name!r} is not defined", at,
                    "it is defined by a parameter or match_cast that has it as a whole dimension")


def sizes(info: StructInfo) -> tuple[Node, ...]:
    """The expressions in a struct info, not those of its fields."""
    if isinstance(info, TensorStructInfo):
        return info.dims or ()
    if isinstance(info, ShapeStructInfo):
        return info.values or ()
    if isinstance(info, PrimStructInfo):
        return () if info.value is None else (info.value,)
    return ()


def defining(info: StructInfo) -> Iterator[prim.Var]:
    """The variables that stand alone as a dimension or value."""
    if isinstance(info, TupleStructInfo):
        for f in info.fields or ():
            yield from defining(f)
    else:
        yield from (e for e in sizes(info) if type(e) is prim.Var)
