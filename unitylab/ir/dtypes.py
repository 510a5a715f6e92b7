"""Scalar and vector data types, as TVM writes them: `float32`, `int8x4`, `bool`, `handle`."""

from __future__ import annotations

import re
from functools import cached_property

import ml_dtypes
import numpy as np

from .errors import did_you_mean

_CUSTOM = {n: getattr(ml_dtypes, n) for n in dir(ml_dtypes) if n.startswith(("float", "bfloat"))}
_PATTERN = re.compile(r"(bool|handle|void|[a-z]*?float\d+(?:_[a-z0-9]+?)?|uint\d+|int\d+)"
                      r"(?:x(vscalex)?(\d+))?$")


class DataType(str):
    """A data type; equal to its spelling, so `dtype == "float32"` reads as it should.

    `kind` is one of int, uint, float, bool, handle, void; `bits` counts one lane.
    """

    __slots__ = ("__dict__",)

    @cached_property
    def _parts(self) -> tuple[str, str | None, str | None]:
        m = _PATTERN.match(self)
        if not m:
            raise ValueError(_unknown(self))
        return m.group(1), m.group(2), m.group(3)

    @cached_property
    def element(self) -> DataType:
        """The type of one lane."""
        return dtype(self._parts[0])

    @cached_property
    def lanes(self) -> int:
        return int(self._parts[2] or 1)

    @cached_property
    def scalable(self) -> bool:
        """True for vectors whose length is a multiple of the run-time `vscale`."""
        return self._parts[1] is not None

    @cached_property
    def kind(self) -> str:
        name = self._parts[0]
        if "float" in name:
            return "float"
        return re.match(r"[a-z]+", name).group()

    @cached_property
    def bits(self) -> int:
        name = self._parts[0]
        if name == "bool":
            return 1
        if name == "handle":
            return 64
        return int(re.search(r"\d+", name).group()) if name != "void" else 0

    @cached_property
    def itemsize(self) -> int:
        """Bytes that one lane takes in memory."""
        return max(1, self.bits // 8)

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_int(self) -> bool:
        """Signed or unsigned integer (bool is neither)."""
        return self.kind in ("int", "uint")

    @property
    def is_bool(self) -> bool:
        return self.kind == "bool"

    def with_lanes(self, lanes: int) -> DataType:
        return self.element if lanes == 1 else dtype(f"{self.element}x{lanes}")

    @cached_property
    def numpy(self) -> np.dtype:
        """The NumPy type of one lane; handles are addresses (uint64)."""
        name = str(self._parts[0])
        if name in _CUSTOM:
            return np.dtype(_CUSTOM[name])
        return np.dtype({"handle": "uint64", "void": "V0"}.get(name, name))

    def __repr__(self) -> str:
        return f"DataType({str(self)!r})"


_INTERNED: dict[str, DataType] = {}


def _unknown(name: str) -> str:
    common = [f"{kind}{bits}" for kind in ("float", "int", "uint") for bits in (16, 32, 64)]
    near = did_you_mean(str(name), [*common, "int8", "uint8", "bool", "handle", *_CUSTOM])
    return f"unknown data type {str(name)!r}{near and '; ' + near}"


def dtype(name: str | np.dtype | type) -> DataType:
    """The `DataType` of a spelling or a NumPy dtype. Raises ValueError for an unknown one."""
    if type(name) is DataType:
        return name
    key = name if isinstance(name, str) else np.dtype(name).name
    found = _INTERNED.get(key)
    if found is None:
        found = DataType(key)
        _ = found._parts
        if found.kind == "float" and found.bits not in (16, 32, 64) and key not in _CUSTOM:
            if found._parts[0] not in _CUSTOM:
                raise ValueError(_unknown(key))
        _INTERNED[key] = found
    return found


BOOL, INT8, INT32, INT64 = dtype("bool"), dtype("int8"), dtype("int32"), dtype("int64")
FLOAT32, FLOAT64, HANDLE, VOID = dtype("float32"), dtype("float64"), dtype("handle"), dtype("void")
