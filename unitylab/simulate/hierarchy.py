"""What the caches of a machine make of a program's accesses: misses and reuse for each buffer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..ir.prim import Var
from ..ir.tir import PrimFunc
from .accesses import Accesses, accesses_of
from .caches import CacheLevel, caches
from .lru import misses, reuse_distances

BINS = 24  # reuse distances 0, 1, 2 to 3, 4 to 7, ... lines


@dataclass(frozen=True)
class BufferTraffic:
    """One buffer. `lines`: distinct cache lines touched, each a miss the first time. `misses`: for
    each level. `reuse[k]`: accesses whose line was touched before with fewer than 2**k other
    lines since (and at least 2**(k-1); k = 0: none)."""

    name: str
    scope: str
    reads: int
    writes: int
    lines: int
    misses: tuple[int, ...]
    reuse: tuple[int, ...]

    @property
    def accesses(self) -> int:
        """Reads and writes."""
        return self.reads + self.writes


@dataclass(frozen=True)
class Traffic:
    """All buffers of a program. `total`: accesses of the whole run, of which the first
    `simulated` were simulated; `guessed`: some places depend on data and are random.

    What it leaves out: registers (the compiler keeps some values there), prefetching, other cores,
    and what else the caches hold."""

    buffers: tuple[BufferTraffic, ...]
    levels: tuple[CacheLevel, ...]
    simulated: int
    total: int
    guessed: bool

    def misses(self, level: int) -> int:
        """Of all buffers in a level (0 is the nearest)."""
        return sum(b.misses[level] for b in self.buffers)

    def __str__(self) -> str:
        names = [c.name for c in self.levels]
        head = ["buffer", "accesses", "lines", *(f"{n} misses" for n in names), "reuse"]
        rows = [head, *(self._row(b) for b in self.buffers)]
        widths = [max(len(r[k]) for r in rows) for k in range(len(head))]
        table = ["  ".join(c.ljust(w) if k in (0, len(head) - 1) else c.rjust(w)
                           for k, (c, w) in enumerate(zip(r, widths))).rstrip() for r in rows]
        return "\n".join([*table, self.scale(), f"caches: {', '.join(map(str, self.levels))}"])

    def _row(self, b: BufferTraffic) -> list[str]:
        share = [f"{m:,} ({percent(m, b.accesses)})" for m in b.misses]
        return [b.name, f"{b.accesses:,}", f"{b.lines:,}", *share, typical_reuse(b)]

    def scale(self) -> str:
        """How much of the run this is."""
        part = "all" if self.simulated >= self.total else \
            f"the first {self.simulated:,} of {self.total:,}"
        guess = "; places that depend on data are random" if self.guessed else ""
        return f"{part} accesses, before registers and prefetching{guess}"

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        """In a notebook: what `print` shows."""
        printer.text(str(self))


def percent(part: int, whole: int) -> str:
    """A share in two digits."""
    share = 100 * part / max(1, whole)
    return f"{share:.0f} %" if share >= 9.5 else f"{share:.2g} %"


def typical_reuse(b: BufferTraffic) -> str:
    """The distance within which half of the reuses happen, in words."""
    again = sum(b.reuse)
    if not again:
        return "never used again"
    k = int(np.searchsorted(np.cumsum(b.reuse), again / 2))
    return "at once" if k == 0 else f"within {2 ** k:,} lines"


def simulate(func: PrimFunc, sizes: Mapping[Var, int] | None = None, limit: int = 2_000_000,
             levels: tuple[CacheLevel, ...] | None = None) -> Traffic:
    """Runs the first `limit` accesses of a program through least-recently-used caches (`levels`,
    by default this machine's), empty at the start. Symbolic dimensions have the values `sizes`.
    Raises UnityLabError where the program does not tell its accesses."""
    levels = caches() if levels is None else levels
    found = accesses_of(func, sizes, limit)
    line = levels[0].line
    numbers = ((found.address - found.address.min(initial=0)) // line).astype(np.int32)
    missed = misses(numbers, found.which, levels, len(found.buffers))
    again = reuse_distances(numbers)
    rows = [_buffer(found, k, missed, again) for k in range(len(found.buffers))]
    total = len(found) if found.complete else found.total
    return Traffic(tuple(rows), levels, len(found), total, found.guessed)


def _buffer(found: Accesses, k: int, missed: np.ndarray, again: np.ndarray) -> BufferTraffic:
    mine = found.which == k
    writes, distance = int(found.write[mine].sum()), again[mine]
    back = distance[distance >= 0]
    bins = np.where(back == 0, 0, np.frexp(back)[1])
    reuse = np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)
    return BufferTraffic(found.buffers[k].name, found.buffers[k].scope, len(distance) - writes,
                         writes, len(distance) - len(back), tuple(int(m) for m in missed[:, k]),
                         tuple(int(n) for n in reuse))
