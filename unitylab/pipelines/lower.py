"""How tensor programs are lowered for code generation."""

from __future__ import annotations

from ..ir.transform import Sequential
from ..transforms.tir.compact_buffers import CompactBuffers
from ..transforms.tir.lower_alloc_buffers import LowerAllocBuffers
from ..transforms.tir.lower_blocks import LowerBlocks
from ..transforms.tir.lower_init_block import LowerInitBlock
from ..transforms.tir.lower_lanes import LowerLanes
from ..transforms.tir.lower_match_buffer import LowerMatchBuffer
from ..transforms.tir.lower_transposed_tiles import LowerTransposedTiles
from ..transforms.tir.lower_vectorized_loop import LowerVectorizedLoop
from ..transforms.tir.simplify import Simplify

blocks = (
    LowerMatchBuffer(),
    LowerInitBlock(),
    LowerAllocBuffers(),
    LowerBlocks(),
)

lower = Sequential((
    LowerMatchBuffer(),
    LowerInitBlock(),
    LowerAllocBuffers(),
    LowerBlocks(keep_names=True),
    Simplify(),  # indices such as vj // 32, now that the loops say what vj is
    CompactBuffers(),
    LowerLanes(),
    LowerTransposedTiles(),
    LowerVectorizedLoop(),
))
