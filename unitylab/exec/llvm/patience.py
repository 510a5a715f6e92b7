"""Which loops run so long that somebody may want to stop them."""

from __future__ import annotations

from ...ir import tir
from ...ir.node import Node
from ...ir.prim import as_int

PATIENCE = 2**28  # innermost iterations that nobody waits for: a fraction of a second
WORTH = 2**10  # those of a body beside which looking at a word costs nothing


def looks_up(loop: tir.For) -> bool:
    """Whether each iteration of a loop looks for an interrupt: the loop is long, one
    iteration is not, but has loops of its own. The innermost loops stay as LLVM likes them."""
    if loop.kind not in (tir.SERIAL, tir.PARALLEL):
        return False
    body = iterations(loop.body)
    return WORTH <= body <= PATIENCE < body * _extent(loop)


def iterations(s: Node) -> int:
    """About how many innermost iterations a statement has; loops of symbolic extent count once,
    so that small calls of such programs do not pay for the watch."""
    if isinstance(s, tir.For):
        return _extent(s) * iterations(s.body)
    return max(1, sum(iterations(c) for c in s.children() if isinstance(c, tir.Stmt)))


def _extent(loop: tir.For) -> int:
    extent = as_int(loop.extent)
    return 1 if extent is None else max(1, extent)
