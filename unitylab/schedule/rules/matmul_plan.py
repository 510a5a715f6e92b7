"""The sizes of the nest of a contraction: tiles, panels, blocks, and what is packed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...ir.prim import as_int
from ...ir.tir import BufferLoad
from ...ir.visitor import free_vars
from .contraction import Contraction
from .scheduling import Scheduling

LEFT_BYTES = 1 << 23   # of a left factor that is packed as a whole
PACK_ROWS = 32          # rows from which packing the right factor pays
ALIAS_BYTES = 2048      # rows that are a multiple of this apart fall into the same cache sets
PARALLEL_WORK = 1 << 18  # multiply-adds below which threads cost more than they bring


@dataclass(frozen=True)
class Plan:
    """The sizes of a nest. `panel`: columns of a tile; `rows`: rows of a tile.

    A block of packed panels takes twice the second-level cache, which the third one holds; the
    rows that walk along them take a quarter of it."""

    lanes: int
    panel: int
    rows: int
    pack_left: bool
    pack_right: bool
    chunk: int        # row tiles of a block
    block: int        # panels that are packed together
    threads: int
    by_columns: bool  # whether threads share out the columns: each packs what it needs
    left_first: bool  # whether the left factor is packed once, before the outer loops
    near: int         # bytes that stay in the first-level cache beside what streams by

    @staticmethod
    def of(c: Contraction, s: Scheduling, item: int = 0, packed: bool = False) -> Plan:
        """`item`: bytes of a packed element where both factors are packed in another type;
        `packed`: the right factor shall be packed whatever the rule would do."""
        size = item or c.output.dtype.itemsize
        lanes = max(1, s.target.lanes * 4 // c.output.dtype.itemsize)
        width = as_int(c.column.dom.extent)
        height = as_int(c.row.dom.extent) if c.row is not None else 1
        pack_right = bool(item) or packed or c.panel or width is None or _scattered(c) or \
            far_apart(c) and (height is None or height >= PACK_ROWS)
        panel = c.panel or _panel(width, lanes, height, pack_right)
        registers = s.target.cpu.registers * 3 // 4  # the others hold factors
        rows = _rows(height, registers // -(-panel // lanes))
        depth = c.depth or 1024
        tiles = -(-height // rows) if height else 1
        threads = s.target.threads if _work(c) >= PARALLEL_WORK else 1
        panels = -(-width // panel) if width else 1
        by_columns = threads > 1 and _by_columns(height, width, tiles, panels, threads, rows, panel)
        first, second, _ = s.target.cpu.caches
        chunk = _even(tiles, max(1, second // 4 // (rows * depth * size)),
                      1 if by_columns else threads)
        most = 2 * second // (panel * depth * size) if pack_right else panels
        block = _even(panels, max(1, most), threads if by_columns else 1)
        pack_left = bool(item) or pack_right and _packs_left(c, size)
        left_first = pack_left and _repeats_left(c, height, size)
        return Plan(lanes, panel, rows, pack_left, bool(pack_right) and not c.panel, chunk, block,
                    threads, by_columns, left_first, first // 2)


def _repeats_left(c: Contraction, height: int | None, size: int) -> bool:
    """Whether there are outer loops that the left factor, which is not large, does not use."""
    used, depth = set(free_vars(c.left)), c.depth
    points = math.prod(as_int(it.dom.extent) or 2 for it in c.outer)
    return points > 1 and used.isdisjoint(it.var for it in c.outer) and height is not None and \
        depth is not None and height * depth * size <= LEFT_BYTES


def _work(c: Contraction) -> int:
    """Multiply-adds; symbolic sizes count as large."""
    return math.prod(as_int(it.dom.extent) or 1024 for it in c.block.iter_vars)


def _scattered(c: Contraction) -> bool:
    """Whether neighbouring columns are not neighbours in the right factor."""
    return not isinstance(c.right, BufferLoad) or c.stride(c.right, c.column.var) != 1


def far_apart(c: Contraction) -> bool:
    """Whether steps of the reduction move by more than a few cache lines."""
    step = c.stride(c.right, c.reduce[-1].var)
    return step is None or abs(step) * c.output.dtype.itemsize > 256


def _packs_left(c: Contraction, size: int) -> bool:
    if not isinstance(c.left, BufferLoad) or c.row is None:
        return c.row is not None
    step = c.stride(c.left, c.row.var)
    return c.stride(c.left, c.reduce[-1].var) != 1 or step is None or \
        step * size % ALIAS_BYTES == 0


def _panel(width: int | None, lanes: int, height: int | None, packed: bool) -> int:
    """Columns of a tile: a divisor of the width where there is a good one."""
    if width is None:
        return 2 * lanes
    if height == 1 and not packed:
        return next((n for n in (4 * lanes, 2 * lanes) if width >= n), width)
    if width <= 2 * lanes:
        return -(-width // lanes) * lanes if packed else width
    if packed or width % (2 * lanes) == 0:
        return 2 * lanes
    fits = (n for n in range(4 * lanes, lanes - 1, -lanes // 2) if width % n == 0)
    return next(fits, 2 * lanes)


def _rows(height: int | None, most: int) -> int:
    """Rows of a tile: a divisor of the height where there is a good one."""
    most = max(1, min(most, 12))
    if height is None:
        return min(8, most)
    if height <= most:
        return height
    order = [n for n in (8, 6, 12, 10, 9, 7, 5, 11, 4) if n <= most]
    return next((n for n in order if height % n == 0), order[0] if order else most)


def _even(count: int, most: int, threads: int) -> int:
    """The size of pieces of at most `most`, of which every thread gets as many as the others; equal
    ones, whose code is written once, if there are not twice as many of them."""
    pieces = threads * -(-count // (threads * most))
    equal = (n for n in range(pieces, 2 * pieces + 1, threads) if count % n == 0)
    return -(-count // next(equal, pieces))


def _by_columns(height: int | None, width: int | None, tiles: int, panels: int, threads: int,
                rows: int, panel: int) -> bool:
    """Whether the thread with the most columns has less to do than the one with the most rows."""
    if height is None or width is None:
        return height is not None and height < 2 * rows
    most_rows = min(height, -(-tiles // threads) * rows) / height
    most_columns = min(width, -(-panels // threads) * panel) / width
    return most_columns <= most_rows
