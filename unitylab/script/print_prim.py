"""Printing scalar expressions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from ..ir import prim, tir
from ..ir.node import FrozenDict, Node
from ..ir.visitor import Dispatch
from ..ops.intrinsics import SAME
from .dialect import Dialect
from .document import Writer
from .intrinsics import FIRST, LAST, SPELLINGS

# how tightly an operator binds, as in Python
OR, AND, NOT, COMPARE, SUM, PRODUCT, ATOM = range(1, 8)
_BINDING = {prim.Or: OR, prim.And: AND, prim.Add: SUM, prim.Sub: SUM, prim.Mul: PRODUCT,
            prim.Div: PRODUCT, prim.FloorDiv: PRODUCT, prim.FloorMod: PRODUCT,
            **{k: COMPARE for k in (prim.EQ, prim.NE, prim.LT, prim.LE, prim.GT, prim.GE)}}
_CONSTRUCTOR = {prim.Min: "min", prim.Max: "max", prim.Mod: "truncmod"}


class PrimPrinter(Dispatch):
    """Gives the text of expressions and knows the names of variables.

    Names are unique within a function: `x`, `x_1`, `x_2`."""

    def __init__(self, dialect: Dialect):
        self.dialect = dialect
        self.out = Writer()
        self.names: dict[int, str] = {}
        self.taken: set[str] = set()
        self.cls = "Module"

    # --- names ------------------------------------------------------------------------------

    def define(self, n: Node, hint: str = "") -> str:
        """A fresh name for a variable or buffer."""
        base = hint or n.name
        if not base.isidentifier() or base in _RESERVED:
            base = _identifier(base)
        name, k = base, 0
        while name in self.taken:
            k += 1
            name = f"{base}_{k}"
        self.taken.add(name)
        self.names[id(n)] = name
        return name

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Names defined inside are free again afterwards."""
        outer = set(self.taken)
        yield
        self.taken = outer

    def name_of(self, n: Node) -> str:
        return self.names.get(id(n)) or self.define(n)

    def known(self, n: Node) -> bool:
        return id(n) in self.names

    # --- expressions ------------------------------------------------------------------------

    def expr(self, e, outer: int = 0) -> str:
        """The text of an expression; in parentheses where it binds less tightly than `outer`."""
        name = self.names.get(id(e))
        if name is not None:
            return name
        if not isinstance(e, Node):
            return self.value(e)
        text = self.visit(e)
        return f"({text})" if outer and self.binding(e) < outer else text

    def binding(self, e: Node) -> int:
        if isinstance(e, prim.Not):
            return NOT
        if isinstance(e, prim.BinaryExpr) and not _would_fold(e):
            return _BINDING.get(type(e), ATOM)
        if isinstance(e, prim.IntImm) and e.value < 0 and e.dtype == "int32":
            return PRODUCT
        return ATOM

    def exprs(self, items) -> str:
        return ", ".join(self.expr(e) for e in items)

    def shape(self, items) -> str:
        """A tuple of expressions."""
        text = self.exprs(items)
        return f"({text},)" if len(items) == 1 else f"({text})"

    def value(self, v) -> str:
        """A plain value of an attribute."""
        if isinstance(v, Node):
            return self.expr(v)
        if isinstance(v, FrozenDict):
            return "{" + ", ".join(f"{self.value(k)}: {self.value(x)}" for k, x in v.items()) + "}"
        if isinstance(v, tuple):
            return "[" + ", ".join(self.value(x) for x in v) + "]"
        if isinstance(v, str):
            return quoted(str(v))
        if isinstance(v, float) and not math.isfinite(v):
            return f'T.float32("{v}")'
        return repr(v)

    def visit_Var(self, n: prim.Var) -> str:
        return self.name_of(n)

    def visit_GlobalVar(self, n: prim.GlobalVar) -> str:
        return f"{self.cls}.{n.name}"

    def visit_IntImm(self, n: prim.IntImm) -> str:
        if n.dtype == "int32":
            return str(n.value)
        if n.dtype.is_bool:
            return f"T.bool({bool(n.value)})"
        return f"T.{n.dtype}({n.value})"

    def visit_FloatImm(self, n: prim.FloatImm) -> str:
        if math.isfinite(n.value):
            return f"T.{n.dtype}({n.value!r})"
        return f'T.{n.dtype}("{n.value}")'

    def visit_StringImm(self, n: prim.StringImm) -> str:
        return quoted(n.value)

    def visit_BinaryExpr(self, n: prim.BinaryExpr) -> str:
        kind = type(n)
        if kind in _CONSTRUCTOR:
            return f"T.{_CONSTRUCTOR[kind]}({self.expr(n.a)}, {self.expr(n.b)})"
        if _would_fold(n):
            return f"T.{kind.__name__}({self.expr(n.a)}, {self.expr(n.b)})"
        level = _BINDING[kind]
        left = level + 1 if level == COMPARE else level
        return f"{self.expr(n.a, left)} {n.symbol} {self.expr(n.b, level + 1)}"

    def visit_Not(self, n: prim.Not) -> str:
        return f"not {self.expr(n.a, NOT)}"

    def visit_Cast(self, n: prim.Cast) -> str:
        return f'T.Cast("{n.dtype}", {self.expr(n.value)})'

    def visit_Select(self, n: prim.Select) -> str:
        return f"T.Select({self.exprs((n.condition, n.true_value, n.false_value))})"

    def visit_Let(self, n: prim.Let) -> str:
        value = self.expr(n.value)
        name = self.define(n.var)
        self.out.line(f"{name} = T.{n.var.dtype}()")
        return f"T.Let({self.expr(n.body)}, where={{{name}: {value}}})"

    def visit_Ramp(self, n: prim.Ramp) -> str:
        return f"T.Ramp({self.exprs((n.base, n.stride, n.lanes))})"

    def visit_Broadcast(self, n: prim.Broadcast) -> str:
        return f"T.Broadcast({self.exprs((n.value, n.lanes))})"

    def visit_Shuffle(self, n: prim.Shuffle) -> str:
        return f"T.Shuffle([{self.exprs(n.vectors)}], [{self.exprs(n.indices)}])"

    def visit_Call(self, n: prim.Call) -> str:
        if isinstance(n.op, prim.GlobalVar):
            return f"{self.expr(n.op)}({self.exprs(n.args)})"
        notes = f", annotations={self.value(n.annotations)}" if n.annotations else ""
        spelling = SPELLINGS.get(n.op)
        result = spelling.result if spelling is not None else None
        args = [self.expr(a) for a in n.args]
        if result == FIRST and not (n.op == "undef" and n.dtype == "int32"):
            args.insert(0, f'"{n.dtype}"')
        elif result == LAST:
            args.append(f'"{n.dtype}"')
        elif n.op == "call_packed" and n.dtype == "int32":
            pass
        elif result != FIRST and (result is None or self.expected(n, result) != n.dtype):
            args = [f'"{n.dtype}"', quoted(n.op), *args]
            return f"T.call_intrin({', '.join(args)}{notes})"
        return f"T.{n.op}({', '.join(args)}{notes})"

    def expected(self, n: prim.Call, result: str) -> str:
        """The dtype that the parser will give this call."""
        if n.op == "if_then_else":
            return n.args[1].dtype
        return n.args[0].dtype if result == SAME and n.args else result

    def visit_BufferLoad(self, n: tir.BufferLoad) -> str:
        if n.predicate is not None:
            return (f"{self.name_of(n.buffer)}.vload([{self.exprs(n.indices)}], "
                    f"predicate={self.expr(n.predicate)})")
        return self.access(n.buffer, n.indices)

    def access(self, buffer: tir.Buffer, indices) -> str:
        return f"{self.name_of(buffer)}[{self.exprs(indices) or '()'}]"

    def visit_Buffer(self, n: tir.Buffer) -> str:
        return self.name_of(n)

    def visit_BufferRegion(self, n: tir.BufferRegion) -> str:
        parts = [self.expr(r.min) if prim.is_const(r.extent, 1) else self.interval(r)
                 for r in n.region]
        return f"{self.name_of(n.buffer)}[{', '.join(parts) or '()'}]"

    def interval(self, r: tir.Range) -> str:
        return f"{self.expr(r.min)}:{self.expr(prim.add(r.min, r.extent))}"

    def visit_Range(self, n: tir.Range) -> str:
        if prim.is_const(n.min, 0):
            return self.expr(n.extent)
        return f"({self.expr(n.min)}, {self.expr(prim.add(n.min, n.extent))})"

    def visit_IterVar(self, n: tir.IterVar) -> str:
        dom = self.visit_Range(n.dom) if n.dom is not None else "None"
        return f'T.iter_var({self.name_of(n.var)}, {dom}, "{n.kind}", "{n.thread_tag}")'

    def visit_CommReducer(self, n: tir.CommReducer) -> str:
        params = ", ".join(self.define(v) for v in n.lhs + n.rhs)
        return f"T.comm_reducer(lambda {params}: ({self.exprs(n.result)},), " \
               f"[{self.exprs(n.identity)}])"


