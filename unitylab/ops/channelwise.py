"""Operators of neural networks with parameters for each channel."""

from __future__ import annotations

import numpy as np

from ..ir import prim, te
from ..ir.errors import StructInfoError
from ..ir.prim import as_int, cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo
from .broadcasting import equal_sizes
from .declare import arg, attr, axes_of, axis_of, declare, show, tensor_of


def _infer_channels(call: Call, axis_name: str) -> StructInfo:
    """Like the data; every further argument has as many elements as the data has channels."""
    x = tensor_of(call, 0)
    if x.ndim < 0:
        return x
    axis = axis_of(call, call.op.attr(call, axis_name), x.ndim)
    for k in range(1, len(call.args)):
        p = tensor_of(call, k)
        if x.dims is not None and p.dims is not None and (
                len(p.dims) != 1 or equal_sizes(p.dims[0], x.dims[axis]) is False
                and as_int(p.dims[0]) != 1):
            raise StructInfoError(f"{call.op.short}: the data {show(x.dims)} has "
                                  f"{show((x.dims[axis],))} channels on axis {axis}, "
                                  f"{call.op.params[k].name} has {show(p.dims)}", span=call.span)
    return x


# --- prelu ----------------------------------------------------------------------------------

def _prelu(x, alpha, axis=1):
    a, zero = axis % x.ndim, literal(0, x.dtype)
    one_slope = as_int(alpha.shape[0]) == 1
    slope = te.compute((x.shape[a],), lambda c: alpha[literal(0, "int64") if one_slope else c],
                       name="slope_broadcasted")
    return te.compute(x.shape, lambda *i: prim.Select(zero < x[i], x[i], x[i] * slope[i[a]]),
                      name="compute")


def _channel(p: np.ndarray, ndim: int, axis: int) -> np.ndarray:
    return p.reshape([-1 if k == axis % ndim else 1 for k in range(ndim)])


declare("nn.prelu", [arg("data"), arg("alpha"), attr("axis", 1)],
        lambda call: _infer_channels(call, "axis"), te=_prelu, pattern="broadcast",
        numpy=lambda x, alpha, axis=1: np.where(x > 0, x, x * _channel(alpha, x.ndim, axis)),
        doc="x where positive, elsewhere x times the slope of its channel.")


# --- group and instance norm ----------------------------------------------------------------

def _infer_group(call: Call) -> StructInfo:
    x = _infer_channels(call, "channel_axis")
    if x.ndim >= 0:
        axes_of(call, call.op.attr(call, "axes"), x.ndim)
    if x.dims is not None:
        axis = axis_of(call, call.op.attr(call, "channel_axis"), x.ndim)
        channels, groups = as_int(x.dims[axis]), call.op.attr(call, "num_groups")
        if channels is not None and channels % groups:
            raise StructInfoError(f"nn.group_norm: {channels} channels of data {show(x.dims)} do "
                                  f"not make {groups} groups", span=call.span)
    return x


def _group_norm(x, gamma, beta, num_groups, channel_axis, axes, epsilon=1e-5, center=True,
                scale=True):
    c = channel_axis % x.ndim
    axes = sorted(a % x.ndim for a in ((axes,) if isinstance(axes, int) else axes))
    size = x.shape[c] // num_groups
    rest = [k for k in range(x.ndim) if k != c and k not in axes]
    f32 = "float32" if x.dtype.bits < 32 else x.dtype

    def sums(power: int, name: str):
        rc = te.reduce_axis((0, size), name=f"k{c}")
        rs = {a: te.reduce_axis((0, x.shape[a]), name=f"k{a}") for a in axes}

        def rule(g, *o):
            where = dict(zip(rest, o)) | {a: r.var for a, r in rs.items()} | {c: g * size + rc.var}
            value = cast(x[tuple(where[k] for k in range(x.ndim))], f32)
            return te.sum(value * value if power == 2 else value, axis=[rc, *rs.values()])

        return te.compute((literal(num_groups, "int64"), *[x.shape[k] for k in rest]), rule,
                          name=name)

    total, squares = sums(1, "T_group_norm_sum"), sums(2, "T_group_norm_squares")
    count = size
    for a in axes:
        count = count * x.shape[a]
    n = cast(count, f32)

    def rule(*i):
        at = (i[c] // size, *[i[k] for k in rest])
        mean = total[at] / n
        variance = squares[at] / n - mean * mean
        y = (cast(x[i], f32) - mean) * prim.call_intrin(
            f32, "rsqrt", variance + literal(epsilon, f32))
        y = y * cast(gamma[i[c]], f32) if scale else y
        return cast(y + cast(beta[i[c]], f32) if center else y, x.dtype)

    return te.compute(x.shape, rule, name="T_group_norm")


def _np_group_norm(x, gamma, beta, num_groups, channel_axis, axes, epsilon=1e-5, center=True,
                   scale=True):
    c = channel_axis % x.ndim
    axes = [a % x.ndim for a in ((axes,) if isinstance(axes, int) else axes)]
    split = (*x.shape[:c], num_groups, x.shape[c] // num_groups, *x.shape[c + 1:])
    over = (c + 1, *(a + (a > c) for a in axes))
    y = x.astype("float64").reshape(split)
    y = (y - y.mean(over, keepdims=True)) / np.sqrt(y.var(over, keepdims=True) + epsilon)
    y = y.reshape(x.shape)
    y = y * _channel(gamma, x.ndim, c) if scale else y
    return (y + _channel(beta, x.ndim, c) if center else y).astype(x.dtype)


declare("nn.group_norm",
        [arg("data", of="float"), arg("gamma"), arg("beta"), attr("num_groups"),
         attr("channel_axis"),
         attr("axes"), attr("epsilon", 1e-5), attr("center", True), attr("scale", True)],
        _infer_group, te=_group_norm, numpy=_np_group_norm, pattern="opaque",
        doc="Each group of channels with mean 0 and variance 1 over its channels and `axes`, "
            "then gamma * x + beta for each channel.")


def _instance_norm(x, gamma, beta, channel_axis, axes, epsilon=1e-5, center=True, scale=True):
    return _group_norm(x, gamma, beta, as_int(x.shape[channel_axis]), channel_axis, axes, epsilon,
                       center, scale)


def _np_instance_norm(x, gamma, beta, channel_axis, axes, epsilon=1e-5, center=True, scale=True):
    return _np_group_norm(x, gamma, beta, x.shape[channel_axis], channel_axis, axes, epsilon,
                          center, scale)


declare("nn.instance_norm",
        [arg("data", of="float"), arg("gamma"), arg("beta"), attr("channel_axis"), attr("axes"),
         attr("epsilon", 1e-5), attr("center", True), attr("scale", True)],
        lambda call: _infer_channels(call, "channel_axis"), te=_instance_norm,
        numpy=_np_instance_norm, pattern="opaque", doc="nn.group_norm with one channel a group.")
