"""Prints any node as script: text, or text with the places of everything in it."""

from __future__ import annotations

from ..ir import relax
from ..ir.deep import deep
from ..ir.errors import UnityLabError, did_you_mean
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.tir import PrimFunc
from .dialect import DIALECTS
from .document import Document, Marks, Writer
from .print_relax import Printer


def print_script(node: Node, dialect: str = "unity") -> str:
    """The script of a node as text."""
    return print_document(node, dialect).text


@deep
def print_document(node: Node, dialect: str = "unity") -> Document:
    """The script of a node with the places of everything in it.

    dialect: "unity" (papers, courses, blogs) or "tvm" (today's Apache TVM)."""
    spelling = DIALECTS.get(dialect)
    if spelling is None:
        raise UnityLabError(f"no dialect is called {dialect!r}",
                            hint=did_you_mean(str(dialect), DIALECTS, ", ".join(DIALECTS)))
    document = printed(Printer(spelling), node).document()

    @deep
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
