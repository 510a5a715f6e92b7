"""Elementwise outputs: vectors along the innermost dimension; row-wise producers move along."""

from __future__ import annotations

import math

from ...ir.errors import ScheduleError
from ...ir.prim import as_int
from ..handles import BlockRV, LoopRV
from ..patterns import injective_chain, is_injective
from ..schedule import Schedule
from .reduction import LANES, ROW_LANES, fetch_ahead, fuse_contiguous, in_lanes, stream
from .scheduling import Scheduling

WORTH_LANES = 256  # iterations from which the vectors of a loop are hardly cut short at its end


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
    if loops and LANES in s.sch.get(loops[-1]).annotations:
        stream(s, block, loops[-1])
    elif loops and in_lanes(s, block, loops[-1]):
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
            fuse_contiguous(s, producer)
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
    """Loops as one, which memory is walked along in order, where the innermost one alone does not
    fill vectors. With threads the outermost one is left to them if the others are enough."""
    loops = s.sch.get_loops(block)
    extents = [as_int(s.sch.get(l).extent) for l in loops]
    if None in extents or len(loops) < 2 or extents[-1] % ROW_LANES == 0:
        return
    first = next((k for k, e in enumerate(extents) if e != 1), 0)
    if s.target.threads > 1 and math.prod(extents[first + 1:]) >= WORTH_LANES:
        loops = loops[first + 1:]
    if len(loops) > 1:
        fused = s.sch.fuse(*loops)
        s.attempt("annotate", fused, LANES, ROW_LANES)
