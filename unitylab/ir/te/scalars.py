"""The scalar functions of tensor expressions: reducers, limits of dtypes, conditions."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np

from .. import prim
from ..dtypes import DataType
from ..dtypes import dtype as as_dtype
from ..prim import PrimExpr, Var, literal
from ..tir import CommReducer, Reduce


def comm_reducer(combine: Callable, identity: Callable, name: str = "reduce"):
    """A reduction of the user's: `combine(x, y)` and `identity(dtype)`; returns
    `f(expr, axis, where=None)`. Tuples reduce several values together (argmax)."""
    def reduce(expr, axis, where=None):
        source = tuple(map(literal, expr)) if isinstance(expr, (tuple, list)) else (literal(expr),)
        lhs = tuple(Var(f"x{i}" if i else "x", s.dtype) for i, s in enumerate(source))
        rhs = tuple(Var(f"y{i}" if i else "y", s.dtype) for i, s in enumerate(source))
        if isinstance(expr, (tuple, list)):
            result = tuple(map(literal, combine(lhs, rhs)))
            start = tuple(map(literal, identity(*[s.dtype for s in source])))
        else:
            result, start = (literal(combine(*lhs, *rhs)),), (literal(identity(source[0].dtype)),)
        reducer = CommReducer(lhs, rhs, result, start)
        axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
        where = None if where is None else literal(where)
        parts = tuple(Reduce(reducer, source, axes, where, (), i) for i in range(len(source)))
        return parts if isinstance(expr, (tuple, list)) else parts[0]
    reduce.__name__ = name
    return reduce


def min_value(t: str) -> PrimExpr:
    """The smallest finite value of a dtype."""
    return _limit(as_dtype(t), smallest=True)


def max_value(t: str) -> PrimExpr:
    """The largest finite value of a dtype."""
    return _limit(as_dtype(t), smallest=False)


def _limit(t: DataType, smallest: bool) -> PrimExpr:
    if t.is_bool:
        return literal(not smallest)
    info = ml_dtypes.finfo(t.numpy) if t.is_float else np.iinfo(t.numpy)
    value = info.min if smallest else info.max
    return literal(float(value) if t.is_float else int(value), t)


sum = comm_reducer(prim.add, lambda t: literal(0, t), "sum")
prod = comm_reducer(prim.mul, lambda t: literal(1, t), "prod")
max = comm_reducer(prim.maximum, min_value, "max")
min = comm_reducer(prim.minimum, max_value, "min")


def var(name: str = "tindex", dtype: str = "int32") -> Var:
    """A symbolic size or scalar argument."""
    return Var(name, as_dtype(dtype))


def const(value, dtype: str | None = None) -> PrimExpr:
    """A literal (int32 or float32 unless said otherwise)."""
    return literal(value, dtype)


def if_then_else(condition, true_value, false_value) -> PrimExpr:
    """One of two values, of which only that one is evaluated: it may guard an index."""
    a, b = prim.unify(true_value, false_value)
    return prim.Call(a.dtype, "if_then_else", (literal(condition), a, b))


def all(*conditions) -> PrimExpr:
    """All conditions hold."""
    return prim.logical_and(*conditions)


def any(*conditions) -> PrimExpr:
    """One of the conditions holds."""
    result = literal(False)
    for condition in conditions:
        result = prim.logical_or(result, condition)
    return result
