"""The sizes of the nest of an attention."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...ir.prim import as_int
from .target_info import TargetInfo

if TYPE_CHECKING:
    from .attention import Attention

TILE = 8                 # queries of a register tile, where registers suffice
VECTORS = 2              # vectors of a row of it
BLOCK_ROWS = 16          # queries that share what is read of keys and values
BLOCK_KEYS = 512         # keys whose scores are in the cache at a time
PARALLEL_WORK = 1 << 16  # multiply-adds below which threads cost more than they bring


@dataclass(frozen=True)
class AttentionPlan:
    """`tile`, `panel`: rows and columns of a tile of scores; `wide`: columns of the output up to
    whole vectors, `strips` of which are tiles (first column, width); `key_tile`: the side of the
    squares that packing transposes in registers, 0 if nothing is to be transposed; `by_head`: the
    batches and heads run in parallel, else what is inside of them; None: nothing does."""

    lanes: int
    tile: int
    panel: int
    block_rows: int
    block_keys: int
    wide: int
    strips: tuple[tuple[int, int], ...]
    pack_values: bool
    key_tile: int
    by_head: bool | None

    @staticmethod
    def of(a: Attention, target: TargetInfo) -> AttentionPlan:
        lanes = target.lanes
        panel = VECTORS * lanes
        rows, keys = as_int(a.row.dom.extent), as_int(a.key.dom.extent)
        tile = min(TILE, target.cpu.registers * 3 // 4 // VECTORS)
        tile = min(rows, tile) if rows else tile
        block_rows = tile * (BLOCK_ROWS // tile)
        if rows:
            block_rows = min(block_rows, tile * math.ceil(rows / tile))
        wide = lanes * math.ceil(as_int(a.product.column.dom.extent) / lanes)
        strips = tuple((e, min(panel, wide - e)) for e in range(0, wide, panel))
        return AttentionPlan(lanes, tile, panel, block_rows, _block_keys(keys, panel), wide, strips,
                             _packs_values(a, lanes), _key_tile(a), _by_head(a, target.threads))


def _block_keys(keys: int | None, panel: int) -> int:
    """Blocks of about the same size."""
    if keys is None:
        return BLOCK_KEYS
    blocks = math.ceil(keys / BLOCK_KEYS)
    return panel * math.ceil(keys / blocks / panel)


def _packs_values(a: Attention, lanes: int) -> bool:
    width = as_int(a.product.column.dom.extent)
    return width % lanes != 0 or a.product.stride(a.value, a.product.column.var) != 1 or \
        a.product.stride(a.value, a.key.var) != width


def _key_tile(a: Attention) -> int:
    if len(a.depth) != 1 or a.product.stride(a.keys, a.depth[0].var) != 1:
        return 0
    depth = as_int(a.depth[0].dom.extent)
    return next((n for n in (16, 8, 4) if depth and depth % n == 0), 0)


def _by_head(a: Attention, threads: int) -> bool | None:
    sizes = [as_int(it.dom.extent) or 64 for it in (*a.outer, a.row, a.key, a.product.column)]
    if threads < 2 or math.prod(sizes) < PARALLEL_WORK:
        return None
    outer = [as_int(it.dom.extent) for it in a.outer if as_int(it.dom.extent) != 1]
    return bool(outer) and (outer[0] is None or outer[0] >= 2 * threads
                            or outer[0] % threads == 0)
