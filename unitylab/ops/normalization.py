"""Layer and RMS normalisation. Numbers of fewer than 32 bits are summed in float32."""

from __future__ import annotations

import numpy as np

from ..ir import prim, te
from ..ir.dtypes import FLOAT32
from ..ir.errors import StructInfoError
from ..ir.prim import cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo
from .broadcasting import equal_sizes
from .declare import arg, attr, axes_of, declare, show, tensor_of
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


def wide(kind):
    """The dtype that values of a dtype are summed in."""
    return FLOAT32 if kind.bits < 32 else kind


def sum_of(x, axes, rule, name: str):
    """The sums over `axes` of `rule(element, index of the result)`."""
    rs = [te.reduce_axis((0, x.shape[a]), name=f"k{a}") for a in axes]

    def body(*i):
        value = cast(x[point(i, axes, rs, x.ndim, False)], wide(x.dtype))
        return te.sum(rule(value, i), axis=rs)

    return te.compute(reduced(x.shape, axes, False), body, name=name)


def count(x, axes):
    """How many elements are summed, as a number of the dtype of the sums."""
    n = literal(1, "int64")
    for a in axes:
        n = n * x.shape[a]
    return cast(n, wide(x.dtype))


def _axes(axes, ndim: int) -> tuple[int, ...]:
    return tuple(sorted(a % ndim for a in ((axes,) if isinstance(axes, int) else axes)))


def _rsqrt(v):
    return prim.call_intrin(v.dtype, "rsqrt", v)


def _layer_norm(x, gamma, beta, axes=(-1,), epsilon=1e-5, center=True, scale=True):
    axes, to = _axes(axes, x.ndim), wide(x.dtype)
    n = count(x, axes)
    total = sum_of(x, axes, lambda v, i: v, "T_layer_norm_sum")
    mean = te.compute(total.shape, lambda *i: total[i] / n, name="T_layer_norm_mean")
    squares = sum_of(x, axes, lambda v, i: (v - mean[i]) * (v - mean[i]), "T_layer_norm_var")

    def rule(*i):
        rest = tuple(v for k, v in enumerate(i) if k not in axes)
        own = tuple(i[a] for a in axes)
        value = (cast(x[i], to) - mean[rest]) * _rsqrt(squares[rest] / n + literal(epsilon, to))
        value = value * cast(gamma[own], to) if scale else value
        return cast(value + cast(beta[own], to) if center else value, x.dtype)

    return te.compute(x.shape, rule, name="T_layer_norm")


def _np_layer_norm(x, gamma, beta, axes=(-1,), epsilon=1e-5, center=True, scale=True):
    axes = _axes(axes, x.ndim)
    z = x.astype("float64")
    z = (z - z.mean(axes, keepdims=True)) / np.sqrt(z.var(axes, keepdims=True) + epsilon)
    z = z * gamma if scale else z
    return (z + beta if center else z).astype(x.dtype)


declare("nn.layer_norm", [arg("data", of="float"), arg("gamma"), arg("beta"), attr("axes", (-1,)),
                          attr("epsilon", 1e-5), attr("center", True), attr("scale", True)],
        _infer_norm, te=_layer_norm, numpy=_np_layer_norm, pattern="opaque",
        doc="(x - mean) / sqrt(variance + epsilon) * gamma + beta over the axes.")


def _rms_norm(x, weight, axes=(-1,), epsilon=1e-5):
    axes, to = _axes(axes, x.ndim), wide(x.dtype)
    n = count(x, axes)
    squares = sum_of(x, axes, lambda v, i: v * v, "T_rms_norm_sum")

    def rule(*i):
        rest = tuple(v for k, v in enumerate(i) if k not in axes)
        own = tuple(i[a] for a in axes)
        value = cast(x[i], to) * _rsqrt(squares[rest] / n + literal(epsilon, to))
        return cast(value * cast(weight[own], to), x.dtype)

    return te.compute(x.shape, rule, name="T_rms_norm")


def _np_rms_norm(x, weight, axes=(-1,), epsilon=1e-5):
    z = x.astype("float64")
    scale = np.sqrt((z * z).mean(_axes(axes, x.ndim), keepdims=True) + epsilon)
    return (z / scale * weight).astype(x.dtype)


declare("nn.rms_norm", [arg("data", of="float"), arg("weight"), attr("axes", (-1,)),
                       attr("epsilon", 1e-5)],
        _infer_norm, te=_rms_norm, numpy=_np_rms_norm, pattern="opaque",
        doc="x / sqrt(mean(x * x) + epsilon) * weight over the axes.")
