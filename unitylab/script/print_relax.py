"""Printing graph functions and modules."""

from __future__ import annotations

import hashlib
import weakref
from collections import Counter

import numpy as np

from ..ir import prim, relax
from ..ir.dtypes import dtype
from ..ir.errors import UnityLabError, did_you_mean
from ..ir.module import IRModule
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
from ..ir.structural import structural_equal
from ..ir.tir import PrimFunc
from .dialect import DIALECTS
from .document import Document, Marks, Writer
from .print_prim import quoted
from .print_tir import TirPrinter
from .print_tir_buffers import collect_vars

# large constants travel beside the text: by content, as long as somebody holds them
STORE: weakref.WeakValueDictionary[str, relax.Constant] = weakref.WeakValueDictionary()
INLINE = 4  # elements that a constant may have to be written out


def constant_key(c: relax.Constant) -> str:
    """A name for the content of a constant; remembers the constant under it."""
    data = np.ascontiguousarray(c.data)
    digest = hashlib.blake2b(data.tobytes(), digest_size=8)
    digest.update(f"{data.dtype}{data.shape}".encode())
    key = digest.hexdigest()
    STORE.setdefault(key, c)
    return key


class Printer(TirPrinter):
    """Prints everything: modules, functions of both levels, single nodes."""

    def __init__(self, dialect):
        super().__init__(dialect)
        self.quote: set[int] | None = None
        self.scalars: set[int] = set()  # values that scalar parameters stand for
        self.graph: relax.Function | None = None
        self.uses: Counter[int] | None = None

    # --- modules and functions --------------------------------------------------------------

    def module(self, mod: IRModule) -> None:
        tir = f"# from tvm.script import {self.dialect.tir_module} as T"
        self.out.line("# from tvm.script import ir as I")
        self.out.line(tir)
        self.out.line("# from tvm.script import relax as R")
        self.out.line("")
        self.out.line("@I.ir_module")
        with self.out.span(mod), self.out.block("class Module:"):
            if mod.attrs:
                self.out.line(f"I.module_attrs({self.value(mod.attrs)})")
            if mod.global_infos:
                self.out.line(f"I.module_global_infos({self.value(mod.global_infos)})")
            if not mod.functions:
                self.out.line("pass")
            for i, (name, func) in enumerate(mod.items()):
                if i:
                    self.out.line("")
                self.function(func, name)

    def function(self, func, name: str) -> None:
        if isinstance(func, PrimFunc):
            self.cls = "Module"
            self.prim_func(func, name)
        elif isinstance(func, relax.Function):
            self.names, self.taken = {}, {"T", "R", "I", "cls", name}
            self.cls = "cls"
            self.graph, self.uses = func, None
            self.graph_func(func, name)
        else:
            self.out.line(f"# {name}: an external function")

    def graph_func(self, func: relax.Function, name: str, nested: bool = False) -> None:
        attrs = dict(func.attrs)
        private = "global_symbol" not in attrs and not nested
        if attrs.get("global_symbol") == name:
            del attrs["global_symbol"]
        options = (["private=True"] if private else []) + ([] if func.is_pure else ["pure=False"])
        with self.out.span(func):
            self.out.line("@R.function" + (f"({', '.join(options)})" if options else ""))
            outer = {k for k in self.names}
            symbols = self.symbols_of(func, outer)
            self.quote = {id(v) for v in symbols}
            params = [self.parameter(p) for p in func.params]
            symbols = [v for v in symbols if id(v) not in self.scalars]
            ret = func.ret_struct_info
            arrow = "" if ret is None else f" -> {self.info(ret)}"
            self.quote = None
            with self.out.block(f"def {name}({', '.join(params)}){arrow}:"):
                self.declare(symbols)
                if attrs:
                    self.out.line(f"R.func_attr({self.attrs(attrs)})")
                if not nested and any(isinstance(n, prim.GlobalVar) for n in _walk_calls(func)):
                    self.out.line("cls = Module")
                self.sequence(func.body)
                self.out.line(f"return {self.expr(func.body.body)}")

    def parameter(self, p: relax.Var) -> str:
        """A parameter with its struct info. TVM has no name for the value of a scalar parameter
        but that of the parameter."""
        info, name = p.struct_info, self.define(p)
        value = info.value if isinstance(info, PrimStructInfo) else None
        if self.dialect.modern and isinstance(value, prim.Var) and not self.known(value):
            self.names[id(value)] = self.names[id(p)]
            self.scalars.add(id(value))
        return f"{name}: {self.info(info)}"

    def symbols_of(self, func: relax.Function, outer: set[int]) -> list[prim.Var]:
        infos = [p.struct_info for p in func.params if p.struct_info is not None]
        infos += [func.ret_struct_info] if func.ret_struct_info is not None else []
        return [v for v in collect_vars(infos) if id(v) not in outer]

    # --- bindings ---------------------------------------------------------------------------

    def sequence(self, e: relax.SeqExpr) -> None:
        for block in e.blocks:
            if isinstance(block, relax.DataflowBlock):
                with self.out.span(block), self.out.block("with R.dataflow():"):
                    for b in block.bindings:
                        self.binding_stmt(b)
                    outs = [self.name_of(b.var) for b in block.bindings
                            if not isinstance(b.var, relax.DataflowVar)]
                    self.out.line(f"R.output({', '.join(outs)})")
            else:
                for b in block.bindings:
                    self.binding_stmt(b)

    def binding_stmt(self, b: relax.Binding) -> None:
        with self.out.span(b):
            if isinstance(b, relax.MatchCast):
                self.declare([v for v in collect_vars((b.struct_info,)) if not self.known(v)])
                value = self.expr(b.value)
                info = self.info(b.struct_info)
                self.out.line(f"{self.define(b.var)}: {info} = R.match_cast({value}, {info})")
            elif isinstance(b.value, relax.If):
                self.branch(b)
            elif isinstance(b.value, relax.Function):
                self.graph_func(b.value, self.define(b.var), nested=True)
            else:
                value = self.expr(b.value)
                if self.unnamed(b):
                    self.out.line(value)
                    return
                note = self.annotation(b)
                self.out.line(f"{self.define(b.var)}{note} = {value}")

    def unnamed(self, b: relax.VarBinding) -> bool:
        """Whether it is a call for its effect, written as a statement."""
        return b.var.name == "_" and isinstance(b.value, relax.Call) \
            and isinstance(b.value.op, prim.GlobalVar) \
            and type(b.var.struct_info) is ObjectStructInfo and not self.used(b.var)

    def used(self, v: relax.Var) -> bool:
        """Whether a variable stands elsewhere than where it is bound."""
        if self.graph is None:
            return True
        if self.uses is None:
            self.uses = Counter(id(n) for n in _walk_calls(self.graph))
        return self.uses[id(v)] > 1

    def annotation(self, b: relax.VarBinding) -> str:
        info = b.var.struct_info
        if info is None:
            return ""
        said = b.value.sinfo_args if isinstance(b.value, relax.Call) and isinstance(
            b.value.op, Op) else ()
        if len(said) == 1 and (said[0] is info or structural_equal(said[0], info)):
            return ""
        return f": {self.info(info)}"

    def branch(self, b: relax.VarBinding) -> None:
        e: relax.If = b.value
        name = self.define(b.var)
        for head, side in ((f"if {self.expr(e.cond)}:", e.true_branch), ("else:", e.false_branch)):
            with self.out.block(head):
                body = side
                if isinstance(side, relax.SeqExpr):
                    self.sequence(side)
                    body = side.body
                self.out.line(f"{name}: {self.info(b.var.struct_info)} = {self.expr(body)}")

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


