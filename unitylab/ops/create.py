"""Operators that make tensors, convert them, or choose within bounds."""

from __future__ import annotations

import numpy as np

from ..ir import prim, te
from ..ir.dtypes import BOOL, dtype
from ..ir.prim import literal
from ..ir.relax import Call, info_of
from ..ir.struct_info import StructInfo, TensorStructInfo
from .declare import arg, attr, declare, same, shape_argument, tensor_of


def _infer_filled(call: Call) -> StructInfo:
    dims = shape_argument(call, 0)
    return TensorStructInfo(dims, dtype(call.op.attr(call, "dtype")),
                            len(dims) if dims is not None else info_of(call.args[0]).ndim)


def _filled(value: int, name: str):
    def compute(shape, dtype):
        return te.compute(shape, lambda *i: literal(value, dtype), name=name)
    return compute


for _name, _value, _numpy in (("zeros", 0, np.zeros), ("ones", 1, np.ones)):
    declare(_name, [arg("shape", "shape"), attr("dtype", "float32")], _infer_filled,
            te=_filled(_value, f"T_{_name}"), pattern="elementwise",
            numpy=lambda shape, dtype, f=_numpy: f(shape, prim.dtype(dtype).numpy),
            doc=f"A tensor of {_name}.")


def _infer_like(call: Call) -> StructInfo:
    x, kind = tensor_of(call, 0), call.op.attr(call, "dtype")
    return x.replace(dtype=dtype(kind)) if kind else x


for _name, _value in (("zeros_like", 0), ("ones_like", 1)):
    declare(_name, [arg("x"), attr("dtype", None)], _infer_like, pattern="elementwise",
            te=lambda x, dtype=None, v=_value: te.compute(
                x.shape, lambda *i: literal(v, dtype or x.dtype), name="T_full_like"),
            numpy=lambda x, dtype=None, v=_value: np.full(
                x.shape, v, prim.dtype(dtype).numpy if dtype else x.dtype),
            doc=f"A tensor of {_name[:-5]} with the shape of another.")


def _infer_full(call: Call) -> StructInfo:
    dims, kind = shape_argument(call, 0), call.op.attr(call, "dtype")
    return TensorStructInfo(dims, dtype(kind) if kind else tensor_of(call, 1).dtype,
                            len(dims) if dims is not None else -1)


def _scalar(x):
    return x[()] if hasattr(x, "shape") else x


def _full(shape, fill_value, dtype=None):
    value = _scalar(fill_value)
    return te.compute(shape, lambda *i: prim.cast(value, dtype or value.dtype), name="T_full")


def _np_full(shape, fill_value, dtype=None):
    kind = prim.dtype(dtype).numpy if dtype else np.asarray(fill_value).dtype
    return np.full(shape, fill_value, kind)


declare("full", [arg("shape", "shape"), arg("fill_value"), attr("dtype", None)], _infer_full,
        te=_full, numpy=_np_full, pattern="broadcast", doc="A tensor of one value.")


def _infer_full_like(call: Call) -> StructInfo:
    x, kind = tensor_of(call, 0), call.op.attr(call, "dtype")
    return x.replace(dtype=dtype(kind)) if kind else x


declare("full_like", [arg("x"), arg("fill_value"), attr("dtype", None)], _infer_full_like,
        te=lambda x, v, dtype=None: te.compute(
            x.shape, lambda *i: prim.cast(_scalar(v), dtype or x.dtype), name="T_full_like"),
        numpy=lambda x, v, dtype=None: np.full(x.shape, v, prim.dtype(dtype).numpy if dtype
                                               else x.dtype),
        pattern="broadcast", doc="A tensor of one value with the shape of another.")


def _infer_arange(call: Call) -> StructInfo:
    start, end, step = (info_of(a).value for a in call.args[:3])
    count = _arange_size(start, end, step)
    return TensorStructInfo((count,), dtype(call.op.attr(call, "dtype")), 1)


