"""Reductions over axes: one row each."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..ir import prim, te
from ..ir.dtypes import INT64, dtype
from ..ir.errors import StructInfoError
from ..ir.prim import cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from .declare import arg, attr, axes_of, axis_of, declare, tensor_of


def _infer(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    axis, keepdims = call.op.attr(call, "axis"), call.op.attr(call, "keepdims")
    if x.ndim < 0:
        return TensorStructInfo(None, x.dtype, 0 if axis is None and not keepdims else -1)
    axes = axes_of(call, axis, x.ndim)
    ndim = x.ndim if keepdims else x.ndim - len(axes)
    if x.dims is None:
        return TensorStructInfo(None, x.dtype, ndim)
    return TensorStructInfo(reduced(x.dims, axes, keepdims), x.dtype, ndim)


def reduced(dims, axes, keepdims: bool):
    """A shape without some axes (or with size 1 there)."""
    one = literal(1, "int64")
    if keepdims:
        return tuple(one if k in axes else d for k, d in enumerate(dims))
    return tuple(d for k, d in enumerate(dims) if k not in axes)


def reduction(combine: Callable, name: str) -> Callable:
    """The tensor computation of a reduction with `te`'s combiner."""
    def compute(x, axis=None, keepdims=False):
        axes = _axes(axis, x.ndim)
        rs = [te.reduce_axis((0, x.shape[a]), name=f"k{a}") for a in axes]

        def rule(*i):
            return combine(x[point(i, axes, rs, x.ndim, keepdims)], axis=rs)

        return te.compute(reduced(x.shape, axes, keepdims), rule, name=name)
    return compute


