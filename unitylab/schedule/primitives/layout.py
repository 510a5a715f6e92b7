"""Other layouts of the points of a block: transform_block_layout, reorder_block_iter_var."""

from __future__ import annotations

import math

from ...arith.iter_map import NotAffine
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import SERIAL, SPATIAL, Block, BlockRealize, For, IterVar, Range, Stmt
from ...ir.visitor import BUILD, Mutator, free_vars
from ..dependence import why_order_matters
from ..nest import Nest
from ..signature import BLOCK, INDEX_MAP, INT, MapSource, list_of, primitive
from .digits import InDigits


@primitive(block=BLOCK, index_map=INDEX_MAP)
def transform_block_layout(nest: Nest, block: Block, index_map: MapSource) -> None:
    """Runs over the points of a block in another shape: new iteration variables and loops.

        for i in range(64): B[i] = ...    ->    for a, b in T.grid(4, 16): B[a * 16 + b] = ...
        (index_map=lambda i: (i // 16, i % 16))

    The map must be one to one. Exo: a chain of `divide_loop`, `mult_loops` and `reorder_loops`."""
    loops = _own_loops(nest, block)
    point = index_map.resolve(len(block.iter_vars), [it.var.dtype for it in block.iter_vars])
    domain = {v: it.dom for v, it in zip(point.inputs, block.iter_vars)}
    analyzer = nest.analyzer(nest.scope(block), unit_loops=False)
    _check_zero_based(block)
    order = why_order_matters(block)
    if order:
        raise ScheduleError(f"the instances of block {block.name} must stay in order: {order}",
                            span=block.span)
    try:
        back = point.inverse([it.dom for it in block.iter_vars], analyzer)
        sizes = point.map_shape([it.dom.extent for it in block.iter_vars], analyzer)
    except (NotAffine, ValueError) as e:
        raise ScheduleError(f"the index map {point.text} is not one to one on block {block.name}:"
                            f" {e}", span=block.span) from None
    whole = _points(it.dom.extent for it in block.iter_vars)
    if not analyzer.can_prove_equal(_points(sizes), whole):
        shown = " x ".join(s.script() for s in sizes)
        raise ScheduleError(f"the index map {point.text} makes {shown} points of block {block.name}"
                            f", more than it has", span=block.span,
                            hint="a map that starts at 0 and fills its shape, or split")
    kinds = [_kind_of(o, dict(zip(domain, block.iter_vars)), block) for o in point.outputs]
    new = [Var(f"v{k}", o.dtype) for k, o in enumerate(point.outputs)]
    its = tuple(IterVar(v, Range(literal(0, v.dtype), prim.cast(s, v.dtype)), kind)
                for v, s, kind in zip(new, sizes, kinds))
    for it in its:
        if as_int(it.dom.extent) != 1:
            analyzer.bind(it.var, it.dom)
    values = [analyzer.simplify(e) for e in back(new)]
    values = [_at(v, it) for v, it in zip(values, block.iter_vars)]
    for v, o in zip(new, point.outputs):
        if o in point.inputs:  # also where it has one value
            values[point.inputs.index(o)] = v
    at = {it.var: v for it, v in zip(block.iter_vars, values)}
    body = _AtPoint(at, {it.var: it.dom for it in its})
    inner = nest.rewritten(body, block.replace(iter_vars=()))
    made = inner.replace(iter_vars=its)
    nest.forward(block, made)
    axes = [Var(f"ax{k}", v.dtype) for k, v in enumerate(new)]
    stmt: Stmt = BlockRealize(tuple(axes), literal(True), made)
    for ax, it in reversed(list(zip(axes, its))):
        stmt = For(ax, literal(0, ax.dtype), it.dom.extent, SERIAL, stmt)
    nest.replace(loops[0] if loops else nest.realize(block), stmt)


def _points(sizes) -> PrimExpr:
    return math.prod((prim.cast(s, "int64") for s in sizes), start=literal(1, "int64"))


def _at(value: PrimExpr, it: IterVar) -> PrimExpr:
    return literal(0, it.var.dtype) if as_int(it.dom.extent) == 1 and not free_vars(value) \
        else prim.cast(value, it.var.dtype)


