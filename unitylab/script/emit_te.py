"""`R.emit_te(f, x, ...)` in a graph function: `f` is a Python function of the cell, its tensor
program joins the module."""

from __future__ import annotations

import ast

from ..ir.errors import ParseError, UnityLabError
from ..ir.module import fresh_name
from ..ir.prim import GlobalVar
from ..ir.relax import Call, Expr
from ..ir.structural import structural_equal
from ..ir.te.program import lower_te


def emit_te(parser, n: ast.Call) -> Call:
    """The `call_tir` of the tensor program that the function makes of its arguments."""
    name, func = _function(parser, n)
    ref = parser.scopes[0].get("cls")
    if getattr(ref, "functions", None) is None:
        raise parser.source.error(n, "R.emit_te adds a tensor program to a module; here is none",
                                  "write the function in a class with @I.ir_module")
    args = [_value(parser, parser.eval(a)) for a in n.args[1:]]
    kwargs = {k.arg: _value(parser, parser.eval(k.value)) for k in n.keywords}
    hint = kwargs.pop("primfunc_name_hint", None) or name
    try:
        program = lower_te(func, args, kwargs)
    except UnityLabError as e:
        raise parser.source.located(n, e) from None
    except Exception as e:  # whatever the user's function raises is shown at the call
        raise parser.source.error(n, f"{name} failed: {type(e).__name__}: {e}") from e
    for known, made in ref.made.items():
        if structural_equal(made, program.func):
            return program.call(GlobalVar(known))
    free = fresh_name(hint, {*ref.functions, *ref.made})
    ref.made[free] = program.func
    return program.call(GlobalVar(free))


def _function(parser, n: ast.Call):
    """The Python function that is named first."""
    first = n.args[0] if n.args else None
    if not isinstance(first, ast.Name):
        raise parser.source.error(n, "R.emit_te takes the name of a Python function first",
                                  "define the function above, then R.emit_te(f, x)")
    func = parser.outer[first.id] if first.id in parser.outer else None
    if not callable(func):
        raise ParseError(f"{first.id!r} is no Python function that can be seen here",
                         span=parser.source.span(first),
                         hint="the decorators see those of the cell, ul.parse sees none")
    return first.id, func


def _value(parser, v):
    """An argument: graph values get a name, everything else is what it is."""
    if isinstance(v, (list, tuple)):
        return type(v)(_value(parser, x) for x in v)
    return parser.builder.leaf(parser.builder.normalize(v)) if isinstance(v, Expr) else v
