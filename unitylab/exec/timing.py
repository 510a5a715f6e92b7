"""Measuring run times."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from ..ir.errors import RuntimeCallError

MOST_RUNS = 100_000
FLUSH_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Timing:
    """Run times in seconds; `p10` and `p90` are the quantiles of `runs` runs; `times` has all of
    them, the shortest first."""

    median: float
    min: float
    p10: float
    p90: float
    runs: int
    times: tuple[float, ...] = field(default=(), repr=False)

    def quantile(self, q: float) -> float:
        """The time that a share `q` (0 to 1) of the runs did not exceed, in seconds."""
        if not 0 <= q <= 1:
            raise RuntimeCallError(f"a quantile lies between 0 and 1, {q} does not")
        return self.times[min(len(self.times) - 1, int(q * len(self.times)))]

    def __str__(self) -> str:
        return f"{show(self.median)} (p10 {show(self.p10)}, p90 {show(self.p90)}, {self.runs} runs)"


@dataclass(frozen=True)
class StepTime:
    """The time of one step of a graph function: the bound variable, what ran, seconds."""

    label: str
    kind: str
    seconds: float


def show(seconds: float) -> str:
    """A time with a unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def measure(run: Callable[[], object], warmup: int = 2, repeats: int = 0,
            seconds: float = 0.2, flush_cache: bool = False) -> Timing:
    """Times `run()`; the garbage collector waits meanwhile.

    flush_cache: reads and writes memory larger than the caches before each run."""
    flushed = np.zeros(FLUSH_BYTES, np.uint8) if flush_cache else None
    for _ in range(warmup):
        run()
    times: list[float] = []
    enabled = gc.isenabled()
    gc.disable()
    try:
        begin = perf_counter()
        while len(times) < repeats or not repeats and _goes_on(times, begin, seconds):
            if flushed is not None:
                np.add(flushed, 1, out=flushed)
            start = perf_counter()
            run()
            times.append(perf_counter() - start)
    finally:
        if enabled:
            gc.enable()
    return summary(times)


def _goes_on(times: list[float], begin: float, seconds: float) -> bool:
    return len(times) < 5 or len(times) < MOST_RUNS and perf_counter() - begin < seconds


def summary(times: list[float]) -> Timing:
    """The quantiles of some times."""
    ordered = sorted(times)

    def at(q: float) -> float:
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
    return Timing(at(0.5), ordered[0], at(0.1), at(0.9), len(ordered), tuple(ordered))
