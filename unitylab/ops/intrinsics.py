"""The intrinsics of the scalar language: one row each. The parser takes names and result types
from here, the interpreter the NumPy meaning, code generation its name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SAME = "same"  # the result has the dtype of the first argument


@dataclass(frozen=True)
class Intrinsic:
    """`name(args)`: `arity` arguments (-1: any), `result` dtype or SAME, its meaning on scalars.

    `numpy` None: it acts on memory or control, the interpreter knows it by itself."""

    name: str
    arity: int
    result: str
    numpy: Callable | None
    pure: bool = True


_erf = np.frompyfunc(math.erf, 1, 1)


def _float_like(f: Callable) -> Callable:
    """A function of Python floats that keeps the dtype of its argument."""
    def apply(x, *rest):
        return np.asarray(f(x, *rest)).astype(np.asarray(x).dtype)[()]
    return apply


def _sigmoid(x):
    return x.dtype.type(1) / (x.dtype.type(1) + np.exp(-x))


def _popcount(x):
    return np.asarray(np.bitwise_count(x)).astype(np.asarray(x).dtype)[()]


def _dot(sums, x, y):
    """Adds to each sum the products of its group of neighbours; integers wrap around."""
    to = np.asarray(sums).dtype
    with np.errstate(all="ignore"):
        products = np.asarray(x).astype(to) * np.asarray(y).astype(to)
        groups = products.reshape(*np.shape(sums), -1)
        return (sums + groups.sum(axis=-1, dtype=to)).astype(to)[()]


_UNARY = {
    "exp": np.exp, "exp2": np.exp2, "exp10": _float_like(lambda x: np.power(10.0, x)),
    "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "expm1": np.expm1,
    "sqrt": np.sqrt, "rsqrt": lambda x: x.dtype.type(1) / np.sqrt(x),
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "erf": _float_like(_erf), "sigmoid": _sigmoid,
    "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc,
    "round": np.rint, "nearbyint": np.rint,
    "fabs": np.abs, "abs": np.abs, "popcount": _popcount, "bitwise_not": np.invert,
    "clz": lambda x: int(np.asarray(x).dtype.itemsize * 8 - int(x).bit_length()),
}

_BINARY = {
    "pow": np.power, "atan2": np.arctan2, "fmod": np.fmod, "hypot": np.hypot,
    "copysign": np.copysign, "nextafter": np.nextafter, "ldexp": np.ldexp,
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    "shift_left": np.left_shift, "shift_right": np.right_shift,
}

_TESTS = {"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "isnullptr": None}

_OTHER = [
    Intrinsic("if_then_else", 3, SAME, None),
    Intrinsic("dot", 3, SAME, _dot),
    Intrinsic("likely", 1, SAME, lambda x: x),
    Intrinsic("reinterpret", 1, SAME, None),
    Intrinsic("address_of", 1, "handle", None),
    Intrinsic("break_loop", 0, "int32", None, False),
    Intrinsic("continue_loop", 0, "int32", None, False),
    Intrinsic("ret", 1, SAME, None, False),
    Intrinsic("assume", 1, "bool", None, False),
    Intrinsic("undef", 0, SAME, None),
    Intrinsic("vscale", 0, "int32", None),
    Intrinsic("call_extern", -1, SAME, None, False),
    Intrinsic("call_pure_extern", -1, SAME, None),
    Intrinsic("call_packed", -1, SAME, None, False),
    Intrinsic("prefetch", -1, "int32", None, False),
]

INTRINSICS: dict[str, Intrinsic] = {i.name: i for i in [
    *[Intrinsic(n, 1, SAME, f) for n, f in _UNARY.items()],
    *[Intrinsic(n, 2, SAME, f) for n, f in _BINARY.items()],
    *[Intrinsic(n, 1, "bool", f) for n, f in _TESTS.items()],
    *_OTHER]}
