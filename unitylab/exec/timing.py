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
CACHED = 2**20  # bytes that the caches of a core hold


@dataclass(frozen=True)
class Timing:
    """Run times in seconds; `p10` and `p90` are the quantiles of `runs` runs; `times` has all of
    them, the shortest first.

    flops, bytes: of one run, None if not known. peak: FLOP/s in float32 of the cores in use; copy:
    bytes/s at which one core copies memory; both None unless `ul.machine()` measured them."""

    median: float
    min: float
    p10: float
    p90: float
    runs: int
    times: tuple[float, ...] = field(default=(), repr=False)
    flops: int | None = None
    bytes: int | None = None
    peak: float | None = None
    copy: float | None = None

    def quantile(self, q: float) -> float:
        """The time that a share `q` (0 to 1) of the runs did not exceed, in seconds."""
        if not 0 <= q <= 1:
            raise RuntimeCallError(f"a quantile lies between 0 and 1, {q} does not")
        return self.times[min(len(self.times) - 1, int(q * len(self.times)))]

    @property
    def gflops(self) -> float | None:
        """Billions of operations a second, by the median."""
        return None if self.flops is None else self.flops / max(self.median, 1e-12) / 1e9

    @property
    def gbytes(self) -> float | None:
        """Billions of bytes a second that must move at least, by the median."""
        return None if self.bytes is None else self.bytes / max(self.median, 1e-12) / 1e9

    def __str__(self) -> str:
        speed = rate(self.median, self.flops, self.bytes, self.peak, self.copy)
        return (f"{show(self.median)}{speed and ', ' + speed} (p10 {show(self.p10)}, "
                f"p90 {show(self.p90)}, {self.runs} runs)")

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        """In a notebook: what `print` shows."""
        printer.text(str(self))


def show(seconds: float) -> str:
    """A time with a unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def rate(seconds: float, flops: int | None, nbytes: int | None, peak: float | None = None,
         copy: float | None = None) -> str:
    """Operations or bytes a second, whichever comes nearer to what the machine can do; "" if
    nothing is known. Data that caches hold is not measured by the limit of the memory."""
    seconds = max(seconds, 1e-12)
    if nbytes is not None and nbytes <= CACHED:
        copy = None
    # without limits arithmetic shows from 8 operations a byte on, from 1 if caches hold the data
    balance = peak / copy if peak and copy else 1 if (nbytes or 0) <= CACHED else 8
    if flops and flops >= balance * (nbytes or 0):
        return f"{amount(flops / seconds)}FLOP/s{_share(flops / seconds, peak, 'peak')}"
    return f"{amount(nbytes / seconds)}B/s{_share(nbytes / seconds, copy, 'copy')}" if nbytes \
        else ""


def amount(value: float) -> str:
    """A number with the prefix of a unit that suits it."""
    for unit, scale in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.3g} "


def _share(value: float, limit: float | None, name: str) -> str:
    return f" ({100 * value / limit:.0f} % of {name})" if limit else ""


def measure(run: Callable[[], object], warmup: int = 2, repeats: int = 0,
            seconds: float = 0.2, flush_cache: bool = False) -> Timing:
    """Times `run()`; the garbage collector waits meanwhile.

    flush_cache: reads and writes memory larger than the caches before each run."""
    if warmup < 0 or repeats < 0 or seconds < 0:
        raise RuntimeCallError("warmup, repeats and seconds are not negative",
                               hint="repeats=0 means as many as fit into `seconds`")
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
