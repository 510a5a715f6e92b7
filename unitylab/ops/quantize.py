"""Quantisation with a scale and a zero point, for the whole tensor or along an axis."""

from __future__ import annotations

import numpy as np

from ..ir import prim, te
from ..ir.dtypes import FLOAT32, dtype
from ..ir.errors import StructInfoError
from ..ir.prim import cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo
from .declare import arg, attr, axis_of, declare, tensor_of


def _infer(call: Call) -> StructInfo:
    x, get = tensor_of(call, 0), call.op.attr
    if x.ndim > 0:
        axis_of(call, get(call, "axis"), x.ndim)
    for k in (1, 2):
        if tensor_of(call, k).ndim > 1:
            raise StructInfoError(f"{call.op.short}: scale and zero point are scalars or one "
                                  "number for each element of the axis", span=call.span)
    return x.replace(dtype=dtype(get(call, "out_dtype")))


def _parameter(p, i, axis: int):
    """The number of a scale or zero point that belongs to the point `i`."""
    if not hasattr(p, "shape"):
        return p
    if p.ndim == 0:
        return p[()]
    return p[literal(0, "int64") if prim.is_const(p.shape[0], 1) else i[axis]]


def _quantize(x, scale, zero_point, axis=-1, out_dtype="int8"):
    to = dtype(out_dtype)
    low, high = (cast(f(to), FLOAT32) for f in (te.min_value, te.max_value))

    def rule(*i):
        s, z = (cast(_parameter(p, i, axis), FLOAT32) for p in (scale, zero_point))
        value = prim.Call(FLOAT32, "round", (cast(x[i], FLOAT32) / s,)) + z
        return cast(prim.maximum(prim.minimum(value, high), low), to)

    return te.compute(x.shape, rule, name="quantized")


def _dequantize(x, scale, zero_point, axis=-1, out_dtype="float32"):
    def rule(*i):
        s, z = _parameter(scale, i, axis), _parameter(zero_point, i, axis)
        value = cast(x[i], FLOAT32) - cast(z, FLOAT32)
        return cast(value * cast(s, FLOAT32), out_dtype)

    return te.compute(x.shape, rule, name="dequantized")


def _along(p, x, axis: int) -> np.ndarray:
    p = np.asarray(p, "float32")
    if p.ndim == 0:
        return p
    return p.reshape([-1 if k == axis % x.ndim else 1 for k in range(x.ndim)])


def _np_quantize(x, scale, zero_point, axis=-1, out_dtype="int8"):
    to = dtype(out_dtype).numpy
    value = np.rint(x.astype("float32") / _along(scale, x, axis)) + _along(zero_point, x, axis)
    return np.clip(value, np.iinfo(to).min, np.iinfo(to).max).astype(to)


def _np_dequantize(x, scale, zero_point, axis=-1, out_dtype="float32"):
    value = (x.astype("float32") - _along(zero_point, x, axis)) * _along(scale, x, axis)
    return value.astype(dtype(out_dtype).numpy)


for _name, _te, _numpy, _out, _doc in (
        ("quantize", _quantize, _np_quantize, "int8",
         "round(data / scale) + zero_point, clipped to the range of out_dtype."),
        ("dequantize", _dequantize, _np_dequantize, "float32",
         "(data - zero_point) * scale.")):
    declare(_name, [arg("data", of="number"), arg("scale"), arg("zero_point"), attr("axis", -1),
                    attr("out_dtype", _out)], _infer, te=_te, numpy=_numpy,
            pattern="broadcast", doc=_doc)
