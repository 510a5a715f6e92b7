"""Indices of accesses after variables were replaced."""

from __future__ import annotations

from collections.abc import Sequence

from ...arith.iter_map import Domain, simplify_affine
from ...ir.prim import IntImm, PrimExpr, Var


def digits(indices: Sequence[PrimExpr], domain: Domain) -> tuple[PrimExpr, ...]:
    """Indices with as few digits of loops as possible; a variable of one value stays."""
    found = simplify_affine(indices, domain)
    return tuple(i if isinstance(i, Var) and isinstance(f, IntImm) else f
                 for i, f in zip(indices, found))
