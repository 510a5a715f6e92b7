"""Axes in another order, new ones, without some, reversed."""

from __future__ import annotations

import numpy as np

from ..ir import te
from ..ir.errors import StructInfoError
from ..ir.prim import as_int, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from .declare import (
    arg,
    attr,
    axes_of,
    axis_of,
    declare,
    show,
    tensor_of,
)


def _infer_permute(call: Call) -> StructInfo:
    x, axes = tensor_of(call, 0), call.op.attr(call, "axes")
    if x.ndim < 0:
        return x.replace(ndim=len(axes) if axes is not None else -1)
    order = tuple(reversed(range(x.ndim))) if axes is None else axes_of(call, axes, x.ndim)
    if sorted(order) != list(range(x.ndim)):
        raise StructInfoError(f"permute_dims: {axes} is no permutation of {x.ndim} axes",
                              span=call.span)
    return x if x.dims is None else x.replace(shape=tuple(x.dims[a] for a in order))


def _permute(x, axes=None):
    order = tuple(reversed(range(x.ndim))) if axes is None else tuple(a % x.ndim for a in axes)

    def rule(*i):
        source = [None] * x.ndim
        for k, a in enumerate(order):
            source[a] = i[k]
        return x[tuple(source)]

    return te.compute(tuple(x.shape[a] for a in order), rule, name="T_transpose")


declare("permute_dims", [arg("x"), attr("axes", None)], _infer_permute, te=_permute,
        numpy=lambda x, axes=None: np.ascontiguousarray(np.transpose(x, axes)),
        pattern="injective", doc="The axes in another order; None reverses them.")


def _infer_expand(call: Call) -> StructInfo:
    x, axis = tensor_of(call, 0), call.op.attr(call, "axis")
    axes = (axis,) if isinstance(axis, int) else axis
    if x.ndim < 0:
        return x
    places = axes_of(call, axes, x.ndim + len(axes))
    ndim = x.ndim + len(axes)
    if x.dims is None:
        return x.replace(ndim=ndim)
    rest = iter(x.dims)
    dims = tuple(literal(1, "int64") if k in places else next(rest) for k in range(ndim))
    return TensorStructInfo(dims, x.dtype, ndim)


def _expand(x, axis):
    axes = (axis,) if isinstance(axis, int) else axis
    ndim = x.ndim + len(axes)
    places = {a % ndim for a in axes}
    rest = iter(x.shape)
    dims = [literal(1, "int64") if k in places else next(rest) for k in range(ndim)]
    return te.compute(dims, lambda *i: x[tuple(v for k, v in enumerate(i) if k not in places)],
                      name="T_expand_dims")


declare("expand_dims", [arg("x"), attr("axis")], _infer_expand, te=_expand,
        numpy=lambda x, axis: np.expand_dims(x, axis), pattern="injective",
        doc="New axes of size 1.")


def _squeezed(dims, axis, ndim: int):
    if axis is None:
        return tuple(k for k, d in enumerate(dims) if as_int(d) == 1)
    return tuple(a % ndim for a in ((axis,) if isinstance(axis, int) else axis))


def _infer_squeeze(call: Call) -> StructInfo:
    x, axis = tensor_of(call, 0), call.op.attr(call, "axis")
    if x.dims is None:
        return TensorStructInfo(None, x.dtype, -1)
    if axis is not None:
        for a in axes_of(call, axis, x.ndim):
            if as_int(x.dims[a]) not in (1, None):
                raise StructInfoError(f"squeeze: axis {a} of {show(x.dims)} has size "
                                      f"{as_int(x.dims[a])}, not 1", span=call.span)
    gone = _squeezed(x.dims, axis, x.ndim)
    dims = tuple(d for k, d in enumerate(x.dims) if k not in gone)
    return TensorStructInfo(dims, x.dtype, len(dims))


def _squeeze(x, axis=None):
    gone = _squeezed(x.shape, axis, x.ndim)
    dims = tuple(d for k, d in enumerate(x.shape) if k not in gone)

    def rule(*i):
        rest = iter(i)
        return x[tuple(literal(0, "int64") if k in gone else next(rest) for k in range(x.ndim))]

    return te.compute(dims, rule, name="T_squeeze")


declare("squeeze", [arg("x"), attr("axis", None)], _infer_squeeze, te=_squeeze,
        numpy=lambda x, axis=None: np.squeeze(x, axis), pattern="injective",
        doc="Without axes of size 1 (the given ones, or all).")


def _infer_flip(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    if x.ndim >= 0:
        axis_of(call, call.op.attr(call, "axis"), x.ndim)
    return x


def _flip(x, axis):
    a = axis % x.ndim
    return te.compute(x.shape, lambda *i: x[(*i[:a], x.shape[a] - 1 - i[a], *i[a + 1:])],
                      name="T_reverse_sequence")


declare("flip", [arg("data"), attr("axis")], _infer_flip, te=_flip,
        numpy=lambda x, axis: np.ascontiguousarray(np.flip(x, axis)), pattern="injective",
        doc="Reversed along an axis.")


# --- another layout -------------------------------------------------------------------------

def _infer_layout_transform(call: Call) -> StructInfo:
    """The shape is what the user declares: an index map may pad."""
    return TensorStructInfo(None, tensor_of(call, 0).dtype, -1)


declare("layout_transform", [arg("x"), attr("index_map"), attr("pad_value", None),
                             attr("axis_separators", ()), attr("input_axis_separators", ())],
        _infer_layout_transform,
        doc="Each element at the place that an index map takes its place to; what is not reached "
            "gets pad_value.")
