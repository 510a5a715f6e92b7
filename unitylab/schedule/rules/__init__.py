"""Default schedules without search: what a kernel gets when nobody schedules it.

`default_schedule(func)` runs the rules of `table.py`, one file per pattern:

    inline        elementwise blocks are computed where they are read, unless that repeats work
    attention     a product, a softmax, a product: one nest with an online softmax
    matmul        contractions: packing, cache blocks, a register tile, fused epilogue
    register_tile other reductions with a contiguous output (column sums): rows
                  unrolled, columns as vectors, the reduction between; elementwise consumers follow
    elementwise   vectors along the innermost dimension; producers of the same rows (softmax,
                  norms) move into the row loop: one pass over memory
    threads       the outermost loops run in parallel where there is work enough

Every step is a schedule primitive; what is refused is left as it was."""

from .default import default_schedule
from .scheduling import Scheduling
from .target_info import TargetInfo

__all__ = ["Scheduling", "TargetInfo", "default_schedule"]
