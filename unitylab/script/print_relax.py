"""Prints graph functions and modules."""

from __future__ import annotations

from collections import Counter

from ..ir import prim, relax
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.op import Op
from ..ir.struct_info import ObjectStructInfo, PrimStructInfo, StructInfo
from ..ir.structural import structural_equal
from ..ir.tir import PrimFunc
from .print_graph import GraphPrinter
from .print_tir_buffers import collect_vars


class Printer(GraphPrinter):
    """Prints everything: modules, functions of both levels, single nodes."""

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
                if not nested and _calls_functions(func):
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


def _calls_functions(func: relax.Function) -> bool:
    """Whether functions of the module are named in a function. Most parts of most bindings tell
    at once."""
    for b in func.body.bindings:
        call = isinstance(b.value, relax.Call)
        for part in (b.value.op, *b.value.args) if call else (b.value,):
            if isinstance(part, (Op, relax.Var, relax.Constant)):
                continue
            if any(isinstance(n, prim.GlobalVar) for n in _walk(part)):
                return True
    return any(isinstance(n, prim.GlobalVar) for n in _walk(func.body.body))


def _walk_calls(func: relax.Function):
    return _walk(func.body)


def _walk(root: Node):
    stack: list[Node] = [root]
    while stack:
        n = stack.pop()
        yield n
        stack.extend(c for c in n.children() if not isinstance(c, StructInfo))
