"""Prints the statements of tensor programs."""

from __future__ import annotations

from collections import Counter

from ..ir import prim, tir
from ..ir.structural import structural_equal
from ..ir.visitor import collect
from .dialect import SCALAR_CELL
from .intrinsics import FIRST, LAST, SPELLINGS
from .print_prim import quoted
from .print_tir_buffers import BufferPrinter


class StatementPrinter(BufferPrinter):
    """Stores, definitions, calls and conditions."""

    def visit_Var(self, n: prim.Var) -> str:
        return self.name_of(n) if n.pointer is None else self.pointer(n)

    def access(self, buffer: tir.Buffer, indices) -> str:
        if id(buffer) in self.cells:
            return self.name_of(buffer)
        return super().access(buffer, indices)

    def visit_BufferRegion(self, n: tir.BufferRegion) -> str:
        cell = id(n.buffer) in self.cells
        return self.name_of(n.buffer) if cell else super().visit_BufferRegion(n)

    def stmt(self, n: tir.Stmt, text: str) -> None:
        out = self.out
        out.lines.append(out.indent + text)
        out.mark(n, len(out.lines) - 1)

    def visit_SeqStmt(self, n: tir.SeqStmt) -> None:
        before = None
        for s in n.stmts:
            if before is not None and self.dialect.modern and isinstance(s, tir.DeclBuffer) \
                    and s.buffer.data is before.var:
                self.declared_at(before, s)
                before = None
                continue
            if before is not None:
                self.visit(before)
            before = s if self.own_address(s) else None
            if before is None:
                self.visit(s)
        if before is not None:
            self.visit(before)

    def own_address(self, s: tir.Stmt) -> bool:
        """Whether an address may be left unnamed: the dtype of its call says nothing of it."""
        if not isinstance(s, tir.Bind) or s.var.pointer is None \
                or not isinstance(s.value, prim.Call):
            return False
        spelling = SPELLINGS.get(s.value.op) if isinstance(s.value.op, str) else None
        return spelling is None or spelling.result not in (FIRST, LAST)

    def declared_at(self, address: tir.Bind, n: tir.DeclBuffer) -> None:
        """A buffer at an address that it names itself: `B = T.decl_buffer(..., data=call)`."""
        value = self.expr(address.value)
        name = self.define(n.buffer)
        self.names[id(address.var)] = f"{name}.data"
        with self.out.span(address):
            fields = self.buffer_fields(n.buffer, data=value)
            self.stmt(n, f"{name} = T.decl_buffer({fields})")

    def visit_BufferStore(self, n: tir.BufferStore) -> None:
        value = self.expr(n.value)
        if n.predicate is not None:
            self.stmt(n, f"{self.name_of(n.buffer)}.vstore([{self.exprs(n.indices)}], {value}, "
                         f"predicate={self.expr(n.predicate)})")
        else:
            self.stmt(n, f"{self.access(n.buffer, n.indices)} = {value}")

    def visit_Bind(self, n: tir.Bind) -> None:
        value = self.expr(n.value)
        kind = self.scalar_type(n.var)
        if self.dialect.modern and n.var.pointer is not None and isinstance(n.value, prim.Call):
            value = value.replace('"handle"', f"{kind}.ty")  # the result's type, with its element
        self.stmt(n, f"{self.define(n.var)}: T.let[{kind}] = {value}" if self.dialect.modern
                  else f"{self.define(n.var)}: {kind} = {value}")

    def visit_Evaluate(self, n: tir.Evaluate) -> None:
        text = self.expr(n.value)
        call = isinstance(n.value, prim.Call)
        if call and n.value.op == "ret":
            self.stmt(n, f"return {self.expr(n.value.args[0])}")
        else:
            self.stmt(n, text if call else f"T.evaluate({text})")

    def visit_AssertStmt(self, n: tir.AssertStmt) -> None:
        message = self.expr(n.message)
        if self.dialect.modern or n.error_kind != "RuntimeError":
            message = f'("{n.error_kind}", [{message}])'
        self.stmt(n, f"assert {self.expr(n.condition)}, {message}")

    def visit_AllocBuffer(self, n: tir.AllocBuffer) -> None:
        if self.dialect.modern and n.annotations.get(SCALAR_CELL) and _is_cell(n.buffer):
            self.cells.add(id(n.buffer))
            self.stmt(n, f"{self.define(n.buffer)}: T.{n.buffer.dtype}")
            return
        self.define(n.buffer)
        notes = f", annotations={self.value(n.annotations)}" if n.annotations else ""
        word = "T.alloc_buffer" if self.dialect.modern else "T.decl_buffer"
        self.stmt(n, f"{self.name_of(n.buffer)} = {word}({self.buffer_fields(n.buffer)}{notes})")

    def visit_DeclBuffer(self, n: tir.DeclBuffer) -> None:
        fields = self.buffer_fields(n.buffer, data=self.pointer(n.buffer.data))
        self.define(n.buffer)
        self.stmt(n, f"{self.name_of(n.buffer)} = T.decl_buffer({fields})")

    def visit_AttrStmt(self, n: tir.AttrStmt) -> None:
        if self.launches(n):
            return self.launch(n)
        value = self.expr(n.value)
        text = f"{quoted(n.key)}, {value}"
        if n.node is not None:
            text = f"{self.expr(n.node)}, {text}"
        else:
            text = f"{{{quoted(n.key)}: {value}}}" if self.dialect.modern else f"None, {text}"
        with self.out.span(n), self.out.block(f"with T.attr({text}):"):
            self.visit(n.body)

    def launches(self, n: tir.AttrStmt) -> bool:
        """Whether it is what `T.launch_thread` makes, with a variable of its own."""
        it = n.node
        if not isinstance(it, tir.IterVar) or it.dom is None or self.func is None:
            return False
        if self.threads is None:
            nodes = [a.node for a in collect(self.func, tir.AttrStmt)]
            self.threads = Counter(id(i.var) for i in nodes if isinstance(i, tir.IterVar))
        key = "virtual_thread" if it.thread_tag == "vthread" else "thread_extent"
        return self.threads[id(it.var)] == 1 and not self.known(it.var) and n.key == key \
            and it.kind == "thread" and prim.is_const(it.dom.min, 0) \
            and it.var.dtype == n.value.dtype and structural_equal(it.dom.extent, n.value)

    def launch(self, n: tir.AttrStmt) -> None:
        extent = self.expr(n.value)
        with self.out.span(n), self.scope():
            name = self.define(n.node.var)
            with self.out.block(f"with T.launch_thread({quoted(n.node.thread_tag)}, {extent}) "
                                f"as {name}:"):
                self.visit(n.body)

    def visit_While(self, n: tir.While) -> None:
        with self.out.span(n), self.out.block(f"while {self.expr(n.condition)}:"):
            self.visit(n.body)

    def visit_IfThenElse(self, n: tir.IfThenElse) -> None:
        with self.out.span(n):
            with self.out.block(f"if {self.expr(n.condition)}:"):
                self.visit(n.then_case)
            if n.else_case is not None:
                with self.out.block("else:"):
                    self.visit(n.else_case)


def _is_cell(b: tir.Buffer) -> bool:
    return [prim.as_int(s) for s in b.shape] == [1] and b.scope == "local" and not b.strides
