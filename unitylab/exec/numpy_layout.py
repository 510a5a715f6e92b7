"""Where NumPy keeps things: the fields of an array in memory, and the functions of its C interface.

Both belong to NumPy's stable binary interface. They are compared with what NumPy itself says before
they are used; where something differs, `KNOWN` is False and the ways over Python attributes stay.
"""

from __future__ import annotations

import ctypes
import re
import sys
import sysconfig
from functools import cache
from pathlib import Path

import numpy as np

# the fields of an array object behind the head of every object: offsets in bytes
HEAD = object.__basicsize__
DATA, NDIM, DIMS, STRIDES, BASE, DESCR, FLAGS = (HEAD + k for k in (0, 8, 16, 24, 32, 40, 48))
C_CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400

_MEMORY = (ctypes.c_int64 * 2**59).from_address(0)


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def _fast_address(array: np.ndarray) -> int:
    return _MEMORY[(id(array) + HEAD) >> 3]


def _probes() -> list[np.ndarray]:
    fixed = np.zeros((3, 4), "int16")
    fixed.flags.writeable = False
    unaligned = np.zeros(33, "uint8")[1:].view("float64")
    return [np.zeros(3), np.zeros((2, 5), "int8")[:, 1:], np.zeros(0), np.zeros(()),
            fixed.T, unaligned, np.zeros((2, 3, 4, 5), "complex64")]


def _as_numpy_says(a: np.ndarray) -> bool:
    """Whether the fields of an array are where they are looked for."""
    def word(offset: int) -> int:
        return _MEMORY[(id(a) + offset) >> 3]

    def numbers(offset: int) -> tuple[int, ...]:
        return tuple(_MEMORY[(word(offset) >> 3) + k] for k in range(a.ndim))
    return (word(DATA) == _address(a) and word(NDIM) & 0xFFFFFFFF == a.ndim
            and numbers(DIMS) == a.shape and numbers(STRIDES) == a.strides
            and word(BASE) == (0 if a.base is None else id(a.base)) and word(DESCR) == id(a.dtype)
            and word(FLAGS) & 0xFFFFFFFF == a.flags.num
            and bool(a.flags.num & C_CONTIGUOUS) == a.flags.c_contiguous
            and bool(a.flags.num & ALIGNED) == a.flags.aligned
            and bool(a.flags.num & WRITEABLE) == a.flags.writeable)


def _known() -> bool:
    return (sys.implementation.name == "cpython" and ctypes.sizeof(ctypes.c_void_p) == 8
            and not sysconfig.get_config_var("Py_GIL_DISABLED") and sys.byteorder == "little"
            and HEAD == 16 and all(map(_as_numpy_says, _probes())))


KNOWN = _known()

# the address of the first element; the way over NumPy's attributes costs ten times as much
address = _fast_address if KNOWN else _address


@cache
def new_array() -> int:
    """The address of NumPy's C function that makes an array from a dtype; 0 where it cannot be
    told for sure from the headers that NumPy installs."""
    try:
        header = Path(np.get_include(), "numpy", "__multiarray_api.h").read_text()
        table = _table()
        places = {name: int(place) for name, place in re.findall(
            r"#define (PyArray_Type|PyArray_NewFromDescr)\b[^#]*?PyArray_API\[(\d+)\]", header)}
        if not KNOWN or table[places["PyArray_Type"]] != id(np.ndarray):
            return 0
        return table[places["PyArray_NewFromDescr"]] or 0
    except (OSError, KeyError, AttributeError, ValueError, ImportError):
        return 0


def _table():
    """NumPy's table of C functions and types."""
    from numpy._core import _multiarray_umath
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return (ctypes.c_void_p * 400).from_address(pointer(_multiarray_umath._ARRAY_API, None))
