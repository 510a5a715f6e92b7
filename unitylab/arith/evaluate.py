"""Values of integer expressions, and shape expressions compiled to Python functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..ir import prim
from ..ir.errors import UnityLabError
from ..ir.node import Node
from ..ir.prim import PrimExpr, truncdiv_int
from .bottom_up import BottomUp


def evaluate(e: PrimExpr, values: Mapping[prim.Var, int] | None = None) -> int:
    """The value of an integer or bool expression (exact, without overflow). Raises UnityLabError
    for an unknown variable, a division by zero, or what is no arithmetic."""
    return _Evaluate(values or {})(e)


def compile_dims(exprs: Sequence[PrimExpr], variables: Sequence[prim.Var]) -> Callable:
    """`f(*values of variables) -> tuple of ints`: the expressions as one quick Python function.
    Raises UnityLabError where `evaluate` would for an unknown variable."""
    names = {v: f"v{k}" for k, v in enumerate(variables)}
    source = _Source(names)
    results = [source(e) for e in exprs]
    lines = [f"    {line}" for line in source.lines]
    text = "\n".join([f"def dims({', '.join(names.values())}):", *lines,
                      f"    return ({''.join(r + ', ' for r in results)})"])
    env = {"truncdiv": truncdiv_int, "truncmod": _truncmod}
    exec(compile(text, "<dims>", "exec"), env)  # noqa: S102 - our own text
    return env["dims"]


def _truncmod(a: int, b: int) -> int:
    return a - b * truncdiv_int(a, b)


def _select(c, a, b):
    return a if c else b


_MEANING: dict[type | str, tuple[Callable, str]] = {
    prim.Add: (lambda a, b: a + b, "{} + {}"),
    prim.Sub: (lambda a, b: a - b, "{} - {}"),
    prim.Mul: (lambda a, b: a * b, "{} * {}"),
    prim.FloorDiv: (lambda a, b: a // b, "{} // {}"),
    prim.FloorMod: (lambda a, b: a % b, "{} % {}"),
    prim.Div: (truncdiv_int, "truncdiv({}, {})"),
    prim.Mod: (_truncmod, "truncmod({}, {})"),
    prim.Min: (min, "min({}, {})"),
    prim.Max: (max, "max({}, {})"),
    prim.EQ: (lambda a, b: a == b, "{} == {}"),
    prim.NE: (lambda a, b: a != b, "{} != {}"),
    prim.LT: (lambda a, b: a < b, "{} < {}"),
    prim.LE: (lambda a, b: a <= b, "{} <= {}"),
    prim.GT: (lambda a, b: a > b, "{} > {}"),
    prim.GE: (lambda a, b: a >= b, "{} >= {}"),
    prim.And: (lambda a, b: bool(a and b), "bool({} and {})"),
    prim.Or: (lambda a, b: bool(a or b), "bool({} or {})"),
    prim.Not: (lambda a: not a, "not {}"),
    prim.Select: (_select, "({1} if {0} else {2})"),
    "if_then_else": (_select, "({1} if {0} else {2})"),
    "likely": (lambda a: a, "{}"),
    "bitwise_and": (lambda a, b: a & b, "{} & {}"),
    "bitwise_or": (lambda a, b: a | b, "{} | {}"),
    "bitwise_xor": (lambda a, b: a ^ b, "{} ^ {}"),
    "bitwise_not": (lambda a: ~a, "~{}"),
    "shift_left": (lambda a, b: a << b, "{} << {}"),
    "shift_right": (lambda a, b: a >> b, "{} >> {}"),
    "abs": (abs, "abs({})"),
}


def _operation(e: Node) -> tuple[Callable, str]:
    """What `e` does; a cast between integers keeps the value."""
    if type(e) is prim.Cast and e.dtype.kind in ("int", "uint", "bool") and \
            not e.value.dtype.is_float:
        return (bool, "bool({})") if e.dtype.is_bool else (int, "int({})")
    found = _MEANING.get(e.op if type(e) is prim.Call else type(e))
    if found is None or getattr(e, "dtype", None) is None or e.dtype.is_float:
        raise UnityLabError(f"{e.script()} is not a shape expression",
                            span=getattr(e, "span", None),
                            hint="sizes are integer arithmetic over variables")
    return found


class _Evaluate(BottomUp):
    """Values of sub-expressions."""

    def __init__(self, values: Mapping[prim.Var, int]):
        super().__init__()
        self.values = values

    def compute(self, e: Node, parts: list[int]) -> int:
        if type(e) is prim.IntImm:
            return e.value
        if type(e) is prim.Var:
            if e not in self.values:
                raise UnityLabError(f"the value of {e.name!r} is not known", span=e.span)
            return self.values[e]
        try:
            return _operation(e)[0](*parts)
        except ZeroDivisionError:
            raise UnityLabError(f"division by zero in {e.script()}", span=e.span) from None

    def parts(self, e: Node) -> tuple[Node, ...]:
        return () if type(e) is prim.Var else tuple(e.children())


class _Source(BottomUp):
    """Python source of sub-expressions; each operation is one line."""

    def __init__(self, names: Mapping[prim.Var, str]):
        super().__init__()
        self.names, self.lines = names, []

    def parts(self, e: Node) -> tuple[Node, ...]:
        return () if type(e) is prim.Var else tuple(e.children())

    def compute(self, e: Node, parts: list[str]) -> str:
        if type(e) is prim.IntImm:
            return f"({e.value})"
        if type(e) is prim.Var:
            if e not in self.names:
                raise UnityLabError(f"the value of {e.name!r} is not known", span=e.span)
            return self.names[e]
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {_operation(e)[1].format(*parts)}")
        return name
