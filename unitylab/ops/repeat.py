"""Elements several times: broadcasting, repeating, tiling."""

from __future__ import annotations

import numpy as np

from ..ir import te
from ..ir.prim import literal
from ..ir.relax import Call, info_of
from ..ir.struct_info import StructInfo, TensorStructInfo
from .broadcasting import at, broadcast_dims
from .declare import (
    arg,
    attr,
    axis_of,
    declare,
    shape_argument,
    tensor_of,
)
from .reshape import flattened, product


def _infer_broadcast_to(call: Call) -> StructInfo:
    x, want = tensor_of(call, 0), shape_argument(call, 1)
    if want is not None and x.dims is not None:
        broadcast_dims(x.dims, want, "broadcast_to", call.span)
    ndim = len(want) if want is not None else info_of(call.args[1]).ndim
    return TensorStructInfo(want, x.dtype, ndim)


def _broadcast_to(x, shape):
    return te.compute(shape, lambda *i: at(x, i), name="T_broadcast_to")


declare("broadcast_to", [arg("x"), arg("shape", "shape")], _infer_broadcast_to, te=_broadcast_to,
        numpy=lambda x, shape: np.ascontiguousarray(np.broadcast_to(x, shape)),
        pattern="broadcast", doc="Repeated along axes of size 1 until the shape is reached.")


def _infer_repeat(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    n, axis = call.op.attr(call, "repeats"), call.op.attr(call, "axis")
    if x.dims is None:
        return TensorStructInfo(None, x.dtype, 1 if axis is None else x.ndim)
    if axis is None:
        return TensorStructInfo((product(x.dims) * n,), x.dtype, 1)
    a = axis_of(call, axis, x.ndim)
    return x.replace(shape=(*x.dims[:a], x.dims[a] * n, *x.dims[a + 1:]))


def _repeat(x, repeats, axis=None):
    if axis is None:
        return _repeat(flattened(x), repeats, 0)
    a = axis % x.ndim
    return te.compute((*x.shape[:a], x.shape[a] * repeats, *x.shape[a + 1:]),
                      lambda *i: x[(*i[:a], i[a] // repeats, *i[a + 1:])], name="T_repeat")


declare("repeat", [arg("data"), attr("repeats"), attr("axis", None)], _infer_repeat, te=_repeat,
        numpy=np.repeat, pattern="injective", doc="Each element several times.")


def _infer_tile(call: Call) -> StructInfo:
    x, times = tensor_of(call, 0), _times(call.op.attr(call, "repeats"))
    if x.dims is None:
        return TensorStructInfo(None, x.dtype, max(x.ndim, len(times)) if x.ndim >= 0 else -1)
    dims = _tiled(x.dims, times)
    return TensorStructInfo(dims, x.dtype, len(dims))


def _times(repeats) -> tuple[int, ...]:
    return (repeats,) if isinstance(repeats, int) else tuple(repeats)


def _tiled(dims, times):
    n = max(len(dims), len(times))
    dims = (literal(1, "int64"),) * (n - len(dims)) + tuple(dims)
    times = (1,) * (n - len(times)) + tuple(times)
    return tuple(d * t for d, t in zip(dims, times))


def _tile(x, repeats):
    dims = _tiled(x.shape, _times(repeats))
    return te.compute(dims, lambda *i: x[tuple(v % s for v, s in zip(
        i[len(dims) - x.ndim:], x.shape))], name="T_tile")


declare("tile", [arg("data"), attr("repeats")], _infer_tile, te=_tile,
        numpy=lambda x, repeats: np.tile(x, repeats), pattern="injective",
        doc="The whole tensor several times along each axis.")
