"""One call of a graph function: its values, sizes, and memory that is kept from call to call."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..ir.errors import RuntimeCallError
from .numpy_layout import address
from .result_memory import results

ALIGNMENT = 64
LARGE = 1 << 18  # bytes from which the place of a result matters more than the time to find it


@dataclass(frozen=True)
class Internal:
    """An intermediate tensor that nobody outside of the plan sees: it lives from step `first` to
    step `last`, in `slot`."""

    slot: int
    first: int
    last: int
    shape: Callable
    dtype: np.dtype


class Activation:
    """The state of one running call. Plans keep finished ones for calls with the same sizes."""

    def __init__(self, slots: int, prepared: int, sizes: list, known: int):
        self.slots: list = [None] * slots
        self.sizes = sizes + [None] * (known - len(sizes))
        self.entry = tuple(self.sizes)
        self.prepared: list = [None] * prepared
        self.blobs: list[np.ndarray] = []

    def reset(self) -> None:
        """Makes it ready for the next call with the same sizes."""
        self.sizes[:] = self.entry

    def place(self, internals: tuple[Internal, ...]) -> None:
        """Memory for the intermediates: those that are not alive together share it."""
        free: list[np.ndarray] = []
        busy: list[tuple[int, np.ndarray]] = []
        for internal in internals:
            free += [blob for last, blob in busy if last < internal.first]
            busy = [(last, blob) for last, blob in busy if last >= internal.first]
            shape = internal.shape(self.sizes)
            blob = self._take(free, nbytes(shape, internal.dtype))
            busy.append((internal.last, blob))
            count = nbytes(shape, internal.dtype)
            self.slots[internal.slot] = blob[:count].view(internal.dtype).reshape(shape)

    def _take(self, free: list[np.ndarray], size: int) -> np.ndarray:
        """The smallest free piece that is large enough, or a new one."""
        fitting = [k for k, blob in enumerate(free) if blob.nbytes >= size]
        if fitting:
            return free.pop(min(fitting, key=lambda k: free[k].nbytes))
        blob = aligned_bytes(size)
        self.blobs.append(blob)
        return blob


def nbytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    count = dtype.itemsize
    for s in shape:
        count *= s
    return count


def aligned_bytes(size: int) -> np.ndarray:
    """Uninitialised memory at an address that suits vector instructions."""
    if size < 0:
        raise RuntimeCallError(f"a tensor of {size} bytes cannot be allocated")
    try:
        raw = np.empty(size + ALIGNMENT, np.uint8)
    except (MemoryError, ValueError, OverflowError) as e:
        raise RuntimeCallError(f"no memory for an intermediate of {size} bytes") from e
    start = -address(raw) % ALIGNMENT
    return raw[start:start + size]


def fresh(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array; a large one begins where vector stores like it, in memory that an
    earlier result has left."""
    size = nbytes(shape, dtype)
    if size < LARGE:
        return np.empty(shape, dtype)
    return results.array(shape, dtype, size, aligned_bytes)


def empty(shape: tuple[int, ...], dtype: np.dtype, what: str) -> np.ndarray:
    """A fresh array for a result. Raises RuntimeCallError where there is no memory."""
    try:
        return fresh(shape, dtype)
    except (MemoryError, ValueError, OverflowError) as e:
        raise RuntimeCallError(f"{what}: no memory for a result of shape {shape}") from e


class Words:
    """The argument array of a prepared kernel call."""

    def __init__(self, words, record, alive: list):
        self.words, self.record, self.alive = words, record, alive
        self.address = ctypes.addressof(words)
