"""Buffers as NumPy arrays, pointers as an array with an offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.errors import BoundsError, RuntimeCallError
from ..ir.tir import Buffer


@dataclass(frozen=True)
class Pointer:
    """An address: element `offset` of flat memory."""

    flat: np.ndarray
    offset: int = 0


def allocate(buffer: Buffer, shape: tuple[int, ...]) -> np.ndarray:
    """Fresh memory; floats hold NaN, so that a read before a write shows."""
    if any(s < 0 for s in shape):
        raise RuntimeCallError(f"buffer {buffer.name!r} has a negative size: {shape}",
                               span=buffer.span)
    shape = shape + ((buffer.dtype.lanes,) if buffer.dtype.lanes > 1 else ())
    kind = buffer.dtype.element.numpy
    try:
        return np.full(shape, np.nan, kind) if buffer.dtype.is_float else np.zeros(shape, kind)
    except (MemoryError, ValueError, OverflowError) as e:
        raise RuntimeCallError(f"buffer {buffer.name!r} of shape {shape} does not fit in memory",
                               span=buffer.span) from e


def pointer_to(array: np.ndarray) -> Pointer:
    """The address of an array's first element."""
    if not array.flags.c_contiguous:
        raise RuntimeCallError("only a compact buffer has a plain address")
    return Pointer(array.reshape(-1))


def advance(pointer: Pointer | np.ndarray, elements: int) -> Pointer:
    """The address `elements` further on."""
    if isinstance(pointer, np.ndarray):
        pointer = pointer_to(pointer)
    return Pointer(pointer.flat, pointer.offset + int(elements))


def view(pointer, buffer: Buffer, shape: tuple[int, ...], strides: tuple[int, ...],
         offset: int) -> np.ndarray:
    """The memory behind `pointer` seen as `buffer`; never reaches outside of the allocation."""
    if isinstance(pointer, np.ndarray):
        pointer = pointer_to(pointer)
    flat = pointer.flat
    want = buffer.dtype.element.numpy
    start = pointer.offset
    if flat.dtype != want:
        start = start * flat.dtype.itemsize // want.itemsize
        flat = flat.view(np.uint8)[:flat.nbytes // want.itemsize * want.itemsize].view(want)
    start += offset
    strides = strides or _compact(shape)
    last = start + sum((n - 1) * s for n, s in zip(shape, strides)) if all(shape) else start
    if min(start, last) < 0 or max(start, last) >= max(flat.size, 1):
        raise BoundsError(f"buffer {buffer.name!r} of shape {shape} reaches outside of its memory "
                          f"({flat.size} elements)", span=buffer.span)
    item = want.itemsize
    return np.lib.stride_tricks.as_strided(flat[start:], shape, [s * item for s in strides])


def _compact(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides, n = [], 1
    for s in reversed(shape):
        strides.append(n)
        n *= s
    return tuple(reversed(strides))


def region_view(source: np.ndarray, starts, extents, ndim: int, name: str) -> np.ndarray:
    """The part of `source` that a `match_buffer` of a region sees, leading unit sizes dropped."""
    for d, (b, e, s) in enumerate(zip(starts, extents, source.shape)):
        if b < 0 or b + e > s:
            raise BoundsError(f"match_buffer {name!r}: [{b}:{b + e}] is outside of dimension {d} "
                              f"of size {s}")
    part = source[tuple(slice(b, b + e) for b, e in zip(starts, extents))]
    drop = part.ndim - ndim
    return part[(0,) * drop + (...,)] if drop > 0 else part  # `...`: a view, also of one element
