"""`Scheduling`: one function while the rules work on it, and what all rules ask of it."""

from __future__ import annotations

from ...ir.errors import ScheduleError
from ...ir.prim import as_int
from ...ir.tir import BlockRealize, PrimFunc
from ...ir.visitor import free_vars
from ..dependence import bindings
from ..handles import BlockRV, LoopRV
from ..nest import Nest
from ..patterns import strides_of
from ..schedule import Schedule
from .target_info import TargetInfo


class Scheduling:
    """`sch` is the schedule, `placed` the names of the blocks that have their final place, `tails`
    the loops over tiles whose last one is not full."""

    def __init__(self, func: PrimFunc, target: TargetInfo):
        self.func, self.target = func, target
        self.sch = Schedule(func)
        self.begin = self.now
        self.tails: list[LoopRV] = []
        self.placed: set[str] = set()

    @property
    def now(self) -> PrimFunc:
        return next(iter(self.sch.mod.prim_funcs.values()))

    def finish(self) -> PrimFunc:
        """The result; the function itself if nothing was done."""
        return self.now if len(self.sch.trace) or self.now is not self.begin else self.func

    def names(self) -> list[str]:
        """The blocks of the function whose names are unique, in program order."""
        root = self.sch.get_block(self.func.root.name)
        names = [self.sch.get(b).name for b in self.sch.get_child_blocks(root)]
        return [n for n in names if names.count(n) == 1]

    def attempt(self, name: str, *args, **kwargs):
        """A primitive; False where it is refused."""
        try:
            return getattr(self.sch, name)(*args, **kwargs) or True
        except ScheduleError:
            return False

    def realize(self, block: BlockRV) -> BlockRealize:
        return Nest(self.now).realize(self.sch.get(block))

    def loop_of_var(self, block: BlockRV, loops: list[LoopRV]) -> dict:
        """The loop that each iteration variable is, for those that are one loop."""
        nest_of = {self.sch.get(l).loop_var: l for l in loops}
        found = {}
        for var, value in bindings(self.realize(block)).items():
            if value in nest_of:
                found[var] = nest_of[value]
        return found

    def vectorize_last(self, block: BlockRV) -> None:
        """Vectors along the innermost loop where the accesses are contiguous."""
        loops = self.sch.get_loops(block)
        by_var = self.loop_of_var(block, loops)
        node = self.sch.get(block)
        last = loops[-1] if loops else None
        if last is None or as_int(self.sch.get(last).extent) in (None, 1):
            return
        var = next((v for v, l in by_var.items() if l is last), None)
        if var is None:
            var = next((it.var for it, value in zip(node.iter_vars, self.realize(block).iter_values)
                        if self.sch.get(last).loop_var in free_vars(value)), None)
        if var is not None and all(s in (0, 1) for s in strides_of(node, var)):
            self.attempt("vectorize", last)
