"""Matrix products with few rows: the right factor is read once, in the order of memory.

    for columns (blocks):
        sums = 0                                         # in the first-level cache
        for k (blocks):  for panels:
            acc = sums (registers);  for k in the block: acc += left * right;  sums = acc
        output = epilogue(sums)

A panel of all rows of a large factor would walk through as many pages as it has rows."""

from __future__ import annotations

from ...ir.node import FrozenDict
from ...ir.prim import as_int, literal
from ...ir.tir import AllocBuffer, Buffer, BufferStore, For, Stmt, decl_buffer, seq
from ...ir.visitor import substitute
from .contraction import Contraction
from .loops import parallel, unrolled, vectors
from .matmul_plan import Plan, far_apart
from .matmul_writer import Writer

DEPTH, DEPTH_OF_ONE = 32, 8  # terms that are added while the sums are in registers
LEAST_DEPTH = 256


def suits(c: Contraction, plan: Plan) -> bool:
    """Whether the nest is for this contraction: few rows against a large right factor."""
    height = as_int(c.row.dom.extent) if c.row is not None else 1
    width, depth = as_int(c.column.dom.extent), c.depth
    return not plan.pack_right and height is not None and width is not None and \
        depth is not None and depth >= LEAST_DEPTH and len(c.reduce) == 1 and \
        width >= 4 * plan.panel and far_apart(c)


class FewRows(Writer):
    """Writes that nest."""

    def matrix(self, threads: bool) -> Stmt:
        """Blocks of columns, in parallel."""
        width, panel, height = as_int(self.width), self.p.panel, as_int(self.height)
        most = max(1, self.p.near // (height * self.c.output.dtype.itemsize * panel))
        even = max(1, width // panel // self.p.threads)
        block = panel * min(most, even)
        whole, rest = divmod(width, block)
        kind = parallel if threads else type(self).loop_kind
        parts = [self.loop("jb", whole, lambda v: self.columns(v * block, block), kind)]
        if rest:
            parts.append(self.columns(literal(whole * block, self.t), rest))
        return seq(*parts)

    def columns(self, first, width: int) -> Stmt:
        """One block of columns."""
        height, depth = as_int(self.height), self.c.depth
        sums = decl_buffer((height, width), self.c.output.dtype, "sums")
        zero = literal(0, sums.dtype)
        clear = self.each(height, width, lambda i, j: BufferStore(sums, zero, (i, j)))
        step = DEPTH if height > 1 else DEPTH_OF_ONE  # one row: so many streams through memory
        whole, rest = divmod(depth, step)
        add = [self.loop("kb", whole, lambda v: self.panels(sums, first, width, v * step, step))]
        if rest:
            add.append(self.panels(sums, first, width, literal(whole * step, self.t), rest))

        def write(i, j):
            store = substitute(self.c.store, {self.c.accumulator: sums[i, j]})
            return self.place(store, row=i, column=first + j)
        return seq(AllocBuffer(sums), clear, *add, self.each(height, width, write))

    def each(self, height: int, width: int, body) -> Stmt:
        """Every element of a block, by vectors that are not unrolled."""
        lanes = self.p.lanes
        whole, rest = divmod(width, lanes)

        def row(i):
            return seq(self.loop("jv", whole, lambda v: vectors(
                "j", lanes, lanes, lambda j: body(i, v * lanes + j), self.t)) if whole else None,
                vectors("j", rest, lanes, lambda j: body(i, j + whole * lanes), self.t)
                if rest else None)
        return self.loop("i", height, row)

    def panels(self, sums: Buffer, first, width: int, k0, depth: int) -> Stmt:
        """Adds some terms to all sums of a block."""
        height, rows, panel = as_int(self.height), self.p.rows, self.p.panel

        def strip(start, wide):
            whole, rest = divmod(height, rows)
            tiles = self.loop("io", whole, lambda io: self.add(
                sums, first, start, io * rows, rows, wide, k0, depth))
            return seq(tiles, self.add(sums, first, start, literal(whole * rows, self.t), rest,
                                       wide, k0, depth) if rest else None)
        whole, rest = divmod(width, panel)
        return seq(self.loop("jo", whole, lambda v: strip(v * panel, panel)) if whole else None,
                   strip(literal(whole * panel, self.t), rest) if rest else None)

    def add(self, sums: Buffer, first, start, row, tall: int, wide: int, k0, depth: int) -> Stmt:
        """One tile: its sums are in registers meanwhile."""
        acc = decl_buffer((tall, wide), sums.dtype, "acc", scope="local")

        def each(body):
            return unrolled("i", tall, lambda i: vectors(
                "j", wide, self.p.lanes, lambda j: body(i, j), self.t), self.t)

        def term(k):
            return each(lambda i, j: BufferStore(
                acc, acc[i, j] + self.place(self.c.left, row=row + i, k=[k0 + k])
                * self.place(self.c.right, column=first + start + j, k=[k0 + k]), (i, j)))
        return seq(AllocBuffer(acc),
                   each(lambda i, j: BufferStore(acc, sums[row + i, start + j], (i, j))),
                   self.ahead(self.loop("k", depth, term), depth),
                   each(lambda i, j: BufferStore(sums, acc[i, j], (row + i, start + j))))

    def ahead(self, loop: For, depth: int) -> For:
        """While many terms are added, the rows of the right factor for the next ones are fetched:
        so many streams are more than the hardware follows."""
        step = self.c.stride(self.c.right, self.c.reduce[-1].var)
        if step is None or depth < DEPTH:
            return loop
        distance = depth * step * self.c.output.dtype.itemsize
        return loop.replace(annotations=FrozenDict(prefetch=distance))
