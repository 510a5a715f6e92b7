"""Matrix products and other contractions: packed operands, cache blocks, a register tile.

    for columns (blocks of them):
        pack the right factor: panel, k, columns of the panel
        for rows (blocks of them):
            pack the left factor
            for panels:  for row tiles:
                acc = 0 (registers);  for k: acc += left * right;  output = epilogue(acc)

The sums never leave the registers, so that bias and activation cost nothing; the last tiles of odd
sizes are tiles of their own. Factors that lie well are read where they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...ir.prim import PrimExpr, as_int, call_intrin, floordiv, literal
from ...ir.tir import (AllocBuffer, Buffer, BufferLoad, BufferStore, For, IfThenElse, IterVar, Stmt,
                       decl_buffer, seq)
from ...ir.visitor import fold_substitute, substitute
from ..handles import BlockRV
from ..nest import Nest
from .contraction import Contraction, contraction
from .loops import loop, nested, parallel, unrolled, vectors
from .scheduling import Scheduling

REGISTERS = 24          # vector registers that sums may take of 32
PANEL_BYTES = 1 << 21   # of the packed right factor at a time
BLOCK_BYTES = 1 << 18   # of the left factor at a time
PACK_ROWS = 32          # rows from which packing the right factor pays
ALIAS_BYTES = 2048      # rows that are a multiple of this apart fall into the same cache sets
PARALLEL_WORK = 1 << 18  # multiply-adds below which threads cost more than they bring


def matmul(s: Scheduling, handle: BlockRV) -> bool:
    """Writes the nest of a contraction; False, with nothing changed, for other blocks."""
    c = contraction(s, handle)
    if c is None or not _worth_it(c):
        return False
    nest = Nest(s.now)
    homes = [_statement(nest, b) for b in c.done]
    if any(h is None for h in homes):
        return False
    plan = Plan.of(c, s)
    new = Writer(c, plan).nest()
    nest.replace(homes[-1], new)
    for home in homes[:-1]:
        nest.replace(home, None)
    gone = {id(c.output)} if len(c.done) > 1 else set()
    root = nest.root
    nest.edit(root, alloc_buffers=tuple(b for b in root.alloc_buffers if id(b) not in gone))
    s.sch._commit(next(iter(s.sch.mod.prim_funcs)), nest, "matmul")
    s.placed.update(b.name for b in c.done)
    return True


def _worth_it(c: Contraction) -> bool:
    """Wide enough for vectors, deep enough for a tile."""
    width, depth = as_int(c.column.dom.extent), c.depth
    return (width is None or width >= 8) and (depth is None or depth >= 4) and \
        not any(it.dom.extent.dtype != c.column.var.dtype for it in c.block.iter_vars)


def _statement(nest: Nest, block) -> Stmt | None:
    """The nest right below the root that holds only this block."""
    node = nest.realize(block)
    while nest.parent(node) is not nest.root:
        parent = nest.parent(node)
        if isinstance(parent, For) or parent is nest.root.body:
            if parent is nest.root.body and not isinstance(parent, For):
                return node
            node = parent
            continue
        return None
    return node


@dataclass(frozen=True)
class Plan:
    """The sizes of a nest. `panel`: columns of a tile; `rows`: rows of a tile."""

    lanes: int
    panel: int
    rows: int
    pack_left: bool
    pack_right: bool
    chunk: int        # row tiles of a block
    block: int        # panels that are packed together
    threads: int

    @staticmethod
    def of(c: Contraction, s: Scheduling) -> Plan:
        size = c.output.dtype.itemsize
        lanes = max(1, s.target.lanes * 4 // size)
        width = as_int(c.column.dom.extent)
        height = as_int(c.row.dom.extent) if c.row is not None else 1
        pack_right = width is None or _scattered(c) or \
            _far_apart(c) and (height is None or height >= PACK_ROWS)
        panel = _panel(width, lanes, height, pack_right)
        rows = _rows(height, REGISTERS // -(-panel // lanes))
        depth = c.depth or 1024
        tiles = height // rows if height else None
        threads = s.target.threads if _work(c) >= PARALLEL_WORK else 1
        chunk = _chunk(tiles, max(1, BLOCK_BYTES // (rows * depth * size)), threads)
        return Plan(lanes, panel, rows, pack_right and _packs_left(c, size), pack_right, chunk,
                    max(1, PANEL_BYTES // (panel * depth * size)), threads)


def _work(c: Contraction) -> int:
    """Multiply-adds; symbolic sizes count as large."""
    return math.prod(as_int(it.dom.extent) or 1024 for it in c.block.iter_vars)


def _scattered(c: Contraction) -> bool:
    """Whether neighbouring columns are not neighbours in the right factor."""
    return not isinstance(c.right, BufferLoad) or c.stride(c.right, c.column.var) != 1


def _far_apart(c: Contraction) -> bool:
    """Whether steps of the reduction move by more than a few cache lines."""
    step = c.stride(c.right, c.reduce[-1].var)
    return step is None or abs(step) * c.output.dtype.itemsize > 256


def _packs_left(c: Contraction, size: int) -> bool:
    if not isinstance(c.left, BufferLoad) or c.row is None:
        return c.row is not None
    step = c.stride(c.left, c.row.var)
    return c.stride(c.left, c.reduce[-1].var) != 1 or step is None or \
        step * size % ALIAS_BYTES == 0


def _panel(width: int | None, lanes: int, height: int | None, packed: bool) -> int:
    """Columns of a tile: a divisor of the width where there is a good one."""
    if width is None:
        return 2 * lanes
    if height == 1 and not packed:
        return next((n for n in (16 * lanes, 8 * lanes, 4 * lanes) if width >= n), width)
    if width <= 2 * lanes:
        return -(-width // lanes) * lanes if packed else width
    if packed or width % (2 * lanes) == 0:
        return 2 * lanes
    fits = (n for n in range(4 * lanes, lanes - 1, -lanes // 2) if width % n == 0)
    return next(fits, 2 * lanes)


def _rows(height: int | None, most: int) -> int:
    """Rows of a tile: a divisor of the height where there is a good one."""
    most = max(1, min(most, 12))
    if height is None:
        return min(8, most)
    if height <= most:
        return height
    order = [n for n in (8, 6, 12, 10, 9, 7, 5, 11, 4) if n <= most]
    return next((n for n in order if height % n == 0), order[0] if order else most)


def _chunk(tiles: int | None, most: int, threads: int) -> int:
    """Row tiles of a block: a divisor of their number, blocks for each thread."""
    if not tiles:
        return 1
    fits = [n for n in range(1, min(most, tiles) + 1) if tiles % n == 0]
    even = [n for n in fits if tiles // n % threads == 0]
    return max(even or fits)


class Writer:
    """Writes the nest of a contraction after a plan."""

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
        if threads and as_int(self.height) in (None, *range(2 * self.p.rows)) and whole > 1:
            parts = [self.loop("j0", whole, lambda v: columns(v * panel, 1, panel, True), parallel)]
        else:
            parts = [columns(literal(0, self.t), whole, panel, False)] if whole else []
        if rest:
            parts.append(columns(literal(whole * panel, self.t), 1, rest, False))
        return seq(*parts)

    def _packed(self, threads: bool) -> Stmt:
        """Blocks of panels: pack, then use."""
        width, panel, block = as_int(self.width), self.p.panel, self.p.block
        if width is None:
            panels = floordiv(self.width + (panel - 1), literal(panel, self.t))
            return self._block(literal(0, self.t), panels, threads)
        panels = -(-width // panel)
        whole, rest = divmod(panels, block)
        parts = []
        if whole:
            parts.append(self.loop("jb", whole, lambda v: self._block(
                v * block, literal(block, self.t), threads, width % panel != 0 and not rest)))
        if rest:
            parts.append(self._block(literal(whole * block, self.t), literal(rest, self.t),
                                     threads, width % panel != 0))
        return seq(*parts)

    def _block(self, first, panels, threads: bool, ragged: bool = True) -> Stmt:
        panel = self.p.panel
        packed = decl_buffer((panels, self.depth, panel), self.c.output.dtype, "right_packed")

        def operand(panel_no, k, j):
            return packed[panel_no, self.flat(k), j]
        fill = self.loop("jo", panels, lambda jo: self._fill(packed, first, jo, ragged),
                         parallel if threads else loop)
        return seq(AllocBuffer(packed), fill, self.rows(
            threads, panels, panel, operand, first * panel, panel if not ragged else None))

    def flat(self, k) -> PrimExpr:
        """The number of a term of the sum."""
        number = literal(0, self.t)
        for it, v in zip(self.c.reduce, k):
            number = number * it.dom.extent + v
        return number

    def _fill(self, packed: Buffer, first, jo, ragged: bool) -> Stmt:
        """One panel of the right factor; columns beyond the last are zero."""
        start = (first + jo) * self.p.panel
        dtype = self.c.output.dtype

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
        """All rows against some panels; rows that fill no tile come last."""
        height, rows = as_int(self.height), self.p.rows
        kind = parallel if threads else loop

        def part(first, tiles, tall, in_chunks):
            return self._row_blocks(kind, first, tiles, tall, in_chunks, panels, wide, operand,
                                    start, full)
        zero = literal(0, self.t)
        if height is None:
            tiles = floordiv(self.height, literal(rows, self.t))
            return seq(part(zero, tiles, rows, 1),
                       part(tiles * rows, self.height - tiles * rows, 1, 1))
        whole, rest = divmod(height, rows)
        return seq(part(zero, literal(whole, self.t), rows, self.p.chunk) if whole else None,
                   part(literal(whole * rows, self.t), literal(1, self.t), rest, 1)
                   if rest else None)

    def _row_blocks(self, kind, first, tiles, tall, chunk, panels, wide, operand, start, full):
        def block(ib):
            base = first + ib * (chunk * tall)
            packed = decl_buffer((chunk, tall, self.depth + 16), self.c.output.dtype, "left_packed")

            def left(io, i, k):
                if self.p.pack_left:
                    return packed[io, i, self.flat(k)]
                return self.place(self.c.left, row=base + io * tall + i, k=k)
            fill = self.loop("io", chunk, lambda io: self.loop("i", tall, lambda i: self.over_k(
                lambda k: BufferStore(packed, self.place(
                    self.c.left, row=base + io * tall + i, k=k), (io, i, self.flat(k))))))
            tiles_ = self.loop("jo", panels, lambda jo: self.loop("io", chunk, lambda io: self.tile(
                lambda i, k: left(io, i, k), lambda k, j: operand(jo, k, j),
                base + io * tall, start + jo * self.p.panel, tall, wide, full)))
            return seq(AllocBuffer(packed), fill, tiles_) if self.p.pack_left else tiles_
        count = tiles if chunk == 1 else literal(as_int(tiles) // chunk, self.t)
        return self.loop("ib", count, block, kind)

    # --- a tile -----------------------------------------------------------------------------

    def tile(self, left, right, row, column, tall: int, wide: int, full: int | None) -> Stmt:
        """Sums in registers, then the epilogue. `full` None: some columns may be beyond the
        last."""
        acc = decl_buffer((tall, wide), self.c.output.dtype, "acc", scope="local")

        def each(body):
            return unrolled("i", tall, lambda i: vectors(
                "j", wide, self.p.lanes, lambda j: body(i, j), self.t), self.t)
        clear = each(lambda i, j: BufferStore(acc, literal(0, acc.dtype), (i, j)))
        add = self.over_k(lambda k: each(lambda i, j: BufferStore(
            acc, acc[i, j] + left(i, k) * right(k, j), (i, j))))

        def write(source, i, j):
            swap = substitute(self.c.store, {self.c.accumulator: source[i, j]})
            return self.place(swap, row=row + i, column=column + j)
        out = each(lambda i, j: write(acc, i, j))
        if full is None:
            # a copy: indexed by a variable, the sums themselves would leave the registers
            edge = decl_buffer(acc.shape, acc.dtype, "edge", scope="local")
            some = self.loop("i", tall, lambda i: self.loop(
                "j", self.width - column, lambda j: write(edge, i, j)))
            copy = each(lambda i, j: BufferStore(edge, acc[i, j], (i, j)))
            some = seq(AllocBuffer(edge), copy, some)
            out = IfThenElse(column + wide <= self.width, out, some)
        return seq(AllocBuffer(acc), clear, add, out)
