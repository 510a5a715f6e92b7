"""Default schedules without search: what a kernel gets when nobody schedules it.

`default_schedule(func)` runs the rules of `default.py`, one file per pattern:

    inline        elementwise blocks are computed where they are read, unless that repeats work
    attention     a product, a softmax, a product: one nest with an online softmax
    scan          prefix sums: each result from the one before
    matmul        contractions: packing, cache blocks, a register tile, fused epilogue
    register_tile other reductions with a contiguous output (column sums): rows
                  unrolled, columns as vectors, the reduction between; elementwise consumers follow
    reduction     sums down columns in chunks; sums and choices (argmax) along rows in lanes
    window        pooling: windows side by side in vectors, paddings made where they stay cached
    transpose     tiles transposed in registers, and what is left of odd sizes
    elementwise   vectors along the innermost dimension; producers of the same rows (softmax,
                  norms) move into the row loop: one pass over memory; images of odd sizes as
                  one line
    threads       the outermost loops run in parallel where there is work enough

Most steps are schedule primitives; a rule that writes a nest puts it in the place of its blocks
(`Schedule.replace_blocks`). What is refused is left as it was."""

from .default import default_schedule
from .scheduling import Scheduling
from .target_info import TargetInfo

__all__ = ["Scheduling", "TargetInfo", "default_schedule"]
