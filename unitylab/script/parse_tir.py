"""Parses tensor programs. The parser is built up in layers: declarations
(`parse_tir_buffers.py`), statements, loops, blocks, and here whole functions."""

from __future__ import annotations

import ast

from ..ir import prim, tir
from ..ir.dtypes import VOID
from ..ir.node import FrozenDict, Node
from . import tir as T
from .diagnostics import call_checked
from .parse_tir_blocks import BlockParser
from .tir_frame import Frame
from .values import Builder


class TirParser(BlockParser):
    """Parses one `PrimFunc` from its function definition."""

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

    def call_function(self, n: ast.Call, callee, args, kwargs):
        if isinstance(callee, prim.GlobalVar):
            values = tuple(a if isinstance(a, Node) else prim.literal(a) for a in args)
            return prim.Call(VOID, callee, values)
        if isinstance(callee, Builder):
            return call_checked(self.source, n, callee.name, callee.call, args, kwargs)
        return super().call_function(n, callee, args, kwargs)
