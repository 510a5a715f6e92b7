"""Memory of large results, used again for later ones when nobody holds the first any more.

Fresh pages from the operating system cost more than a small kernel: 0.25 µs for each 4 kB, and the
C library gives large pieces back at once."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

KEPT_BYTES = 1 << 27  # of pieces that wait for a use


class ResultMemory:
    """Pieces by size. A result's memory comes back when the last array that shows it is gone."""

    def __init__(self, kept_bytes: int = KEPT_BYTES):
        self.kept_bytes = kept_bytes
        self.waiting = 0
        self._free: dict[int, list[np.ndarray]] = {}

    def array(self, shape: tuple[int, ...], dtype: np.dtype, size: int, fresh) -> np.ndarray:
        """An uninitialised array of `size` bytes; `fresh(bytes)` allocates where no piece waits."""
        whole = rounded(size)
        try:
            raw = self._free[whole].pop()
            self.waiting -= whole
        except (KeyError, IndexError):
            raw = fresh(whole)
        piece = _piece_of(whole).from_address(raw.__array_interface__["data"][0])
        piece.raw, piece.home = raw, self
        return np.ndarray(shape, dtype, buffer=piece)

    def take_back(self, raw: np.ndarray) -> None:
        if self.waiting + raw.nbytes <= self.kept_bytes:
            self.waiting += raw.nbytes
            self._free.setdefault(raw.nbytes, []).append(raw)


def rounded(size: int) -> int:
    """The size of the piece for so many bytes: at most a quarter more."""
    step = max(1 << 12, 1 << (size - 1).bit_length() - 3)
    return -(-size // step) * step


@cache
def _piece_of(size: int) -> type:
    """What an array's `base` is: views of the array keep it, and it keeps the memory."""
    def give_back(self) -> None:
        self.home.take_back(self.raw)
    return type("Piece", (ctypes.c_ubyte * size,), {"__del__": give_back})


results = ResultMemory()
