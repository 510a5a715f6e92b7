"""The nest of a contraction of narrow numbers: both factors packed by groups, `T.dot` in the tile.

    right_packed[panel, k // g, column * g + k % g]      left_packed[row, k]
    for k (groups):  for rows, vectors:  acc = T.dot(acc, left, right)

The last group is filled up with zeros."""

from __future__ import annotations

from dataclasses import replace

from ...ir.prim import (Broadcast, PrimExpr, Ramp, Shuffle, as_int, call_intrin, cast, floordiv,
                        literal)
from ...ir.tir import AllocBuffer, Buffer, BufferStore, IfThenElse, Stmt, decl_buffer, seq
from .contraction import Contraction
from .dot_terms import Terms, grouped_last
from .loops import loop, nested, unrolled, vectors
from .matmul_plan import Plan
from .matmul_strip import Strip
from .matmul_writer import Writer

PADDING = 64  # elements between packed rows, which are then no power of two apart


class DotWriter(Writer):
    """Writes that nest after a plan that packs both factors."""

    def __init__(self, c: Contraction, plan: Plan, terms: Terms):
        c = replace(c, reduce=grouped_last(c, terms.group))
        super().__init__(c, plan)
        self.terms, self.group = terms, terms.group
        self.last: PrimExpr = c.reduce[-1].dom.extent
        known = as_int(self.last)
        self.groups = literal(-(-known // self.group), self.t) if known is not None else \
            floordiv(self.last + (self.group - 1), literal(self.group, self.t))
        self.others = c.reduce[:-1]
        self.depth = self.groups
        for it in self.others:
            self.depth = self.depth * it.dom.extent

    # --- terms ------------------------------------------------------------------------------

    def over_others(self, body) -> Stmt:
        return nested([it.var.name for it in self.others],
                      [it.dom.extent for it in self.others], body, self.t)

    def over_k(self, body) -> Stmt:
        """`body([*others, group])` for every group."""
        name = self.c.reduce[-1].var.name
        return self.over_others(lambda k: self.loop(name, self.groups, lambda g: body([*k, g])))

    def flat(self, k) -> PrimExpr:
        """The number of a group."""
        number = literal(0, self.t)
        for it, v in zip(self.others, k):
            number = number * it.dom.extent + v
        return number * self.groups + k[-1]

    def narrow(self, e: PrimExpr, side: str, **at) -> PrimExpr:
        """A factor as it is packed."""
        value = self.place(e.value, **at)
        if self.terms.left == "bfloat16":
            return call_intrin("uint16", "reinterpret", value)
        if side == "left" and self.terms.moved:
            bits = call_intrin(self.terms.left, "reinterpret", value)
            return call_intrin(self.terms.left, "bitwise_xor", bits, self.sign_bit())
        return cast(value, getattr(self.terms, side))

    def sign_bit(self) -> PrimExpr:
        """The byte 0x80: what moves a byte to the other sign, and by how much it is moved."""
        return literal(128 if self.terms.left == "uint8" else -128, self.terms.left)

    # --- packing ----------------------------------------------------------------------------

    def left_packed(self, rows) -> Buffer:
        return decl_buffer((rows, self.depth * self.group + PADDING), self.terms.storage,
                           "left_packed")

    def fill_left(self, packed: Buffer, i, row) -> Stmt:
        """Packs one row; zeros fill up the last group."""
        def start(k):
            return self.flat([*k, literal(0, self.t)]) * self.group

        def terms(k):
            copy = self.loop("k", self.last, lambda v: BufferStore(
                packed, self.narrow(self.c.left, "left", row=row, k=[*k, v]),
                (i, start(k) + v)))
            fill = self.loop("k", self.groups * self.group - self.last, lambda v: BufferStore(
                packed, literal(0, packed.dtype), (i, start(k) + self.last + v)))
            return copy if self.full() else seq(copy, fill)
        return self.over_others(terms)

    def full(self) -> bool:
        """Whether there is no group that is not full."""
        return as_int(self.last) is not None and as_int(self.last) % self.group == 0

    def right_packed(self, panels, wide: int) -> tuple[Buffer, ...]:
        packed = decl_buffer((panels, self.depth, wide * self.group),
                             "uint16" if self.terms.right == "bfloat16" else self.terms.right,
                             "right_packed")
        if not self.terms.moved:
            return (packed,)
        return packed, decl_buffer((panels, wide), self.c.output.dtype, "column_sums")

    def fill_right(self, strip: Strip, panels) -> Stmt:
        if strip.valid is None:
            full = replace(strip, valid=strip.wide)
            fill = panels(lambda jo: IfThenElse(
                strip.column(jo) + strip.wide <= self.width,
                self.over_groups(lambda k, terms: self.pack_group(full, jo, k, terms, False)),
                self.over_groups(lambda k, terms: self.pack_group(strip, jo, k, terms, True))))
        else:
            fill = self.over_groups(lambda k, terms: panels(
                lambda jo: self.pack_group(strip, jo, k, terms, False)))
        if not self.terms.moved:
            return fill
        return seq(fill, panels(lambda jo: self.sum_columns(strip, jo)))

    def over_groups(self, body) -> Stmt:
        """`body(k, terms)`: `terms` is how many of a group there are, None if it is not known."""
        known, name = as_int(self.last), self.c.reduce[-1].var.name
        if known is None:
            return self.over_k(lambda k: body(k, None))
        whole, rest = divmod(known, self.group)

        def groups(k):
            return seq(self.loop(name, whole, lambda g: body([*k, g], self.group))
                       if whole else None,
                       body([*k, literal(whole, self.t)], rest) if rest else None)
        return self.over_others(groups)

    def pack_group(self, strip: Strip, jo, k, terms: int | None, checked: bool) -> Stmt:
        """One group of terms of all columns of a panel."""
        packed, start = strip.buffers[0], strip.column(jo)
        if terms is None or checked:
            return self.loop("j", strip.wide, lambda j: self.loop("q", self.group, lambda q: (
                self.pack_one(packed, jo, start, k, j, q))))
        if terms == self.group and strip.valid == strip.wide and \
                self.c.stride(self.c.right, self.c.reduce[-1].var) == 1:
            return self.loop("j", strip.wide, lambda j: loop(
                "q", self.group, lambda q: BufferStore(
                    packed, self.term(start + j, k, q), (jo, self.flat(k), j * self.group + q)),
                "vectorized", self.t))
        return seq(*(self.interleave(packed, jo, start, k, terms, j0,
                                     min(self.p.lanes, strip.valid - j0))
                     for j0 in range(0, strip.wide, self.p.lanes)))

    def term(self, column, k, q) -> PrimExpr:
        return self.narrow(self.c.right, "right", column=column,
                           k=[*k[:-1], k[-1] * self.group + q])

    def pack_one(self, packed: Buffer, jo, start, k, j, q) -> Stmt:
        """One element, zero where there is none."""
        inside = start + j < self.width
        if not self.full():
            inside = inside & (k[-1] * self.group + q < self.last)
        value = call_intrin(packed.dtype, "if_then_else", inside, self.term(start + j, k, q),
                            literal(0, packed.dtype))
        return BufferStore(packed, value, (jo, self.flat(k), j * self.group + q))

    def interleave(self, packed: Buffer, jo, start, k, terms: int, j0: int, columns: int) -> Stmt:
        """A group of terms of a vector of columns: rows are read as vectors and interleaved."""
        lanes, group = self.p.lanes, self.group
        rows = decl_buffer((group, lanes), packed.dtype, "terms", scope="local")

        def row(q: int) -> Stmt:
            there = columns if q < terms else 0
            return seq(vectors("j", there, lanes, lambda j: BufferStore(
                rows, self.term(start + j0 + j, k, q), (literal(q, self.t), j)), self.t),
                vectors("j", lanes - there, lanes, lambda j: BufferStore(
                    rows, literal(0, packed.dtype), (literal(q, self.t), j + there)), self.t))
        parts = [rows[literal(q, self.t), self.ramp(0, lanes)] for q in range(group)]
        step = 1
        while len(parts) > 1:
            parts = [_interleaved(a, b, step) for a, b in zip(parts[::2], parts[1::2])]
            step *= 2
        store = BufferStore(packed, parts[0], (jo, self.flat(k), self.ramp(
            j0 * group, lanes * group)))
        return seq(AllocBuffer(rows), *map(row, range(group)), store)

    def ramp(self, start, lanes: int) -> PrimExpr:
        return Ramp(literal(start, self.t), literal(1, self.t), lanes)

    def sum_columns(self, strip: Strip, jo) -> Stmt:
        """What moving the left bytes adds to the sums of a panel, negated."""
        packed, sums = strip.buffers
        lanes, group = self.p.lanes, self.group
        total = decl_buffer((strip.wide,), sums.dtype, "total", scope="local")
        zero = literal(0, sums.dtype)

        def each(body) -> Stmt:
            return vectors("j", strip.wide, lanes, body, self.t)

        def add(k) -> Stmt:
            return unrolled("j_v", strip.wide // lanes, lambda v: BufferStore(
                total, call_intrin(
                    total.dtype.with_lanes(lanes), "dot", total[self.ramp(v * lanes, lanes)],
                    Broadcast(self.sign_bit(), lanes * group),
                    packed[jo, self.flat(k), self.ramp(v * (lanes * group), lanes * group)]),
                (self.ramp(v * lanes, lanes),)), self.t)
        return seq(AllocBuffer(total), each(lambda j: BufferStore(total, zero, (j,))),
                   self.over_k(add), each(lambda j: BufferStore(sums, zero - total[j], (jo, j))))

    # --- a tile -----------------------------------------------------------------------------

    def left_at(self, packed: Buffer, i, k) -> PrimExpr:
        """A group of terms of one row, in every lane."""
        lanes, group = self.p.lanes, self.group
        word = call_intrin("int32", "reinterpret",
                           packed[i, self.ramp(self.flat(k) * group, group)])
        return call_intrin(f"{self.terms.left}x{lanes * group}", "reinterpret",
                           Broadcast(word, lanes))

    def clear(self, acc: Buffer, jo, strip: Strip) -> Stmt:
        if not self.terms.moved:
            return super().clear(acc, jo, strip)
        return self.each(acc, lambda i, j: BufferStore(acc, strip.buffers[1][jo, j], (i, j)))

    def add(self, acc: Buffer, left, jo, strip: Strip) -> Stmt:
        lanes, group = self.p.lanes, self.group
        tall, wide = map(as_int, acc.shape)

        def one(i, v, k) -> Stmt:
            at = (i, self.ramp(v * lanes, lanes))
            panel = strip.buffers[0][jo, self.flat(k), self.ramp(v * (lanes * group),
                                                                 lanes * group)]
            if self.terms.right == "bfloat16":
                panel = call_intrin(f"bfloat16x{lanes * group}", "reinterpret", panel)
            return BufferStore(acc, call_intrin(acc.dtype.with_lanes(lanes), "dot", acc[at],
                                                left(i, k), panel), at)
        return self.over_k(lambda k: unrolled("i", tall, lambda i: unrolled(
            "j_v", wide // lanes, lambda v: one(i, v, k), self.t), self.t))


def _interleaved(a: PrimExpr, b: PrimExpr, step: int) -> PrimExpr:
    """`step` lanes of `a`, `step` of `b`, and so on."""
    lanes = a.dtype.lanes
    places = [side * lanes + first + k for first in range(0, lanes, step) for side in (0, 1)
              for k in range(step)]
    return Shuffle((a, b), tuple(literal(p, "int32") for p in places))