def _would_fold(n: prim.BinaryExpr) -> bool:
    """Whether the operator, when parsed again, would give something else than this node."""
    a, b = n.a, n.b
    if a.dtype != b.dtype:
        return True
    if prim.is_const(a) and prim.is_const(b):
        return True
    if isinstance(n, (prim.Div, prim.FloorDiv, prim.FloorMod)):
        return a.dtype.is_int and (isinstance(n, prim.Div) or prim.is_const(b, 1)) \
            or isinstance(n, prim.Div) and prim.is_const(b, 1)
    if not a.dtype.is_int:
        return False
    if isinstance(n, prim.Add):
        return prim.is_const(a, 0) or prim.is_const(b, 0)
    if isinstance(n, prim.Sub):
        return prim.is_const(b, 0)
    return isinstance(n, prim.Mul) and any(prim.is_const(x, v) for x in (a, b) for v in (0, 1))


def _identifier(hint: str) -> str:
    name = "".join(c if c.isalnum() or c == "_" else "_" for c in hint) or "v"
    return name if not name[0].isdigit() and name not in _RESERVED else f"v_{name}"


def quoted(s: str) -> str:
    """A string literal in double quotes."""
    s = s.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{s if s.isprintable() else "".join(map(_escaped, s))}"'


def _escaped(c: str) -> str:
    return c if c.isprintable() else c.encode("unicode_escape").decode()


_RESERVED = {"T", "R", "I", "cls", "range", "if", "for", "while", "lambda", "and", "or", "not",
             "is", "in", "def", "class", "return", "pass", "with", "as", "from", "import",
             "None", "True", "False", "del", "global", "assert", "break", "continue", "else",
             "elif", "try", "except", "finally", "raise", "yield", "async", "await", "nonlocal",
             "metadata"}
