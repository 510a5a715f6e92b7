"""Sorting. A library computes it: there is no tensor program of a good sort."""

from __future__ import annotations

import numpy as np

from ..ir.dtypes import INT64, dtype
from ..ir.errors import StructInfoError
from ..ir.prim import as_int, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo, TupleStructInfo
from .declare import arg, attr, axes_of, axis_of, declare, tensor_of
from .reduce import reduced


def _infer_sort(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    if x.ndim >= 0:
        axis_of(call, call.op.attr(call, "axis"), x.ndim)
    return x


def _order(x: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    """Positions in sorted order; equal values keep their order."""
    if not descending:
        return np.argsort(x, axis, kind="stable")
    flipped = np.argsort(np.flip(x, axis), axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(flipped, axis)


declare("sort", [arg("x"), attr("axis", -1), attr("descending", False)], _infer_sort,
        numpy=lambda x, axis=-1, descending=False: np.take_along_axis(
            x, _order(x, axis, descending), axis),
        doc="The values in order along an axis.")
declare("argsort", [arg("data"), attr("axis", -1), attr("descending", False),
                    attr("dtype", "int32")],
        lambda call: _infer_sort(call).replace(dtype=dtype(call.op.attr(call, "dtype"))),
        numpy=lambda x, axis=-1, descending=False, dtype="int32": _order(
            x, axis, descending).astype(dtype),
        doc="The positions of the values in order along an axis.")


# --- the largest few ------------------------------------------------------------------------

def _infer_topk(call: Call) -> StructInfo:
    x, k = tensor_of(call, 0), call.op.attr(call, "k")
    which = call.op.attr(call, "ret_type")
    if which not in ("both", "values", "indices"):
        raise StructInfoError(f"topk: ret_type is both, values or indices, not {which!r}",
                              span=call.span)
    if x.dims is not None:
        a = axis_of(call, call.op.attr(call, "axis"), x.ndim)
        size = as_int(x.dims[a])
        if size is not None and k > size:
            raise StructInfoError(f"topk: {k} of {size} values", span=call.span)
        x = x.replace(shape=(*x.dims[:a], literal(k, "int64") if k > 0 else x.dims[a],
                             *x.dims[a + 1:]))
    places = x.replace(dtype=dtype(call.op.attr(call, "dtype")))
    return {"both": TupleStructInfo((x, places)), "values": x, "indices": places}[which]


def _np_topk(x, k=1, axis=-1, ret_type="both", largest=True, dtype="int32"):
    places = _order(x, axis, largest)
    places = np.take(places, np.arange(k if k > 0 else x.shape[axis]), axis)
    values = np.take_along_axis(x, places, axis)
    both = values, places.astype(dtype)
    return {"both": both, "values": both[0], "indices": both[1]}[ret_type]


declare("topk", [arg("data"), attr("k", 1), attr("axis", -1), attr("ret_type", "both"),
                 attr("largest", True), attr("dtype", "int32")], _infer_topk, numpy=_np_topk,
        doc="The k largest (or smallest) values along an axis, in order, and their positions.")


# --- median ---------------------------------------------------------------------------------

def _infer_median(call: Call) -> StructInfo:
    x, axis = tensor_of(call, 0), call.op.attr(call, "axis")
    keepdims, ndim = call.op.attr(call, "keepdims"), -1
    dims = None
    if x.ndim >= 0:
        axes = axes_of(call, axis, x.ndim)
        ndim = x.ndim if keepdims else x.ndim - len(axes)
        dims = reduced(x.dims, axes, keepdims) if x.dims is not None else None
    values = TensorStructInfo(dims, x.dtype, ndim)
    single = axis is not None and (isinstance(axis, int) or len(axis) == 1)
    return TupleStructInfo((values, values.replace(dtype=INT64))) if single else values


def _np_median(x, axis=None, keepdims=False):
    """The lower one of two middle values."""
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [a % x.ndim for a in axes]
    rest = [k for k in range(x.ndim) if k not in axes]
    rows = x.transpose(*rest, *axes).reshape(*[x.shape[k] for k in rest], -1)
    places = np.argsort(rows, -1, kind="stable")[..., (rows.shape[-1] - 1) // 2]
    values = np.take_along_axis(rows, places[..., None], -1)[..., 0]
    shape = [1 if k in axes else s for k, s in enumerate(x.shape)] if keepdims else values.shape
    values, places = values.reshape(shape), places.reshape(shape).astype("int64")
    return values if axis is None or len(axes) > 1 else (values, places)


declare("median", [arg("x"), attr("axis", None), attr("keepdims", False)], _infer_median,
        numpy=_np_median, doc="The middle value, the lower one of two; over one axis also its "
                              "position.")
