"""Parses tensor programs."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from ..arith.regions import derive_regions
from ..ir import prim, tir
from ..ir.dtypes import INT32, INT64, VOID, dtype
from ..ir.errors import ParseError, did_you_mean
from ..ir.node import EMPTY, FrozenDict, Node
from ..ir.op import freeze
from . import tir as T
from .diagnostics import call_checked, check_words
from .dialect import SCALAR_CELL
from .evaluate import Builder, Evaluator, ModuleRef, Region, extent_between

_LOOP_WORDS = ("start", "stop", "extent", "step", "thread", "annotations")
_LOOP_KINDS = {"T.serial": tir.SERIAL, "T.parallel": tir.PARALLEL, "T.vectorized": tir.VECTORIZED,
               "T.unroll": tir.UNROLLED, "T.thread_binding": tir.THREAD_BINDING,
               "range": tir.SERIAL}
_AXIS_KINDS = {"spatial": tir.SPATIAL, "S": tir.SPATIAL, "reduce": tir.REDUCE, "R": tir.REDUCE,
               "opaque": tir.OPAQUE, "O": tir.OPAQUE, "scan": tir.SCAN}
_BLOCKS = ("T.block", "T.sblock")


@dataclass
class Frame:
    """Statements of one suite; for a block also its parts."""

    stmts: list[tir.Stmt] = field(default_factory=list)
    block: str | None = None
    iter_vars: list[tir.IterVar] = field(default_factory=list)
    iter_values: list[prim.PrimExpr] = field(default_factory=list)
    predicate: list[prim.PrimExpr] = field(default_factory=list)
    reads: list[tir.BufferRegion] | None = None
    writes: list[tir.BufferRegion] | None = None
    annotations: dict = field(default_factory=dict)
    allocs: list[tir.Buffer] = field(default_factory=list)
    matches: list[tir.MatchBufferRegion] = field(default_factory=list)
    init: tir.Stmt | None = None


@dataclass(frozen=True)
class ScalarCell:
    """A local buffer of one element whose name reads and writes the element."""

    buffer: tir.Buffer

    def load(self, span) -> tir.BufferLoad:
        return tir.BufferLoad(self.buffer, (prim.literal(0),), span=span)

    def store(self, value: prim.PrimExpr) -> tir.BufferStore:
        return tir.BufferStore(self.buffer, prim.cast(value, self.buffer.dtype),
                               (prim.literal(0),))


class TirParser(Evaluator):
    """Parses one `PrimFunc` from its function definition."""

    def __init__(self, *args, module: ModuleRef | None = None, **kw):
        super().__init__(*args, **kw)
        self.module = module
        self.frames: list[Frame] = []
        self.loops: dict[int, tir.Range] = {}
        self.params: list = []
        self.attrs: dict = {}
        self.uses_blocks = False

    # --- functions --------------------------------------------------------------------------

    def parse(self, n: ast.FunctionDef, private: bool = False,
              s_tir: bool = True) -> tir.PrimFunc:
        """The tensor program of a definition. `s_tir`: whether it is one that schedules work on,
        as all are but those that today's Apache TVM writes without this option."""
        self.scopes.append({})
        self.frames.append(Frame())
        self.declare_symbols(n.body)
        self.declare_scalars(n.args.args)
        for arg in n.args.args:
            self.parameter(arg)
        ret = VOID
        if n.returns is not None:
            kind = self.eval(n.returns)
            ret = kind.dtype if isinstance(kind, (T.ScalarType, T.HandleType)) else VOID
        self.suite(n.body)
        frame = self.frames.pop()
        body = self.root(frame)
        attrs = dict(self.attrs)
        if not s_tir:
            attrs.setdefault("s_tir", False)
        if not private:
            attrs.setdefault("global_symbol", n.name)
        return tir.PrimFunc(tuple(self.params), body, ret, FrozenDict(attrs),
                            span=self.source.span(n))

    def root(self, frame: Frame) -> tir.Stmt:
        """The body; in a root block if there are blocks or block buffers."""
        body = tir.seq(*frame.stmts) if frame.stmts else tir.Evaluate(prim.literal(0))
        explicit = isinstance(body, tir.BlockRealize) and not body.block.iter_vars \
            and not frame.allocs
        if explicit or not (self.uses_blocks or frame.allocs):
            return body
        return tir.root_block(body, tuple(frame.allocs))

    def declare_symbols(self, body: list[ast.stmt]) -> None:
        """`n, m = T.int64(), T.int64()` at the top counts for the signature above it too."""
        for s in body:
            if isinstance(s, ast.Assign) and len(s.targets) == 1:
                target, value = s.targets[0], s.value
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                values = value.elts if isinstance(value, ast.Tuple) else [value]
                if len(names) == len(values) and all(map(_declares_var, values)) and all(
                        isinstance(x, ast.Name) for x in names):
                    for name, v in zip(names, values):
                        var = self.eval(v)
                        if isinstance(var, prim.Var):
                            self.define(name.id, var.replace(name=name.id))

    def declare_scalars(self, args: list[ast.arg]) -> None:
        """A scalar parameter may be a size in the types of the parameters before it."""
        for arg in args:
            if isinstance(arg.annotation, ast.Attribute):
                kind = self.eval(arg.annotation)
                if isinstance(kind, T.ScalarType):
                    self.define(arg.arg, prim.Var(arg.arg, kind.dtype,
                                                  span=self.source.span(arg)))

    def parameter(self, arg: ast.arg) -> None:
        if arg.annotation is None:
            raise self.source.error(arg, f"parameter {arg.arg!r} has no type",
                                    'A: T.Buffer((128, 128), "float32")')
        kind = self.signature_type(arg.annotation)
        if isinstance(kind, T.BufferSpec):
            value = self.make_buffer(arg.arg, kind, arg)
        elif isinstance(kind, T.HandleType):
            value = prim.Var(arg.arg, kind.dtype, kind.pointer, span=self.source.span(arg))
        elif isinstance(kind, T.ScalarType):
            known = self.scopes[-1].get(arg.arg)
            value = known if isinstance(known, prim.Var) else \
                prim.Var(arg.arg, kind.dtype, span=self.source.span(arg))
        else:
            raise self.source.error(arg, f"the type of {arg.arg!r} is none of tensor programs",
                                    "T.Buffer(...), T.handle or a scalar type such as T.int64")
        self.define(arg.arg, value)
        self.params.append(value)

    def signature_type(self, n: ast.expr):
        """A type in a signature: strings in shapes are expressions over symbolic sizes."""
        if isinstance(n, ast.Constant) and isinstance(n.value, str):
            return self.eval(self.quoted(n))
        if isinstance(n, ast.Call) and n.args:
            shape = n.args[0]
            if isinstance(shape, (ast.Tuple, ast.List)):
                new = type(shape)([self.unquote(e) for e in shape.elts], ast.Load())
                call = ast.Call(n.func, [ast.copy_location(new, shape), *n.args[1:]], n.keywords)
                return self.eval(ast.copy_location(call, n))
        return self.eval(n)

    def unquote(self, e: ast.expr) -> ast.expr:
        if isinstance(e, ast.Constant) and isinstance(e.value, str):
            return self.quoted(e)
        return e

    def quoted(self, e: ast.Constant) -> ast.expr:
        """A string of a signature as syntax at its place; new names become int64 variables."""
        try:
            inner = ast.parse(e.value.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise self.source.error(e, f"{e.value!r} is no expression") from None
        for x in ast.walk(inner):
            ast.copy_location(x, e)
            if isinstance(x, ast.Name) and x.id not in ("T", "R") and not any(
                    x.id in s for s in self.scopes):
                self.define(x.id, prim.Var(x.id, INT64))
        return inner

    # --- buffers ----------------------------------------------------------------------------

    def make_buffer(self, name: str, spec: T.BufferSpec, at: ast.AST) -> tir.Buffer:
        element = dtype(str(spec.dtype.dtype if isinstance(spec.dtype, T.ScalarType)
                                 else spec.dtype))
        fields = {"scope": spec.scope, "span": self.source.span(at)}
        data = spec.data
        if isinstance(data, prim.Var) and data.pointer is not None:
            fields["scope"] = data.pointer.scope
        if spec.strides:
            fields["strides"] = tuple(prim.literal(self.size(s, INT32)) for s in spec.strides)
        if spec.elem_offset is not None:
            fields["elem_offset"] = prim.literal(self.size(spec.elem_offset, INT32))
        if spec.align > 0:
            fields["data_alignment"] = spec.align
        if spec.offset_factor > 0:
            fields["offset_factor"] = spec.offset_factor
        fields["axis_separators"] = tuple(prim.as_int(a) for a in spec.axis_separators)
        shape = tuple(self.size(s) for s in spec.shape)
        if spec.offset_factor > 0 and spec.elem_offset is None:  # any multiple of it
            index = shape[0].dtype if shape and isinstance(shape[0], prim.PrimExpr) else INT32
            fields["elem_offset"] = prim.Var(f"{name}_elem_offset", index)
        return tir.decl_buffer(shape, element, name, data, **fields)

    def size(self, s, kind=INT64):
        """A size; a new name is a variable of dtype `kind`."""
        if isinstance(s, str):
            return self.scopes[0].get(s) or prim.Var(s, kind)
        return s

    def bind_buffer(self, n: ast.stmt, name: str, spec: T.BufferSpec) -> None:
        """`A = T.match_buffer(...)`, `T.alloc_buffer(...)`, `T.decl_buffer(...)`."""
        if spec.how == "match":
            return self.match(n, name, spec)
        if isinstance(spec.data, prim.PrimExpr) and not isinstance(spec.data, prim.Var):
            pointer = prim.PointerType(dtype(str(spec.dtype)), spec.scope)
            address = prim.Var(f"{name}_data", spec.data.dtype, pointer)
            self.emit(tir.Bind(address, spec.data), n)
            spec = replace(spec, data=address)
        buffer = self.make_buffer(name, spec, n)
        self.define(name, buffer)
        if spec.how == "block_alloc" or spec.how == "alloc" and not self.modern:
            self.enclosing().allocs.append(buffer)
        elif spec.data is not None:
            self.emit(tir.DeclBuffer(buffer), n)
        else:
            self.emit(tir.AllocBuffer(buffer, FrozenDict(
                {k: freeze(v) for k, v in spec.annotations.items()})), n)

    def enclosing(self) -> Frame:
        """The frame of the innermost block, or the function's."""
        return next((f for f in reversed(self.frames) if f.block is not None), self.frames[0])

    def match(self, n: ast.stmt, name: str, spec: T.BufferSpec) -> None:
        if isinstance(spec.source, prim.Var):
            buffer = self.make_buffer(name, spec, n)
            if spec.source not in self.params:
                raise self.source.error(n, f"{spec.source.name!r} is not a parameter")
            self.params[self.params.index(spec.source)] = buffer
            self.define(name, buffer)
            return
        source = spec.source
        if isinstance(source, Region):
            source = source.region()
        elif isinstance(source, tir.BufferLoad):
            source = point_region(source)
        elif isinstance(source, tir.Buffer):
            source = source.region()
        else:
            raise self.source.error(n, "match_buffer takes a handle parameter or a region of a "
                                       "buffer")
        buffer = self.make_buffer(name, spec, n)
        self.define(name, buffer)
        self.enclosing().matches.append(tir.MatchBufferRegion(buffer, source))

    # --- statements -------------------------------------------------------------------------

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

    def emit(self, stmt: tir.Stmt, n: ast.AST) -> None:
        if stmt.span is None:
            stmt = stmt.replace(span=self.source.span(n))
        self.frames[-1].stmts.append(stmt)

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
            name = self.directive(call)
            if name in _DIRECTIVES:
                return _DIRECTIVES[name](self, call)
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

    # --- loops ------------------------------------------------------------------------------

    def stmt_For(self, n: ast.For) -> None:
        if not isinstance(n.iter, ast.Call) or n.orelse:
            raise self.source.error(n.iter, "a loop runs over range, T.grid, T.serial, ...")
        name = self.directive(n.iter)
        if name == "T.grid":
            return self.grid(n)
        if name not in _LOOP_KINDS:
            raise self.source.error(n.iter.func, "a loop runs over range, T.grid, T.serial, "
                                    "T.parallel, T.vectorized, T.unroll or T.thread_binding",
                                    did_you_mean(name, [*_LOOP_KINDS, "T.grid"]))
        if not isinstance(n.target, ast.Name):
            raise self.source.error(n.target, "one loop variable expected")
        bounds = [self.bound(a) for a in n.iter.args]
        check_words(self.source, n.iter, name, _LOOP_WORDS)
        options = {k.arg: self.eval(k.value) for k in n.iter.keywords}
        bounds += [options.pop(k) for k in ("start", "stop", "extent") if k in options]
        if not 1 <= len(bounds) <= 3:
            raise self.source.error(n.iter, f"{name} takes an extent, or a start, an end and a "
                                            f"step; {len(bounds)} values given")
        low, high = (0, bounds[0]) if len(bounds) == 1 else bounds[:2]
        step = bounds[2] if len(bounds) > 2 else options.get("step")
        low, high = prim.unify(low, high)
        extent = extent_between(low, high)
        loop = self.loop_var(n.target, low, extent)
        body = self.inner(n.body, {n.target.id: loop})
        tag = options.get("thread")
        binding = tir.IterVar(prim.Var(tag, loop.dtype), None, "thread", tag) if tag else None
        notes = FrozenDict({k: freeze(v) for k, v in (options.get("annotations") or {}).items()})
        step = None if step is None or prim.is_const(prim.literal(step), 1) else \
            prim.literal(step, low.dtype)
        return self.emit(tir.For(loop, low, extent, _LOOP_KINDS[name], body, binding, notes, step),
                         n)

    def bound(self, n: ast.expr):
        return self.scalar(n, self.eval(n))

    def loop_var(self, target: ast.expr, low, extent) -> prim.Var:
        loop = prim.Var(target.id, extent.dtype, span=self.source.span(target))
        self.loops[id(loop)] = tir.Range(low, extent)
        return loop

    def grid(self, n: ast.For) -> None:
        targets = n.target.elts if isinstance(n.target, ast.Tuple) else [n.target]
        extents = [prim.literal(self.bound(a)) for a in n.iter.args]
        if len(targets) != len(extents):
            raise self.source.error(n.target, f"{len(targets)} loop variables for {len(extents)} "
                                              "extents")
        loops = [self.loop_var(t, prim.literal(0, e.dtype), e) for t, e in zip(targets, extents)]
        body = self.inner(n.body, {t.id: v for t, v in zip(targets, loops)})
        for loop, extent in zip(reversed(loops), reversed(extents)):
            body = tir.For(loop, prim.literal(0, extent.dtype), extent, tir.SERIAL, body,
                           span=self.source.span(n))
        self.emit(body, n)

    # --- blocks -----------------------------------------------------------------------------

    def stmt_With(self, n: ast.With) -> None:
        if len(n.items) != 1 or not isinstance(n.items[0].context_expr, ast.Call):
            raise self.source.error(n, "with T.block(...), T.init(), T.attr(...)")
        call = n.items[0].context_expr
        name = self.directive(call)
        if name in _BLOCKS:
            return self.block(n, call)
        if name == "T.init":
            self.enclosing().init = self.inner(n.body)
            return None
        if name in ("T.LetStmt", "T.let"):
            return self.let(n, call)
        if name == "T.attr":
            values = [self.eval(a) for a in call.args]
            if len(values) == 1 and isinstance(values[0], dict):
                body = self.inner(n.body)
                for key, value in reversed(values[0].items()):
                    body = tir.AttrStmt(None, key, prim.literal(value), body)
                return self.emit(body, n)
            node, key, value = values
            if isinstance(node, str):
                node = prim.literal(node)
            elif isinstance(node, int):
                node = None if node == 0 else prim.literal(node)
            return self.emit(tir.AttrStmt(node, key, prim.literal(value), self.inner(n.body)), n)
        if name == "T.launch_thread":
            return self.launch(n, call)
        raise self.source.error(call.func, f"with {name} is not part of the language", did_you_mean(
            name, ("T.block", "T.sblock", "T.init", "T.LetStmt", "T.attr", "T.launch_thread")))

    def launch(self, n: ast.With, call: ast.Call) -> None:
        tag, extent = self.eval(call.args[0]), prim.literal(self.eval(call.args[1]))
        target = n.items[0].optional_vars
        if not isinstance(tag, (str, tir.IterVar)):
            raise self.source.error(call, "a thread's tag is expected first",
                                    'T.launch_thread("threadIdx.x", 128)')
        if isinstance(tag, tir.IterVar):  # made by T.env_thread
            var, tag = tag.var, tag.thread_tag
        else:
            var = prim.Var(target.id if isinstance(target, ast.Name) else tag, extent.dtype)
        name = target.id if isinstance(target, ast.Name) else var.name
        body = self.inner(n.body, {name: var})
        it = tir.IterVar(var, tir.range_of(extent), "thread", tag)
        key = "virtual_thread" if tag == "vthread" else "thread_extent"
        self.emit(tir.AttrStmt(it, key, extent, body), n)

    def let(self, n: ast.With, call: ast.Call) -> None:
        args = [self.eval(a) for a in call.args]
        target = n.items[0].optional_vars
        if target is not None:
            value = prim.literal(args[0])
            var = prim.Var(target.id, value.dtype)
        else:
            var, value = args[0], prim.literal(args[1])
        self.define(var.name, var)
        self.emit(tir.Bind(var, value), n)
        self.suite(n.body)

    def block(self, n: ast.With, call: ast.Call) -> None:
        self.uses_blocks = True
        name = self.eval(call.args[0]) if call.args else ""
        self.scopes.append({})
        self.frames.append(Frame(block=name))
        self.suite(n.body)
        frame = self.frames.pop()
        self.scopes.pop()
        body = tir.seq(*frame.stmts) if frame.stmts else tir.Evaluate(prim.literal(0))
        span = self.source.span(n)
        block = tir.Block(tuple(frame.iter_vars), tuple(frame.reads or ()),
                          tuple(frame.writes or ()), name, body, frame.init, tuple(frame.allocs),
                          tuple(frame.matches),
                          FrozenDict(frame.annotations) if frame.annotations else EMPTY, span=span)
        root = len(self.frames) == 1 and name == "root" and not frame.iter_vars
        if (frame.reads is None or frame.writes is None) and not root:
            reads, writes = derive_regions(block)
            block = block.replace(reads=reads if frame.reads is None else block.reads,
                                  writes=writes if frame.writes is None else block.writes)
        predicate = prim.logical_and(*frame.predicate)
        self.emit(tir.BlockRealize(tuple(frame.iter_values), predicate, block, span=span), n)

    def axis_call(self, n: ast.Assign, target: ast.expr) -> bool:
        """`vi, vj = T.axis.remap("SR", [i, j])`, `vi = T.axis.spatial(128, i)`."""
        name = self.directive(n.value)
        if not name.startswith("T.axis."):
            return False
        kind = name.removeprefix("T.axis.")
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        if kind == "remap":
            letters, values = (self.eval(a) for a in n.value.args)
            if not len(names) == len(letters) == len(values):
                raise self.source.error(n, "as many names, kinds and loop variables are needed")
            for t, letter, value in zip(names, letters, values):
                if id(value) not in self.loops:
                    raise self.source.error(n, "remap takes loop variables",
                                            "T.axis.spatial(extent, value) takes any expression")
                self.axis(t, _AXIS_KINDS[letter], self.loops[id(value)], value)
            return True
        if kind not in _AXIS_KINDS:
            raise self.source.error(n.value.func, f"{name} is not known", did_you_mean(
                kind, ("spatial", "reduce", "opaque", "scan", "remap"),
                "T.axis.spatial, reduce, opaque, scan or remap", "T.axis."))
        dom, value = self.eval(n.value.args[0]), self.eval(n.value.args[1])
        value = prim.literal(value)
        self.axis(names[0], _AXIS_KINDS[kind], self.domain(dom, value), value)
        return True

    def domain(self, dom, value) -> tir.Range:
        if isinstance(dom, (tuple, list)):
            low, high = (prim.literal(d) for d in dom)
            low, high = prim.unify(low, high)
            return tir.Range(low, extent_between(low, high))
        return tir.range_of(dom)

    def axis(self, target: ast.expr, kind: str, dom: tir.Range, value) -> None:
        frame = self.enclosing()
        if not isinstance(target, ast.Name):
            raise self.source.error(target, "a name expected")
        var = prim.Var(target.id, dom.extent.dtype, span=self.source.span(target))
        self.define(target.id, var)
        frame.iter_vars.append(tir.IterVar(var, dom, kind))
        frame.iter_values.append(value)

    # --- directives -------------------------------------------------------------------------

    def do_reads(self, call: ast.Call) -> None:
        self.enclosing().reads = self.regions(call)

    def do_writes(self, call: ast.Call) -> None:
        self.enclosing().writes = self.regions(call)

    def regions(self, call: ast.Call) -> list[tir.BufferRegion]:
        values = [v for a in call.args for v in _flat(self.eval(a))]
        found = []
        for v in values:
            if isinstance(v, Region):
                found.append(v.region())
            elif isinstance(v, tir.BufferLoad):
                found.append(point_region(v))
            elif isinstance(v, tir.Buffer):
                found.append(v.region())
            else:
                raise self.source.error(call, "regions of buffers expected, such as A[0:4, i]")
        return found

    def do_where(self, call: ast.Call) -> None:
        self.enclosing().predicate.append(prim.literal(self.eval(call.args[0])))

    def do_func_attr(self, call: ast.Call) -> None:
        self.attrs |= {str(k).replace("tirx.", "tir."): attr_value(v)
                       for k, v in self.eval(call.args[0]).items()}

    def do_block_attr(self, call: ast.Call) -> None:
        self.enclosing().annotations |= {k: attr_value(v)
                                         for k, v in self.eval(call.args[0]).items()}

    def do_evaluate(self, call: ast.Call) -> None:
        value = self.eval(call.args[0])
        self.emit(tir.Evaluate(prim.literal(value)), call)

    def call_function(self, n: ast.Call, callee, args, kwargs):
        if isinstance(callee, prim.GlobalVar):
            values = tuple(a if isinstance(a, Node) else prim.literal(a) for a in args)
            return prim.Call(VOID, callee, values)
        if isinstance(callee, Builder):
            return call_checked(self.source, n, callee.name, callee.call, args, kwargs)
        return super().call_function(n, callee, args, kwargs)


def attr_value(v):
    """An attribute as plain value where it is a literal."""
    if isinstance(v, prim.IntImm):
        return bool(v.value) if v.dtype.is_bool else v.value
    if isinstance(v, prim.FloatImm) and v.dtype == "float32":
        return v.value
    if isinstance(v, (list, tuple)):
        return tuple(attr_value(x) for x in v)
    if isinstance(v, dict):
        return FrozenDict({k: attr_value(x) for k, x in v.items()})
    if callable(v) and not isinstance(v, Node):
        raise ParseError("a function is no value of an attribute here")
    return v


def point_region(load: tir.BufferLoad) -> tir.BufferRegion:
    """The region of one element (or of the vector that a load covers)."""
    ranges = []
    for i in load.indices:
        if isinstance(i, prim.Ramp):
            ranges.append(tir.Range(i.base, prim.literal(i.lanes, i.base.dtype)))
        else:
            ranges.append(tir.Range(i, prim.literal(1, i.dtype)))
    return tir.BufferRegion(load.buffer, tuple(ranges), span=load.span)


def _flat(v) -> list:
    return [x for e in v for x in _flat(e)] if isinstance(v, (list, tuple)) else [v]


def _declares_var(n: ast.expr) -> bool:
    return isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) \
        and isinstance(n.func.value, ast.Name) and n.func.value.id == "T" \
        and (not n.args or n.func.attr == "var")


_DIRECTIVES = {"T.reads": TirParser.do_reads, "T.writes": TirParser.do_writes,
               "T.where": TirParser.do_where, "T.func_attr": TirParser.do_func_attr,
               "T.block_attr": TirParser.do_block_attr, "T.sblock_attr": TirParser.do_block_attr,
               "T.evaluate": TirParser.do_evaluate}
