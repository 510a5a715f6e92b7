"""Indices of accesses after variables were replaced."""

from __future__ import annotations

from collections.abc import Sequence

from ...arith.iter_map import Domain, simplify_affine
from ...ir import prim
from ...ir.prim import Call, IntImm, PrimExpr, Var
from ...ir.tir import Range
from ...ir.visitor import Mutator


def digits(indices: Sequence[PrimExpr], domain: Domain,
           where: PrimExpr | None = None) -> tuple[PrimExpr, ...]:
    """Indices with as few digits of loops as possible, where a condition holds; a variable of one
    value stays."""
    found = simplify_affine(indices, domain, where)
    return tuple(i if isinstance(i, Var) and isinstance(f, IntImm) else f
                 for i, f in zip(indices, found))


class InDigits(Mutator):
    """Writes the indices of accesses as digits of `domain`, with the conditions around them."""

    def __init__(self, domain: dict[Var, Range]):
        super().__init__()
        self.domain, self.where = domain, prim.literal(True)

    def visit_Buffer(self, n):
        return n

    def in_digits(self, indices: Sequence[PrimExpr]) -> tuple[PrimExpr, ...]:
        return digits(indices, self.domain, self.where)

    def visit_Call(self, n: Call) -> Call:
        if n.op != "if_then_else":
            return self.rebuild(n)
        condition, chosen, other = n.args
        condition, outside = self.visit(condition), self.where
        self.where = prim.logical_and(outside, condition)
        chosen = self.visit(chosen)
        self.where = outside
        return n.replace(args=(condition, chosen, self.visit(other)))
