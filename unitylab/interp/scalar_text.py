"""Translates the scalar expressions of tensor programs to Python text."""

from __future__ import annotations

import numpy as np

from ..ir import prim, tir
from ..ir.errors import BoundsError, RuntimeCallError, Span
from ..ir.node import Node
from ..ir.visitor import Dispatch
from ..ops.intrinsics import INTRINSICS
from . import memory, scalars
from .packed import get_func

_OPERATORS = {prim.Add: "+", prim.Sub: "-", prim.Mul: "*", prim.LT: "<", prim.LE: "<=",
              prim.GT: ">", prim.GE: ">=", prim.EQ: "==", prim.NE: "!="}
_FUNCTIONS = {prim.FloorDiv: "floordiv", prim.FloorMod: "floormod", prim.Div: "truncdiv",
              prim.Mod: "truncmod"}
_VECTOR_LOGIC = {prim.And: "logical_and", prim.Or: "logical_or"}


class ScalarText(Dispatch):
    """Names and expressions: each `visit_` gives Python text, in which every access is checked.
    `constants` are the objects that the text names."""

    def __init__(self, func: tir.PrimFunc):
        self.func = func
        self.lines: list[str] = []
        self.depth = 1
        self.names: dict[int, str] = {}
        self.owner: dict[int, tir.Buffer] = {}
        self.constants: dict[str, object] = {
            "np": np, "sc": scalars, "mem": memory, "oob": self._out_of_bounds,
            "fail": self._fail, "get_func": get_func}
        self.places: list[tuple[tir.Buffer, str, Span | None]] = []
        self.block = ""
        self.held_count = 0

    def name(self, n: Node) -> str:
        """The Python name of a variable or buffer, made at its definition."""
        found = self.names.get(id(n))
        if found is None:
            what = "buffer" if isinstance(n, tir.Buffer) else "variable"
            raise RuntimeCallError(f"{what} {n.name!r} is used but not defined", span=n.span)
        return found

    def define(self, n: Node) -> str:
        self.names[id(n)] = f"{'b' if isinstance(n, tir.Buffer) else 'v'}{len(self.names)}"
        if isinstance(n, tir.Buffer):
            self.owner.setdefault(id(n.data), n)
        return self.names[id(n)]

    def constant(self, value) -> str:
        key = f"k{len(self.constants)}"
        self.constants[key] = value
        return key

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def _out_of_bounds(self, place: int, indices, shape):
        buffer, block, span = self.places[place]
        where = f" in block {block!r}" if block else ""
        at = ", ".join(str(i) for i in indices)
        raise BoundsError(f"{buffer.name}[{at}]{where} is outside of its shape "
                          f"{tuple(int(s) for s in shape)}", span=span,
                          hint="check the loop extents and the index expression")

    def _fail(self, kind: str, message: str):
        raise RuntimeCallError(f"assertion failed: {message}")

    # --- expressions ------------------------------------------------------------------------

    def visit_Var(self, n: prim.Var) -> str:
        if id(n) not in self.names and id(n) in self.owner:
            return f"mem.pointer_to({self.name(self.owner[id(n)])})"
        return self.name(n)

    def visit_IntImm(self, n: prim.IntImm) -> str:
        if n.dtype in ("int32", "int64"):
            return f"({n.value})" if n.value < 0 else str(n.value)
        return self.constant(bool(n.value) if n.dtype.is_bool else scalars.cast(n.value, n.dtype))

    def visit_FloatImm(self, n: prim.FloatImm) -> str:
        return self.constant(n.dtype.numpy.type(n.value))

    def visit_StringImm(self, n: prim.StringImm) -> str:
        return self.constant(n.value)

    def visit_BinaryExpr(self, n: prim.BinaryExpr) -> str:
        a, b = self.visit(n.a), self.visit(n.b)
        if type(n) in _FUNCTIONS:
            return f"sc.{_FUNCTIONS[type(n)]}({a}, {b})"
        if type(n) in _VECTOR_LOGIC:
            if n.dtype.lanes > 1:
                return f"np.{_VECTOR_LOGIC[type(n)]}({a}, {b})"
            return f"({a} {n.symbol} {b})"
        if isinstance(n, (prim.Min, prim.Max)):
            sign = "<" if isinstance(n, prim.Min) else ">"
            if n.dtype.lanes > 1:
                return f"np.where(({a}) {sign} ({b}), {a}, {b})"
            x, y = self.held(a), self.held(b)
            return f"({x[0]} if {x[1]} {sign} {y[1]} else {y[0]})"
        return f"({a} {_OPERATORS[type(n)]} {b})"

    def held(self, text: str) -> tuple[str, str]:
        """Text to use an expression twice: (later uses, first use). The condition runs first."""
        if text.isidentifier() or text.isdigit():
            return text, text
        self.held_count += 1
        name = f"t{self.held_count}"
        return name, f"({name} := {text})"

    def visit_Not(self, n: prim.Not) -> str:
        return f"np.logical_not({self.visit(n.a)})" if n.dtype.lanes > 1 else \
            f"(not {self.visit(n.a)})"

    def visit_Select(self, n: prim.Select) -> str:
        c, a, b = map(self.visit, (n.condition, n.true_value, n.false_value))
        if n.condition.dtype.lanes > 1:
            return f"np.where({c}, {a}, {b})"
        return f"({a}, {b})[0 if {c} else 1]"

    def visit_Cast(self, n: prim.Cast) -> str:
        return f"sc.cast({self.visit(n.value)}, {self.constant(n.dtype.element)})"

    def visit_Let(self, n: prim.Let) -> str:
        value = self.visit(n.value)
        return f"({self.define(n.var)} := {value}, {self.visit(n.body)})[1]"

    def visit_Ramp(self, n: prim.Ramp) -> str:
        return f"sc.ramp({self.visit(n.base)}, {self.visit(n.stride)}, {self.lanes(n)})"

    def visit_Broadcast(self, n: prim.Broadcast) -> str:
        to = self.constant(n.dtype)
        return f"sc.broadcast({self.visit(n.value)}, {self.lanes(n)}, {to})"

    def lanes(self, n) -> int:
        if not isinstance(n.lanes, int):
            raise RuntimeCallError("vectors of scalable length have no meaning without a target",
                                   span=n.span)
        return n.lanes

    def visit_Shuffle(self, n: prim.Shuffle) -> str:
        vectors = ", ".join(f"np.atleast_1d({self.visit(v)})" for v in n.vectors)
        lanes = ", ".join(self.visit(i) for i in n.indices)
        text = f"np.concatenate(({vectors},))[[{lanes}]]"
        return f"{text}[0]" if len(n.indices) == 1 else text

    def visit_BufferLoad(self, n: tir.BufferLoad) -> str:
        target, check = self.access(n)
        text = f"({target} if {check[0]} else {check[1]})" if check else target
        if n.predicate is not None:
            lanes = n.predicate.dtype.lanes
            zero = self.constant(np.zeros((lanes,) if lanes > 1 else (), n.dtype.element.numpy))
            return f"(np.where({self.visit(n.predicate)}, {text}, {zero}))"
        return text

    def access(self, n) -> tuple[str, tuple[str, str] | None]:
        """The element of a load or store, and its bounds check: (condition, what else)."""
        own = self.name(n.buffer)
        if len(n.indices) != n.buffer.ndim:
            raise RuntimeCallError(f"{n.buffer.name} has {n.buffer.ndim} dimensions, "
                                   f"{len(n.indices)} indices given", span=n.span)
        tests, uses = [], []
        for d, index in enumerate(n.indices):
            later, first = self.held(self.visit(index))
            test = f"sc.inside({first}, {own}.shape[{d}])" if index.dtype.lanes > 1 else \
                f"0 <= {first} < {own}.shape[{d}]"
            tests.append(test)
            uses.append(later)
        if not uses:
            return f"{own}[()]", None
        self.places.append((n.buffer, self.block, n.span or n.buffer.span))
        # `and` would stop at the first test and leave later indices unassigned
        condition = f"all([{', '.join(tests)}])" if len(tests) > 1 else tests[0]
        fail = f"oob({len(self.places) - 1}, ({', '.join(uses)},), {own}.shape)"
        return f"{own}[{', '.join(uses)}]", (condition, fail)

    def visit_Call(self, n: prim.Call) -> str:
        if isinstance(n.op, prim.GlobalVar):
            args = ", ".join(self.visit(a) for a in n.args)
            return f"funcs[{n.op.name!r}]({args})"
        special = getattr(self, f"call_{n.op}", None)
        if special is not None:
            return special(n)
        known = INTRINSICS.get(n.op.removeprefix("tir."))
        if known is None or known.numpy is None:
            raise RuntimeCallError(f"the interpreter does not know the intrinsic {n.op!r}",
                                   span=n.span)
        args = ", ".join(self.visit(a) for a in n.args)
        if n.args and n.args[0].dtype in ("int32", "int64") and n.dtype.lanes == 1:
            kinds = [self.constant(a.dtype.numpy.type) for a in n.args]
            args = ", ".join(f"{k}({self.visit(a)})" for k, a in zip(kinds, n.args))
        return f"{self.constant(known.numpy)}({args})"

    def call_if_then_else(self, n: prim.Call) -> str:
        c, a, b = map(self.visit, n.args)
        return f"({a} if {c} else {b})"

    def call_reinterpret(self, n: prim.Call) -> str:
        source, to = self.constant(n.args[0].dtype.element.numpy), self.constant(n.dtype.numpy)
        return f"np.asarray({self.visit(n.args[0])}, dtype={source}).view({to})[()]"

    def call_address_of(self, n: prim.Call) -> str:
        load = n.args[0]
        if not isinstance(load, tir.BufferLoad):  # a pointer already
            return self.visit(load)
        own = self.name(load.buffer)
        at = ", ".join(self.visit(i) for i in load.indices)
        return (f"mem.Pointer(mem.pointer_to({own}).flat, "
                f"int(np.ravel_multi_index(({at},), {own}.shape)))")

    def call_tvm_access_ptr(self, n: prim.Call) -> str:
        _, data, offset, *_ = n.args
        return f"mem.advance({self.visit(data)}, {self.visit(offset)})"

    def call_ignore_loop_partition(self, n: prim.Call) -> str:
        return self.visit(n.args[0])

    def call_start_profile_intrinsic(self, n: prim.Call) -> str:
        return "0"  # a mark for profilers of other machines

    def call_isnullptr(self, n: prim.Call) -> str:
        return f"({self.visit(n.args[0])} is None)"

    def call_undef(self, n: prim.Call) -> str:
        return self.constant(n.dtype.numpy.type(0))

    def call_assume(self, n: prim.Call) -> str:
        return "True"

    def call_prefetch(self, n: prim.Call) -> str:
        return "0"

    def call_call_packed(self, n: prim.Call) -> str:
        return f"get_func({self.visit(n.args[0])})({', '.join(map(self.visit, n.args[1:]))})"

    def default(self, n: Node, *args):
        raise RuntimeCallError(f"the interpreter does not run {type(n).__name__}",
                               span=getattr(n, "span", None))
