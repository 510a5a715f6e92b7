"""What this machine can do at most, measured once a process: the roof of the roofline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from time import perf_counter

import numpy as np


@dataclass(frozen=True)
class Roof:
    """peak: FLOP/s of a float32 matmul; bandwidth: bytes/s of a copy; both of what NumPy reaches
    here."""

    peak: float
    bandwidth: float

    def limit(self, flops: float, moved: float) -> float:
        """The least seconds that so much work can take."""
        return max(flops / self.peak, moved / self.bandwidth)


@cache
def roof() -> Roof:
    """Takes a tenth of a second."""
    a = np.ones((384, 384), "float32")
    big, copy = np.ones(1 << 23, "float32"), np.empty(1 << 23, "float32")
    return Roof(2 * 384**3 / _best(lambda: a @ a, 40), 2 * big.nbytes / _best(
        lambda: np.copyto(copy, big)))


def _best(run, times: int = 5) -> float:
    found = []
    for _ in range(times):
        start = perf_counter()
        run()
        found.append(perf_counter() - start)
    return min(found)
