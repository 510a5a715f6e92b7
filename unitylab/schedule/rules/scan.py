"""Prefix reductions, y[i] = x[0] + ... + x[i]: each result from the one before.

They are written as a reduction over all k, in which k > i adds nothing; that takes the square of
the work. Along the last axis several rows go at once, since each result waits for the one before;
along other axes whole rows are added in vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...ir import prim
from ...ir.node import FrozenDict
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.structural import structural_equal
from ...ir.tir import (REDUCE, SPATIAL, AllocBuffer, Block, BufferLoad, BufferStore, For, Stmt,
                       decl_buffer, seq)
from ...ir.visitor import collect, free_vars, fresh_copy, substitute
from ..handles import BlockRV
from ..nest import Nest
from ..replace_blocks import home
from .loops import loop, unrolled
from .reduction import LANES, ROW_LANES
from .scheduling import Scheduling
from .threads import PARALLEL_WORK

TOGETHER = (8, 4, 7, 6, 5, 3, 2)  # rows at once, the best first


@dataclass(frozen=True)
class Scan:
    """`y[..., i, ...] = combine(... combine(start, x[0]), x[i])`; `exclusive` leaves out x[i]."""

    block: Block
    axis: int
    counter: Var
    combine: Callable[[PrimExpr, PrimExpr], PrimExpr]
    element: PrimExpr
    exclusive: bool

    @property
    def output(self):
        return self.block.body.buffer

    def indices(self, outer: list[PrimExpr], at: PrimExpr) -> tuple[PrimExpr, ...]:
        return (*outer[:self.axis], at, *outer[self.axis:])

    def value(self, outer: list[PrimExpr], at: PrimExpr) -> PrimExpr:
        """What element `at` adds, for the values of the other variables."""
        others = [it.var for it in self.block.iter_vars if it.kind == SPATIAL]
        del others[self.axis]
        return fresh_copy(substitute(self.element, {**dict(zip(others, outer)), self.counter: at}))


def scan(s: Scheduling, handle: BlockRV) -> bool:
    """Writes the nest of a prefix reduction; False, with nothing changed, for other blocks."""
    found = scan_of(s.sch.get(handle))
    if found is None:
        return False
    if home(Nest(s.now), found.block) is None:
        return False
    s.sch.replace_blocks([found.block], _written(found, s.target.threads), by="scan")
    s.placed.add(found.block.name)
    return True


def scan_of(block: Block) -> Scan | None:
    """The parts of a block that is a prefix reduction."""
    reduce = [it for it in block.iter_vars if it.kind == REDUCE]
    spatial = [it for it in block.iter_vars if it.kind == SPATIAL]
    store = block.body
    if len(reduce) != 1 or not isinstance(store, BufferStore) or block.init is None or \
            len(spatial) + 1 != len(block.iter_vars) or \
            list(store.indices) != [it.var for it in spatial] or \
            not isinstance(store.value, (prim.Add, prim.Mul, prim.Max, prim.Min)):
        return None
    old, chosen = store.value.a, store.value.b
    if not isinstance(old, BufferLoad) or old.buffer is not store.buffer or \
            not isinstance(chosen, prim.Select):
        return None
    test, start = chosen.condition, block.init.value
    axis = next((k for k, it in enumerate(spatial) if isinstance(test, (prim.LE, prim.LT))
                 and test.a is reduce[0].var and test.b is it.var), None)
    if axis is None or not structural_equal(chosen.false_value, start) or free_vars(start) or \
            not structural_equal(spatial[axis].dom, reduce[0].dom) or \
            any(as_int(it.dom.min) != 0 or as_int(it.dom.extent) == 0
                for it in block.iter_vars) or \
            spatial[axis].var in free_vars(chosen.true_value) or \
            any(l.buffer is store.buffer for l in collect(chosen.true_value, BufferLoad)) or \
            len({it.var.dtype for it in block.iter_vars}) != 1:
        return None
    return Scan(block, axis, reduce[0].var, type(store.value), chosen.true_value,
                isinstance(test, prim.LT))


def _written(c: Scan, threads: int) -> Stmt:
    extents = [it.dom.extent for it in c.block.iter_vars if it.kind == SPATIAL]
    length = extents.pop(c.axis)
    build = _along_rows if c.axis == len(extents) else _across_rows
    sizes = [as_int(e) for e in (*extents, length)]
    work = 1
    for size in sizes:
        work *= 1024 if size is None else size
    stmt = build(c, extents, length)
    if threads > 1 and work >= PARALLEL_WORK and isinstance(stmt, For) and \
            stmt.loop_var.name != "k":
        return stmt.replace(kind="parallel")
    return stmt


def _along_rows(c: Scan, extents: list[PrimExpr], length: PrimExpr) -> Stmt:
    """The last axis: `count` rows of the axis before it at once."""
    t = c.counter.dtype
    height = as_int(extents[-1]) if extents else None
    count = next((n for n in TOGETHER if height and height % n == 0), 1)
    acc = decl_buffer((count,), c.output.dtype, "acc", scope="local")

    def rows(outer: list[PrimExpr]) -> Stmt:
        def row(r) -> list[PrimExpr]:
            return [*outer[:-1], outer[-1] * literal(count, t) + r] if outer else []

        def step(k) -> Stmt:
            return unrolled("r", count, lambda r: _step(c, acc, r, row(r), k), t)
        start = unrolled("r", count, lambda r: BufferStore(acc, c.block.init.value, (r,)), t)
        return seq(AllocBuffer(acc), start, loop("k", length, step, dtype=t))
    if extents:
        extents = [*extents[:-1], prim.floordiv(extents[-1], literal(count, t))]
    return _around(extents, rows, t)


def _step(c: Scan, acc, r: PrimExpr, outer: list[PrimExpr], k: PrimExpr) -> Stmt:
    add = BufferStore(acc, c.combine(acc[r], c.value(outer, k)), (r,))
    keep = BufferStore(c.output, acc[r], c.indices(outer, k))
    return seq(keep, add) if c.exclusive else seq(add, keep)


def _across_rows(c: Scan, extents: list[PrimExpr], length: PrimExpr) -> Stmt:
    """Another axis: a row from the row before, in vectors along the last axis."""
    t = c.counter.dtype
    one = literal(1, t)

    def columns(body: Callable[[PrimExpr], Stmt]) -> Stmt:
        var = Var("j", t)
        return For(var, literal(0, t), extents[-1], "serial", body(var),
                   annotations=FrozenDict({LANES: ROW_LANES}))

    def rows(outer: list[PrimExpr]) -> Stmt:
        def first(k, j) -> Stmt:
            at = [*outer, j]
            start = c.block.init.value
            value = start if c.exclusive else c.combine(start, c.value(at, k))
            return BufferStore(c.output, value, c.indices(at, k))

        def later(k, j) -> Stmt:
            at = [*outer, j]
            before = BufferLoad(c.output, c.indices(at, k))
            value = c.combine(before, c.value(at, k if c.exclusive else k + one))
            return BufferStore(c.output, value, c.indices(at, k + one))
        rest = loop("k", length - one, lambda k: columns(lambda j: later(k, j)), dtype=t)
        begin = loop("k", prim.minimum(length, one),  # a length that is not known may be zero
                     lambda k: columns(lambda j: first(k, j)), dtype=t)
        return seq(begin, rest)
    return _around(extents[:-1], rows, t)


def _around(extents: list[PrimExpr], body: Callable[[list[PrimExpr]], Stmt], t: str) -> Stmt:
    """Loops over the other axes."""
    def level(n: int, outer: list[PrimExpr]) -> Stmt:
        if n == len(extents):
            return body(outer)
        return loop(f"i{n}", extents[n], lambda v: level(n + 1, [*outer, v]), dtype=t)
    return level(0, [])
