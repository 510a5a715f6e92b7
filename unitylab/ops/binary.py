"""Elementwise operators of two tensors, with broadcasting: one row each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..ir import prim, te
from ..ir.dtypes import BOOL, FLOAT64, dtype
from .broadcasting import at, broadcast_dims, broadcast_shape, infer_broadcast, infer_comparison
from .declare import arg, declare


def _divide(a, b):
    return prim.div(a, b)


def _power(a, b):
    if a.dtype.is_float:
        return prim.Call(a.dtype, "pow", (a, b))
    wide = prim.Call(FLOAT64, "pow", (prim.cast(a, "float64"),
                                                   prim.cast(b, "float64")))
    return prim.cast(wide, a.dtype)


def _np_divide(a, b):
    if dtype(np.result_type(a)).is_float:
        return np.divide(a, b)
    return np.trunc(np.divide(a, b)).astype(np.result_type(a))


def _mod(a, b):
    return a - prim.Call(a.dtype, "floor", (prim.div(a, b),)) * b if a.dtype.is_float \
        else prim.floormod(a, b)


def _mod_toward_zero(a, b):
    return prim.Call(a.dtype, "fmod", (a, b)) if a.dtype.is_float else prim.truncmod(a, b)


def _floor_divide(a, b):
    return prim.Call(a.dtype, "floor", (prim.div(a, b),)) if a.dtype.is_float \
        else prim.floordiv(a, b)


# name, scalar rule, NumPy reference, what it computes
ARITHMETIC = [
    ("add", prim.add, np.add, "the sum"),
    ("subtract", prim.sub, np.subtract, "the difference"),
    ("multiply", prim.mul, np.multiply, "the product"),
    ("divide", _divide, _np_divide, "the quotient; of integers toward zero"),
    ("floor_divide", _floor_divide, np.floor_divide, "the quotient rounded down"),
    ("floor_mod", _mod, np.mod, "the remainder with the sign of the divisor"),
    ("mod", _mod_toward_zero, np.fmod, "the remainder with the sign of the dividend"),
    ("power", _power, np.power, "x1 to the power x2"),
]
ANGLES = [
    ("atan2", lambda a, b: prim.Call(a.dtype, "atan2", (a, b)), np.arctan2,
     "the angle of the point (x2, x1)"),
]
ORDER = [
    ("maximum", prim.maximum, np.maximum, "the larger value"),
    ("minimum", prim.minimum, np.minimum, "the smaller value"),
]
LOGICAL = [
    ("logical_and", prim.And, np.logical_and, "both hold"),
    ("logical_or", prim.Or, np.logical_or, "one holds"),
    ("logical_xor", prim.not_equal, np.logical_xor, "exactly one holds"),
]
BITS = [
    ("bitwise_and", lambda a, b: prim.bitwise("bitwise_and", a, b), np.bitwise_and,
     "bits set in both"),
    ("bitwise_or", lambda a, b: prim.bitwise("bitwise_or", a, b), np.bitwise_or,
     "bits set in one"),
    ("bitwise_xor", lambda a, b: prim.bitwise("bitwise_xor", a, b), np.bitwise_xor,
     "bits set in exactly one"),
]
SHIFTS = [
    ("left_shift", lambda a, b: prim.bitwise("shift_left", a, b), np.left_shift,
     "bits moved up"),
    ("right_shift", lambda a, b: prim.bitwise("shift_right", a, b), np.right_shift,
     "bits moved down"),
]
COMPARISON = [
    ("equal", prim.EQ, np.equal, "x1 == x2"),
    ("not_equal", prim.NE, np.not_equal, "x1 != x2"),
    ("less", prim.LT, np.less, "x1 < x2"),
    ("less_equal", prim.LE, np.less_equal, "x1 <= x2"),
    ("greater", prim.GT, np.greater, "x1 > x2"),
    ("greater_equal", prim.GE, np.greater_equal, "x1 >= x2"),
]


def broadcasting(rule: Callable, name: str) -> Callable:
    """The tensor computation of a scalar rule with broadcasting."""
    def compute(a, b):
        return te.compute(broadcast_shape(a, b), lambda *i: rule(at(a, i), at(b, i)), name=name)
    return compute


for _rows, _of in ((ARITHMETIC, "number"), (ANGLES, "float"), (ORDER, ""),
                   (LOGICAL, "bool"), (BITS, "bits"), (SHIFTS, "int")):
    for _name, _rule, _numpy, _doc in _rows:
        declare(_name, [arg("x1", of=_of), arg("x2", of=_of)], infer_broadcast,
                te=broadcasting(_rule, f"T_{_name}"), numpy=_numpy, pattern="broadcast",
                doc=f"Elementwise, with broadcasting: {_doc}.")
for _name, _kind, _numpy, _doc in COMPARISON:
    declare(_name, [arg("x1"), arg("x2")], infer_comparison,
            te=broadcasting(lambda a, b, k=_kind: prim.compare(k, a, b), f"T_{_name}"),
            numpy=_numpy, doc=f"Elementwise, with broadcasting: {_doc} as bool.",
            pattern="broadcast")


def _where(c, x, y):
    def rule(*i):
        return prim.Select(prim.cast(at(c, i), BOOL), at(x, i), at(y, i))
    return te.compute(broadcast_shape(c, x, y), rule, name="T_where")


def _infer_where(call):
    branches = call.replace(args=call.args[1:])
    out = infer_broadcast(branches)
    condition = call.replace(args=(call.args[0],))
    shape = infer_broadcast(condition).replace(dtype=out.dtype)
    if shape.dims is None or out.dims is None:
        return out.replace(shape=None)
    dims = broadcast_dims(shape.dims, out.dims, "where", call.span)
    return out.replace(shape=dims, ndim=max(shape.ndim, out.ndim))


declare("where", [arg("condition"), arg("x1"), arg("x2")], _infer_where, te=_where,
        numpy=np.where, doc="x1 where the condition holds, x2 elsewhere; all broadcast.",
        pattern="broadcast")
