"""Parts of a tensor: take, slices."""

from __future__ import annotations

import numpy as np

from ..ir import prim, te
from ..ir.dtypes import INT64
from ..ir.errors import StructInfoError
from ..ir.prim import PrimExpr, as_int, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from .declare import (
    arg,
    attr,
    axis_of,
    declare,
    tensor_of,
)


def _infer_take(call: Call) -> StructInfo:
    x, indices, axis = tensor_of(call, 0), tensor_of(call, 1), call.op.attr(call, "axis")
    if x.dims is None or indices.dims is None:
        known = x.ndim >= 0 and indices.ndim >= 0
        return TensorStructInfo(None, x.dtype, x.ndim - 1 + indices.ndim if known else -1)
    if axis is None and x.ndim != 1:
        raise StructInfoError("take: give an axis for a tensor with several dimensions",
                              span=call.span)
    a = axis_of(call, axis or 0, x.ndim)
    dims = (*x.dims[:a], *indices.dims, *x.dims[a + 1:])
    return TensorStructInfo(dims, x.dtype, len(dims))


def _take(x, indices, axis=None, mode="fast"):
    a = (axis or 0) % x.ndim
    if not hasattr(indices, "shape"):
        return te.compute((*x.shape[:a], *x.shape[a + 1:]),
                          lambda *i: x[(*i[:a], indices, *i[a:])], name="T_take")
    n = indices.ndim

    def rule(*i):
        where = indices[i[a:a + n]]
        if mode == "clip":
            top = x.shape[a] - 1
            where = prim.minimum(prim.maximum(where, 0), prim.cast(top, where.dtype))
        elif mode == "wrap":
            where = where % prim.cast(x.shape[a], where.dtype)
        return x[(*i[:a], where, *i[a + n:])]

    return te.compute((*x.shape[:a], *indices.shape, *x.shape[a + 1:]), rule, name="T_take")


def _np_take(x, indices, axis=None, mode="fast"):
    return np.take(x, indices, axis=axis or 0, mode={"fast": "raise"}.get(mode, mode))


declare("take", [arg("x"), arg("indices", of="int"), attr("axis", None), attr("mode", "fast")],
        _infer_take, te=_take, numpy=_np_take, pattern="injective",
        doc="The slices at `indices` along an axis (an embedding lookup); mode fast, clip, wrap.")


def _infer_strided_slice(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    return TensorStructInfo(None if x.dims is None else _slice_dims(x.dims, *_slice_parts(call, x)),
                            x.dtype, x.ndim)


def _slice_parts(call: Call, x):
    values = [call.args[k] for k in range(1, len(call.args))]
    sizes = [_sizes(v) for v in values]
    axes, begin, end = sizes[:3]
    strides = sizes[3] if len(sizes) > 3 else (literal(1, "int64"),) * len(axes)
    return tuple(as_int(a) % x.ndim for a in axes), begin, end, strides


def _sizes(e):
    fields = getattr(e, "fields", None)
    if fields is not None:
        return tuple(f.value for f in fields)
    return e.values


def _bound(v, size, stride: int, end: bool) -> PrimExpr:
    """A begin or end as Python's slices read it: negative counts from the back, clipped."""
    n, s = as_int(v), as_int(size)
    if n is not None and s is not None:
        return literal(slice(None if end else n, n if end else None, stride)
                       .indices(s)[1 if end else 0], "int64")
    if n is not None and n < 0:
        return prim.maximum(size + n, 0)
    return prim.minimum(v, size) if n != 0 else literal(0, "int64")


def _slice_dims(dims, axes, begin, end, strides):
    out = list(dims)
    for a, b, e, s in zip(axes, begin, end, strides):
        step = as_int(s)
        low, high = _bound(b, dims[a], step, False), _bound(e, dims[a], step, True)
        count = prim.sub(high, low) if step > 0 else prim.sub(low, high)
        count = (count + (abs(step) - 1)) // abs(step)
        n = as_int(count)
        out[a] = literal(max(n, 0), "int64") if n is not None else count
    return tuple(out)


def _strided_slice(x, axes, begin, end, strides=None, assume_inbound=False):
    axes = tuple(as_int(a) % x.ndim for a in axes)
    lift = [literal(v, "int64") if isinstance(v, int) else v for v in begin]
    stop = [literal(v, "int64") if isinstance(v, int) else v for v in end]
    steps = [literal(v, "int64") if isinstance(v, int) else v
             for v in (strides or (1,) * len(axes))]
    start = {a: (_bound(b, x.shape[a], as_int(s), False), as_int(s))
             for a, b, s in zip(axes, lift, steps)}

    def rule(*i):
        return x[tuple(start[k][0] + v * start[k][1] if k in start else v
                       for k, v in enumerate(i))]

    return te.compute(_slice_dims(x.shape, axes, lift, stop, steps), rule,
                      name="T_strided_slice")


def _np_strided_slice(x, axes, begin, end, strides=None, assume_inbound=False):
    index = [slice(None)] * x.ndim
    for k, a in enumerate(axes):
        index[a] = slice(begin[k], end[k], strides[k] if strides else 1)
    return np.ascontiguousarray(x[tuple(index)])


declare("strided_slice", [arg("x"), arg("axes", "expr"), arg("begin", "expr"), arg("end", "expr"),
                          arg("strides", "expr", None), attr("assume_inbound", False)],
        _infer_strided_slice, te=_strided_slice, numpy=_np_strided_slice, pattern="injective",
        doc="x[begin:end:stride] along some axes.")


# --- a slice whose ends are tensors ---------------------------------------------------------

def _infer_dynamic_slice(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    for k in range(1, 4):
        info = tensor_of(call, k)
        if info.ndim not in (-1, 1) or info.dtype not in (None, INT64):
            raise StructInfoError(f"dynamic_strided_slice: {call.op.params[k].name} must be a "
                                  f"vector of int64, it is {info.script()}", span=call.span)
    return TensorStructInfo(None, x.dtype, x.ndim)


def _np_dynamic_slice(x, begin, end, strides):
    parts = zip(begin.tolist(), end.tolist(), strides.tolist())
    return np.ascontiguousarray(x[tuple(slice(b, e, s) for b, e, s in parts)])


declare("dynamic_strided_slice", [arg("x"), arg("begin"), arg("end"), arg("strides")],
        _infer_dynamic_slice, numpy=_np_dynamic_slice,
        doc="x[begin:end:stride] along all axes; the ends and strides are vectors of int64, so "
            "the shape is known only when it runs.")
