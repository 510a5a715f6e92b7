"""Writes the nest of a contraction: packed factors, blocks, and tiles with sums in registers."""

from __future__ import annotations

from ...ir.prim import PrimExpr, as_int, call_intrin, floordiv, literal
from ...ir.tir import (PARALLEL, SERIAL, AllocBuffer, Buffer, BufferStore, IfThenElse, IterVar,
                       Stmt, decl_buffer, seq)
from ...ir.visitor import fold_substitute, substitute
from .contraction import Contraction
from .loops import loop, nested, parallel, unrolled, vectors, with_last
from .matmul_plan import Plan


class Writer:
    """Writes the nest of a contraction after a plan."""

    loop_kind = staticmethod(loop)

    def __init__(self, c: Contraction, plan: Plan):
        self.c, self.p = c, plan
        self.t = c.column.var.dtype
        self.width: PrimExpr = c.column.dom.extent
        self.height: PrimExpr = c.row.dom.extent if c.row is not None else literal(1, self.t)
        self.depth = literal(1, self.t)
        for it in c.reduce:
            self.depth = self.depth * it.dom.extent
        self.at: dict = {}   # values of the outer variables

    def loop(self, name: str, extent, body, kind=loop) -> Stmt:
        return kind(name, extent, body, dtype=self.t)

    def place(self, e, **values):
        """`e` at a point: `row`, `column`, and the variables of the reduction by `k`."""
        mapping = dict(self.at)
        if self.c.row is not None and "row" in values:
            mapping[self.c.row.var] = values["row"]
        if "column" in values:
            mapping[self.c.column.var] = values["column"]
        for it, v in zip(self.c.reduce, values.get("k", ())):
            mapping[it.var] = v
        return fold_substitute(e, mapping)

    # --- the whole --------------------------------------------------------------------------

    def nest(self) -> Stmt:
        """Outer loops around the tiles; the first of them in parallel if it is long."""
        outer = sorted(self.c.outer, key=lambda it: as_int(it.dom.extent) == 1)
        wide = self._many(outer) and self.p.threads > 1

        def around(rest: list[IterVar], first: bool) -> Stmt:
            if not rest:
                return self.matrix(self.p.threads > 1 and not wide)
            it = rest[0]

            def body(v):
                self.at[it.var] = v
                return around(rest[1:], False)
            kind = parallel if first and wide else loop
            return self.loop(it.var.name, it.dom.extent, body, kind)
        return around(outer, True)

    def _many(self, outer) -> bool:
        """Whether the first outer loop gives every thread enough to do."""
        if not outer:
            return False
        extent = as_int(outer[0].dom.extent)
        return extent is None or extent >= 2 * self.p.threads

    def matrix(self, threads: bool) -> Stmt:
        """All rows and columns at one point of the outer loops."""
        if self.p.pack_right:
            return self._packed(threads)
        width, panel = as_int(self.width), self.p.panel
        whole, rest = divmod(width, panel)

        def columns(start, count, wide, by_panel):
            return self.rows(threads and not by_panel, count, wide, lambda panel_no, k, j: (
                self.place(self.c.right, column=start + panel_no * panel + j, k=k)), start, wide)
        alone = threads and self.p.by_columns
        last = columns(literal(whole * panel, self.t), 1, rest, alone) if rest else None
        if alone:
            return with_last("j0", whole, lambda v: columns(v * panel, 1, panel, True), last,
                             PARALLEL, self.t)
        return seq(columns(literal(0, self.t), whole, panel, False) if whole else None, last)

    def _packed(self, threads: bool) -> Stmt:
        """Blocks of panels: pack, then use."""
        width, panel, block = as_int(self.width), self.p.panel, self.p.block
        if width is None:
            panels = floordiv(self.width + (panel - 1), literal(panel, self.t))
            return self._block(literal(0, self.t), panels, threads)
        whole, rest = divmod(-(-width // panel), block)
        ragged, alone = width % panel != 0, threads and self.p.by_columns
        inner = threads and not alone
        last = self._block(literal(whole * block, self.t), literal(rest, self.t), inner,
                           ragged) if rest else None
        return with_last("jb", whole, lambda v: self._block(
            v * block, literal(block, self.t), inner, ragged and not rest), last,
            PARALLEL if alone else SERIAL, self.t)

    def _block(self, first, panels, threads: bool, ragged: bool = True) -> Stmt:
        panel = self.p.panel
        right = self.right_packed(panels)
        fill = self.loop("jo", panels, lambda jo: self.fill_right(right, first, jo, ragged),
                         parallel if threads else loop)
        return seq(*map(AllocBuffer, right.buffers), fill, self.rows(
            threads, panels, panel, right, first * panel, panel if not ragged else None))

    def right_packed(self, panels) -> PackedRight:
        """Where blocks of the right factor go."""
        return PackedRight(self, decl_buffer((panels, self.depth, self.p.panel),
                                             self.c.output.dtype, "right_packed"))

    def flat(self, k) -> PrimExpr:
        """The number of a term of the sum."""
        number = literal(0, self.t)
        for it, v in zip(self.c.reduce, k):
            number = number * it.dom.extent + v
        return number

    def fill_right(self, right: PackedRight, first, jo, ragged: bool) -> Stmt:
        """One panel of the right factor; columns beyond the last are zero."""
        start = (first + jo) * self.p.panel
        dtype, packed = self.c.output.dtype, right.buffers[0]

        def full(k):
            return vectors("j", self.p.panel, self.p.lanes, lambda j: BufferStore(
                packed, self.place(self.c.right, column=start + j, k=k),
                (jo, self.flat(k), j)), self.t)

        def partial(k):
            return self.loop("j", self.p.panel, lambda j: BufferStore(packed, call_intrin(
                dtype, "if_then_else", start + j < self.width,
                self.place(self.c.right, column=start + j, k=k),
                literal(0, dtype)), (jo, self.flat(k), j)))
        if not ragged:
            return self.over_k(full)
        return IfThenElse(start + self.p.panel <= self.width, self.over_k(full),
                          self.over_k(partial))

    def over_k(self, body) -> Stmt:
        return nested([it.var.name for it in self.c.reduce],
                      [it.dom.extent for it in self.c.reduce], body, self.t)

    # --- rows -------------------------------------------------------------------------------

    def rows(self, threads: bool, panels, wide: int, operand, start, full: int | None) -> Stmt:
        """All rows against some panels; the last block has what is left, a smaller tile too."""
        height, rows, chunk = as_int(self.height), self.p.rows, self.p.chunk

        def block(first, tiles: int, tall: int = rows) -> Stmt:
            return self.row_block(first, tiles, tall, panels, wide, operand, start, full)
        if height is None:
            kind = parallel if threads else loop
            tiles = floordiv(self.height, literal(rows, self.t))
            return seq(self.loop("ib", tiles, lambda v: block(v * rows, 1), kind),
                       self.loop("ir", self.height - tiles * rows,
                                 lambda v: block(tiles * rows + v, 1, 1), kind))
        whole, rest = divmod(height, rows)
        blocks, left = divmod(whole, chunk)
        last = [block(literal(blocks * chunk * rows, self.t), left)] if left else []
        if rest:
            last.append(block(literal(whole * rows, self.t), 1, rest))
        return with_last("ib", blocks, lambda v: block(v * (chunk * rows), chunk),
                         seq(*last) if last else None, PARALLEL if threads else SERIAL, self.t)

    def row_block(self, base, tiles: int, tall: int, panels, wide: int, operand, start,
                  full: int | None) -> Stmt:
        """Some tiles of rows against some panels."""
        packed = self.left_packed(tiles, tall)

        def left(io, i, k):
            if self.p.pack_left:
                return self.left_at(packed, io, i, k)
            return self.place(self.c.left, row=base + io * tall + i, k=k)
        fill = self.loop("io", tiles, lambda io: self.loop(
            "i", tall, lambda i: self.fill_left(packed, io, i, base + io * tall + i)))
        work = self.loop("jo", panels, lambda jo: self.loop("io", tiles, lambda io: self.tile(
            lambda i, k: left(io, i, k), jo, operand,
            base + io * tall, start + jo * self.p.panel, tall, wide, full)))
        return seq(AllocBuffer(packed), fill, work) if self.p.pack_left else work

    def left_packed(self, chunk: int, tall: int) -> Buffer:
        """Where a block of rows goes: rows that are no power of two apart."""
        return decl_buffer((chunk, tall, self.depth + 16), self.c.output.dtype, "left_packed")

    def left_at(self, packed: Buffer, io, i, k) -> PrimExpr:
        """A packed element of the left factor."""
        return packed[io, i, self.flat(k)]

    def fill_left(self, packed: Buffer, io, i, row) -> Stmt:
        """Packs one row."""
        return self.over_k(lambda k: BufferStore(
            packed, self.place(self.c.left, row=row, k=k), (io, i, self.flat(k))))

    # --- a tile -----------------------------------------------------------------------------

    def tile(self, left, jo, right, row, column, tall: int, wide: int, full: int | None) -> Stmt:
        """Sums in registers, then the epilogue. `left(i, k)` and `right(jo, k, j)` are the factors;
        `full` None: some columns may be beyond the last."""
        acc = decl_buffer((tall, wide), self.c.output.dtype, "acc", scope="local")
        return seq(AllocBuffer(acc), self.clear(acc, jo, right), self.add(acc, left, jo, right),
                   self.finish(acc, row, column, full))

    def each(self, acc: Buffer, body) -> Stmt:
        """Every element of a tile: rows unrolled, columns in vectors."""
        tall, wide = map(as_int, acc.shape)
        return unrolled("i", tall, lambda i: vectors(
            "j", wide, self.p.lanes, lambda j: body(i, j), self.t), self.t)

    def clear(self, acc: Buffer, jo, right) -> Stmt:
        """The sums before the first term."""
        return self.each(acc, lambda i, j: BufferStore(acc, literal(0, acc.dtype), (i, j)))

    def add(self, acc: Buffer, left, jo, right) -> Stmt:
        """All terms."""
        return self.over_k(lambda k: self.each(acc, lambda i, j: BufferStore(
            acc, acc[i, j] + left(i, k) * right(jo, k, j), (i, j))))

    def finish(self, acc: Buffer, row, column, full: int | None) -> Stmt:
        """The epilogue of a tile."""
        tall, wide = map(as_int, acc.shape)

        def write(source, i, j):
            swap = substitute(self.c.store, {self.c.accumulator: source[i, j]})
            return self.place(swap, row=row + i, column=column + j)
        out = self.each(acc, lambda i, j: write(acc, i, j))
        if full is None:
            # a copy: indexed by a variable, the sums themselves would leave the registers
            edge = decl_buffer(acc.shape, acc.dtype, "edge", scope="local")
            some = self.loop("i", tall, lambda i: self.loop(
                "j", self.width - column, lambda j: write(edge, i, j)))
            copy = self.each(acc, lambda i, j: BufferStore(edge, acc[i, j], (i, j)))
            some = seq(AllocBuffer(edge), copy, some)
            out = IfThenElse(column + wide <= self.width, out, some)
        return out


class PackedRight:
    """Panels of the right factor: an element by panel, terms and column."""

    def __init__(self, writer: Writer, *buffers: Buffer):
        self.writer, self.buffers = writer, buffers

    def __call__(self, panel, k, j) -> PrimExpr:
        return self.buffers[0][panel, self.writer.flat(k), j]
