"""DLPack's exchange interface: a C function of a tensor type that tells where a tensor lies.

A type that has it carries a capsule `__dlpack_c_exchange_api__` with a table of functions. The one
used here fills in a `DLTensor` and neither allocates nor takes a reference.
"""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

import numpy as np

from .numpy_layout import KNOWN

# in a DLTensor, in bytes; the dtype is code, bits and lanes, the strides count elements
DATA, DEVICE, NDIM, DTYPE, SHAPE, STRIDES, OFFSET, SIZE = 0, 8, 16, 20, 24, 32, 40, 48
CPU = 1
GRADIENT = sys.intern("requires_grad")  # tensors that record operations are not given away
_ATTRIBUTE, _CAPSULE = "__dlpack_c_exchange_api__", b"dlpack_exchange_api"
_EXPORT = 40  # where the table has the function, in bytes; the major version is at its start
_CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}


@lru_cache(64)
def exporter(kind: type) -> int:
    """The address of `int export(tensor, DLTensor *)` of a tensor type; 0 if it has none."""
    capsule = getattr(kind, _ATTRIBUTE, None)
    if not KNOWN or capsule is None:
        return 0
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    try:
        table = pointer(capsule, _CAPSULE)
    except (ValueError, ctypes.ArgumentError):
        return 0
    version = ctypes.c_uint32.from_address(table).value
    return ctypes.c_int64.from_address(table + _EXPORT).value if version == 1 else 0


def records(kind: type) -> bool:
    """Whether tensors of a type may be part of a computation that is differentiated."""
    return hasattr(kind, GRADIENT)


def dtype_word(t: np.dtype) -> int:
    """How DLPack writes a dtype, as one word; -1 where it has no name for it."""
    code = _CODES.get(t.kind, -1)
    return -1 if code < 0 or not t.isnative else code | 8 * t.itemsize << 8 | 1 << 16
