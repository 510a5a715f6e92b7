"""The schedule primitives, one function each, in families. Importing this package declares them."""

from . import (annotations, cache, compute_at, epilogue, inline, layout, loop_kinds, loops, query,
               reduction, reindex, rfactor, sampling, storage)
from .sampling import Decided

__all__ = ["Decided", "annotations", "cache", "compute_at", "epilogue", "inline", "layout",
           "loop_kinds", "loops", "query", "reduction", "reindex", "rfactor", "sampling",
           "storage"]
