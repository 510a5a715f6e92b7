"""The default schedule of a function: which rule is tried where, in which order."""

from __future__ import annotations

from collections.abc import Callable

from ...ir.errors import ScheduleError
from ...ir.tir import PrimFunc
from ..handles import BlockRV
from ..patterns import is_reduction
from ..tail import split_rows
from .attention import attention
from .elementwise import rows
from .inline import inline
from .matmul import matmul
from .reduction import column_reduction, row_reduction
from .register_tile import register_tile
from .scan import scan
from .scheduling import Scheduling
from .target_info import TargetInfo
from .threads import parallelize
from .transpose import transpose
from .window import window

# A rule looks at a block and returns False, with nothing changed, where it does not apply. The
# first that applies is taken. Reductions go in program order, outputs from the last to the first.
Rule = Callable[[Scheduling, BlockRV], bool]

REDUCTIONS: tuple[Rule, ...] = (scan, matmul, column_reduction, register_tile, window)
OUTPUTS: tuple[Rule, ...] = (transpose, rows)  # they gather their producers
LEFT: tuple[Rule, ...] = (row_reduction,)  # reductions that nothing gathered


def default_schedule(func: PrimFunc, target: TargetInfo | None = None) -> PrimFunc:
    """The scheduled program; `func` itself if it has no blocks or nothing applies. `target`:
    None for this machine and one thread."""
    if func.root is None:
        return func
    s = Scheduling(func, target or TargetInfo())
    inline(s)
    attention(s)  # several blocks at once; the rules below take those that are left
    _by_block(s)
    parallelize(s)
    for loop in s.tails:
        s.sch.mod = split_rows(s.sch, loop)
    return s.finish()


def _by_block(s: Scheduling) -> None:
    done = set()
    for name in s.names():
        if name in s.placed:
            continue
        block = s.sch.get_block(name)
        if not is_reduction(s.sch.get(block)):
            continue
        if any(_applied(rule, s, block) for rule in REDUCTIONS) and name not in s.placed:
            done.update((name, s.sch.get(block).name))
    for name in reversed(s.names()):
        if name not in s.placed:
            block = s.sch.get_block(name)
            any(_applied(rule, s, block) for rule in OUTPUTS)
    for name in s.names():
        if name not in s.placed | done:
            any(_applied(rule, s, s.sch.get_block(name)) for rule in LEFT)


def _applied(rule: Rule, s: Scheduling, block: BlockRV) -> bool:
    """Whether a rule applied; one that a primitive refuses half-way leaves nothing behind."""
    before = s.sch.copy(), list(s.tails), set(s.placed)
    try:
        return rule(s, block)
    except ScheduleError:
        s.sch, s.tails, s.placed = before
        return False
