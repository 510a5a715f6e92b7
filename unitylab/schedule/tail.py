"""Rows that do not fill a tile: the full tiles run without predicates, the rest by itself."""

from __future__ import annotations

from ..ir import prim
from ..ir.module import IRModule
from ..ir.prim import PrimExpr, as_int
from ..ir.tir import BlockRealize, For, Range, seq
from ..ir.visitor import Mutator, fold_substitute, free_vars, fresh_copy
from .handles import LoopRV
from .nest import Nest, child_realizes


def split_rows(sch, loop: LoopRV) -> IRModule:
    """The module in which a loop over tiles, the last of them not full, runs in two parts.

    The first part is where all predicates hold; they vanish there."""
    (name, func), = sch.mod.prim_funcs.items()
    nest = Nest(func)
    node = sch.get(loop)
    full = _full_tiles(node, nest)
    if full is None:
        return sch.mod
    analyzer = nest.analyzer(nest.parent(node), unit_loops=False)
    tail = fresh_copy(node.replace(min=full, extent=analyzer.simplify(node.extent - full)))
    main = node.replace(extent=full)
    analyzer.bind(node.loop_var, Range(main.min, full))
    main = main.replace(body=nest.rewritten(_Simplify(analyzer), main.body))
    nest.replace(node, seq(main, tail))
    return sch.mod.with_functions({name: nest.func})


def _full_tiles(node, nest: Nest):
    """How many tiles are full: from the predicate `i_0 * c + i_1 < n` of the blocks below."""
    for realize in child_realizes(node.body):
        for term in _terms(realize.predicate):
            if isinstance(term, prim.LT):
                step = _step(term.a, node, nest)
                if step:
                    return nest.analyzer(nest.parent(node)).simplify(
                        prim.floordiv(term.b, prim.literal(step, term.b.dtype)))
    return None


def _terms(e) -> list:
    return _terms(e.a) + _terms(e.b) if isinstance(e, prim.And) else [e]


def _step(e, node, nest: Nest) -> int | None:
    """By how much `e` grows from one iteration to the next."""
    if node.loop_var not in free_vars(e):
        return None
    moved = fold_substitute(e, {node.loop_var: node.loop_var + 1})
    return as_int(nest.analyzer(nest.parent(node)).simplify(moved - e))


class _Simplify(Mutator):
    """Simplifies values, predicates and loop extents by the ranges of the loops around."""

    def __init__(self, analyzer):
        super().__init__()
        self.analyzer = analyzer

    def visit_For(self, n: For) -> For:
        low, extent = self.analyzer.simplify(n.min), self.analyzer.simplify(n.extent)
        if as_int(extent) != 1:
            self.analyzer.bind(n.loop_var, Range(low, extent))
        body = self.visit(n.body)
        if low is n.min and extent is n.extent and body is n.body:
            return n
        return n.replace(min=low, extent=extent, body=body)

    def visit_BlockRealize(self, n: BlockRealize) -> BlockRealize:
        with self.analyzer.scope():
            predicate = self.analyzer.simplify(n.predicate)
            if not prim.is_const(predicate):
                self.analyzer.assume(predicate)
                predicate = n.predicate  # as it was written
            values = tuple(map(self.analyzer.simplify, n.iter_values))
        if predicate is n.predicate and all(a is b for a, b in zip(values, n.iter_values)):
            return n
        return n.replace(predicate=predicate, iter_values=values)

    def visit_PrimExpr(self, n: PrimExpr) -> PrimExpr:
        return n
