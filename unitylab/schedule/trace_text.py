"""Reads traces that were printed as Python, ours or Apache TVM's. The text is data: nothing of it
is executed.

    def apply_trace(sch) -> None:
        b0 = sch.get_block(name="C", func_name="main")
        l1, l2 = sch.get_loops(block=b0)
"""

from __future__ import annotations

import ast
import textwrap

from ..ir import prim
from ..ir.errors import ParseError
from ..script.diagnostics import Source
from ..script.evaluate import Evaluator
from ..script.parse import syntax
from ..script.values import Builder
from .handles import BlockRV, ExprRV, Handle, LoopRV
from .trace import Instruction, Trace

_HANDLES = {"b": BlockRV, "l": LoopRV, "v": ExprRV}
# what TVM prints around a trace that changes no program
_NOTES = ("enter_postproc",)


def read_trace(text: str) -> Trace:
    """The trace that Python text describes. Raises ParseError with the place."""
    source = Source(textwrap.dedent(text), "<trace>")
    statements = [s for s in syntax(source).body
                  if not isinstance(s, (ast.Import, ast.ImportFrom))]
    reader = _Reader(source)
    if len(statements) == 1 and isinstance(statements[0], ast.FunctionDef):
        named = statements[0].args.args
        reader.receiver = named[0].arg if named else reader.receiver
        statements = statements[0].body
    insts = [reader.instruction(s) for s in statements if not isinstance(s, ast.Pass)]
    return Trace([i for i in insts if i.name not in _NOTES])


class _Reader(Evaluator):
    """Reads one call a statement; names of results are handles."""

    receiver = "sch"

    def instruction(self, s: ast.stmt) -> Instruction:
        call = s.value if isinstance(s, (ast.Assign, ast.Expr)) else None
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
                and isinstance(call.func.value, ast.Name)
                and call.func.value.id == self.receiver):
            raise self.source.error(s, "a line of a trace is a call such as "
                                       "`l1, l2 = sch.split(loop=l0, factors=[4, None])`")
        args = tuple(self.value(a) for a in call.args)
        kwargs = {k.arg: self.value(k.value) for k in call.keywords}
        decision = kwargs.pop("decision", None)
        outputs, single = self.targets(s)
        return Instruction(call.func.attr, args, kwargs, outputs, single, decision)

    def value(self, n: ast.expr):
        found = self.eval(n)
        if isinstance(found, Builder):
            found.call.source_text = ast.unparse(n)  # what it prints as until it is resolved
            return found.call
        return _plain(found)

    def targets(self, s: ast.stmt) -> tuple[tuple[Handle, ...], bool]:
        if not isinstance(s, ast.Assign):
            return (), False
        target = s.targets[0]
        single = isinstance(target, ast.Name)
        names = [target] if single else getattr(target, "elts", [target])
        if not all(isinstance(n, ast.Name) for n in names):
            raise self.source.error(s, "results of a trace have plain names")
        handles = tuple(_HANDLES.get(n.id[:1], ExprRV)() for n in names)
        for n, h in zip(names, handles):
            self.define(n.id, h)
        return handles, single

    def eval_Name(self, n: ast.Name):
        for scope in reversed(self.scopes):
            if n.id in scope:
                return scope[n.id]
        return super().eval_Name(n)


def _plain(v):
    """Literals as Python numbers, handles as they are."""
    if isinstance(v, (list, tuple)):
        return [_plain(x) for x in v] if isinstance(v, list) else tuple(map(_plain, v))
    if isinstance(v, dict):
        return {k: _plain(x) for k, x in v.items()}
    if isinstance(v, prim.StringImm):
        return v.value
    return v


__all__ = ["ParseError", "read_trace"]
