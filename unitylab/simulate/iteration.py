"""The order in which a program visits the elements of its buffers, on a few iterations of each
loop: what an animation plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..ir import tir
from ..ir.prim import Var
from ..ir.tir import Buffer, For, PrimFunc
from .accesses import Points, as_run
from .plan import Plan, Site

STEPS = 1200


@dataclass(frozen=True)
class Touch:
    """What one step touches in one buffer: `index` has a row for each element."""

    buffer: int
    write: bool
    index: np.ndarray


@dataclass(frozen=True)
class IterationOrder:
    """The steps of a run that makes only the first iterations of each loop.

    buffers  with their `dims` (the size of each dimension)
    loops    (name, kind, iterations shown, iterations there are), outermost first
    values   int64 (steps, loops): the loop variables; -1 for a loop that is not around the step or
             whose iterations run at once (a vector)
    step, buffer, write, index
             a row for each element touched, in order; `index` (rows, most dimensions), -1 beyond
    guessed  some places depend on data and are random"""

    buffers: tuple[Buffer, ...]
    dims: tuple[tuple[int, ...], ...]
    loops: tuple[tuple[str, str, int, int], ...]
    values: np.ndarray
    step: np.ndarray
    buffer: np.ndarray
    write: np.ndarray
    index: np.ndarray
    guessed: bool

    def __len__(self) -> int:
        return len(self.values)


def iteration_order(func: PrimFunc, sizes: Mapping[Var, int] | None = None,
                    limit: int = STEPS) -> IterationOrder:
    """The order on the first iterations of each loop, as many as give at most about `limit` steps.
    A statement is one step; the lanes of a vector are one step together. Raises UnityLabError where
    the program does not tell its accesses."""
    run, sizes = as_run(func), dict(sizes or {})
    whole = Plan(run, sizes)
    most = _most(run, sizes, limit)
    return _Recorder(_clamped(run, sizes, most), whole).order()


def _clamped(run: PrimFunc, sizes: dict, most: int) -> Plan:
    """The plan of the first `most` iterations of each loop; of a vector, which is one step, twice
    as many."""
    def shown(loop: For, extent: int) -> int:
        return 2 * most if loop.kind == tir.VECTORIZED else most
    return Plan(run, sizes, shown)


def _most(run: PrimFunc, sizes: dict, limit: int) -> int:
    """The largest number of iterations a loop that keeps to the limit."""
    best, n = 2, 2
    while n <= 64:
        if _steps(_clamped(run, sizes, n)) > limit:
            break
        best, n = n, n + 1
    return best


def _steps(plan: Plan) -> int:
    """An upper bound: one for each execution of a statement."""
    total = 0
    for first in {s.statement: s for s in plan.sites}.values():
        count = 1
        for level in first.levels:
            count *= level.extent if level.kind != tir.VECTORIZED else 1
        total += count
    return total


class _Recorder:
    """Collects what each site touches, then numbers the steps."""

    def __init__(self, plan: Plan, whole: Plan):
        self.plan = plan
        self.extents = {l.var: l.extent for s in whole.sites for l in s.levels}
        self.levels = list({id(l): l for s in plan.sites for l in s.levels}.values())
        self.buffers = list({b.data: b for b in plan.func.buffers}.values())
        self.place = {b.data: k for k, b in enumerate(self.buffers)}
        self.rows: list[tuple] = []
        self.guessed = False

    def order(self) -> IterationOrder:
        for site in self.plan.sites:
            self.record(site)
        clock = np.concatenate([r[0] for r in self.rows] or [np.zeros(0, np.int64)])
        tick = np.concatenate([r[1] for r in self.rows] or [clock])
        order = np.argsort(tick, kind="stable")
        _, first, step = np.unique(clock, return_index=True, return_inverse=True)
        width = max((len(b.shape) for b in self.buffers), default=1)
        join = lambda k: np.concatenate([r[k] for r in self.rows] or [np.zeros(0, np.int64)])
        index = np.concatenate([_wide(r[4], width) for r in self.rows]) if self.rows else \
            np.zeros((0, width), np.int64)
        values = np.concatenate([r[5] for r in self.rows])[first] if self.rows else \
            np.zeros((0, len(self.levels)), np.int64)
        loops = tuple((l.var.name, l.kind, l.extent, self.extents[l.var]) for l in self.levels)
        return IterationOrder(tuple(self.buffers), self.dims(), loops, values,
                              step.reshape(-1)[order], join(2)[order], join(3)[order] != 0,
                              index[order], self.guessed)

    def dims(self) -> tuple[tuple[int, ...], ...]:
        arrays = Points(self.plan, _nowhere(self.plan), 0).arrays if self.plan.sites else None
        return tuple(tuple(int(arrays(d)) for d in b.shape) if arrays else ()
                     for b in self.buffers)

    def record(self, site: Site) -> None:
        b = site.buffer
        if b.data not in self.place:
            self.place[b.data] = len(self.buffers)
            self.buffers.append(b)
        points = Points(self.plan, site, self.plan.ticks)
        clock = np.int64(site.statement)
        for l in site.levels:
            if l.kind != tir.VECTORIZED:
                clock = clock + points.counts[site.levels.index(l)] * l.period
        around = [points.env[l.var] if l in site.levels and l.kind != tir.VECTORIZED
                  else np.int64(-1) for l in self.levels]
        ticks, clocks, *rest = points.select(points.ticks, clock, *points.indices(), *around)
        index, values = rest[:len(b.shape)], rest[len(b.shape):]
        where = np.full(len(ticks), self.place[b.data])
        self.rows.append((clocks, ticks, where, np.full(len(ticks), int(site.write)),
                          _stack(index, len(ticks)), _stack(values, len(ticks))))
        self.guessed |= points.arrays.guessed


def _nowhere(plan: Plan) -> Site:
    """A site with the program's sizes and no loops."""
    s = plan.sites[0]
    return Site(s.access, (), (), {}, 0, 0, 1)


def _stack(columns: list, rows: int) -> np.ndarray:
    return np.stack(columns, 1) if columns else np.zeros((rows, 0), np.int64)


def _wide(index: np.ndarray, width: int) -> np.ndarray:
    return np.pad(index, ((0, 0), (0, width - index.shape[1])), constant_values=-1)
