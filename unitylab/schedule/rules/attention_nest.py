"""Writes the nest of an attention.

    for batches and heads (parallel):
        pack the keys: panels of columns; the values too, unless they lie well
        for blocks of queries:
            pack the queries; output = 0, most = -huge, total = 0
            for blocks of keys:                          # online softmax
                x = f(query * keys)                      # tiles of sums in registers
                for rows: raise = exp(most - new most); x = exp(x - new most); total by lanes
                output = output * raise + x * value      # tiles of sums in registers
            write epilogue(output / total)

A block of queries against a block of keys stays in the caches; no score ever leaves them. Rows and
columns beyond the last are computed on copies of the last row, and as exp(-inf) = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir import prim
from ...ir.prim import PrimExpr, as_int, call_intrin, floordiv, floormod, literal, minimum
from ...ir.te import min_value
from ...ir.tir import (AllocBuffer, Bind, Buffer, BufferStore, IfThenElse, IterVar, Stmt,
                       decl_buffer, seq)
from ...ir.visitor import fold_substitute, substitute
from .attention_plan import AttentionPlan
from .loops import in_lanes, loop, nested, parallel, unrolled, vectorized, vectors
from .target_info import TargetInfo

if TYPE_CHECKING:
    from .attention import Attention


class AttentionNest:
    """Writes the nest of an attention for a target."""

    def __init__(self, a: Attention, target: TargetInfo):
        self.a, self.p = a, AttentionPlan.of(a, target)
        self.t = a.product.column.var.dtype
        self.dtype = a.product.output.dtype
        self.rows: PrimExpr = a.row.dom.extent
        self.keys: PrimExpr = a.key.dom.extent
        self.width: PrimExpr = a.product.column.dom.extent
        self.depth = self.int(1)
        for it in a.depth:
            self.depth = self.depth * it.dom.extent
        self.at: dict = {}   # values of the batches and heads

    # --- small words ------------------------------------------------------------------------

    def int(self, value: int) -> PrimExpr:
        return literal(value, self.t)

    def float(self, value: float) -> PrimExpr:
        return literal(value, self.dtype)

    def loop(self, name: str, extent, body, kind=loop) -> Stmt:
        return kind(name, extent, body, dtype=self.t)

    def vectors(self, name: str, width: int, body) -> Stmt:
        return vectors(name, width, self.p.lanes, body, self.t)

    def scratch(self, name: str, *shape, scope: str = "global") -> Buffer:
        return decl_buffer(shape, self.dtype, name, scope=scope)

    def over_depth(self, body) -> Stmt:
        """`body(values of the variables, their number)` for each term of a score."""
        def numbered(values):
            number = self.int(0)
            for it, v in zip(self.a.depth, values):
                number = number * it.dom.extent + v
            return body(values, number)
        return nested([it.var.name for it in self.a.depth],
                      [it.dom.extent for it in self.a.depth], numbered, self.t)

    def place(self, e, row=None, key=None, column=None, depth=()):
        """`e` at a point."""
        mapping = dict(self.at)
        for it, v in ((self.a.row, row), (self.a.key, key), (self.a.product.column, column),
                      *zip(self.a.depth, depth)):
            if v is not None:
                mapping[it.var] = v
        return fold_substitute(e, mapping)

    # --- the whole --------------------------------------------------------------------------

    def nest(self) -> Stmt:
        """All batches and heads, in parallel if there are enough."""
        outer = sorted(self.a.outer, key=lambda it: as_int(it.dom.extent) == 1)

        def around(rest: tuple[IterVar, ...], first: bool) -> Stmt:
            if not rest:
                return self.head()
            it = rest[0]

            def body(v):
                self.at[it.var] = v
                return around(rest[1:], False)
            kind = parallel if first and self.p.by_head else loop
            return self.loop(it.var.name, it.dom.extent, body, kind)
        return around(tuple(outer), True)

    def head(self) -> Stmt:
        """One batch and head: packs keys and values, then goes through the queries."""
        panels = self.ceiling(self.keys, self.p.panel)
        kind = parallel if self.p.by_head is False else loop
        keys = self.scratch("keys_packed", panels, self.depth, self.p.panel)
        pack = self.loop("jp", panels, lambda jp: self.pack_keys(keys, jp), kind)
        values, steps = None, [AllocBuffer(keys), pack]
        if self.p.pack_values:
            values = self.scratch("values_packed", self.keys, self.p.wide)
            steps += [AllocBuffer(values), self.loop(
                "j", self.keys, lambda j: self.pack_value(values, j), kind)]
        blocks = self.ceiling(self.rows, self.p.block_rows)
        return seq(*steps, self.loop("ib", blocks, lambda ib: self.queries(keys, values, ib), kind))

    def ceiling(self, e: PrimExpr, by: int) -> PrimExpr:
        return floordiv(e + (by - 1), self.int(by))

    # --- packing ----------------------------------------------------------------------------

    def pack_keys(self, packed: Buffer, jp) -> Stmt:
        """A panel of keys, one column a key; those beyond the last are zero."""
        panel = self.p.panel
        start = jp * panel

        def element(j, depth, number):
            return BufferStore(packed, self.place(self.a.keys, key=start + j, depth=depth),
                               (jp, number, j))
        if self.p.key_tile:
            whole = self.tiles(panel, element)
        else:
            whole = self.over_depth(lambda depth, n: self.vectors(
                "j", panel, lambda j: element(j, depth, n)))
        if as_int(floormod(self.keys, self.int(panel))) == 0:
            return whole
        zero = self.over_depth(lambda _, n: self.vectors("j", panel, lambda j: BufferStore(
            packed, self.float(0), (jp, n, j))))
        some = self.loop("j", minimum(self.int(panel), self.keys - start), lambda j:
                         self.over_depth(lambda depth, n: element(j, depth, n)))
        return IfThenElse(start + panel <= self.keys, whole, seq(zero, some))

    def tiles(self, panel: int, element) -> Stmt:
        """The panel in squares that are transposed in registers."""
        size = self.p.key_tile

        def square(kb, jb):
            return self.loop("k", size, lambda k: self.loop("j", size, lambda j: element(
                jb * size + j, (kb * size + k,), kb * size + k), vectorized), vectorized)
        return self.loop("kb", as_int(self.depth) // size, lambda kb: self.loop(
            "jb", panel // size, lambda jb: square(kb, jb)))

    def pack_value(self, packed: Buffer, j) -> Stmt:
        """The value of one key, with zeros up to whole vectors."""
        width = as_int(self.width)
        copy = self.vectors("e", width, lambda e: BufferStore(
            packed, self.place(self.a.value, key=j, column=e), (j, e)))
        rest = self.p.wide - width
        return seq(copy, self.vectors("e", rest, lambda e: BufferStore(
            packed, self.float(0), (j, e + width))) if rest else None)

    def pack_queries(self, packed: Buffer, row) -> Stmt:
        """A block of queries, the last one again for those beyond it."""
        return self.loop("i", self.p.block_rows, lambda i: self.over_depth(
            lambda depth, n: BufferStore(packed, self.place(
                self.a.query, row=self.inside(row + i), depth=depth), (i, n))))

    def inside(self, row) -> PrimExpr:
        """The row, or the last one for rows beyond it."""
        if as_int(floormod(self.rows, self.int(self.p.block_rows))) == 0:
            return row
        return minimum(row, self.rows - 1)

    # --- a block of queries -----------------------------------------------------------------

    def queries(self, keys: Buffer, values: Buffer | None, ib) -> Stmt:
        """The output rows of a block of queries."""
        p = self.p
        first = ib * p.block_rows
        query = self.scratch("query", p.block_rows, self.depth + p.lanes)
        x = self.scratch("x", p.block_rows, p.block_keys)
        out = self.scratch("out", p.block_rows, p.wide)
        total = self.scratch("total", p.block_rows, p.lanes)
        most, factor = self.scratch("most", p.block_rows), self.scratch("factor", p.block_rows)

        def clear(i):
            return seq(
                self.loop("ev", p.wide // p.lanes, lambda ev: self.vectors(
                    "e", p.lanes, lambda e: BufferStore(out, self.float(0),
                                                        (i, ev * p.lanes + e)))),
                self.vectors("l", p.lanes, lambda l: BufferStore(total, self.float(0), (i, l))),
                BufferStore(most, min_value(self.dtype), (i,)))

        seen = self.seen_from(first)

        def block(jb):
            start = jb * p.block_keys
            count = self.left(seen, start, p.block_keys)
            tiles = self.ceiling(self.left(self.rows, first, p.block_rows), p.tile)
            return seq(
                self.loop("jp", self.ceiling(count, p.panel), lambda jp: self.loop(
                    "io", tiles, lambda io: self.scores(
                        x, query, keys, jb * (p.block_keys // p.panel) + jp, jp, first,
                        io * p.tile))),
                self.loop("i", tiles * p.tile, lambda i: self.exponentials(
                    x, most, factor, total, i, self.ceiling(count, p.panel))),
                *(self.loop("io", tiles, lambda io, e=e, w=w: self.outputs(
                    out, x, values, factor, start, count, io * p.tile, e, w))
                  for e, w in p.strips))
        state = [AllocBuffer(b) for b in (query, x, out, total, most, factor)]
        return seq(*state, self.pack_queries(query, first),
                   self.loop("i", p.block_rows, clear),
                   self.loop("jb", self.ceiling(seen, p.block_keys), block),
                   self.loop("i", self.left(self.rows, first, p.block_rows),
                             lambda i: self.write(out, total, first + i, i)))

    def left(self, whole: PrimExpr, start: PrimExpr, block: int) -> PrimExpr:
        """How many of a block are inside."""
        if as_int(floormod(whole, self.int(block))) == 0:
            return self.int(block)
        return minimum(self.int(block), whole - start)

    def seen_from(self, first) -> PrimExpr:
        """How many keys the block of queries that begins at `first` sees."""
        last = self.a.last_key()
        if last is None:
            return self.keys
        return minimum(self.keys, self.place(last, row=first + (self.p.block_rows - 1)) + 1)

    def scores(self, x: Buffer, query, keys, panel, jp, first, row) -> Stmt:
        """A tile of scores, and what the softmax is taken of."""
        p = self.p
        acc = self.scratch("acc", p.tile, p.panel, scope="local")

        def each(body):
            return unrolled("i", p.tile, lambda i: self.vectors(
                "j", p.panel, lambda j: body(i, j)), self.t)
        clear = each(lambda i, j: BufferStore(acc, self.float(0), (i, j)))
        add = self.loop("k", self.depth, lambda k: each(lambda i, j: BufferStore(
            acc, acc[i, j] + query[row + i, k] * keys[panel, k, j], (i, j))))

        def final(i, j, inside: bool):
            key = panel * p.panel + j
            value = self.place(substitute(self.a.x, {self.a.score: acc[i, j]}),
                               row=self.inside(first + row + i), key=key)
            if not inside:
                value = call_intrin(self.dtype, "if_then_else", key < self.keys, value,
                                    self.float(float("-inf")))
            return BufferStore(x, value, (row + i, jp * p.panel + j))
        whole = each(lambda i, j: final(i, j, True))
        if as_int(floormod(self.keys, self.int(p.panel))) != 0:
            whole = IfThenElse((panel + 1) * p.panel <= self.keys, whole,
                               each(lambda i, j: final(i, j, False)))
        return seq(AllocBuffer(acc), clear, add, whole)

    def exponentials(self, x: Buffer, most, factor, total, i, panels) -> Stmt:
        """A row of x becomes exp(x - most); `most`, `total` follow."""
        p = self.p
        part = self.scratch("part", p.panel, scope="local")
        old, new = prim.Var("old", self.dtype), prim.Var("new", self.dtype)
        scale = prim.Var("scale", self.dtype)
        high = self.scratch("high", 1, scope="local")

        def lanes(body):
            return self.vectors("j", p.panel, body)
        start = lanes(lambda j: BufferStore(part, min_value(self.dtype), (j,)))
        walk = self.loop("jp", panels, lambda jp: lanes(lambda j: BufferStore(
            part, prim.maximum(part[j], x[i, jp * p.panel + j]), (j,))))
        gather = self.loop("j", p.panel, lambda j: BufferStore(
            high, prim.maximum(high[0], part[j]), (self.int(0),)), in_lanes(p.panel))
        sums = self.scratch("sums", p.panel, scope="local")
        clear = lanes(lambda j: BufferStore(sums, self.float(0), (j,)))

        def exp(jp):
            at = jp * p.panel
            return seq(
                lanes(lambda j: BufferStore(x, call_intrin(
                    self.dtype, "exp", x[i, at + j] - new), (i, at + j))),
                lanes(lambda j: BufferStore(sums, sums[j] + x[i, at + j], (j,))))
        fold = self.vectors("l", p.lanes, lambda l: BufferStore(total, total[i, l] * scale + sum_of(
            [sums[l + k] for k in range(0, p.panel, p.lanes)]), (i, l)))
        return seq(AllocBuffer(part), AllocBuffer(high), start, walk, Bind(old, most[i]),
                   BufferStore(high, old, (self.int(0),)), gather, Bind(new, high[0]),
                   BufferStore(most, new, (i,)),
                   Bind(scale, call_intrin(self.dtype, "exp", old - new)),
                   BufferStore(factor, scale, (i,)), AllocBuffer(sums), clear,
                   self.loop("jp", panels, exp), fold)

    def outputs(self, out: Buffer, x, values, factor, start, count, row, column: int,
                wide: int) -> Stmt:
        """A tile of the output, with a block of keys added."""
        acc = self.scratch("acc", self.p.tile, wide, scope="local")

        def each(body):
            return unrolled("i", self.p.tile, lambda i: self.vectors(
                "e", wide, lambda e: body(i, e)), self.t)

        def value(j, e):
            if values is not None:
                return values[start + j, column + e]
            return self.place(self.a.value, key=start + j, column=column + e)
        load = each(lambda i, e: BufferStore(
            acc, out[row + i, column + e] * factor[row + i], (i, e)))
        add = self.loop("j", count, lambda j: each(lambda i, e: BufferStore(
            acc, acc[i, e] + x[row + i, j] * value(j, e), (i, e))))
        return seq(AllocBuffer(acc), load, add, each(lambda i, e: BufferStore(
            out, acc[i, e], (row + i, column + e))))

    def write(self, out: Buffer, total, row, i) -> Stmt:
        """A finished row: divided by its total, through the epilogue."""
        own, whole = prim.Var("whole", self.dtype), self.scratch("whole", 1, scope="local")
        add = self.loop("l", self.p.lanes, lambda l: BufferStore(
            whole, whole[0] + total[i, l], (self.int(0),)), in_lanes(self.p.lanes))
        c = self.a.product

        def store(e):
            swap = {c.accumulator: out[i, e] / own}
            return self.place(substitute(c.store, swap), row=row, column=e)
        return seq(AllocBuffer(whole), BufferStore(whole, self.float(0), (self.int(0),)), add,
                   Bind(own, whole[0]), self.vectors("e", as_int(self.width), store))


def sum_of(terms: list[PrimExpr]) -> PrimExpr:
    total = terms[0]
    for t in terms[1:]:
        total = total + t
    return total
