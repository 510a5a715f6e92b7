"""Elementwise outputs: vectors along the innermost dimension; row-wise producers move along."""

from __future__ import annotations

import math

from ...ir.errors import ScheduleError
from ...ir.prim import as_int
from ..handles import BlockRV, LoopRV
from ..patterns import injective_chain, is_injective
from ..schedule import Schedule
from .reduction import LANES, fetch_ahead, in_lanes, stream
from .scheduling import Scheduling

FLAT_LANES = (64, 32, 16, 8)  # the vectors of flattened loops, the best first


def rows(s: Scheduling, block: BlockRV) -> bool:
    """An elementwise output: producers of the same rows move into its row loop."""
    if not is_injective(s.sch.get(block)) or _in_vectors(s, block):
        return False
    for loop in reversed(s.sch.get_loops(block)[:-1]):
        before = len(s.placed)
        gather(s, block, loop)
        if len(s.placed) > before:
            break
    if injective_chain(s.sch.get(block)) and not _shared(s, block):
        flatten(s, block)
    loops = s.sch.get_loops(block)
    if loops and in_lanes(s, block, loops[-1]):
        stream(s, block, loops[-1])
    else:
        s.vectorize_last(block)
    return True


def _in_vectors(s: Scheduling, block: BlockRV) -> bool:
    """Whether another rule has laid out its innermost loop."""
    loops = s.sch.get_loops(block)
    return bool(loops) and LANES in s.sch.get(loops[-1]).annotations


def _shared(s: Scheduling, block: BlockRV) -> bool:
    loops = s.sch.get_loops(block)
    return len(loops) >= 2 and len(s.sch.get_child_blocks(loops[0])) > 1


def gather(s: Scheduling, block: BlockRV, row: LoopRV) -> None:
    """Row-wise producers, the nearest first."""
    for producer in reversed(s.sch.get_producers(block)):
        node = s.sch.get(producer)
        if node.name in s.placed or not row_wise(s, producer, row):
            continue
        if s.attempt("compute_at", producer, row):
            s.placed.add(node.name)
            gather(s, producer, row)
            loops = s.sch.get_loops(producer)
            if loops and s.sch.get(loops[-1]) is not s.sch.get(row):
                in_lanes(s, producer, loops[-1])
                fetch_ahead(s, producer, row, loops[-1])


def row_wise(s: Scheduling, producer: BlockRV, row: LoopRV) -> bool:
    """Whether moving into the row loop repeats no work and breaks no tile."""
    trial = s.sch.copy()
    before = _trips(trial, producer)
    try:
        trial.compute_at(producer, row)
    except ScheduleError:
        return False
    known, named = _trips(trial, producer)
    return known <= before[0] and named == before[1]


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


def flatten(s: Scheduling, block: BlockRV) -> None:
    """All loops as one, cut into vectors, where memory is walked in order anyway."""
    loops = s.sch.get_loops(block)
    extents = [as_int(s.sch.get(l).extent) for l in loops]
    if None in extents or not extents:
        return
    total = math.prod(extents)
    lanes = next((n for n in FLAT_LANES if total % n == 0), None)
    if lanes is None or extents[-1] % lanes == 0:
        return
    fused = s.sch.fuse(*loops)
    _, inner = s.sch.split(fused, [None, lanes])
    s.attempt("vectorize", inner)
