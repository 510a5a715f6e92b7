"""Recognises contractions: matrix products, batched ones, and whatever has their form.

    C[..., m, ..., n] += f(rows, reduce) * g(n, reduce)

`n` is the last dimension of the output; `f` does not use it. A convolution is one too: its filters
are the rows, the pixels of a line are the columns."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import prim
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.structural import structural_equal
from ...ir.tir import REDUCE, SPATIAL, Block, Buffer, BufferLoad, BufferStore, IterVar
from ...ir.visitor import collect, free_vars, substitute
from ..dependence import written_buffers
from ..handles import BlockRV
from ..patterns import is_injective
from .scheduling import Scheduling


@dataclass(frozen=True)
class Contraction:
    """`left` does not use the column. `row` is the spatial variable that only `left` uses (None:
    there is none); `outer` are all other spatial variables. `finish(acc)` is the store of the final
    value, `done` the blocks that the new nest stands for."""

    block: Block
    left: PrimExpr
    right: PrimExpr
    row: IterVar | None
    column: IterVar
    outer: tuple[IterVar, ...]
    reduce: tuple[IterVar, ...]
    output: Buffer
    store: BufferStore          # in terms of the variables of `block`
    accumulator: BufferLoad     # the load in `store` that stands for the sum
    done: tuple[Block, ...]

    @property
    def depth(self) -> int | None:
        """How many terms a sum has, None if symbolic."""
        total = 1
        for it in self.reduce:
            extent = as_int(it.dom.extent)
            if extent is None:
                return None
            total *= extent
        return total

    @property
    def panel(self) -> int | None:
        """How many columns lie together where the right factor is packed in panels:
        `right[..., column // n, k, column % n]`."""
        last = self.right.indices[-1] if isinstance(self.right, BufferLoad) else None
        if not isinstance(last, prim.FloorMod) or last.a is not self.column.var:
            return None
        part = prim.FloorDiv(self.column.var, last.b)
        found = any(structural_equal(i, part) for i in self.right.indices[:-1])
        return as_int(last.b) if found else None

    def stride(self, e: PrimExpr, var: Var) -> int | None:
        """By how many elements the loads of `e` move with `var`; None where that is not known."""
        found = {_stride(l, var) for l in collect(e, BufferLoad)}
        return found.pop() if len(found) == 1 else None


def contraction(s: Scheduling, handle: BlockRV) -> Contraction | None:
    """The block as a contraction; None if it is none."""
    block = s.sch.get(handle)
    product = _product(block)
    if product is None or any(as_int(it.dom.min) != 0 for it in block.iter_vars):
        return None
    spatial = [it for it in block.iter_vars if it.kind == SPATIAL]
    reduce = tuple(it for it in block.iter_vars if it.kind == REDUCE)
    if len(spatial) + len(reduce) != len(block.iter_vars):
        return None
    last = block.body.indices[-1] if block.body.indices else None
    column = next((it for it in spatial if it.var is last), None)
    if column is None or not _each_once(block, spatial):
        return None
    a, b = product
    if column.var in free_vars(a):
        a, b = b, a
    if column.var in free_vars(a) or column.var not in free_vars(b):
        return None
    row = _row(spatial, column, a, b)
    outer = tuple(it for it in spatial if it is not column and it is not row)
    store, load, done = _epilogue(s, handle, block)
    return Contraction(block, a, b, row, column, outer, reduce, block.body.buffer, store, load,
                       done)


def _each_once(block: Block, spatial: list[IterVar]) -> bool:
    """Whether the output is indexed by each spatial variable once; unit ones may be missing."""
    at = [i for i in block.body.indices if as_int(i) is None]
    needed = [it.var for it in spatial if as_int(it.dom.extent) != 1 or it.var in at]
    return len(at) == len(needed) and set(map(id, at)) == set(map(id, needed))


def _same(x: PrimExpr, y: PrimExpr, block: Block) -> bool:
    """Whether two indices are equal; a variable with one value may be written as 0."""
    if structural_equal(x, y):
        return True
    unit = {it.var for it in block.iter_vars if as_int(it.dom.extent) == 1}
    return all(i in unit or as_int(i) == 0 for i in (x, y))


def _product(block: Block) -> tuple[PrimExpr, PrimExpr] | None:
    """The factors of what is added to the output."""
    body, init = block.body, block.init
    if not isinstance(init, BufferStore) or not prim.is_const(init.value) or init.value.value != 0:
        return None
    if not isinstance(body.value, prim.Add) or not isinstance(body.value.b, prim.Mul):
        return None
    own = body.value.a
    if not isinstance(own, BufferLoad) or own.buffer is not body.buffer or \
            not all(_same(x, y, block) for x, y in zip(own.indices, body.indices)):
        return None
    a, b = body.value.b.a, body.value.b.b
    if any(l.buffer is body.buffer for l in collect(body.value.b, BufferLoad)):
        return None
    return a, b


def _row(spatial, column, a, b) -> IterVar | None:
    """The variable of the rows of a tile: the largest that only the left factor uses."""
    mine, other = free_vars(a), free_vars(b)
    found = [it for it in spatial if it is not column and it.var in mine and it.var not in other
             and as_int(it.dom.extent) != 1]
    return max(found, key=lambda it: as_int(it.dom.extent) or 1 << 30, default=None)


def _epilogue(s: Scheduling, handle: BlockRV, block: Block):
    """(store, the load in it of the finished sum, blocks done): with the consumer if it is
    one elementwise block that reads each element once."""
    own = BufferLoad(block.body.buffer, block.body.indices)
    plain = block.body.replace(value=own), own, (block,)
    users = s.sch.get_consumers(handle)
    if len(users) != 1 or not _is_local(s, block):
        return plain
    user = s.sch.get(users[0])
    if not is_injective(user) or user.name in s.placed or len(written_buffers(user)) != 1:
        return plain
    loads = [l for l in collect(user.body.value, BufferLoad) if l.buffer is own.buffer]
    point = _same_point(loads, user)
    if point is None or any(l.buffer is user.body.buffer
                            for l in collect(user.body.value, BufferLoad)):
        return plain
    moved = {v: i for v, i in zip(point, block.body.indices) if isinstance(v, Var)}
    moved |= {it.var: literal(0, it.var.dtype) for it in user.iter_vars if it.var not in moved}
    swap = {l: own for l in loads}
    value = substitute(substitute(user.body.value, swap), moved)
    indices = tuple(substitute(i, moved) for i in user.body.indices)
    return user.body.replace(value=value, indices=indices), own, (block, user)


def _is_local(s: Scheduling, block: Block) -> bool:
    return any(b is block.body.buffer for b in s.now.root.alloc_buffers)


def _same_point(loads, user: Block) -> tuple[PrimExpr, ...] | None:
    """The variables of `user` (or 0 for one with one value) at which it reads the sum; None if
    it is not one point each."""
    if not loads:
        return None
    point = loads[0].indices
    if any(not all(structural_equal(x, y) for x, y in zip(l.indices, point)) for l in loads):
        return None
    at = [i for i in point if as_int(i) != 0]
    needed = [it.var for it in user.iter_vars if as_int(it.dom.extent) != 1 or it.var in at]
    if set(map(id, at)) != set(map(id, needed)) or len(at) != len(needed):
        return None
    return point


def _stride(load: BufferLoad, var: Var) -> int | None:
    """In elements of a compact buffer."""
    if load.buffer.strides:
        return None
    step, total = 1, 0
    for index, size in zip(reversed(load.indices), reversed(load.buffer.shape)):
        factor = _factor(index, var)
        if factor is None or factor and step is None:
            return None
        total += factor * (step or 0)
        size = as_int(size)
        step = None if size is None or step is None else step * size
    return total


def _factor(e: PrimExpr, var: Var) -> int | None:
    """How much an index grows with `var`."""
    if e is var:
        return 1
    if var not in free_vars(e):
        return 0
    if isinstance(e, prim.Add):
        x, y = _factor(e.a, var), _factor(e.b, var)
        return None if x is None or y is None else x + y
    if isinstance(e, prim.Mul) and as_int(e.b) is not None:
        x = _factor(e.a, var)
        return None if x is None else x * as_int(e.b)
    return None
