"""The schedule primitives, one function each, in families. Importing this package declares them."""

from . import (annotations, blockize, buffer_layout, cache, compute_at, decompose_padding,
               epilogue, inline, layout, loop_kinds, loop_partition, loops, merge, pad_einsum,
               query, reduction, reindex, reindex_cache, rfactor, rolling_buffer, sampling,
               storage, tensorize)
from .sampling import Decided

__all__ = ["Decided", "annotations", "blockize", "buffer_layout", "cache", "compute_at",
           "decompose_padding", "epilogue", "inline", "layout", "loop_kinds", "loop_partition",
           "loops", "merge", "pad_einsum", "query", "reduction", "reindex", "reindex_cache",
           "rfactor", "rolling_buffer", "sampling", "storage", "tensorize"]
