"""Parses the parameters and the buffers of tensor programs."""

from __future__ import annotations

import ast
from dataclasses import replace

from ..ir import prim, tir
from ..ir.dtypes import INT32, INT64, dtype
from ..ir.node import FrozenDict
from ..ir.op import freeze
from . import tir as T
from .evaluate import Evaluator
from .tir_frame import Frame, region_of
from .values import ModuleRef


class BufferParser(Evaluator):
    """Reads declarations: symbolic sizes, parameters, buffers."""

    def __init__(self, *args, module: ModuleRef | None = None, **kw):
        super().__init__(*args, **kw)
        self.module = module
        self.frames: list[Frame] = []
        self.loops: dict[int, tir.Range] = {}
        self.params: list = []
        self.attrs: dict = {}
        self.uses_blocks = False

    def emit(self, stmt: tir.Stmt, n: ast.AST) -> None:
        if stmt.span is None:
            stmt = stmt.replace(span=self.source.span(n))
        self.frames[-1].stmts.append(stmt)

    def enclosing(self) -> Frame:
        """The frame of the innermost block, or the function's."""
        return next((f for f in reversed(self.frames) if f.block is not None), self.frames[0])

    # --- parameters -------------------------------------------------------------------------

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

    def match(self, n: ast.stmt, name: str, spec: T.BufferSpec) -> None:
        buffer = self.make_buffer(name, spec, n)
        self.define(name, buffer)
        if isinstance(spec.source, prim.Var):
            if spec.source not in self.params:
                raise self.source.error(n, f"{spec.source.name!r} is not a parameter")
            self.params[self.params.index(spec.source)] = buffer
            return
        region = region_of(spec.source)
        if region is None:
            raise self.source.error(n, "match_buffer takes a handle parameter or a region of a "
                                       "buffer")
        self.enclosing().matches.append(tir.MatchBufferRegion(buffer, region))


def _declares_var(n: ast.expr) -> bool:
    return isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) \
        and isinstance(n.func.value, ast.Name) and n.func.value.id == "T" \
        and (not n.args or n.func.attr == "var")
