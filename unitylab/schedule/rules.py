"""Default schedules without search: what a kernel gets when nobody schedules it.

`default_schedule(func)` inlines elementwise blocks, then gives each block what its pattern asks
for:

    reduction with a contiguous output (matmul, convolution, column sums)
                  a register tile: rows unrolled, columns as vectors, the reduction between
    elementwise   vectors along the innermost dimension
    elementwise after a tile   moves into the tile
    row reductions and their consumers (softmax, norms)   one pass over the rows

Every step is a schedule primitive; what is refused is left as it was."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..ir.errors import ScheduleError
from ..ir.prim import as_int
from ..ir.tir import REDUCE, SPATIAL, BlockRealize, For, PrimFunc, Stmt
from ..ir.visitor import free_vars
from .dependence import bindings
from .handles import BlockRV, LoopRV
from .nest import Nest
from .patterns import (injective_chain, is_elementwise, is_injective, is_reduction, strides_of,
                       work_of)
from .schedule import Schedule
from .tail import split_rows

ROWS = (8, 7, 6, 5, 4)  # rows of a register tile, the best first
LANES = 16              # floats of a vector register
TILE_VECTORS = 2        # vectors of a row of the tile
MAX_LANES = 64          # the longest vector that the lowering makes of one loop
PARALLEL_WORK = 1 << 16  # scalar operations below which threads cost more than they bring


@dataclass(frozen=True)
class TargetInfo:
    """What the rules ask of the machine: how many threads, how many floats a vector has."""

    threads: int = 1
    lanes: int = LANES


def default_schedule(func: PrimFunc, target: TargetInfo = TargetInfo()) -> PrimFunc:
    """The scheduled program; `func` itself if it has no blocks or nothing applies."""
    if func.root is None:
        return func
    rules = Rules(func, target)
    rules.run()
    return rules.finish()


class Rules:
    """Applies the rules to one function."""

    def __init__(self, func: PrimFunc, target: TargetInfo):
        self.func, self.target = func, target
        self.sch = Schedule(func)
        self.tails: list[LoopRV] = []
        self.placed: set[str] = set()

    @property
    def now(self) -> PrimFunc:
        return next(iter(self.sch.mod.prim_funcs.values()))

    def run(self) -> None:
        self.inline()
        for name in self.names():
            block = self.sch.get_block(name)
            if is_reduction(self.sch.get(block)):
                self.tile(block)
        for name in reversed(self.names()):  # outputs first: they gather their producers
            block = self.sch.get_block(name)
            if name not in self.placed and is_injective(self.sch.get(block)):
                self.rows(block)
        self.parallelize()

    def finish(self) -> PrimFunc:
        """The result; programs are equal objects if nothing was done."""
        return self.now if len(self.sch.trace) else self.func

    def names(self) -> list[str]:
        root = self.sch.get_block(self.func.root.name)
        names = [self.sch.get(b).name for b in self.sch.get_child_blocks(root)]
        return [n for n in names if names.count(n) == 1]

    def attempt(self, name: str, *args, **kwargs):
        """A primitive; False where it is refused."""
        try:
            return getattr(self.sch, name)(*args, **kwargs) or True
        except ScheduleError:
            return False

    # --- inlining ---------------------------------------------------------------------------

    def inline(self) -> None:
        """Elementwise blocks are computed where they are read, unless that repeats work."""
        for name in self.names():
            block = self.sch.get_block(name)
            if is_injective(self.sch.get(block)) and self.cheap_to_inline(block):
                self.attempt("compute_inline", block)

    def cheap_to_inline(self, block: BlockRV) -> bool:
        node = self.sch.get(block)
        users = [self.sch.get(b) for b in self.sch.get_consumers(block)]
        if len(users) > 1 and not injective_chain(node):
            return False
        size = work_of(node)
        return all(is_injective(u) or size is not None and work_of(u) == size and len(users) == 1
                   for u in users)

    # --- register tiles ---------------------------------------------------------------------

    def tile(self, block: BlockRV) -> bool:
        """A register tile: see the module's head."""
        node = self.sch.get(block)
        loops = self.sch.get_loops(block)
        by_var = self.loop_of_var(block, loops)
        spatial = [it for it in node.iter_vars if it.kind == SPATIAL and it.var in by_var]
        reduce = [by_var[it.var] for it in node.iter_vars
                  if it.kind == REDUCE and it.var in by_var]
        if not spatial or not reduce or any(s not in (0, 1)
                                            for s in strides_of(node, spatial[-1].var)):
            return False
        column = by_var[spatial[-1].var]
        outer = [by_var[it.var] for it in spatial[:-1]]
        width = as_int(self.sch.get(column).extent)
        lanes, vectors = self.columns(width)
        if lanes is None:
            return False
        j0, j1, j2 = self.sch.split(column, [None, vectors, lanes])
        row = self.pick_row(node, spatial, by_var)
        inner = []
        if row is not None:
            outer.remove(row)
            i0, i1 = self.split_row(row)
            outer.append(i0)
            inner = [i1]
        self.sch.reorder(*outer, j0, *reduce, *inner, j1, j2)
        self.attempt("vectorize", j2)
        for l in (*inner, j1):
            self.attempt("unroll", l)
        self.epilogue(block, j0)
        self.sch.decompose_reduction(block, reduce[0])
        return True

    def loop_of_var(self, block: BlockRV, loops: list[LoopRV]) -> dict:
        """The loop that each iteration variable is, for those that are one loop."""
        nest_of = {self.sch.get(l).loop_var: l for l in loops}
        realize = self.realize(block)
        found = {}
        for var, value in bindings(realize).items():
            if value in nest_of:
                found[var] = nest_of[value]
        return found

    def realize(self, block: BlockRV) -> BlockRealize:
        return Nest(self.now).realize(self.sch.get(block))

    def columns(self, width: int | None) -> tuple[int | None, int]:
        """Lanes of a vector and vectors of a row for an innermost extent."""
        lanes = self.target.lanes
        if width is None:
            return None, 1
        if width % lanes == 0:
            return lanes, TILE_VECTORS if width % (lanes * TILE_VECTORS) == 0 else 1
        fits = [d for d in range(2, min(width, 2 * lanes) + 1) if width % d == 0]
        return (max(fits), 1) if fits else (None, 1)

    def pick_row(self, node, spatial, by_var) -> LoopRV | None:
        """The spatial loop to unroll: the innermost one that is no unit loop."""
        for it in reversed(spatial[:-1]):
            extent = as_int(it.dom.extent)
            if extent is None or extent > 1:
                return by_var[it.var]
        return None

    def split_row(self, row: LoopRV) -> list[LoopRV]:
        extent = as_int(self.sch.get(row).extent)
        factor = next((r for r in ROWS if extent and extent % r == 0), None)
        if factor is None and extent is not None and extent < ROWS[0]:
            factor = extent
        if factor is not None:
            return self.sch.split(row, [None, factor])
        loops = self.sch.split(row, [None, ROWS[0]])
        self.tails.append(loops[0])
        return loops

    def epilogue(self, block: BlockRV, loop: LoopRV) -> None:
        """Elementwise consumers move into the tile, and become vectors there."""
        users = self.sch.get_consumers(block)
        if len(users) != 1 or not is_elementwise(self.sch.get(users[0])):
            return
        user = users[0]
        if self.attempt("reverse_compute_at", user, loop):
            self.placed.add(self.sch.get(user).name)
            self.vectorize_last(user)

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

    # --- rows -------------------------------------------------------------------------------

    def rows(self, block: BlockRV) -> None:
        """An elementwise output: producers of the same rows move into its row loop."""
        loops = self.sch.get_loops(block)
        if len(loops) >= 2:
            self.gather(block, loops[-2])
        node = self.sch.get(block)
        if injective_chain(node) and not self.moved(block):
            self.flatten(block)
        self.vectorize_last(block)

    def moved(self, block: BlockRV) -> bool:
        loops = self.sch.get_loops(block)
        return len(loops) >= 2 and len(self.sch.get_child_blocks(loops[0])) > 1

    def gather(self, block: BlockRV, row: LoopRV) -> None:
        """Row-wise producers, the nearest first."""
        for producer in reversed(self.sch.get_producers(block)):
            node = self.sch.get(producer)
            name = node.name
            if name in self.placed or not self.row_wise(producer, row):
                continue
            if self.attempt("compute_at", producer, row):
                self.placed.add(name)
                self.gather(producer, row)
                if is_injective(node):
                    self.vectorize_last(producer)

    def row_wise(self, producer: BlockRV, row: LoopRV) -> bool:
        """Whether moving into the row loop repeats no work and breaks no tile."""
        trial = self.sch.copy()
        before = _trips(trial, producer)
        try:
            trial.compute_at(producer, row)
        except ScheduleError:
            return False
        after = _trips(trial, producer)
        return before is not None and after == before

    def flatten(self, block: BlockRV) -> None:
        """All loops as one, cut into vectors, where memory is walked in order anyway."""
        loops = self.sch.get_loops(block)
        extents = [as_int(self.sch.get(l).extent) for l in loops]
        if None in extents or not extents:
            return
        total = math.prod(extents)
        lanes = next((n for n in (MAX_LANES, 32, LANES, 8) if total % n == 0), None)
        if lanes is None or extents[-1] % lanes == 0:
            return
        fused = self.sch.fuse(*loops)
        _, inner = self.sch.split(fused, [None, lanes])
        self.attempt("vectorize", inner)

    # --- threads ----------------------------------------------------------------------------

    def parallelize(self) -> None:
        """The outermost loops, where there is work enough, and the rest of uneven tiles."""
        if self.target.threads > 1:
            for loop in self.outermost():
                node = self.sch.get(loop)
                if node.kind == "serial" and _loop_work(node) >= PARALLEL_WORK:
                    self.attempt("parallel", loop)
        for loop in self.tails:
            self.sch.mod = split_rows(self.sch, loop)

    def outermost(self) -> list[LoopRV]:
        root = self.sch.get_block(self.func.root.name)
        loops = {}
        for b in self.sch.get_child_blocks(root):
            around = self.sch.get_loops(b)
            if around:
                loops[id(self.sch.get(around[0]))] = around[0]
        return list(loops.values())


def _trips(sch: Schedule, block: BlockRV):
    """How often a block runs: constant extents multiplied, symbolic ones by name."""
    known, open_ = 1, []
    for l in sch.get_loops(block):
        extent = sch.get(l).extent
        if as_int(extent) is None:
            open_.append(extent.script())
        else:
            known *= as_int(extent)
    return known, tuple(sorted(open_))


def _loop_work(loop: For) -> float:
    """Operations below a loop; symbolic extents count as large."""
    extent = as_int(loop.extent)
    inner = [c for c in _loops_in(loop.body)]
    return (1024 if extent is None else extent) * max(map(_loop_work, inner), default=1)


def _loops_in(stmt: Stmt) -> list[For]:
    if isinstance(stmt, For):
        return [stmt]
    return [l for c in stmt.children() if isinstance(c, Stmt) for l in _loops_in(c)]
