"""The arithmetic of the interpreter where it is not Python's: what generated code calls."""

from __future__ import annotations

import numpy as np

from ..ir.dtypes import DataType
from ..ir.errors import RuntimeCallError


def cast(x, to: DataType):
    """`x` converted to `to`: floats to integers toward zero, integers wrap around."""
    if type(x) is int and to in ("int32", "int64"):
        return x
    return np.asarray(x).astype(to.numpy)[()]


def floordiv(a, b):
    """Division rounded toward minus infinity. Raises for an integer zero."""
    if not np.all(b) and not _is_float(a):
        raise RuntimeCallError("integer division by zero")
    return a // b


def floormod(a, b):
    """The remainder with the sign of `b`. Raises for an integer zero."""
    if not np.all(b) and not _is_float(a):
        raise RuntimeCallError("integer remainder by zero")
    return a % b


def truncdiv(a, b):
    """Division toward zero for integers, true division for floats."""
    if _is_float(a):
        return a / b
    if not np.all(b):
        raise RuntimeCallError("integer division by zero")
    q = a // b  # toward minus infinity; the absolute value of the lowest integer is none
    return q + ((q * b != a) & ((a < 0) != (b < 0)))


def truncmod(a, b):
    """The remainder of division toward zero."""
    return np.fmod(a, b) if _is_float(a) else a - b * truncdiv(a, b)


def _is_float(x) -> bool:
    return isinstance(x, float) or (isinstance(x, (np.ndarray, np.generic))
                                    and x.dtype.kind in "fV")


def ramp(base, stride, lanes: int) -> np.ndarray:
    """base, base + stride, ..."""
    return np.asarray(base) + np.arange(lanes) * np.asarray(stride)


def broadcast(value, lanes: int, to: DataType) -> np.ndarray:
    """`lanes` copies."""
    return np.full(lanes, value, dtype=to.element.numpy)


def inside(index, extent) -> bool:
    """Whether an index (or all of a vector of indices) is within [0, extent)."""
    return bool(np.all(np.asarray(index) >= 0) and np.all(np.asarray(index) < extent))