_DESTINATION = {"call_tir", "call_tir_inplace", "call_dps_packed", "call_tir_with_grad"}


def _walk_calls(func: relax.Function):
    stack: list[Node] = [func.body]
    while stack:
        n = stack.pop()
        yield n
        stack.extend(c for c in n.children() if not isinstance(c, StructInfo))


class MarkingPrinter(Printer):
    """Prints with marks around the text of every expression and definition."""

    def __init__(self, dialect):
        super().__init__(dialect)
        self.marks = Marks()

    def visit(self, node: Node, *args):
        text = super().visit(node, *args)
        return text if text is None else self.marks.around(node, text)

    def expr(self, e, outer: int = 0) -> str:
        text = super().expr(e, outer)
        return self.marks.around(e, text) if id(e) in self.names else text

    def define(self, n: Node, hint: str = "") -> str:
        return self.marks.around(n, super().define(n, hint))

    def name_of(self, n: Node) -> str:
        if id(n) not in self.names:
            return self.define(n)
        return self.marks.around(n, self.names[id(n)])


def print_document(node: Node, dialect: str = "unity") -> Document:
    """The script of a node with the places of everything in it.

    dialect: "unity" (papers, courses, blogs) or "tvm" (today's Apache TVM)."""
    spelling = DIALECTS.get(dialect)
    if spelling is None:
        raise UnityLabError(f"no dialect is called {dialect!r}",
                            hint=did_you_mean(str(dialect), DIALECTS, ", ".join(DIALECTS)))
    document = printed(Printer(spelling), node).document()

    def reprint() -> Document:
        printer = MarkingPrinter(spelling)
        return printer.marks.places("\n".join(printed(printer, node).lines))

    document.reprint = reprint
    return document


def printed(printer: Printer, node: Node) -> Writer:
    """What a printer writes of a node."""
    if isinstance(node, IRModule):
        printer.module(node)
    elif isinstance(node, (PrimFunc, relax.Function)):
        if printer.dialect.modern and node.attrs.get("s_tir") is False:
            printer.out.line("# from tvm.script import tirx as T")
        printer.function(node, node.attrs.get("global_symbol") or "main")
    elif isinstance(node, relax.Binding):
        printer.binding_stmt(node)
    elif isinstance(node, relax.BindingBlock):
        printer.sequence(relax.SeqExpr((node,), relax.Tuple(())))
    elif isinstance(node, relax.SeqExpr):
        printer.sequence(node)
        printer.out.line(printer.expr(node.body))
    else:
        text = printer.visit(node)
        if text is not None:
            printer.out.line(text)
    return printer.out


def print_script(node: Node, dialect: str = "unity") -> str:
    """The script of a node as text."""
    return print_document(node, dialect).text
