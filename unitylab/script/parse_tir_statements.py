"""Parses the plain statements of tensor programs."""

from __future__ import annotations

import ast

from ..ir import prim, tir
from ..ir.node import FrozenDict, Node
from . import tir as T
from .dialect import SCALAR_CELL
from .parse_tir_buffers import BufferParser
from .tir_frame import Frame, ScalarCell
from .values import Region


class StatementParser(BufferParser):
    """Reads suites, assignments, conditions and calls."""

    directives: dict = {}

    def suite(self, body: list[ast.stmt]) -> None:
        for k, s in enumerate(body):
            call, target = self.opens(s)
            if call is not None:  # it holds for the rest of the suite
                rest = ast.With([ast.withitem(call, target)], body[k + 1:])
                return self.located(self.stmt_With, ast.copy_location(rest, s))
            method = getattr(self, f"stmt_{type(s).__name__}", None)
            if method is None:
                raise self.source.error(s, f"{type(s).__name__} is no statement of the language")
            self.located(method, s)

    def opens(self, s: ast.stmt) -> tuple[ast.Call | None, ast.expr | None]:
        """The call and the name of `tx = T.launch_thread("threadIdx.x", 128)`, or the call of
        `T.attr(A, "key", 1)`."""
        call = s.value if isinstance(s, (ast.Assign, ast.Expr)) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) \
                or call.func.attr not in ("launch_thread", "attr"):
            return None, None
        name = self.directive(call)
        if name == "T.launch_thread" and isinstance(s, ast.Assign):
            return call, s.targets[0]
        return (call if name in ("T.attr", "T.launch_thread") else None), None

    def inner(self, body: list[ast.stmt], names: dict | None = None) -> tir.Stmt:
        """A suite in a scope of its own, as one statement."""
        self.scopes.append(dict(names or {}))
        self.frames.append(Frame())
        self.suite(body)
        frame = self.frames.pop()
        self.scopes.pop()
        return tir.seq(*frame.stmts) if frame.stmts else tir.Evaluate(prim.literal(0))

    def stmt_Pass(self, n: ast.Pass) -> None:
        pass

    def stmt_Assign(self, n: ast.Assign) -> None:
        if len(n.targets) != 1:
            raise self.source.error(n, "one target at a time")
        target = n.targets[0]
        if isinstance(target, ast.Subscript):
            return self.store(n, target, self.eval(n.value))
        if isinstance(n.value, ast.Call) and self.axis_call(n, target):
            return None
        if isinstance(target, ast.Tuple):
            values = self.eval(n.value)
            values = list(values) if isinstance(values, (tuple, list)) else [values]
            if len(values) != len(target.elts):
                raise self.source.error(n, f"{len(target.elts)} names for {len(values)} values")
            for t, v in zip(target.elts, values):
                self.assign(n, t, v)
            return None
        return self.assign(n, target, self.eval(n.value))

    def assign(self, n: ast.stmt, target: ast.expr, value) -> None:
        if not isinstance(target, ast.Name):
            raise self.source.error(target, "this cannot be assigned to")
        if isinstance(value, T.BufferSpec):
            self.bind_buffer(n, target.id, value)
        elif isinstance(value, Region):
            self.bind(n, target.id, value.value(), None)
        elif isinstance(value, T.HandleType):
            pointer = prim.Var(target.id, value.dtype, value.pointer, span=self.source.span(n))
            self.define(target.id, pointer)
        elif (cell := self.element(target.id, value)) is not None:
            self.emit(cell.store(prim.literal(value)), n)
        elif isinstance(value, prim.Var) and not value.name:
            known = self.scopes[-1].get(target.id)
            if not isinstance(known, prim.Var):
                self.define(target.id, value.replace(name=target.id))
        elif isinstance(value, prim.PrimExpr) and not isinstance(value, (prim.Var, prim.IntImm)):
            self.bind(n, target.id, value, None)
        else:
            self.define(target.id, value)

    def bind(self, n: ast.stmt, name: str, value: prim.PrimExpr, to) -> None:
        kind = value.dtype if to is None else to.dtype
        pointer = getattr(to, "pointer", None)
        var = prim.Var(name, kind, pointer, span=self.source.span(n))
        self.define(name, var)
        self.emit(tir.Bind(var, prim.cast(value, kind) if kind != "handle" else value), n)

    def element(self, name: str, value) -> ScalarCell | None:
        """The element that `name = value` assigns to: of a scalar, or of a buffer of one."""
        found = self.find(name)
        number = isinstance(value, (int, float, prim.PrimExpr))
        if isinstance(found, tir.Buffer) and self.modern and number and found.ndim == 1 \
                and prim.is_const(found.shape[0], 1):
            return ScalarCell(found)
        return found if isinstance(found, ScalarCell) else None

    def find(self, name: str):
        """What a name stands for, or None."""
        return next((s[name] for s in reversed(self.scopes) if name in s), None)

    def eval_Name(self, n: ast.Name):
        value = self.lookup(n)
        return value.load(self.source.span(n)) if isinstance(value, ScalarCell) else value

    def stmt_AnnAssign(self, n: ast.AnnAssign) -> None:
        if not isinstance(n.target, ast.Name):
            raise self.source.error(n, "a declaration needs a name")
        kind = self.eval(n.annotation)
        value = None if n.value is None else self.eval(n.value)
        if self.is_cell(n.annotation, kind) and not isinstance(value, T.BufferSpec):
            return self.cell(n, kind, value)
        if value is None:
            raise self.source.error(n, "a declaration needs a value")
        if isinstance(value, T.BufferSpec):
            return self.bind_buffer(n, n.target.id, value)
        if not isinstance(kind, (T.ScalarType, T.HandleType)):
            kind = None
        return self.bind(n, n.target.id, prim.literal(self.scalar(n.value, value)), kind)

    def is_cell(self, annotation: ast.expr, kind) -> bool:
        """Whether `x: T.float16` declares an element that may change. Today's Apache TVM means
        that; a Unity-era `x: T.int32 = value` names the value, as `T.let[...]` does today."""
        return isinstance(kind, T.ScalarType) and (
            self.modern and not isinstance(annotation, ast.Subscript))

    def cell(self, n: ast.AnnAssign, kind: T.ScalarType, value) -> None:
        buffer = tir.decl_buffer((1,), kind.dtype, n.target.id, scope="local",
                                 span=self.source.span(n))
        self.emit(tir.AllocBuffer(buffer, FrozenDict({SCALAR_CELL: True})), n)
        self.define(n.target.id, ScalarCell(buffer))
        if value is not None:
            self.emit(ScalarCell(buffer).store(prim.literal(self.scalar(n.value, value))), n)

    def stmt_AugAssign(self, n: ast.AugAssign) -> None:
        if isinstance(n.target, ast.Name) and isinstance(self.find(n.target.id), ScalarCell):
            load = ast.copy_location(ast.Name(n.target.id, ast.Load()), n.target)
            value = self.eval(ast.copy_location(ast.BinOp(load, n.op, n.value), n))
            return self.assign(n, n.target, value)
        if not isinstance(n.target, ast.Subscript):
            raise self.source.error(n, "only elements of buffers can be updated in place")
        load = ast.copy_location(ast.Subscript(n.target.value, n.target.slice, ast.Load()),
                                 n.target)
        self.store(n, n.target, self.eval(ast.copy_location(ast.BinOp(load, n.op, n.value), n)))

    def store(self, n: ast.stmt, target: ast.Subscript, value) -> None:
        buffer = self.eval(target.value)
        if not isinstance(buffer, tir.Buffer):
            raise self.source.error(target, "only elements of buffers can be assigned")
        at = self.buffer_access(target, buffer, self.eval(target.slice))
        indices = at.indices() if isinstance(at, Region) else at.indices
        if isinstance(value, Region):
            value = value.value()
        value = prim.literal(self.scalar(n, value), None if isinstance(value, prim.PrimExpr)
                             else buffer.dtype)
        want = tir.access_dtype(buffer, indices)
        if value.dtype != want and value.dtype.element == want.element and value.dtype.lanes == 1:
            value = prim.Broadcast(value, want.lanes)
        elif value.dtype != want and value.dtype.lanes == want.lanes:
            value = prim.cast(value, want)
        self.emit(tir.BufferStore(buffer, value, indices), n)

    def stmt_Expr(self, n: ast.Expr) -> None:
        call = n.value
        if isinstance(call, ast.Constant):  # a docstring
            return
        if isinstance(call, ast.Call):
            do = self.directives.get(self.directive(call))
            if do is not None:
                return do(self, call)
        value = self.eval(call)
        if isinstance(value, tir.Stmt):
            self.emit(value, n)
        elif isinstance(value, prim.PrimExpr):
            self.emit(tir.Evaluate(value), n)
        elif isinstance(value, T.BufferSpec):
            self.bind_buffer(n, "buffer", value)
        elif value is not None:
            raise self.source.error(n, "this value is not used")

    def directive(self, call: ast.Call) -> str:
        """The dotted name of a callee, such as T.axis.remap."""
        parts, f = [], call.func
        while isinstance(f, ast.Attribute):
            parts.append(f.attr)
            f = f.value
        return ".".join([f.id, *reversed(parts)]) if isinstance(f, ast.Name) else ""

    def stmt_If(self, n: ast.If) -> None:
        test = self.eval(n.test)
        if isinstance(test, (bool, int)) and not isinstance(test, Node):
            return self.suite(n.body if test else n.orelse)
        then = self.inner(n.body)
        other = self.inner(n.orelse) if n.orelse else None
        return self.emit(tir.IfThenElse(prim.literal(self.scalar(n.test, test)), then, other), n)

    def stmt_While(self, n: ast.While) -> None:
        test = prim.literal(self.scalar(n.test, self.eval(n.test)))
        self.emit(tir.While(test, self.inner(n.body)), n)

    def stmt_Assert(self, n: ast.Assert) -> None:
        message = self.eval(n.msg) if n.msg is not None else ""
        kind = "RuntimeError"
        if isinstance(message, tuple) and len(message) == 2:
            kind, message = message
            message = "".join(message) if isinstance(message, list) else message
        self.emit(tir.AssertStmt(prim.literal(self.eval(n.test)), prim.literal(message), kind), n)

    def stmt_Return(self, n: ast.Return) -> None:
        if n.value is not None:
            self.emit(tir.Evaluate(T.ret(self.eval(n.value))), n)
