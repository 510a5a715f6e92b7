"""`well_formed` and `complaints`: whether a module keeps the rules of the language."""

from __future__ import annotations

from ..ir.field_types import misfit
from ..ir.module import IRModule, as_module
from ..ir.relax import Function
from ..ir.tir import BaseFunc, PrimFunc
from ..ir.visitor import walk
from .graph import GraphChecker
from .report import Complaint, Enough, Report
from .tensor import TensorChecker

_ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError)


def complaints(mod: IRModule | BaseFunc) -> list[Complaint]:
    """All that is wrong with a module or function, in the order of the program; empty if it is
    well formed."""
    return _check(mod, Report()).complaints


def well_formed(mod: IRModule | BaseFunc) -> None:
    """Raises WellFormedError at the first broken rule, with the place and what to try.

    `complaints(mod)` lists all of them."""
    found = _check(mod, Report(first_only=True)).complaints
    if found:
        raise found[0].error()


def _check(x: IRModule | BaseFunc, report: Report) -> Report:
    mod = as_module(x)
    try:
        for name, func in mod.items():
            report.enter(name, func)
            depth = report.depth
            try:
                _function(mod, func, report)
            except _ODD as err:
                report.back_to(depth)
                _misfits(func, err, report)
            report.leave()
    except Enough:
        pass
    return report


def _function(mod: IRModule, func: BaseFunc, report: Report) -> None:
    if isinstance(func, Function):
        GraphChecker(mod, report).function(func)
    elif isinstance(func, PrimFunc):
        TensorChecker(mod, report).function(func)


def _misfits(func: BaseFunc, err: Exception, report: Report) -> None:
    """The rules read fields of the declared types; where one is of another, they cannot go on."""
    count = len(report.complaints)
    seen: set[int] = set()
    for n in walk(func):
        if id(n) not in seen:
            seen.add(id(n))
            if why := misfit(type(n), {k: getattr(n, k) for k in n.field_names}):
                report.say("field-type", f"{type(n).__name__}{why}", n,
                           "a node is made of what its class declares")
    if len(report.complaints) == count:
        report.say("field-type", f"the rules cannot be applied: {type(err).__name__}: {err}", func,
                   "a part of it is of a kind that does not belong there")
