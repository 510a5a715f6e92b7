"""Translates a `PrimFunc` to plain Python, element by element, every access checked.

The Python text is made from nodes (never from a user's text), so that names are ours and literals
are numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ir import prim, tir
from .scalar_text import ScalarText


MOST_LOOPS = 15  # within each other in one Python function


class Translator(ScalarText):
    """Emits the Python text of one tensor program."""

    open_loops = 0

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

    def suite(self, head: str, body: tir.Stmt) -> None:
        """`head` with `body` indented below."""
        self.line(head)
        self.depth += 1
        self.visit(body)
        self.line("pass")
        self.depth -= 1

    def loop(self, head: str, body: tir.Stmt) -> None:
        """A loop. Python nests 20 at most, so that deeper ones stand in functions of their own."""
        self.open_loops += 1
        if self.open_loops % MOST_LOOPS:
            self.suite(head, body)
        else:
            name = f"deep{len(self.lines)}"
            self.line(f"def {name}():")
            self.depth += 1
            self.suite(head, body)
            self.depth -= 1
            self.line(f"value = {name}()")
            self.line("if value is not None: return value")
        self.open_loops -= 1

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
        self.loop(f"for {var} in range({low}, {end}{step}):", n.body)

    def visit_While(self, n: tir.While) -> None:
        self.loop(f"while {self.visit(n.condition)}:", n.body)

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
            self.loop(f"for {var} in range({self.visit(n.value)}):", n.body)
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
