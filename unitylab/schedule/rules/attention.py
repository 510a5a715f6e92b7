"""Attention as one nest: a product, a softmax of it along the last axis, a product with that.

    scores[i, j] = sum(query[i, k] * key[j, k]);  x = f(scores, i, j)
    output[i, e] = epilogue(sum(softmax(x)[i, j] * value[j, e]))

`recognise` finds it by what the blocks compute; `f` (scale, bias, mask), the epilogue and where the
operands lie are free, and any number of other axes (batches, heads, groups of heads)."""

from __future__ import annotations

from dataclasses import dataclass

from ...arith.analyzer import Analyzer
from ...ir import prim
from ...ir.prim import PrimExpr, Var, as_int
from ...ir.structural import structural_equal
from ...ir.te import min_value
from ...ir.tir import REDUCE, Block, Buffer, BufferLoad, IterVar
from ...ir.visitor import collect, free_vars, substitute
from ..dependence import read_buffers, written_buffers
from ..handles import BlockRV
from ..nest import Nest
from ..patterns import is_injective, is_reduction
from ..replace_blocks import home
from .attention_nest import AttentionNest
from .contraction import Contraction, contraction
from .scheduling import Scheduling

FEWEST_ROWS = 4  # of queries: fewer are two products with a row


@dataclass(frozen=True)
class Attention:
    """All in terms of the variables of the last product: `row` of queries, `column` of the value,
    `key` the number of the key. `query` and `keys` are the factors of a score, whose terms are
    numbered by `depth`; `x` is what the softmax is taken of, `score` the load in it that stands
    for the score."""

    product: Contraction
    row: IterVar
    key: IterVar
    depth: tuple[IterVar, ...]
    query: PrimExpr
    keys: PrimExpr
    value: PrimExpr
    x: PrimExpr
    score: BufferLoad
    done: tuple[Block, ...]

    @property
    def outer(self) -> tuple[IterVar, ...]:
        """Batches and heads."""
        return tuple(it for it in self.product.block.iter_vars
                     if it.kind != REDUCE and it is not self.row and it is not self.product.column)

    def last_key(self) -> PrimExpr | None:
        """The last key that a query sees, which grows with `row` and is never before the first;
        None where nothing says so."""
        x, own = self.x, self.key.var
        if not isinstance(x, prim.Select) or not isinstance(x.condition, prim.LE) or \
                not prim.is_const(x.false_value, min_value(x.dtype).value):
            return None
        key, last = x.condition.a, x.condition.b
        ahead = as_int(Analyzer().simplify(last - self.row.var))
        return last if key is own and ahead is not None and ahead >= 0 else None


def attention(s: Scheduling) -> None:
    """Writes the nest of each attention of the function; the blocks that it stands for vanish."""
    for name in s.names():
        if name in s.names():
            handle = s.sch.get_block(name)
            found = recognise(s, handle) if is_reduction(s.sch.get(handle)) else None
            if found is not None:
                _write(s, found)


def _write(s: Scheduling, a: Attention) -> None:
    nest = Nest(s.now)
    if any(home(nest, block) is None for block in a.done):
        return
    s.sch.replace_blocks(a.done, AttentionNest(a, s.target).nest(), by="attention",
                         at=a.product.done[-1])


def recognise(s: Scheduling, handle: BlockRV) -> Attention | None:
    """The attention whose last product this block is; None if there is none."""
    product = contraction(s, handle)
    if product is None or len(product.reduce) != 1 or product.output.dtype != "float32":
        return None
    values = Values(s)
    weights = _softmax(values, values.expanded(product.left), product.reduce[0].var)
    if weights is None:
        return None
    loads = collect(weights, BufferLoad)
    scores = [l for l in loads if is_reduction_of(values, l)]
    if not scores or any(l.buffer is not scores[0].buffer or not _same(l, scores[0])
                         for l in scores):
        return None
    return _attention(s, values, product, weights, scores)


def is_reduction_of(values: Values, load: BufferLoad) -> bool:
    block = values.makers.get(load.buffer)
    return block is not None and is_reduction(block)


def _same(a, b) -> bool:
    return structural_equal(a, b)