def _axes(axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    return tuple(sorted(a % ndim for a in ((axis,) if isinstance(axis, int) else axis)))


def point(i, axes, rs, ndim: int, keepdims: bool):
    """The index into the source: reduction variables at `axes`, the others from `i`."""
    rest = iter([v for k, v in enumerate(i) if k not in axes] if keepdims else i)
    by_axis = dict(zip(axes, rs))
    return tuple(by_axis[k].var if k in by_axis else next(rest) for k in range(ndim))


def _count(x, axes):
    n = literal(1, "int64")
    for a in axes:
        n = n * x.shape[a]
    return cast(n, x.dtype)


_SUM = reduction(te.sum, "T_sum")


def _mean(x, axis=None, keepdims=False):
    total = reduction(te.sum, "T_sum")(x, axis, keepdims)
    n = _count(x, _axes(axis, x.ndim))
    return te.compute(total.shape, lambda *i: total[i] / n, name="T_divide")


def _variance(x, axis=None, keepdims=False):
    axes = _axes(axis, x.ndim)
    mean = _mean(x, axis, True)

    def off(*i):
        m = tuple(literal(0, v.dtype) if k in axes else v for k, v in enumerate(i))
        return (x[i] - mean[m]) * (x[i] - mean[m])

    squared = te.compute(x.shape, off, name="T_multiply")
    return _mean(squared, axis, keepdims)


def _std(x, axis=None, keepdims=False):
    v = _variance(x, axis, keepdims)
    return te.compute(v.shape, lambda *i: prim.Call(v.dtype, "sqrt", (v[i],)), name="T_sqrt")


def _np(f: Callable) -> Callable:
    def reference(x, axis=None, keepdims=False):
        axis = tuple(axis) if isinstance(axis, tuple) else axis
        wide = x.astype("float64") if dtype(x.dtype).is_float else x
        return np.asarray(f(wide, axis=axis, keepdims=keepdims)).astype(x.dtype)
    return reference


for _name, _of, _te, _numpy, _doc in [
        ("sum", "number", _SUM, np.sum, "The sum"),
        ("prod", "", reduction(te.prod, "T_prod"), np.prod, "The product"),
        ("max", "", reduction(te.max, "T_max"), np.max, "The largest value"),
        ("min", "", reduction(te.min, "T_min"), np.min, "The smallest value"),
        ("mean", "float", _mean, np.mean, "The mean"),
        ("variance", "float", _variance, np.var, "The variance (divided by n)"),
        ("std", "float", _std, np.std, "The standard deviation")]:
    declare(_name, [arg("x", of=_of), attr("axis", None), attr("keepdims", False)], _infer, te=_te,
            numpy=_np(_numpy), pattern="reduction",
            doc=f"{_doc} over `axis` (an int, several, or None for all).")


def _infer_arg(call: Call) -> StructInfo:
    axis = call.op.attr(call, "axis")
    if axis is not None and not isinstance(axis, int):
        raise StructInfoError(f"{call.op.short}: axis is one int or None", span=call.span)
    return _infer(call).replace(dtype=INT64)


def _arg_reduction(better: Callable, identity: Callable, name: str) -> Callable:
    """argmax and argmin: pairs of index and value are reduced together; ties give the first."""
    def combine(x, y):
        first = prim.Or(better(x[1], y[1]), prim.And(prim.equal(x[1], y[1]), x[0] < y[0]))
        return prim.Select(first, x[0], y[0]), prim.Select(better(x[1], y[1]), x[1], y[1])

    def start(t0, t1):  # no element is worse: the index is always that of one
        limit = identity(t1)
        return literal(2**62, t0), literal(limit.value * math.inf, t1) if t1.is_float else limit
    reducer = te.comm_reducer(combine, start, name)

    def compute(x, axis=None, keepdims=False):
        axes = _axes(axis, x.ndim)
        rs = [te.reduce_axis((0, x.shape[a]), name=f"k{a}") for a in axes]

        def rule(*i):
            index = literal(0, "int64")
            for a, r in zip(axes, rs):
                index = index * x.shape[a] + r.var
            return reducer((index, x[point(i, axes, rs, x.ndim, keepdims)]), axis=rs)

        both = te.compute(reduced(x.shape, axes, keepdims), rule, name=f"{name}_temp")
        return te.compute(both[0].shape, lambda *i: both[0][i], name=name)
    return compute


def _np_arg(f: Callable) -> Callable:
    return lambda x, axis=None, keepdims=False: np.asarray(f(x, axis=axis, keepdims=keepdims))


declare("argmax", [arg("x"), attr("axis", None), attr("keepdims", False)], _infer_arg,
        te=_arg_reduction(lambda a, b: a > b, te.min_value, "T_argmax"), numpy=_np_arg(np.argmax),
        pattern="reduction", doc="The index (int64) of the largest value, the first of equals.")
declare("argmin", [arg("x"), attr("axis", None), attr("keepdims", False)], _infer_arg,
        te=_arg_reduction(lambda a, b: a < b, te.max_value, "T_argmin"), numpy=_np_arg(np.argmin),
        pattern="reduction", doc="The index (int64) of the smallest value, the first of equals.")


def _infer_scan(call: Call) -> StructInfo:
    x, axis = tensor_of(call, 0), call.op.attr(call, "axis")
    if axis is None:
        raise StructInfoError(f"{call.op.short}: give an axis", span=call.span)
    if x.ndim >= 0:
        axis_of(call, axis, x.ndim)
    return x


def _cumsum(x, axis=None, dtype=None, exclusive=False):
    axis = axis % x.ndim
    r = te.reduce_axis((0, x.shape[axis]), name="k")

    def rule(*i):
        keep = r.var < i[axis] if exclusive else r.var <= i[axis]
        value = prim.Select(keep, x[(*i[:axis], r.var, *i[axis + 1:])], literal(0, x.dtype))
        return te.sum(value, axis=r)

    return te.compute(x.shape, rule, name="T_cumsum")


def _np_cumsum(x, axis=None, dtype=None, exclusive=False):
    out = np.cumsum(x, axis=axis, dtype=x.dtype)
    return out - x if exclusive else out


declare("cumsum", [arg("data", of="number"), attr("axis", None), attr("dtype", None),
                   attr("exclusive", False)], _infer_scan, te=_cumsum, numpy=_np_cumsum,
        pattern="reduction",
        doc="Running sums along an axis.")
