"""Scaled dot-product attention."""

from __future__ import annotations

import math

import numpy as np

from ..ir import prim, te
from ..ir.errors import StructInfoError
from ..ir.prim import as_int, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from .activation import _softmax as softmax
from .broadcasting import equal_sizes
from .declare import arg, attr, declare, known, show, tensor_of


def _infer(call: Call) -> StructInfo:
    q, k, v = (tensor_of(call, i) for i in range(3))
    if not known(q, k, v):
        return TensorStructInfo(None, q.dtype, 4)
    if any(t.ndim != 4 for t in (q, k, v)):
        raise StructInfoError("attention: query, key and value have 4 dimensions "
                              "(batch, length, heads, size)", span=call.span)
    if equal_sizes(q.dims[3], k.dims[3]) is False or equal_sizes(k.dims[1], v.dims[1]) is False:
        raise StructInfoError(f"attention: {show(q.dims)}, {show(k.dims)} and {show(v.dims)} do "
                              "not fit together", span=call.span)
    mask, window = call.op.attr(call, "causal_mask"), call.op.attr(call, "window_size")
    if mask not in (None, "TopLeft", "BottomRight"):
        raise StructInfoError(f"attention: causal_mask is TopLeft or BottomRight, not {mask!r}",
                              span=call.span)
    if window and mask is None:
        raise StructInfoError("attention: window_size needs a causal_mask", span=call.span)
    return TensorStructInfo((*q.dims[:3], v.dims[3]), q.dtype, 4)


def _scale(scale, size) -> float:
    return scale if scale is not None else 1 / math.sqrt(as_int(size))


def _attention(q, k, v, bias=None, scale=None, causal_mask=None, window_size=None):
    b, s, h, d = q.shape
    t = k.shape[1]
    factor = literal(_scale(scale, d), q.dtype)
    r = te.reduce_axis((0, d), name="k")
    scores = te.compute((b, h, s, t), lambda b, h, i, j: te.sum(
        q[b, i, h, r.var] * k[b, j, h, r.var], axis=r), name="T_attention_scores")

    def scaled(b, h, i, j):
        value = scores[b, h, i, j] * factor
        if bias is not None:
            own = (b, h, i, j)[4 - bias.ndim:]
            value = value + bias[tuple(literal(0, "int64") if as_int(n) == 1 else p
                                       for n, p in zip(bias.shape, own))]
        if causal_mask is not None:
            last = i + (t - s) if causal_mask == "BottomRight" else i
            seen = j <= last
            if window_size:
                seen = prim.logical_and(seen, last - window_size < j)
            value = prim.Select(seen, value, te.min_value(q.dtype))
        return value

    weights = softmax(te.compute(scores.shape, scaled, name="T_attention_scaled"))
    r2 = te.reduce_axis((0, t), name="k")
    return te.compute((b, s, h, v.shape[3]), lambda b, i, h, e: te.sum(
        weights[b, h, i, r2.var] * v[b, r2.var, h, e], axis=r2), name="T_attention")


def _np_attention(q, k, v, bias=None, scale=None, causal_mask=None, window_size=None):
    scores = np.einsum("bihd,bjhd->bhij", q.astype("float64"), k.astype("float64"))
    scores *= _scale(scale, literal(q.shape[-1]))
    if bias is not None:
        scores = scores + bias
    if causal_mask is not None:
        s, t = scores.shape[-2:]
        shift = t - s if causal_mask == "BottomRight" else 0
        behind = np.arange(s)[:, None] + shift - np.arange(t)
        seen = (behind >= 0) & (behind < (window_size or t + s))
        scores = np.where(seen, scores, np.finfo(q.dtype).min)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    weights = e / e.sum(-1, keepdims=True)
    return np.einsum("bhij,bjhe->bihe", weights, v.astype("float64")).astype(q.dtype)


_PARAMS = [*(arg(name, of="float") for name in ("query", "key", "value")),
           arg("bias", default=None), attr("scale", None), attr("causal_mask", None),
           attr("window_size", None)]
declare("nn.attention", _PARAMS, _infer, te=_attention, numpy=_np_attention, pattern="opaque",
        doc="softmax(query @ key.T * scale + bias) @ value; (batch, length, heads, size); "
            "causal_mask TopLeft or BottomRight.")
declare("nn.attention_bias", _PARAMS, _infer, te=_attention, numpy=_np_attention,
        pattern="opaque", doc="nn.attention with a bias.")
