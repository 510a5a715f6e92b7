"""Elementwise operators of neural networks, and those along one axis (softmax)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..ir import prim, te
from ..ir.prim import literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TupleStructInfo
from .declare import arg, attr, axis_of, declare, same, tensor_of
from .unary import erf


def _const(value: float, like) -> prim.PrimExpr:
    return literal(value, like.dtype)


def _exp(x):
    return prim.Call(x.dtype, "exp", (x,))


def _sigmoid(x):
    one = _const(1, x)
    return one / (one + _exp(_const(0, x) - x))


def _gelu(x):
    half = _const(0.5, x)
    inner = prim.Call(x.dtype, "erf", (x * _const(math.sqrt(0.5), x),))
    return x * (half + inner * half)


def _gelu_tanh(x):
    cubed = x * x * x
    inner = _const(math.sqrt(2 / math.pi), x) * (x + _const(0.044715, x) * cubed)
    return _const(0.5, x) * x * (_const(1, x) + prim.Call(x.dtype, "tanh", (inner,)))


def _np_gelu_tanh(x):
    return (0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
            ).astype(x.dtype)


ROWS = [
    ("relu", lambda x: prim.maximum(x, _const(0, x)), lambda x: np.maximum(x, x.dtype.type(0)),
     "max(x, 0)"),
    ("relu6", lambda x: prim.minimum(prim.maximum(x, _const(0, x)), _const(6, x)),
     lambda x: np.clip(x, 0, 6).astype(x.dtype), "x between 0 and 6"),
    ("silu", lambda x: x * _sigmoid(x), lambda x: (x / (1 + np.exp(-x))).astype(x.dtype),
     "x * sigmoid(x)"),
    ("gelu", _gelu, lambda x: (0.5 * x * (1 + erf(x / math.sqrt(2)))).astype(x.dtype),
     "x times the normal distribution's cumulative probability of x"),
    ("gelu_tanh", _gelu_tanh, _np_gelu_tanh, "gelu by its tanh approximation"),
    ("softplus", lambda x: prim.Call(x.dtype, "log", (_const(1, x) + _exp(x),)),
     lambda x: np.log1p(np.exp(x)).astype(x.dtype), "log(1 + exp(x))"),
]

for _name, _rule, _numpy, _doc in ROWS:
    _of = "number" if _name.startswith("relu") else "float"
    declare(f"nn.{_name}", [arg("data", of=_of)], same, pattern="elementwise", numpy=_numpy,
            te=lambda x, r=_rule, n=_name: te.compute(x.shape, lambda *i: r(x[i]), name=n
                                                      if n.startswith("relu") else f"T_{n}"),
            doc=f"Element by element: {_doc}.")


def _leaky(x, alpha=0.01):
    return te.compute(x.shape, lambda *i: prim.Select(
        _const(0, x) < x[i], x[i], x[i] * _const(alpha, x)), name="T_leaky_relu")


declare("nn.leakyrelu", [arg("data", of="float"), attr("alpha", 0.01)], same, te=_leaky,
        numpy=lambda x, alpha=0.01: np.where(x > 0, x, x * x.dtype.type(alpha)),
        pattern="elementwise", doc="x where positive, alpha * x elsewhere.")


# --- along an axis --------------------------------------------------------------------------

def _infer_axis(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    if x.ndim >= 0:
        axis_of(call, call.op.attr(call, "axis"), x.ndim)
    return x


def _along(x, axis: int):
    """The reduced shape, and `row(combine, f)`: a reduction of f(x) along the axis."""
    axis %= x.ndim
    rest = x.shape[:axis] + x.shape[axis + 1:]

    def row(combine: Callable, f: Callable, name: str):
        k = te.reduce_axis((0, x.shape[axis]), name="k")
        return te.compute(rest, lambda *i: combine(
            f((*i[:axis], k.var, *i[axis:])), axis=k), name=name)

    return row, lambda i: (*i[:axis], *i[axis + 1:])


def _softmax(x, axis=-1):
    row, drop = _along(x, axis)
    top = row(te.max, lambda i: x[i], "T_softmax_maxelem")
    e = te.compute(x.shape, lambda *i: _exp(x[i] - top[drop(i)]), name="T_softmax_exp")
    total = row(te.sum, lambda i: e[i], "T_softmax_expsum")
    return te.compute(x.shape, lambda *i: e[i] / total[drop(i)], name="T_softmax_norm")


def _log_softmax(x, axis=-1):
    row, drop = _along(x, axis)
    top = row(te.max, lambda i: x[i], "T_softmax_maxelem")
    total = row(te.sum, lambda i: _exp(x[i] - top[drop(i)]), "compute")
    return te.compute(x.shape, lambda *i: x[i] - top[drop(i)] - prim.Call(
        x.dtype, "log", (total[drop(i)],)), name="compute_1")


def _np_softmax(x, axis=-1):
    e = np.exp((x - x.max(axis, keepdims=True)).astype("float64"))
    return (e / e.sum(axis, keepdims=True)).astype(x.dtype)


def _np_log_softmax(x, axis=-1):
    z = (x - x.max(axis, keepdims=True)).astype("float64")
    return (z - np.log(np.exp(z).sum(axis, keepdims=True))).astype(x.dtype)


declare("nn.softmax", [arg("data", of="float"), attr("axis", -1)], _infer_axis, te=_softmax,
        numpy=_np_softmax, pattern="opaque",
        doc="exp(x) over its sum along the axis, computed from x - max(x).")
declare("nn.log_softmax", [arg("data", of="float"), attr("axis", -1)], _infer_axis, te=_log_softmax,
        numpy=_np_log_softmax, pattern="opaque", doc="The logarithm of softmax.")

declare("nn.dropout", [arg("data"), attr("rate", 0.5)],
        lambda call: _tuple_of_two(tensor_of(call, 0)),
        numpy=lambda x, rate=0.5: (x, np.ones_like(x)),
        te=lambda x, rate=0.5: (te.compute(x.shape, lambda *i: x[i], name="T_identity"),
                                te.compute(x.shape, lambda *i: literal(1, x.dtype),
                                           name="T_ones")),
        pattern="opaque", doc="Outside of training: the input, and a mask of ones.")


def _tuple_of_two(info: StructInfo) -> StructInfo:
    return TupleStructInfo((info, info))
