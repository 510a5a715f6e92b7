"""`well_formed` and `complaints`: whether a module keeps the rules of the language."""

from __future__ import annotations

from ..ir.errors import UnityLabError
from ..ir.module import IRModule, as_module
from ..ir.relax import Function
from ..ir.tir import BaseFunc, PrimFunc
from .graph import GraphChecker
from .report import Complaint, Enough, Report
from .tensor import TensorChecker


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
    if not isinstance(x, (IRModule, BaseFunc)):
        raise UnityLabError(f"a module or function is verified, this is a {type(x).__name__}",
                            hint="ul.parse(text) makes a module of text")
    mod = as_module(x)
    try:
        for name, func in mod.items():
            with report.at(name, func):
                if isinstance(func, Function):
                    GraphChecker(mod, report).function(func)
                elif isinstance(func, PrimFunc):
                    TensorChecker(mod, report).function(func)
    except Enough:
        pass
    return report