def _attention(s: Scheduling, values: Values, product: Contraction, x: PrimExpr,
               scores: list[BufferLoad]) -> Attention | None:
    """The parts, once it is known what the softmax is taken of."""
    block = values.makers[scores[0].buffer]
    first = contraction(s, s.sch.get_block(block.name))
    key = product.reduce[0]
    if first is None or first.output.dtype != product.output.dtype:
        return None
    moved = _moved(first.block, scores[0])
    if moved is None or moved[first.column.var] is not key.var:
        return None
    query, keys = (values.expanded(substitute(e, moved)) for e in (first.left, first.right))
    value = values.expanded(product.right)
    row = _row(product, query, keys, value)
    done = values.used_up((*product.done, block))
    sizes = [it.dom.extent.dtype for it in (*product.block.iter_vars, *first.block.iter_vars)]
    if row is None or done is None or any(t != product.column.var.dtype for t in sizes):
        return None
    own = scores[0]
    x = substitute(x, {l: own for l in scores})
    return Attention(product, row, key, first.reduce, query, keys, value, x, own, done)


def _moved(block: Block, at: BufferLoad) -> dict | None:
    """What the spatial variables of a block are at a load of its result."""
    found = {i: p for i, p in zip(block.body.indices, at.indices) if isinstance(i, Var)}
    for it in block.iter_vars:
        if it.kind != REDUCE and it.var not in found:
            if as_int(it.dom.extent) != 1:
                return None
            found[it.var] = it.dom.min
    return found


def _row(product: Contraction, query, keys, value) -> IterVar | None:
    """The longest spatial variable that only the query uses."""
    other = {*free_vars(keys), *free_vars(value)}
    found = [it for it in product.block.iter_vars if it.kind != REDUCE
             and it is not product.column and it.var in free_vars(query) and it.var not in other]
    row = max(found, key=lambda it: as_int(it.dom.extent) or 1 << 30, default=None)
    extent = as_int(row.dom.extent) if row is not None else 0
    return row if extent is None or extent >= FEWEST_ROWS else None


def _softmax(values: Values, weights: PrimExpr, key: Var) -> PrimExpr | None:
    """`x` where `weights` is exp(x - max(x)) / sum(exp(x - max(x))) along `key`."""
    if not isinstance(weights, prim.Div) or not isinstance(weights.b, BufferLoad):
        return None
    top, total = weights.a, values.reduced(weights.b, prim.Add, 0, key)
    if total is None or not _same(top, total) or not isinstance(top, prim.Call) or \
            top.op != "exp" or not isinstance(top.args[0], prim.Sub):
        return None
    x, most = top.args[0].a, top.args[0].b
    if not isinstance(most, BufferLoad):
        return None
    of = values.reduced(most, prim.Max, min_value(x.dtype).value, key)
    return x if of is not None and _same(of, x) else None


class Values:
    """What the local buffers of a function hold, as expressions."""

    def __init__(self, s: Scheduling):
        self.blocks = [s.sch.get(s.sch.get_block(n)) for n in s.names()]
        local = set(map(id, s.now.root.alloc_buffers))
        self.makers: dict[Buffer, Block] = {}
        self.seen: dict[int, Block] = {}
        for block in self.blocks:
            for b in written_buffers(block):
                if id(b) in local and b not in self.makers:
                    self.makers[b] = block

    def expanded(self, e: PrimExpr) -> PrimExpr:
        """`e` with elementwise values written out."""
        for load in collect(e, BufferLoad):
            block = self.makers.get(load.buffer)
            if block is None or not is_injective(block):
                continue
            moved = _moved(block, load)
            if moved is not None:
                self.seen[id(block)] = block
                e = substitute(e, {load: self.expanded(substitute(block.body.value, moved))})
        return e

    def reduced(self, load: BufferLoad, kind: type, start: float, key: Var) -> PrimExpr | None:
        """What is combined by `kind` along all of `key` to give the value of a load."""
        block = self.makers.get(load.buffer)
        if block is None or not is_reduction(block) or not isinstance(block.body.value, kind):
            return None
        axes = [it for it in block.iter_vars if it.kind == REDUCE]
        own, init, moved = block.body.value.a, block.init.value, _moved(block, load)
        if len(axes) != 1 or moved is None or not prim.is_const(init, start) or \
                not isinstance(own, BufferLoad) or own.buffer is not load.buffer:
            return None
        self.seen[id(block)] = block
        return self.expanded(substitute(block.body.value.b, {**moved, axes[0].var: key}))

    def used_up(self, others: tuple[Block, ...]) -> tuple[Block, ...] | None:
        """The blocks that were looked into and `others`; None if anything else reads them."""
        done = {**self.seen, **{id(b): b for b in others}}
        made = {b for k in done.values() for b in written_buffers(k) if b in self.makers}
        if any(made & set(read_buffers(b)) for b in self.blocks if id(b) not in done):
            return None
        return tuple(b for b in self.blocks if id(b) in done)
