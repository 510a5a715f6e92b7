"""The outermost loops run in parallel where there is work enough."""

from __future__ import annotations

from ...ir.prim import as_int
from ...ir.tir import For, Stmt
from ..handles import LoopRV
from .scheduling import Scheduling

PARALLEL_WORK = 1 << 16  # scalar operations below which threads cost more than they bring


def parallelize(s: Scheduling) -> None:
    """Marks each outermost serial loop that is worth it."""
    if s.target.threads <= 1:
        return
    for loop in outermost(s):
        node = s.sch.get(loop)
        if node.kind == "serial" and loop_work(node) >= PARALLEL_WORK:
            s.attempt("parallel", loop)


def outermost(s: Scheduling) -> list[LoopRV]:
    """The loops right below the root, each once, without those of a single iteration."""
    root = s.sch.get_block(s.func.root.name)
    loops = {}
    for b in s.sch.get_child_blocks(root):
        around = s.sch.get_loops(b)
        if around:
            first = _first_of_several(s, around)
            loops[id(s.sch.get(first))] = first
    return list(loops.values())


def _first_of_several(s: Scheduling, around: list[LoopRV]) -> LoopRV:
    """The outermost loop with more than one iteration, as long as each is all that is in the one
    around it."""
    for loop, inner in zip(around, around[1:]):
        node = s.sch.get(loop)
        if as_int(node.extent) != 1 or node.body is not s.sch.get(inner):
            return loop
    return around[-1]


def loop_work(loop: For) -> float:
    """Operations below a loop; symbolic extents count as large."""
    extent = as_int(loop.extent)
    inner = _loops_in(loop.body)
    return (1024 if extent is None else extent) * max(map(loop_work, inner), default=1)


def _loops_in(stmt: Stmt) -> list[For]:
    if isinstance(stmt, For):
        return [stmt]
    return [l for c in stmt.children() if isinstance(c, Stmt) for l in _loops_in(c)]
