"""Symbolic sizes at run time: expressions compiled to Python functions of a list of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..ir import prim
from ..ir.errors import BuildError
from ..ir.prim import PrimExpr, Var
from ..ir.visitor import Dispatch, free_vars

_OPERATORS = {prim.Add: "+", prim.Sub: "-", prim.Mul: "*", prim.FloorDiv: "//",
              prim.FloorMod: "%", prim.EQ: "==", prim.NE: "!=", prim.LT: "<", prim.LE: "<=",
              prim.GT: ">", prim.GE: ">=", prim.And: "and", prim.Or: "or"}
_FUNCTIONS = {prim.Min: "min", prim.Max: "max", prim.Div: "truncdiv", prim.Mod: "truncmod"}
_SCOPE = {"min": min, "max": max, "ceil": math.ceil, "__builtins__": {},
          "truncdiv": lambda x, y: prim.truncdiv_int(x, y) if isinstance(x, int) else x / y,
          "truncmod": lambda x, y: x - y * prim.truncdiv_int(x, y),
          "int": int, "float": float, "bool": bool}


class Sizes:
    """The symbolic variables of one graph function, by their places in a list."""

    def __init__(self):
        self.places: dict[Var, int] = {}

    def place(self, v: Var) -> int:
        """The place of a variable, made when it is met first."""
        return self.places.setdefault(v, len(self.places))

    def compile(self, e: PrimExpr) -> Callable[[Sequence], int]:
        """`e` as a function of the list of sizes."""
        text = _Text(self).visit(e)
        return eval(f"lambda s: {text}", dict(_SCOPE))  # the text is made of nodes

    def compile_shape(self, dims: Sequence[PrimExpr]) -> Callable[[Sequence], tuple[int, ...]]:
        """A shape as a function of the list of sizes."""
        text = "".join(f"{_Text(self).visit(d)}, " for d in dims)
        return eval(f"lambda s: ({text})", dict(_SCOPE))

    def known(self, e: PrimExpr, known: set[Var]) -> bool:
        """Whether an expression uses nothing but `known` variables."""
        return all(v in known for v in free_vars(e))


class _Text(Dispatch):
    """Python text of a scalar expression; every name and number in it is ours."""

    def __init__(self, sizes: Sizes):
        self.sizes = sizes

    def visit_Var(self, n: Var) -> str:
        return f"s[{self.sizes.place(n)}]"

    def visit_IntImm(self, n: prim.IntImm) -> str:
        return f"({int(n.value)})" if not n.dtype.is_bool else str(bool(n.value))

    def visit_FloatImm(self, n: prim.FloatImm) -> str:
        return f"float({str(float(n.value))!r})" if not math.isfinite(n.value) else \
            f"({float(n.value)!r})"

    def visit_BinaryExpr(self, n: prim.BinaryExpr) -> str:
        a, b = self.visit(n.a), self.visit(n.b)
        if type(n) in _FUNCTIONS:
            return f"{_FUNCTIONS[type(n)]}({a}, {b})"
        return f"({a} {_OPERATORS[type(n)]} {b})"

    def visit_Not(self, n: prim.Not) -> str:
        return f"(not {self.visit(n.a)})"

    def visit_Cast(self, n: prim.Cast) -> str:
        kind = "float" if n.dtype.is_float else "bool" if n.dtype.is_bool else "int"
        return f"{kind}({self.visit(n.value)})"

    def visit_Select(self, n: prim.Select) -> str:
        c, a, b = map(self.visit, (n.condition, n.true_value, n.false_value))
        return f"({a} if {c} else {b})"

    def visit_Call(self, n: prim.Call) -> str:
        if n.op in ("if_then_else", "tir.if_then_else"):
            c, a, b = map(self.visit, n.args)
            return f"({a} if {c} else {b})"
        return self.default(n)

    def default(self, n, *args) -> str:
        raise BuildError(f"{n.script()} cannot be computed as a size", span=n.span)
