"""Operators of memory planning and of the run time: storage, tensors in it, views of them.

A storage is an array of bytes; a tensor in it shares its memory."""

from __future__ import annotations

import math

import numpy as np

from ..ir.dtypes import dtype
from ..ir.errors import StructInfoError
from ..ir.relax import Call, DataTypeImm, info_of
from ..ir.struct_info import (
    ObjectStructInfo,
    ShapeStructInfo,
    StructInfo,
    TensorStructInfo,
    TupleStructInfo,
)
from .declare import arg, declare, tensor_of


def _object(call: Call) -> StructInfo:
    return ObjectStructInfo()


def _nothing(call: Call) -> StructInfo:
    return TupleStructInfo(())


def _allocated(shape_at: int, dtype_at: int):
    """The struct info of a tensor whose shape and dtype are arguments."""
    def infer(call: Call) -> StructInfo:
        shape, kind = info_of(call.args[shape_at]), call.args[dtype_at]
        if not isinstance(shape, ShapeStructInfo):
            raise StructInfoError(f"{call.op.short}: argument {shape_at} must be a shape",
                                  span=call.span, hint="R.shape([n, 4])")
        known = kind.value if isinstance(kind, DataTypeImm) else None
        return TensorStructInfo(shape.values, known, shape.ndim)
    return infer


def _storage(shape, kind) -> np.ndarray:
    """One size is a number of bytes, several are a shape of that dtype."""
    size = math.prod(shape) * (dtype(kind).itemsize if len(shape) > 1 else 1)
    return np.zeros(size, "uint8")


def _tensor_in(storage: np.ndarray, offset: int, shape, kind, device: int = 0) -> np.ndarray:
    to = dtype(kind).numpy
    return storage[offset:offset + math.prod(shape) * to.itemsize].view(to).reshape(tuple(shape))


# name, parameters, struct info, NumPy reference, what it does
ALLOCATIONS = [
    ("builtin.alloc_tensor", ("shape", "dtype", "runtime_device_index", "storage_scope"),
     _allocated(0, 1), lambda shape, kind, device, scope: np.zeros(tuple(shape),
                                                                   dtype(kind).numpy),
     "A fresh tensor."),
    ("memory.alloc_storage", ("size", "virtual_device_index", "storage_scope", "dtype"), _object,
     lambda size, device, scope, kind: _storage(size, kind), "A storage of so many bytes."),
    ("memory.alloc_tensor", ("storage", "offset", "shape", "dtype", "runtime_device_index"),
     _allocated(2, 3), _tensor_in, "A tensor in a storage, `offset` bytes from its start."),
    ("vm.alloc_storage", ("shape", "runtime_device_index", "dtype", "storage_scope"), _object,
     lambda shape, device, kind, scope: _storage(shape, kind), "A storage, made at run time."),
    ("vm.alloc_tensor", ("storage", "offset", "shape", "dtype", "runtime_device_index"),
     _allocated(2, 3), _tensor_in, "A tensor in a storage, made at run time."),
]
_DEFAULTS = {"runtime_device_index": 0, "storage_scope": "global"}

for _name, _params, _infer, _numpy, _doc in ALLOCATIONS:
    _optional = _params[-1] if _params[-1] in _DEFAULTS else None
    declare(_name, [arg(p, "shape" if p in ("shape", "size") else "expr", _DEFAULTS[p])
                    if p == _optional else
                    arg(p, "shape" if p in ("shape", "size") else "expr") for p in _params],
            _infer, numpy=_numpy, doc=_doc, pure=False)

for _name, _what in (("memory.kill_storage", "storage"), ("memory.kill_tensor", "tensor"),
                     ("vm.kill_object", "obj")):
    declare(_name, [arg(_what, "expr")], _nothing, numpy=lambda value: (), pure=False,
            doc="Says that a value is not used any more; its memory may be used again.")

declare("vm.call_tir_dyn", [arg("func", "func"), arg("args", "expr")], _nothing, pure=False,
        doc="Calls a tensor program with its outputs among the arguments.")


# --- views ----------------------------------------------------------------------------------

def _absent(e) -> bool:
    return isinstance(info_of(e), TupleStructInfo)


def _infer_view(call: Call) -> StructInfo:
    x, (shape, kind) = tensor_of(call, 0), call.args[1:3]
    if not _absent(kind) and isinstance(kind, DataTypeImm):
        x = x.replace(dtype=kind.value)
    info = info_of(shape)
    return x.replace(shape=info.values, ndim=info.ndim) if isinstance(info, ShapeStructInfo) else x


def _np_view(x, shape=(), kind=(), offset=()):
    """What is left out is an empty tuple."""
    to = x.dtype if kind == () else dtype(kind).numpy
    shape = x.shape if type(shape) is tuple and shape == () else tuple(shape)
    start = 0 if offset == () else int(offset)
    raw = np.ascontiguousarray(x).reshape(-1).view("uint8")
    return raw[start:start + math.prod(shape) * to.itemsize].view(to).reshape(shape)


declare("memory.view", [arg("data"), arg("shape", "shape", ()), arg("dtype", "expr", ()),
                        arg("relative_byte_offset", "expr", ())], _infer_view, numpy=_np_view,
        doc="The same memory read with another shape, dtype or start; what is left out stays.")

for _name, _doc in (("memory.ensure_zero_offset", "The tensor, at the start of its storage."),
                    ("builtin.stop_lift_params", ("The tensor; it and what uses it are not "
                                                 "computed ahead of time."))):
    declare(_name, [arg("x")], lambda call: tensor_of(call, 0), numpy=lambda x: x, doc=_doc)
