"""Writes the nest of a contraction: packed factors, blocks, and tiles with sums in registers."""

from __future__ import annotations

from ...ir.prim import PrimExpr, as_int, floordiv, literal
from ...ir.tir import (PARALLEL, SERIAL, AllocBuffer, Buffer, BufferStore, IfThenElse, IterVar,
                       Stmt, decl_buffer, seq)
from ...ir.visitor import fold_substitute, substitute
from .contraction import Contraction
from .loops import loop, nested, parallel, unrolled, vectors, with_last
from .matmul_plan import Plan
from .matmul_packing import fill_panels
from .matmul_strip import Strip


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
        self.rows_packed: Buffer | None = None

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
        before = self.pack_all_rows() if self.p.left_first else None
        return seq(before, around(outer, True))

    def pack_all_rows(self) -> Stmt:
        """The left factor, packed once for all points of the outer loops."""
        self.rows_packed = self.left_packed(self.height)
        fill = self.loop("row", self.height, lambda row: self.fill_left(
            self.rows_packed, row, row), parallel if self.p.threads > 1 else loop)
        return seq(AllocBuffer(self.rows_packed), fill)

    def _many(self, outer) -> bool:
        """Whether the first outer loop gives every thread enough to do."""
        if not outer:
            return False
        extent = as_int(outer[0].dom.extent)
        return extent is None or extent >= 2 * self.p.threads

    def matrix(self, threads: bool) -> Stmt:
        """All rows and columns at one point of the outer loops."""
        width, panel, zero = as_int(self.width), self.p.panel, literal(0, self.t)
        if width is None:
            panels = floordiv(self.width + (panel - 1), literal(panel, self.t))
            return self.packed([self.strip(panels, panel, zero, None)], threads)
        alone = threads and self.p.by_columns
        blocks, left = divmod(width // panel, self.p.block)

        def part(first, panels: int, rest: int) -> Stmt:
            strips = [self.strip(panels, panel, first * panel, panel)] if panels else []
            if rest:
                wide = -(-rest // self.p.lanes) * self.p.lanes if self.p.pack_right else rest
                strips.append(self.strip(1, wide, (first + panels) * panel, rest))
            return self.packed(strips, threads and not alone)
        last = part(literal(blocks * self.p.block, self.t), left, width % panel)
        return with_last("jb", blocks, lambda v: part(v * self.p.block, self.p.block, 0), last,
                         PARALLEL if alone else SERIAL, self.t)

    def strip(self, panels, wide: int, start, valid: int | None) -> Strip:
        """Panels, with room for them where they are packed."""
        buffers = self.right_packed(panels, wide) if self.p.pack_right else ()
        return Strip(self, panels, wide, start, valid, buffers)

    def packed(self, strips: list[Strip], threads: bool) -> Stmt | None:
        """Packs panels, then uses them."""
        if not strips:
            return None
        room = [AllocBuffer(b) for s in strips for b in s.buffers]
        if not room:
            return self.rows(threads, strips)
        beside = self.c.stride(self.c.right, self.c.column.var) == 1
        if threads or strips[0].valid is None or not beside:
            *_, last = [self.fill_right(s, lambda one: one(literal(0, self.t)))
                        for s in strips[1:]] or [None]
            fill = with_last("jo", strips[0].panels, lambda jo: self.fill_right(
                strips[0], lambda one: one(jo)), last, PARALLEL if threads else SERIAL, self.t)
        else:  # rows of the factor as they lie, all panels at once
            fill = seq(*(self.fill_right(s, lambda one, s=s: self.loop("jo", s.panels, one))
                         for s in strips))
        return seq(*room, fill, self.rows(threads, strips))

    def right_packed(self, panels, wide: int) -> tuple[Buffer, ...]:
        """Where panels of the right factor go."""
        return (decl_buffer((panels, self.depth, wide), self.c.output.dtype, "right_packed"),)

    def flat(self, k) -> PrimExpr:
        """The number of a term of the sum."""
        number = literal(0, self.t)
        for it, v in zip(self.c.reduce, k):
            number = number * it.dom.extent + v
        return number

    def fill_right(self, strip: Strip, panels) -> Stmt:
        """Packs panels of the right factor; `panels(one)` does `one` for the number of each."""
        return fill_panels(self, strip, panels)

    def over_k(self, body) -> Stmt:
        return nested([it.var.name for it in self.c.reduce],
                      [it.dom.extent for it in self.c.reduce], body, self.t)

    # --- rows -------------------------------------------------------------------------------

    def rows(self, threads: bool, strips: list[Strip]) -> Stmt:
        """All rows against some panels; the last block has what is left, a smaller tile too."""
        height, rows, chunk = as_int(self.height), self.p.rows, self.p.chunk

        def block(first, tiles: int, tall: int = rows) -> Stmt:
            return self.row_block(first, tiles, tall, strips)
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

    def row_block(self, base, tiles: int, tall: int, strips: list[Strip]) -> Stmt:
        """Some tiles of rows against some panels."""
        own = self.p.pack_left and not self.p.left_first
        packed = self.left_packed(tiles * tall) if own else self.rows_packed

        def left(io, i, k):
            if own:
                return self.left_at(packed, io * tall + i, k)
            row = base + io * tall + i
            return self.left_at(packed, row, k) if self.p.pack_left else \
                self.place(self.c.left, row=row, k=k)

        def work(strip: Strip) -> Stmt:
            return self.loop("jo", strip.panels, lambda jo: self.loop(
                "io", tiles, lambda io: self.tile(
                    lambda i, k: left(io, i, k), jo, strip, base + io * tall, tall)))
        products = seq(*map(work, strips))
        if not own:
            return products
        fill = self.loop("i", tiles * tall, lambda i: self.fill_left(packed, i, base + i))
        return seq(AllocBuffer(packed), fill, products)

    def left_packed(self, rows) -> Buffer:
        """Where rows of the left factor go, no power of two apart."""
        return decl_buffer((rows, self.depth + 16), self.c.output.dtype, "left_packed")

    def left_at(self, packed: Buffer, i, k) -> PrimExpr:
        """A packed element of the left factor."""
        return packed[i, self.flat(k)]

    def fill_left(self, packed: Buffer, i, row) -> Stmt:
        """Packs one row."""
        return self.over_k(lambda k: BufferStore(
            packed, self.place(self.c.left, row=row, k=k), (i, self.flat(k))))

    # --- a tile -----------------------------------------------------------------------------

    def tile(self, left, jo, strip: Strip, row, tall: int) -> Stmt:
        """Sums in registers, then the epilogue. `left(i, k)` is the left factor."""
        acc = decl_buffer((tall, strip.wide), self.c.output.dtype, "acc", scope="local")
        return seq(AllocBuffer(acc), self.clear(acc, jo, strip), self.add(acc, left, jo, strip),
                   self.finish(acc, row, strip.column(jo), strip.valid))

    def each(self, acc: Buffer, body, columns: int | None = None) -> Stmt:
        """Every element of a tile: rows unrolled, columns in vectors."""
        tall, wide = map(as_int, acc.shape)
        return unrolled("i", tall, lambda i: vectors(
            "j", columns or wide, self.p.lanes, lambda j: body(i, j), self.t), self.t)

    def clear(self, acc: Buffer, jo, strip: Strip) -> Stmt:
        """The sums before the first term."""
        return self.each(acc, lambda i, j: BufferStore(acc, literal(0, acc.dtype), (i, j)))

    def add(self, acc: Buffer, left, jo, strip: Strip) -> Stmt:
        """All terms."""
        return self.over_k(lambda k: self.each(acc, lambda i, j: BufferStore(
            acc, acc[i, j] + left(i, k) * strip(jo, k, j), (i, j))))

    def finish(self, acc: Buffer, row, column, valid: int | None) -> Stmt:
        """The epilogue of a tile."""
        tall, wide = map(as_int, acc.shape)

        def write(source, i, j):
            swap = substitute(self.c.store, {self.c.accumulator: source[i, j]})
            return self.place(swap, row=row + i, column=column + j)
        out = self.each(acc, lambda i, j: write(acc, i, j), valid)
        if valid is not None:
            return out
        # a copy: indexed by a variable, the sums themselves would leave the registers
        edge = decl_buffer(acc.shape, acc.dtype, "edge", scope="local")
        some = self.loop("i", tall, lambda i: self.loop(
            "j", self.width - column, lambda j: write(edge, i, j)))
        copy = self.each(acc, lambda i, j: BufferStore(edge, acc[i, j], (i, j)))
        return IfThenElse(column + wide <= self.width, out, seq(AllocBuffer(edge), copy, some))
