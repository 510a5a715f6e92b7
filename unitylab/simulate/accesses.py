"""The elements that a tensor program touches, in order, as arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..ir.module import as_module
from ..ir.prim import Var
from ..ir.tir import Buffer, PrimFunc
from ..ir.transform import Sequential
from ..pipelines import blocks
from ..transforms.tir.compact_buffers import CompactBuffers
from ..transforms.tir.simplify import Simplify
from .index_arrays import IndexArrays
from .plan import Plan, Site, elements

PAGE = 4096
_AS_RUN = Sequential((*blocks, Simplify(), CompactBuffers()))


@dataclass
class Accesses:
    """The first accesses of a run, in order.

    buffers    the memory that is touched, one entry for all views of it
    which      int16, the index in `buffers` of each access
    write      bool
    address    int64, in bytes; buffers lie behind each other, from page to page
    total      how many accesses the whole run makes at most (conditions may leave some out)
    guessed    an index or a condition depends on data: such places are chosen at random
    complete   these are all accesses of the run"""

    buffers: tuple[Buffer, ...]
    which: np.ndarray
    write: np.ndarray
    address: np.ndarray
    total: int
    guessed: bool
    complete: bool

    def __len__(self) -> int:
        return len(self.which)


def as_run(func: PrimFunc) -> PrimFunc:
    """The program as it is run: blocks are loops, buffers hold what is alive, names are kept."""
    return next(iter(_AS_RUN(as_module(func)).prim_funcs.values()))


def accesses_of(func: PrimFunc, sizes: Mapping[Var, int] | None = None,
                limit: int = 2_000_000) -> Accesses:
    """The first `limit` accesses of a program whose symbolic sizes are `sizes`, one iteration
    after the other, a vector as its lanes. Raises UnityLabError where the program does not tell
    them: a `while`, a trip count that depends on data, a size that is not given."""
    plan = Plan(as_run(func), dict(sizes or {}))
    count = min(plan.ticks, limit)
    which = np.full(count, -1, np.int16)
    write, address = np.zeros(count, bool), np.zeros(count, np.int64)
    memory = Memory(plan)
    guessed = False
    for site in plan.sites:
        if site.tick >= count:
            continue
        points = Points(plan, site, count)
        base, slot = memory.of(site.buffer)
        ticks, element = points.select(points.ticks, points.element())
        which[ticks], write[ticks] = slot, site.write
        address[ticks] = base + element * size_of(site.buffer)
        guessed |= points.arrays.guessed
    made = which >= 0
    return Accesses(tuple(memory.buffers), which[made], write[made], address[made], plan.ticks,
                    guessed, count == plan.ticks)


class Memory:
    """Where each buffer lies; views of the same memory share their place."""

    def __init__(self, plan: Plan):
        self.sizes, self.top = plan.sizes, PAGE
        self.buffers: list[Buffer] = []
        self._place: dict[Var, tuple[int, int]] = {}
        for b in plan.func.buffers:
            self.of(b)

    def of(self, b: Buffer) -> tuple[int, int]:
        """(address, index in `buffers`)."""
        if b.data not in self._place:
            self._place[b.data] = self.top, len(self.buffers)
            self.buffers.append(b)
            used = elements(b, self.sizes) * size_of(b)
            self.top += -(-used // PAGE) * PAGE
        return self._place[b.data]


class Points:
    """The executions of one site before tick `count`: an axis for each loop, the last for lanes."""

    def __init__(self, plan: Plan, site: Site, count: int):
        self.site, self.plan = site, plan
        self.env: dict[Var, object] = dict(plan.sizes)
        self.arrays = IndexArrays(self.env, site.bound)
        dims = len(site.levels)
        self.counts, self.ticks = [], np.int64(site.tick) + np.arange(site.lanes)
        self.kept = None
        left = count - site.tick
        for d, level in enumerate(site.levels):
            extent = min(level.extent, -(-left // max(1, level.period))) if left else level.extent
            left = left if extent == 1 else 0
            k = np.arange(extent).reshape([-1 if a == d else 1 for a in range(dims + 1)])
            self.counts.append(k)
            self.env[level.var] = self.arrays(level.min) + k * level.step
            self.ticks = self.ticks + k * level.period
            if level.exact is not None:
                self.keep(k < self.arrays(level.exact))
        for condition, holds in site.guards:
            value = np.not_equal(self.arrays(condition), 0)
            self.keep(value if holds else ~value)
        if self.ticks.size and self.ticks.max() >= count:
            self.keep(self.ticks < count)

    def keep(self, mask) -> None:
        self.kept = mask if self.kept is None else self.kept & mask

    def element(self):
        """The element in memory of each execution."""
        b = self.site.buffer
        at = self.indices()
        strides = [self.arrays(s) for s in b.strides] or self.compact(b)
        offset = self.arrays(b.elem_offset)
        for i, stride in zip(at, strides):
            offset = offset + i * stride
        return offset

    def indices(self) -> list:
        """The index in each dimension; a guessed one stays inside."""
        found = [self.arrays(i) for i in self.site.access.indices]
        if self.arrays.guessed:
            found = [i % np.maximum(self.arrays(n), 1)
                     for i, n in zip(found, self.site.buffer.shape)]
        return found

    def compact(self, b: Buffer) -> list:
        shape = [int(self.arrays(d)) for d in b.shape]
        return [math.prod(shape[d + 1:]) for d in range(len(shape))]

    def select(self, *values) -> list[np.ndarray]:
        """The values of the executions that happen, flat."""
        shape = np.broadcast_shapes(np.shape(self.ticks), np.shape(self.kept),
                                    *(np.shape(v) for v in values))
        flat = [np.broadcast_to(v, shape).reshape(-1) for v in values]
        if self.kept is None:
            return flat
        mask = np.broadcast_to(self.kept, shape).reshape(-1)
        return [f[mask] for f in flat]


def size_of(b: Buffer) -> int:
    """The bytes of an element."""
    return b.dtype.itemsize * b.dtype.lanes
