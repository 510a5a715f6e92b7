"""Prints the loops and the blocks of tensor programs."""

from __future__ import annotations

from ..ir import prim, tir
from ..ir.structural import structural_equal
from .print_tir_buffers import collect_vars
from .print_tir_statements import StatementPrinter

_LETTER = {tir.SPATIAL: "S", tir.REDUCE: "R"}
_AXIS = {tir.SPATIAL: "spatial", tir.REDUCE: "reduce", tir.OPAQUE: "opaque", tir.SCAN: "scan",
         tir.ORDERED: "opaque"}
_LOOP = {tir.SERIAL: "T.serial", tir.PARALLEL: "T.parallel", tir.VECTORIZED: "T.vectorized",
         tir.UNROLLED: "T.unroll"}


class BlockPrinter(StatementPrinter):
    """Loops, blocks and their axes."""

    def visit_For(self, n: tir.For) -> None:
        nest = [n]
        while _simple(n) and isinstance(nest[-1].body, tir.For) and _simple(nest[-1].body) \
                and not (set(collect_vars((nest[-1].body.extent,))) & {f.loop_var for f in nest}):
            nest.append(nest[-1].body)
        start = len(self.out.lines)
        with self.scope():
            head = self.grid(nest) if len(nest) > 1 else self.loop_head(n)
            for f in nest:
                self.loops[id(f.loop_var)] = f
            with self.out.block(head):
                self.visit(nest[-1].body)
        for f in nest:
            self.out.mark(f, start)

    def grid(self, nest: list[tir.For]) -> str:
        extents = self.exprs([f.extent for f in nest])
        self.grids |= {id(f.loop_var) for f in nest}
        return f"for {', '.join(self.define(f.loop_var) for f in nest)} in T.grid({extents}):"

    def loop_head(self, n: tir.For) -> str:
        bounds = [] if prim.is_const(n.min, 0) else [self.expr(n.min)]
        bounds.append(self.expr(prim.add(n.min, n.extent)))
        if n.step is not None:
            bounds = [self.expr(n.min), bounds[-1], f"step={self.expr(n.step)}"]
        if n.kind == tir.THREAD_BINDING:
            bounds.append(f'thread="{n.thread_binding.thread_tag}"')
        if n.annotations:
            bounds.append(f"annotations={self.value(n.annotations)}")
        plain = n.kind == tir.SERIAL and not n.annotations and n.step is None
        word = "range" if plain else _LOOP.get(n.kind, "T.thread_binding")
        return f"for {self.define(n.loop_var)} in {word}({', '.join(bounds)}):"

    # --- blocks -----------------------------------------------------------------------------

    def visit_BlockRealize(self, n: tir.BlockRealize) -> None:
        b = n.block
        with self.out.span(n), self.out.span(b), self.scope(), \
                self.out.block(f'with {self.dialect.block}("{b.name}"):'):
            self.axes(b.iter_vars, n.iter_values)
            if not prim.is_const(n.predicate, 1):
                self.out.line(f"T.where({self.expr(n.predicate)})")
            self.out.line(f"T.reads({self.exprs(b.reads)})")
            self.out.line(f"T.writes({self.exprs(b.writes)})")
            if b.annotations:
                self.out.line(f"{self.dialect.block_attr}({self.value(b.annotations)})")
            self.alloc_buffers(b)
            for m in b.match_buffers:
                self.declare([v for v in collect_vars((*m.buffer.shape, *m.buffer.strides,
                                                       m.buffer.elem_offset))
                              if not self.known(v)])
                source = self.expr(m.source)
                self.out.line(f"{self.define(m.buffer)} = T.match_buffer({source}, "
                              f"{self.buffer_fields(m.buffer)})")
            if b.init is not None:
                with self.out.block("with T.init():"):
                    self.visit(b.init)
            self.visit(b.body)

    def visit_Block(self, n: tir.Block) -> None:
        self.visit_BlockRealize(tir.BlockRealize(tuple(v.var for v in n.iter_vars),
                                                 prim.literal(True), n))

    def alloc_buffers(self, b: tir.Block) -> None:
        for buffer in b.alloc_buffers:
            self.stmt(buffer, f"{self.define(buffer)} = {self.dialect.alloc_block_buffer}"
                              f"({self.buffer_fields(buffer)})")

    def axes(self, iter_vars, values) -> None:
        """The block variables: loop variables remapped together, others one a line."""
        pending: list[tuple[tir.IterVar, prim.PrimExpr]] = []
        for it, value in zip(iter_vars, values):
            if self.remaps(it, value):
                pending.append((it, value))
                continue
            self.remap(pending)
            pending = []
            text = self.expr(value)
            dom = self.visit_Range(it.dom)
            self.out.line(f"{self.define(it.var)} = T.axis.{_AXIS[it.kind]}({dom}, {text})")
        self.remap(pending)

    def remaps(self, it: tir.IterVar, value) -> bool:
        loop = self.loops.get(id(value))
        if loop is not None and self.dialect.modern and id(value) not in self.grids \
                and it.var.dtype != "int32":
            return False  # the domain that TVM remaps from `range` starts at an int32 zero
        return loop is not None and it.kind in _LETTER and it.var.dtype == value.dtype \
            and _same(it.dom.min, loop.min) and _same(it.dom.extent, loop.extent)

    def remap(self, pending) -> None:
        if not pending:
            return
        kinds = "".join(_LETTER[it.kind] for it, _ in pending)
        values = self.exprs([v for _, v in pending])
        names = ", ".join(self.define(it.var) for it, _ in pending)
        self.out.line(f'{names} = T.axis.remap("{kinds}", [{values}])')


def _same(a: prim.PrimExpr, b: prim.PrimExpr) -> bool:
    """Whether two bounds are equal; most are the same node or integers."""
    if type(a) is prim.IntImm and type(b) is prim.IntImm:
        return a.value == b.value and a.dtype == b.dtype
    return a is b or structural_equal(a, b)


def _simple(n: tir.For) -> bool:
    return n.kind == tir.SERIAL and not n.annotations and n.step is None \
        and prim.is_const(n.min, 0) and n.thread_binding is None