def _check_zero_based(block: Block) -> None:
    for it in block.iter_vars:
        if not prim.is_const(it.dom.min, 0):
            raise ScheduleError(f"{it.var.name} of block {block.name} does not start at 0",
                                span=block.span)


def _own_loops(nest: Nest, block: Block) -> list[For]:
    """The loops of a block, each feeding one variable, with nothing else inside."""
    realize = nest.realize(block)
    if block is nest.root:
        raise ScheduleError("the root block has no points")
    if not prim.is_const(realize.predicate, 1):
        raise ScheduleError(f"block {block.name} runs only where {realize.predicate.script()}",
                            span=block.span, hint="transform it before it gets a predicate")
    loops = nest.loops(block)
    for outer, inner in zip(loops, [*loops[1:], realize]):
        if outer.body is not inner:
            raise ScheduleError(f"loop {outer.loop_var.name} holds more than block {block.name}",
                                span=block.span)
    order = {l.loop_var: l for l in loops}
    for it, v in zip(block.iter_vars, realize.iter_values):
        found = order.pop(v, None) if isinstance(v, Var) else None
        if found is None and as_int(it.dom.extent) != 1:
            raise ScheduleError(f"{it.var.name} of block {block.name} is not bound to a loop of "
                                f"its own", span=block.span,
                                hint="transform it before split or fuse")
    left = [l for l in order.values() if as_int(l.extent) != 1]
    if left:
        raise ScheduleError(f"loop {left[0].loop_var.name} feeds no variable of block {block.name}")
    return loops


def _kind_of(e: PrimExpr, its: dict[Var, IterVar], block: Block) -> str:
    kinds = {its[v].kind for v in free_vars(e) if v in its}
    if len(kinds) > 1:
        raise ScheduleError(f"{e.script()} mixes variables of kinds {' and '.join(sorted(kinds))} "
                            f"of block {block.name}", span=block.span)
    return next(iter(kinds), SPATIAL)


class _AtPoint(InDigits):
    """Replaces the variables of a block; indices get as few digits of the new ones as possible."""

    def __init__(self, at, domain):
        super().__init__(domain)
        for old, new in at.items():
            self._memo[id(old)] = old, new

    def visit_BinaryExpr(self, n):
        new = self.rebuild(n)
        build = BUILD.get(type(n))
        return build(new.a, new.b) if build and new is not n else new

    def _access(self, n):
        new = self.rebuild(n)
        return new.replace(indices=self.in_digits(new.indices))

    visit_BufferLoad = visit_BufferStore = _access

    def visit_BufferRegion(self, n):
        new = self.rebuild(n)
        if any(as_int(r.extent) != 1 for r in new.region):
            return new
        at = self.in_digits([r.min for r in new.region])
        return new.replace(region=tuple(r.replace(min=m) for r, m in zip(new.region, at)))


class Substituted(Mutator):
    """Replaces variables and simplifies the indices (`conditions`: and comparisons) in which they
    stand."""

    def __init__(self, at, analyzer, conditions: bool = False):
        super().__init__()
        self.at, self.analyzer = at, analyzer
        self.kinds = ("int", "uint", "bool") if conditions else ("int", "uint")

    def visit_PrimExpr(self, n):
        if isinstance(n, Var):
            return self.at.get(n, n)
        new = self.rebuild(n)
        tidy = new is not n and n.dtype.kind in self.kinds
        return self.analyzer.simplify(new) if tidy else new

    def visit_BufferLoad(self, n):
        return self.rebuild(n)

    def visit_Buffer(self, n):
        return n


@primitive(block=BLOCK, new_order=list_of(INT))
def reorder_block_iter_var(nest: Nest, block: Block, new_order: list[int]) -> None:
    """Writes the iteration variables of a block in another order; what it computes stays.

        vi, vj = T.axis.remap("SS", [i, j])   ->   vj, vi = T.axis.remap("SS", [j, i])"""
    count = len(block.iter_vars)
    if sorted(new_order) != list(range(count)):
        raise ScheduleError(f"{new_order} is not an order of the {count} variables of block "
                            f"{block.name}", hint=f"use each of 0 to {count - 1} once")
    realize = nest.realize(block)
    new = nest.edit(block, iter_vars=tuple(block.iter_vars[k] for k in new_order))
    nest.edit(nest.realize(new), iter_values=tuple(realize.iter_values[k] for k in new_order))
