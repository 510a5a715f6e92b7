"""Prints struct info and the expressions of graphs."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..ir import prim, relax
from ..ir.dtypes import dtype
from ..ir.node import Node
from ..ir.op import Op
from ..ir.struct_info import (
    FuncStructInfo,
    ObjectStructInfo,
    PrimStructInfo,
    ShapeStructInfo,
    StructInfo,
    TensorStructInfo,
    TupleStructInfo,
)
from .constants import constant_key
from .print_prim import quoted
from .print_tir import TirPrinter
from .print_tir_buffers import collect_vars

INLINE = 4  # elements that a constant may have to be written out
_DESTINATION = {"call_tir", "call_tir_inplace", "call_dps_packed", "call_tir_with_grad"}


class GraphPrinter(TirPrinter):
    """Struct info, calls, constants and tuples."""

    def __init__(self, dialect):
        super().__init__(dialect)
        self.quote: set[int] | None = None
        self.scalars: set[int] = set()  # values that scalar parameters stand for
        self.graph: relax.Function | None = None
        self.uses: Counter[int] | None = None

    # --- struct info ------------------------------------------------------------------------

    def info(self, s: StructInfo | None) -> str:
        return self.dialect.object_info if s is None else self.visit(s)

    def dim(self, e) -> str:
        """A size; quoted in a signature where its variables are not declared yet."""
        text = self.expr(e)
        if self.quote and any(id(v) in self.quote for v in collect_vars((e,))):
            return f'"{text}"'
        if isinstance(e, prim.IntImm) and e.dtype == "int64":
            return str(e.value)
        return text

    def graph_shape(self, dims) -> str:
        outer_int, self.int64_bare = getattr(self, "int64_bare", False), True
        text = ", ".join(self.dim(d) for d in dims)
        self.int64_bare = outer_int
        return f"({text},)" if len(dims) == 1 else f"({text})"

    def visit_IntImm(self, n: prim.IntImm) -> str:
        if n.dtype == "int64" and getattr(self, "int64_bare", False):
            return str(n.value)
        return super().visit_IntImm(n)

    def visit_TensorStructInfo(self, s: TensorStructInfo) -> str:
        parts = []
        if isinstance(s.shape, tuple):
            parts.append(self.graph_shape(s.shape))
        elif s.shape is not None:
            parts.append(self.expr(s.shape))
        if s.dtype is not None:
            parts.append(f'dtype="{s.dtype}"')
        if s.shape is None and s.ndim >= 0:
            parts.append(f"ndim={s.ndim}")
        if s.vdevice:
            parts.append(f'vdevice="{s.vdevice}"')
        return f"R.Tensor({', '.join(parts)})" if parts else "R.Tensor"

    def visit_ShapeStructInfo(self, s: ShapeStructInfo) -> str:
        if s.values is not None:
            text = self.graph_shape(s.values)
            inner = text[1:-1].rstrip(",")
            return f"R.Shape([{inner}])"
        return f"R.Shape(ndim={s.ndim})" if s.ndim >= 0 else "R.Shape"

    def visit_PrimStructInfo(self, s: PrimStructInfo) -> str:
        if self.dialect.modern and (s.value is None or self.names.get(id(s.value)) is not None
                                    and id(s.value) in self.scalars):
            return f"T.{s.dtype}"
        if s.value is not None:
            return f"R.Prim(value={self.dim(s.value)})"
        return f'R.Prim("{s.dtype}")'

    def visit_TupleStructInfo(self, s: TupleStructInfo) -> str:
        if s.fields is None:
            return "R.Tuple"
        return f"R.Tuple({', '.join(self.info(f) for f in s.fields)})" if s.fields else "R.Tuple()"

    def visit_FuncStructInfo(self, s: FuncStructInfo) -> str:
        if s.params is None:
            return "R.Callable"
        params = ", ".join(self.info(p) for p in s.params)
        params = f"({params},)" if len(s.params) == 1 else f"({params})"
        return f"R.Callable({params}, {self.info(s.ret)}, {s.pure})"

    def visit_ObjectStructInfo(self, s: ObjectStructInfo) -> str:
        return self.dialect.object_info

    # --- expressions ------------------------------------------------------------------------

    def visit_Var(self, n) -> str:
        return super().visit_Var(n) if isinstance(n, prim.Var) else self.name_of(n)

    def visit_Constant(self, n: relax.Constant) -> str:
        kind = dtype(str(n.data.dtype))
        if n.data.ndim == 0 and (kind.is_bool or kind.is_int or np.isfinite(float(n.data))):
            return f'R.const({n.data.item()!r}, "{kind}")'
        if 0 < n.data.size <= INLINE and np.all(
                np.isfinite(n.data.astype("float64"))):
            return f'R.const({n.data.tolist()!r}, "{kind}")'
        return f'metadata["relax.expr.Constant"]["{constant_key(n)}"]'

    def visit_ShapeExpr(self, n: relax.ShapeExpr) -> str:
        return f"R.shape([{self.graph_shape(n.values)[1:-1].rstrip(',')}])"

    def visit_PrimValue(self, n: relax.PrimValue) -> str:
        v = n.value
        if isinstance(v, prim.IntImm) and v.dtype == "int64" and not self.dialect.modern:
            return f"R.prim_value({v.value})"
        if isinstance(v, prim.IntImm) and v.dtype == "int64":
            return f"T.int64({v.value})"
        return self.expr(v) if self.dialect.modern else f"R.prim_value({self.expr(v)})"

    def visit_StringImm(self, n) -> str:
        if isinstance(n, prim.StringImm):
            return quoted(n.value)
        return f"R.str({quoted(n.value)})"

    def visit_DataTypeImm(self, n: relax.DataTypeImm) -> str:
        return f'R.dtype("{n.value}")'

    def visit_ExternFunc(self, n: relax.ExternFunc) -> str:
        return f'R.ExternFunc("{n.name}")'

    def visit_Op(self, n: Op) -> str:
        return f"R.{n.short}"

    def visit_Tuple(self, n: relax.Tuple) -> str:
        if not n.fields:
            return "R.tuple()"
        return f"({self.exprs(n.fields)},)" if len(n.fields) == 1 else f"({self.exprs(n.fields)})"

    def visit_TupleGetItem(self, n: relax.TupleGetItem) -> str:
        return f"{self.expr(n.tuple)}[{n.index}]"

    def visit_Call(self, n) -> str:
        if isinstance(n, prim.Call):
            return super().visit_Call(n)
        infos = [self.info(s) for s in n.sinfo_args]
        if isinstance(n.op, Op):
            return self.op_call(n, infos)
        if isinstance(n.op, relax.ExternFunc):
            args = [f'"{n.op.name}"', *map(self.expr, n.args)]
            args += [f"{k}={self.value(v)}" for k, v in n.attrs.items()]
            if infos:
                args.append(f"{self.dialect.call_info}=({', '.join(infos)},)")
            return f"R.call_packed({', '.join(args)})"
        return f"{self.expr(n.op)}({self.exprs(n.args)})"

    def op_call(self, n: relax.Call, infos: list[str]) -> str:
        op: Op = n.op
        if op.short in _DESTINATION:
            return self.destination_call(n, infos)
        args = []
        for e in n.args:
            extern = isinstance(e, relax.ExternFunc)
            args.append(f'"{e.name}"' if extern else self.expr(e))
        for p in op.params:
            if p.kind == "attr" and p.name in n.attrs:
                args.append(f"{p.name}={self.attr_value(n.attrs[p.name])}")
        if infos:
            args.append(f"{self.dialect.call_info}=({', '.join(infos)},)")
        return f"R.{op.short}({', '.join(args)})"

    def attr_value(self, v) -> str:
        if isinstance(v, Node) and isinstance(v, StructInfo):
            return self.info(v)
        return self.value(v)

    def destination_call(self, n: relax.Call, infos: list[str]) -> str:
        """call_tir and its kin: `R.call_tir(cls.f, (x,), out_sinfo=..., tir_vars=...)`."""
        callee = n.args[0]
        first = f'"{callee.name}"' if isinstance(callee, relax.ExternFunc) else self.expr(callee)
        s = n.sinfo_args[0]
        out = self.info(s) if not isinstance(s, TupleStructInfo) else \
            f"[{', '.join(map(self.info, s.fields))}]"
        args = [first, self.expr(n.args[1]), f"{self.dialect.out_info}={out}"]
        for k, v in n.attrs.items():
            args.append(f"{k}={self.value(v)}")
        if len(n.args) > 2:
            args.append(f"tir_vars={self.expr(n.args[2])}")
        return f"R.{n.op.short}({', '.join(args)})"
