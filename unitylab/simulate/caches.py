"""The caches of this machine, as the operating system tells them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..target.caches import host_caches

_LINUX = Path("/sys/devices/system/cpu/cpu0/cache")


@dataclass(frozen=True)
class CacheLevel:
    """One level of cache: `size` and `line` in bytes, `ways` lines a set. `assumed`: the machine
    does not tell the ways, they are common ones."""

    name: str
    size: int
    ways: int
    line: int = 64
    assumed: bool = False

    @property
    def sets(self) -> int:
        """How many sets there are."""
        return max(1, self.size // (self.line * self.ways))

    def __str__(self) -> str:
        unit, scale = ("MB", 2**20) if self.size >= 2**20 else ("kB", 2**10)
        return f"{self.name} {self.size / scale:g} {unit}, {self.ways} ways" + \
            (" (assumed)" if self.assumed else "")


@cache
def caches() -> tuple[CacheLevel, ...]:
    """The data caches that a core reads through, nearest first."""
    return read_caches(_LINUX) or tuple(CacheLevel(f"L{k + 1}", size, 8 if k < 2 else 16,
                                                   assumed=True)
                                        for k, size in enumerate(host_caches()))


def read_caches(folder: Path) -> tuple[CacheLevel, ...]:
    """The caches that Linux describes in a folder; () if it does not."""
    found = []
    for index in sorted(folder.glob("index*")):
        text = {f: _read(index / f) for f in ("type", "level", "size", "ways_of_associativity",
                                              "coherency_line_size")}
        size = re.fullmatch(r"(\d+)([KMG]?)", text["size"])
        if text["type"] not in ("Data", "Unified") or size is None or not text["level"].isdigit():
            continue
        total = int(size[1]) * 2 ** {"": 0, "K": 10, "M": 20, "G": 30}[size[2]]
        line = _number(text["coherency_line_size"], 64)
        ways = _number(text["ways_of_associativity"], 16)  # 0: it does not tell
        found.append(CacheLevel(f"L{text['level']}", total, ways, line))
    return tuple(sorted(found, key=lambda c: c.name))


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdigit() and int(text) else otherwise
