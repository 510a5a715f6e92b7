"""Runs a `PrimFunc`: translates it to plain Python, element by element, every access checked.

The Python text is made from nodes (never from a user's text), so that names are ours and literals
are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..ir import prim, tir
from ..ir.errors import BoundsError, RuntimeCallError, Span, UnityLabError
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


class Translator(Dispatch):
    """Emits the Python text of one tensor program; `constants` are the objects that it names."""

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

    # --- names and text ---------------------------------------------------------------------

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

    def suite(self, head: str, body: tir.Stmt) -> None:
        """`head` with `body` indented below."""
        self.line(head)
        self.depth += 1
        self.visit(body)
        self.line("pass")
        self.depth -= 1

    # --- errors at run time -----------------------------------------------------------------

    def _out_of_bounds(self, place: int, indices, shape):
        buffer, block, span = self.places[place]
        where = f" in block {block!r}" if block else ""
        at = ", ".join(str(i) for i in indices)
        raise BoundsError(f"{buffer.name}[{at}]{where} is outside of its shape "
                          f"{tuple(int(s) for s in shape)}", span=span,
                          hint="check the loop extents and the index expression")

    def _fail(self, kind: str, message: str):
        raise RuntimeCallError(f"assertion failed: {message}")

    # --- whole programs ---------------------------------------------------------------------

    def compile(self) -> Callable:
        """The Python function `f(funcs, *args)`."""
        params = [self.define(p) for p in self.func.params]
        for p in self.func.buffers:
            self.bind_shape(p)
        self.visit(self.func.body)
        text = "\n".join([f"def run(funcs, {', '.join(params)}):", *self.lines, "    return None"])
        scope = dict(self.constants)
        exec(compile(text, f"<interpreted {self.func.attrs.get('global_symbol', '')}>", "exec"),
             scope)
        return scope["run"]

    def bind_shape(self, b: tir.Buffer) -> None:
        """Symbolic sizes, strides and offset of a parameter become variables."""
        own = self.names[id(b)]
        for d, size in enumerate(b.shape):
            if isinstance(size, prim.Var) and id(size) not in self.names:
                self.line(f"{self.define(size)} = {own}.shape[{d}]")
        for d, stride in enumerate(b.strides):
            if isinstance(stride, prim.Var) and id(stride) not in self.names:
                self.line(f"{self.define(stride)} = {own}.strides[{d}] // {own}.itemsize")
        if isinstance(b.elem_offset, prim.Var) and id(b.elem_offset) not in self.names:
            self.line(f"{self.define(b.elem_offset)} = 0")

    # --- expressions: each method gives Python text -----------------------------------------

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

    call_end_profile_intrinsic = call_start_profile_intrinsic

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

    # --- statements -------------------------------------------------------------------------

    def visit_SeqStmt(self, n: tir.SeqStmt) -> None:
        for s in n.stmts:
            self.visit(s)

    def visit_BufferStore(self, n: tir.BufferStore) -> None:
        value = self.visit(n.value)
        target, check = self.access(n)
        if n.value.dtype.kind in ("int", "uint") or n.value.dtype != n.buffer.dtype:
            value = f"sc.cast({value}, {self.constant(n.buffer.dtype.element)})"
        if n.predicate is not None:
            value = f"np.where({self.visit(n.predicate)}, {value}, {target})"
        if check:
            self.line(f"if not {check[0]}: {check[1]}")
        self.line(f"{target} = {value}")

    def visit_Bind(self, n: tir.Bind) -> None:
        value = self.visit(n.value)
        self.line(f"{self.define(n.var)} = {value}")

    def visit_Evaluate(self, n: tir.Evaluate) -> None:
        op = n.value.op if isinstance(n.value, prim.Call) else ""
        if op == "break_loop":
            self.line("break")
        elif op == "continue_loop":
            self.line("continue")
        elif op == "ret":
            self.line(f"return {self.visit(n.value.args[0])}")
        else:
            self.line(self.visit(n.value))

    def visit_For(self, n: tir.For) -> None:
        low, extent = self.visit(n.min), self.visit(n.extent)
        step = f", {self.visit(n.step)}" if n.step is not None else ""
        end = extent if low == "0" else f"{low} + {extent}"
        var = self.define(n.loop_var)
        self.suite(f"for {var} in range({low}, {end}{step}):", n.body)

    def visit_While(self, n: tir.While) -> None:
        self.suite(f"while {self.visit(n.condition)}:", n.body)

    def visit_IfThenElse(self, n: tir.IfThenElse) -> None:
        self.suite(f"if {self.visit(n.condition)}:", n.then_case)
        if n.else_case is not None:
            self.suite("else:", n.else_case)

    def visit_AssertStmt(self, n: tir.AssertStmt) -> None:
        message = self.visit(n.message)
        self.line(f"if not {self.visit(n.condition)}: fail({n.error_kind!r}, {message})")

    def visit_AttrStmt(self, n: tir.AttrStmt) -> None:
        if n.key == "thread_extent" and isinstance(n.node, tir.IterVar):
            var = self.names.get(id(n.node.var)) or self.define(n.node.var)
            self.suite(f"for {var} in range({self.visit(n.value)}):", n.body)
        else:
            self.visit(n.body)

    def visit_AllocBuffer(self, n: tir.AllocBuffer) -> None:
        self.allocate(n.buffer)

    def allocate(self, b: tir.Buffer) -> None:
        shape = "".join(f"{self.visit(s)}, " for s in b.shape)
        self.line(f"{self.define(b)} = mem.allocate({self.constant(b)}, ({shape}))")

    def visit_DeclBuffer(self, n: tir.DeclBuffer) -> None:
        b = n.buffer
        source = self.visit(b.data)
        shape = "".join(f"{self.visit(s)}, " for s in b.shape)
        strides = "".join(f"{self.visit(s)}, " for s in b.strides)
        offset = self.visit(b.elem_offset)
        self.line(f"{self.define(b)} = mem.view({source}, {self.constant(b)}, ({shape}), "
                  f"({strides}), {offset})")

    def visit_BlockRealize(self, n: tir.BlockRealize) -> None:
        block, values = n.block, [self.visit(v) for v in n.iter_values]
        outer, self.block = self.block, block.name
        guard = not prim.is_const(n.predicate, 1)
        if guard:
            self.line(f"if {self.visit(n.predicate)}:")
            self.depth += 1
        for it, value in zip(block.iter_vars, values):
            self.line(f"{self.define(it.var)} = {value}")
        for b in block.alloc_buffers:
            self.allocate(b)
        for m in block.match_buffers:
            self.match_buffer(m)
        if block.init is not None:
            first = [f"{self.name(it.var)} == {self.visit(it.dom.min)}"
                     for it in block.iter_vars if it.kind == tir.REDUCE]
            self.suite(f"if {' and '.join(first) or 'True'}:", block.init)
        self.visit(block.body)
        self.line("pass")
        if guard:
            self.depth -= 1
        self.block = outer

    def match_buffer(self, m: tir.MatchBufferRegion) -> None:
        b, region = m.buffer, m.source.region
        starts = "".join(f"{self.visit(r.min)}, " for r in region)
        extents = "".join(f"{self.visit(r.extent)}, " for r in region)
        own = self.define(b)
        self.line(f"{own} = mem.region_view({self.name(m.source.buffer)}, ({starts}), "
                  f"({extents}), {b.ndim}, {b.name!r})")
        self.bind_shape(b)

    def default(self, n: Node, *args):
        raise RuntimeCallError(f"the interpreter does not run {type(n).__name__}",
                               span=getattr(n, "span", None))


class TensorProgram:
    """A `PrimFunc` that can be called: outputs are written into the arrays given last."""

    def __init__(self, name: str, func: tir.PrimFunc, funcs: Mapping[str, Callable]):
        self.name, self.func, self.funcs = name, func, funcs
        self._run: Callable | None = None

    def __call__(self, *args):
        if len(args) != len(self.func.params):
            raise RuntimeCallError(f"{self.name} takes {len(self.func.params)} arguments, "
                                   f"{len(args)} given")
        if self._run is None:
            self._run = Translator(self.func).compile()
        bound: dict[prim.Var, int] = {}
        args = [self._check(i, p, a, bound) for i, (p, a) in enumerate(zip(self.func.params, args))]
        with np.errstate(all="ignore"):
            try:
                return self._run(self.funcs, *args)
            except UnityLabError:
                raise
            except Exception as e:  # whatever a wrong program leads to, it is one clear error
                raise RuntimeCallError(f"{self.name}: {type(e).__name__}: {e}") from e

    def _check(self, i: int, p, a, bound: dict):
        if isinstance(p, prim.Var):
            if isinstance(a, (memory.Pointer, type(None))):
                return a
            if p.dtype == "handle":
                if not isinstance(a, np.ndarray):
                    raise RuntimeCallError(f"{self.name}: argument {i} ({p.name}) is a pointer: an "
                                           f"array is expected, not {type(a).__name__}")
                return memory.pointer_to(a)
            bound[p] = a
            return scalars.cast(a if isinstance(a, (int, float)) else np.asarray(a)[()], p.dtype)
        if isinstance(a, memory.Pointer):
            shape = tuple(s.value for s in p.shape)
            return memory.view(a, p, shape, (), 0)
        if not isinstance(a, np.ndarray):
            raise RuntimeCallError(f"{self.name}: argument {i} ({p.name}) must be a NumPy array, "
                                   f"not {type(a).__name__}")
        if a.dtype != p.dtype.element.numpy:
            raise RuntimeCallError(f"{self.name}: argument {i} ({p.name}) has dtype {a.dtype}, "
                                   f"{p.dtype} expected")
        lanes = 1 if p.dtype.lanes > 1 else 0
        if a.ndim != p.ndim + lanes:
            raise RuntimeCallError(f"{self.name}: argument {i} ({p.name}) has {a.ndim} dimensions, "
                                   f"{p.ndim + lanes} expected")
        for d, (want, have) in enumerate(zip(p.shape, a.shape)):
            want = bound.setdefault(want, have) if isinstance(want, prim.Var) else \
                getattr(want, "value", have)
            if want != have:
                raise RuntimeCallError(f"{self.name}: dimension {d} of argument {i} ({p.name}) is "
                                       f"{have}, {want} expected")
        return a
