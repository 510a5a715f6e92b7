"""Elementwise operators of one tensor: one row each."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..ir import prim, te
from ..ir.dtypes import BOOL
from ..ir.relax import Call
from ..ir.struct_info import StructInfo
from .declare import arg, declare, same, tensor_of


def intrin(name: str) -> Callable:
    """The scalar rule that calls an intrinsic."""
    return lambda x: prim.Call(x.dtype, name, (x,))


def _test(name: str) -> Callable:
    return lambda x: prim.Call(BOOL, name, (x,))


def _sign(x):
    one, zero = prim.literal(1, x.dtype), prim.literal(0, x.dtype)
    return prim.Select(x > zero, one, prim.Select(x < zero, -one, zero))


def _abs(x):
    if x.dtype.is_float:
        return prim.Call(x.dtype, "fabs", (x,))
    return prim.Select(x >= prim.literal(0, x.dtype), x, -x)


def _rounding(name: str) -> Callable:
    return lambda x: prim.Call(x.dtype, name, (x,)) if x.dtype.is_float else x


_erf = np.vectorize(math.erf, otypes=[float])


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, by the C library."""
    return _erf(x).astype(x.dtype) if x.size else x


def _bool_result(call: Call) -> StructInfo:
    return tensor_of(call, 0).replace(dtype=BOOL)


# name, scalar rule, NumPy reference, what it computes
FLOAT = [
    ("exp", intrin("exp"), np.exp, "e to the power x"),
    ("log", intrin("log"), np.log, "the natural logarithm"),
    ("sqrt", intrin("sqrt"), np.sqrt, "the square root"),
    ("rsqrt", lambda x: prim.literal(1, x.dtype) / prim.Call(x.dtype, "sqrt", (x,)),
     lambda x: 1 / np.sqrt(x), "one over the square root"),
    ("sin", intrin("sin"), np.sin, "the sine"),
    ("cos", intrin("cos"), np.cos, "the cosine"),
    ("tan", intrin("tan"), np.tan, "the tangent"),
    ("sinh", intrin("sinh"), np.sinh, "the hyperbolic sine"),
    ("cosh", intrin("cosh"), np.cosh, "the hyperbolic cosine"),
    ("tanh", intrin("tanh"), np.tanh, "the hyperbolic tangent"),
    ("asin", intrin("asin"), np.arcsin, "the inverse sine"),
    ("acos", intrin("acos"), np.arccos, "the inverse cosine"),
    ("atan", intrin("atan"), np.arctan, "the inverse tangent"),
    ("asinh", intrin("asinh"), np.arcsinh, "the inverse hyperbolic sine"),
    ("acosh", intrin("acosh"), np.arccosh, "the inverse hyperbolic cosine"),
    ("atanh", intrin("atanh"), np.arctanh, "the inverse hyperbolic tangent"),
    ("erf", intrin("erf"), erf, "the error function"),
    ("sigmoid", lambda x: prim.literal(1, x.dtype) / (
        prim.literal(1, x.dtype) + prim.Call(x.dtype, "exp", (prim.literal(0, x.dtype) - x,))),
     lambda x: (1 / (1 + np.exp(-x))).astype(x.dtype), "1 / (1 + exp(-x))"),
]
NUMBERS = [
    ("negative", lambda x: prim.literal(0, x.dtype) - x, np.negative, "-x"),
    ("abs", _abs, np.abs, "the magnitude"),
    ("sign", _sign, np.sign, "-1, 0 or 1"),
    ("square", lambda x: x * x, np.square, "x times x"),
]
ANY = [
    ("floor", _rounding("floor"), np.floor, "rounded down"),
    ("ceil", _rounding("ceil"), np.ceil, "rounded up"),
    ("round", _rounding("round"), np.rint, "rounded to the nearest, ties to even"),
    ("trunc", _rounding("trunc"), np.trunc, "rounded toward zero"),
]
BITS = [("bitwise_not", intrin("bitwise_not"), np.invert, "all bits flipped")]
TRUTH = [("logical_not", prim.Not, np.logical_not, "true where x is false")]
TESTS = [
    ("isnan", _test("isnan"), np.isnan, "true where x is not a number"),
    ("isinf", _test("isinf"), np.isinf, "true where x is infinite"),
    ("isfinite", _test("isfinite"), np.isfinite, "true where x is finite"),
]


def elementwise(rule: Callable, name: str) -> Callable:
    """The tensor computation of a scalar rule."""
    def compute(x):
        return te.compute(x.shape, lambda *i: rule(x[i]), name=name)
    return compute


for _rows, _infer, _of in ((FLOAT, same, "float"), (NUMBERS, same, "number"),
                           (ANY, same, ""), (BITS, same, "bits"),
                           (TRUTH, same, "bool"), (TESTS, _bool_result, "")):
    for _name, _rule, _numpy, _doc in _rows:
        declare(_name, [arg("x", of=_of)], _infer, te=elementwise(_rule, f"T_{_name}"),
                numpy=_numpy, pattern="elementwise",
                doc=f"{_doc[0].upper()}{_doc[1:]}, element by element.")