def _arange_size(start, end, step):
    if isinstance(step, prim.FloatImm) or isinstance(end, prim.FloatImm):
        return literal(max(0, int(np.ceil((end.value - start.value) / step.value))), "int64")
    return prim.floordiv(prim.sub(end, start) + (step - 1), step)


def _arange(start, end, step, dtype="int64"):
    n = _arange_size(start, end, step)
    return te.compute((n,), lambda i: prim.cast(start, dtype) +
                      prim.cast(i, dtype) * prim.cast(step, dtype), name="T_arange")


declare("arange", [arg("start", "expr"), arg("end", "expr"), arg("step", "expr", 1),
                   attr("dtype", "int64")], _infer_arange, te=_arange,
        numpy=lambda start, end, step=1, dtype="int64": np.arange(
            start, end, step, prim.dtype(dtype).numpy),
        pattern="injective", doc="start, start + step, ... below end.")


def _triangle(lower: bool):
    def compute(x, k=0):
        def rule(*i):
            row, column = i[-2], i[-1]
            keep = column - k <= row if lower else column - k >= row
            return prim.Select(keep, x[i], literal(0, x.dtype))
        return te.compute(x.shape, rule, name="T_trilu")
    return compute


declare("tril", [arg("x"), attr("k", 0)], same, te=_triangle(True),
        numpy=lambda x, k=0: np.tril(x, k), pattern="injective",
        doc="The lower triangle of matrices, zero above diagonal k.")
declare("triu", [arg("x"), attr("k", 0)], same, te=_triangle(False),
        numpy=lambda x, k=0: np.triu(x, k), pattern="injective",
        doc="The upper triangle of matrices, zero below diagonal k.")


def _infer_astype(call: Call) -> StructInfo:
    return tensor_of(call, 0).replace(dtype=dtype(call.op.attr(call, "dtype")))


def _astype(x, dtype):
    kind = prim.dtype(dtype)
    if kind == BOOL:
        return te.compute(x.shape, lambda *i: prim.not_equal(x[i], literal(0, x.dtype)),
                          name="compute")
    return te.compute(x.shape, lambda *i: prim.cast(x[i], kind), name="compute")


declare("astype", [arg("x"), attr("dtype")], _infer_astype, te=_astype,
        numpy=lambda x, dtype: x.astype(prim.dtype(dtype).numpy), pattern="elementwise",
        doc="The values in another dtype; floats to integers toward zero.")


def _clip(x, min, max):
    low, high = prim.cast(min, x.dtype), prim.cast(max, x.dtype)
    return te.compute(x.shape, lambda *i: prim.maximum(prim.minimum(x[i], high), low),
                      name="compute")


declare("clip", [arg("x", of="number"), arg("min", "expr"), arg("max", "expr")], same, te=_clip,
        numpy=lambda x, min, max: np.clip(x, min, max).astype(x.dtype), pattern="elementwise",
        doc="Values below min become min, values above max become max.")


def _infer_one_hot(call: Call) -> StructInfo:
    x, depth = tensor_of(call, 0), call.op.attr(call, "depth")
    kind = tensor_of(call, 1).dtype
    dims = None if x.dims is None else (*x.dims, literal(depth, "int64"))
    return TensorStructInfo(dims, kind, x.ndim + 1 if x.ndim >= 0 else -1)


def _one_hot(indices, on_value, off_value, depth, axis=-1):
    on, off = _scalar(on_value), _scalar(off_value)
    return te.compute((*indices.shape, literal(depth, "int64")),
                      lambda *i: prim.Select(prim.equal(prim.cast(indices[i[:-1]], "int64"),
                                                        i[-1]), on, off), name="T_one_hot")


declare("one_hot", [arg("indices", of="int"), arg("on_value"), arg("off_value"), attr("depth"),
                    attr("axis", -1)], _infer_one_hot, te=_one_hot, pattern="injective",
        numpy=lambda indices, on_value, off_value, depth, axis=-1: np.where(
            indices[..., None] == np.arange(depth), on_value, off_value),
        doc="on_value at each index along a new last axis of size depth, off_value elsewhere.")

