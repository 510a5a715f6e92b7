"""Batch normalisation."""

from __future__ import annotations

import numpy as np

from ..ir import prim, te
from ..ir.errors import StructInfoError
from ..ir.prim import cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo, TupleStructInfo
from .broadcasting import equal_sizes
from .declare import arg, attr, axis_of, declare, show, tensor_of
from .normalization import count, sum_of, wide


def _infer(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    states = [tensor_of(call, k) for k in range(1, 5)]
    if x.ndim >= 0:
        axis = axis_of(call, call.op.attr(call, "axis"), x.ndim)
        for p, s in zip(call.op.params[1:], states):
            if x.dims is not None and s.dims is not None and (
                    s.ndim != 1 or equal_sizes(s.dims[0], x.dims[axis]) is False):
                raise StructInfoError(f"nn.batch_norm: {p.name} has shape {show(s.dims)}, the data "
                                      f"{show(x.dims)} has {show((x.dims[axis],))} channels",
                                      span=call.span)
    return TupleStructInfo((x, *(TensorStructInfo(s.shape, s.dtype, 1) for s in states[2:])))


def _te(x, gamma, beta, moving_mean, moving_var, axis=1, epsilon=1e-5, center=True, scale=True,
        momentum=0.1, training=True):
    axis, to = axis % x.ndim, wide(x.dtype)
    mean, variance = moving_mean, moving_var
    if training:
        mean, variance = _statistics(x, [k for k in range(x.ndim) if k != axis])

    def rule(*i):
        c = i[axis]
        deviation = prim.call_intrin(to, "sqrt", cast(variance[c], to) + literal(epsilon, to))
        value = (cast(x[i], to) - cast(mean[c], to)) / deviation
        value = value * cast(gamma[c], to) if scale else value
        return cast(value + cast(beta[c], to) if center else value, x.dtype)

    def moved(old, new, name: str):
        def state(c):
            if not training:
                return old[c]
            fresh = literal(momentum, to) * new[c]
            return cast(literal(1 - momentum, to) * cast(old[c], to) + fresh, old.dtype)
        return te.compute(old.shape, state, name=name)

    return (te.compute(x.shape, rule, name="T_batch_norm"),
            moved(moving_mean, mean, "T_moving_mean"), moved(moving_var, variance, "T_moving_var"))


def _statistics(x, axes):
    """Mean and variance (divided by the count) of each channel."""
    n = count(x, axes)
    total = sum_of(x, axes, lambda v, i: v, "T_batch_norm_sum")
    mean = te.compute(total.shape, lambda *i: total[i] / n, name="T_batch_norm_mean")
    squares = sum_of(x, axes, lambda v, i: (v - mean[i]) * (v - mean[i]), "T_batch_norm_squares")
    return mean, te.compute(total.shape, lambda *i: squares[i] / n, name="T_batch_norm_var")


def _numpy(x, gamma, beta, moving_mean, moving_var, axis=1, epsilon=1e-5, center=True, scale=True,
           momentum=0.1, training=True):
    shape = [-1 if k == axis % x.ndim else 1 for k in range(x.ndim)]
    over = tuple(k for k in range(x.ndim) if k != axis % x.ndim)
    wide_x, mean, variance = x.astype("float64"), moving_mean, moving_var
    if training:
        mean, variance = wide_x.mean(over), wide_x.var(over)
    out = (wide_x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + epsilon)
    out = out * gamma.reshape(shape) if scale else out
    out = out + beta.reshape(shape) if center else out
    part = momentum if training else 0
    return (out.astype(x.dtype), *((old * (1 - part) + new * part).astype(old.dtype)
                                   for old, new in ((moving_mean, mean), (moving_var, variance))))


declare("nn.batch_norm",
        [arg("data", of="float"), arg("gamma"), arg("beta"), arg("moving_mean"), arg("moving_var"),
         attr("axis"), attr("epsilon", 1e-5), attr("center", True), attr("scale", True),
         attr("momentum", 0.1), attr("training", True)],
        _infer, te=_te, numpy=_numpy, pattern="opaque",
        doc="gamma * (x - mean) / sqrt(variance + epsilon) + beta for each channel, and the new "
            "moving mean and variance: in training the statistics are those of the data and the "
            "moving ones go toward them by momentum, else the moving ones are used and stay.")
