"""Layer, RMS, group and batch normalisation."""

from __future__ import annotations

import numpy as np

from ..ir import prim, te
from ..ir.errors import StructInfoError
from ..ir.prim import cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo, TupleStructInfo
from .broadcasting import equal_sizes
from .declare import arg, attr, axes_of, axis_of, declare, show, tensor_of
from .reduce import point, reduced


def _infer_norm(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    if x.dims is None:
        return x
    axes = axes_of(call, call.op.attr(call, "axes"), x.ndim)
    want = tuple(x.dims[a] for a in axes)
    for k in range(1, len(call.args)):
        have = tensor_of(call, k).dims
        if have is not None and (len(have) != len(want) or any(
                equal_sizes(a, b) is False for a, b in zip(have, want))):
            raise StructInfoError(f"{call.op.short}: the weight has shape {show(have)}, the "
                                  f"normalised axes have {show(want)}", span=call.span)
    return x


def _sums(x, axes, rules, name: str):
    """Reductions of several functions of x over `axes`, in one pass."""
    outs = []
    for k, rule in enumerate(rules):
        rs = [te.reduce_axis((0, x.shape[a]), name=f"k{a}") for a in axes]
        outs.append(te.compute(
            reduced(x.shape, axes, False),
            lambda *i, rs=rs, rule=rule: te.sum(rule(x[point(i, axes, rs, x.ndim, False)]),
                                                axis=rs), name=f"{name}_{k}" if k else name))
    return outs


def _count(x, axes):
    n = literal(1, "int64")
    for a in axes:
        n = n * x.shape[a]
    return cast(n, x.dtype)


def _axes(axes, ndim: int) -> tuple[int, ...]:
    return tuple(sorted(a % ndim for a in ((axes,) if isinstance(axes, int) else axes)))


def _rsqrt(v):
    return literal(1, v.dtype) / prim.Call(v.dtype, "sqrt", (v,))


def _layer_norm(x, gamma, beta, axes=(-1,), epsilon=1e-5, center=True, scale=True):
    axes = _axes(axes, x.ndim)
    n = _count(x, axes)
    total, = _sums(x, axes, [lambda v: v], "T_layer_norm_sum")
    mean = te.compute(total.shape, lambda *i: total[i] / n, name="T_layer_norm_mean")
    rs = [te.reduce_axis((0, x.shape[a]), name=f"k{a}") for a in axes]

    def off(*i):
        v = x[point(i, axes, rs, x.ndim, False)] - mean[i]
        return te.sum(v * v, axis=rs)

    squares = te.compute(total.shape, off, name="T_layer_norm_var")

    def rule(*i):
        rest = tuple(v for k, v in enumerate(i) if k not in axes)
        own = tuple(i[a] for a in axes)
        value = (x[i] - mean[rest]) * _rsqrt(squares[rest] / n + literal(epsilon, x.dtype))
        value = value * gamma[own] if scale else value
        return value + beta[own] if center else value

    return te.compute(x.shape, rule, name="T_layer_norm")


def _np_layer_norm(x, gamma, beta, axes=(-1,), epsilon=1e-5, center=True, scale=True):
    axes = _axes(axes, x.ndim)
    z = x.astype("float64")
    z = (z - z.mean(axes, keepdims=True)) / np.sqrt(z.var(axes, keepdims=True) + epsilon)
    z = z * gamma if scale else z
    return (z + beta if center else z).astype(x.dtype)


declare("nn.layer_norm", [arg("data"), arg("gamma"), arg("beta"), attr("axes", (-1,)),
                          attr("epsilon", 1e-5), attr("center", True), attr("scale", True)],
        _infer_norm, te=_layer_norm, numpy=_np_layer_norm, pattern="opaque",
        doc="(x - mean) / sqrt(variance + epsilon) * gamma + beta over the axes.")


def _rms_norm(x, weight, axes=(-1,), epsilon=1e-5):
    axes = _axes(axes, x.ndim)
    n = _count(x, axes)
    squares, = _sums(x, axes, [lambda v: v * v], "T_rms_norm_sum")

    def rule(*i):
        rest = tuple(v for k, v in enumerate(i) if k not in axes)
        own = tuple(i[a] for a in axes)
        return x[i] * weight[own] * _rsqrt(squares[rest] / n + literal(epsilon, x.dtype))

    return te.compute(x.shape, rule, name="T_rms_norm")


def _np_rms_norm(x, weight, axes=(-1,), epsilon=1e-5):
    z = x.astype("float64")
    scale = np.sqrt((z * z).mean(_axes(axes, x.ndim), keepdims=True) + epsilon)
    return (z / scale * weight).astype(x.dtype)


declare("nn.rms_norm", [arg("data"), arg("weight"), attr("axes", (-1,)), attr("epsilon", 1e-5)],
        _infer_norm, te=_rms_norm, numpy=_np_rms_norm, pattern="opaque",
        doc="x / sqrt(mean(x * x) + epsilon) * weight over the axes.")


def _infer_batch_norm(call: Call) -> StructInfo:
    x, mean = tensor_of(call, 0), tensor_of(call, 3)
    if x.ndim >= 0:
        axis_of(call, call.op.attr(call, "axis"), x.ndim)
    state = TensorStructInfo(mean.shape, mean.dtype, 1)
    return TupleStructInfo((x, state, state))


def _batch_norm(x, gamma, beta, moving_mean, moving_var, axis=1, epsilon=1e-5, center=True,
                scale=True, momentum=0.1, training=False):
    axis %= x.ndim

    def rule(*i):
        c = i[axis]
        value = (x[i] - moving_mean[c]) * _rsqrt(moving_var[c] + literal(epsilon, x.dtype))
        value = value * gamma[c] if scale else value
        return value + beta[c] if center else value

    out = te.compute(x.shape, rule, name="T_batch_norm")
    return (out, te.compute(moving_mean.shape, lambda i: moving_mean[i], name="T_mean"),
            te.compute(moving_var.shape, lambda i: moving_var[i], name="T_var"))


def _np_batch_norm(x, gamma, beta, moving_mean, moving_var, axis=1, epsilon=1e-5, center=True,
                   scale=True, momentum=0.1, training=False):
    shape = [1] * x.ndim
    shape[axis] = -1
    m, v, g, b = (a.astype("float64").reshape(shape) for a in (moving_mean, moving_var, gamma,
                                                               beta))
    z = (x - m) / np.sqrt(v + epsilon)
    z = z * g if scale else z
    return (z + b if center else z).astype(x.dtype), moving_mean.copy(), moving_var.copy()


declare("nn.batch_norm", [arg("data"), arg("gamma"), arg("beta"), arg("moving_mean"),
                          arg("moving_var"), attr("axis", 1), attr("epsilon", 1e-5),
                          attr("center", True), attr("scale", True), attr("momentum", 0.1),
                          attr("training", False)],
        _infer_batch_norm, te=_batch_norm, numpy=_np_batch_norm, pattern="opaque",
        doc="Batch normalisation with given mean and variance; gives the output and both.")
