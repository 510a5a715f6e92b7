"""Patterns become Python source once: a matcher is a few attribute reads and class tests."""

from __future__ import annotations

from collections.abc import Callable

from ..ir import prim
from .pattern import BUILD, FIELDS, SYMBOL, Op, PConst, Pattern, PVar

_STATIC = {prim.Add: "{} + {}", prim.Sub: "{} - {}", prim.Mul: "{} * {}",
           prim.FloorDiv: "{} // {}", prim.FloorMod: "{} % {}", prim.Min: "min({}, {})",
           prim.Max: "max({}, {})",
           **{k: "{} " + s + " {}" for k, s in SYMBOL.items() if issubclass(k, prim.CompareExpr)}}


class _Source:
    """Writes the tests of one pattern; `env` holds the classes the tests name."""

    def __init__(self):
        self.lines: list[str] = []
        self.env: dict[str, object] = {"IntImm": prim.IntImm, "FloatImm": prim.FloatImm}
        self.bound: dict[str, str] = {}
        self.temps = 0

    def demand(self, condition: str) -> None:
        self.lines.append(f"    if not ({condition}): return None")

    def test(self, p, at: str) -> None:
        if isinstance(p, Op):
            self.operator(p, at)
        elif isinstance(p, PVar):
            self.variable(p, at)
        elif isinstance(p, PConst):
            self.demand(f"{at}.__class__ is IntImm")
            self.constant(p, at)
        else:
            kind = "FloatImm" if isinstance(p, float) else "IntImm"
            self.demand(f"{at}.__class__ is {kind} and {at}.value == {p!r}")

    def operator(self, p: Op, at: str) -> None:
        name = p.kind.__name__
        self.env[name] = p.kind
        self.demand(f"{at}.__class__ is {name}")
        fields = FIELDS.get(p.kind, ("a", "b"))
        # literals and heads first: they refuse fastest
        for f, q in sorted(zip(fields, p.operands), key=lambda fq: isinstance(fq[1], PVar)):
            self.temps += 1
            self.lines.append(f"    t{self.temps} = {at}.{f}")
            self.test(q, f"t{self.temps}")

    def variable(self, p: PVar, at: str) -> None:
        if p.name in self.bound:
            self.demand(f"{self.bound[p.name]} is {at} or same({self.bound[p.name]}, {at})")
            return
        if p.dtypes is not None:
            self.demand(f"{at}.dtype in {tuple(map(str, p.dtypes))!r}")
        self.bound[p.name] = at

    def constant(self, p: PConst, at: str) -> None:
        if p.name in self.bound:
            self.demand(f"{self.bound[p.name]} == {at}.value")
        else:
            self.bound[p.name] = f"{at}.value"


def compile_match(p: Op) -> Callable:
    """`f(e, same)` gives the bindings by name, or None. Constants are bound to their values."""
    source = _Source()
    source.test(p, "e")
    result = ", ".join(f"{n!r}: {at}" for n, at in source.bound.items())
    text = "\n".join(["def matcher(e, same):", *source.lines, f"    return {{{result}}}"])
    exec(compile(text, "<pattern>", "exec"), source.env)  # noqa: S102 - our own text
    return source.env["matcher"]


def compile_build(p: Pattern | int | float | bool) -> Callable:
    """`f(e, m)` makes the right side from the bindings `m`; arithmetic on constants is done in
    Python, a result that is a number gets the dtype of the matched `e`."""
    env = {f"make_{k.__name__}": f for k, f in BUILD.items()}
    env |= {"literal": prim.literal, "cast": prim.cast}
    text, static = _expression(p)
    text = f"literal({text}, e.dtype)" if static else text
    exec(compile(f"def build(e, m):\n    return {text}", "<pattern>", "exec"), env)  # noqa: S102
    return env["build"]


def _expression(p) -> tuple[str, bool]:
    """Source for a right side and whether it is a Python number."""
    if isinstance(p, (PVar, PConst)):
        return f"m[{p.name!r}]", isinstance(p, PConst)
    if not isinstance(p, Op):
        return repr(p), True
    if p.kind is prim.Cast:
        return f"cast({_expression(p.operands[0])[0]}, e.dtype)", False
    parts = [_expression(q) for q in p.operands]
    if all(static for _, static in parts) and p.kind in _STATIC:
        return f"({_STATIC[p.kind].format(*[t for t, _ in parts])})", True
    if p.kind is prim.Select:
        parts = [parts[0], *[(f"literal({t}, e.dtype)" if s else t, s) for t, s in parts[1:]]]
    return f"make_{p.kind.__name__}({', '.join(t for t, _ in parts)})", False
