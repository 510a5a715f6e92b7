"""What a tensor program does to memory, without running it: the order in which it touches the
elements of its buffers, and what caches make of that."""

from .accesses import Accesses, accesses_of
from .caches import CacheLevel, caches
from .hierarchy import BufferTraffic, Traffic, simulate
from .iteration import IterationOrder, iteration_order

__all__ = ["Accesses", "BufferTraffic", "CacheLevel", "IterationOrder", "Traffic", "accesses_of",
           "caches", "iteration_order", "simulate"]
