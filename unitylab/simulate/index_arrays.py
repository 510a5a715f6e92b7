"""Integer expressions of a program, evaluated for many iterations at once with NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..arith.bottom_up import BottomUp
from ..ir import prim, tir
from ..ir.errors import UnityLabError
from ..ir.node import Node
from ..ir.prim import PrimExpr, Var

_MOST = 2**31 - 1
_WHERE = ("if_then_else", "tir.if_then_else")


def _truncdiv(a, b):
    return np.sign(a) * np.sign(b) * (np.abs(a) // np.maximum(np.abs(b), 1))


_MEANING = {
    prim.Add: np.add, prim.Sub: np.subtract, prim.Mul: np.multiply,
    prim.FloorDiv: np.floor_divide, prim.FloorMod: np.mod,
    prim.Div: _truncdiv, prim.Mod: lambda a, b: a - b * _truncdiv(a, b),
    prim.Min: np.minimum, prim.Max: np.maximum, prim.EQ: np.equal, prim.NE: np.not_equal,
    prim.LT: np.less, prim.LE: np.less_equal, prim.GT: np.greater, prim.GE: np.greater_equal,
    prim.And: np.logical_and, prim.Or: np.logical_or, prim.Not: np.logical_not,
    prim.Select: np.where, "if_then_else": np.where, "tir.if_then_else": np.where,
    "likely": lambda a: a, "tir.likely": lambda a: a, "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor, "bitwise_not": np.invert,
    "shift_left": np.left_shift, "shift_right": np.right_shift, "abs": np.abs,
}


class IndexArrays(BottomUp):
    """Values of expressions: `env` gives arrays (or ints) for variables, `bound` expressions for
    variables that stand for them. Every value has one axis more than those of `env`, last: lanes.

    What depends on the data in a buffer is not known: it is taken from `random`, uniformly, and
    `guessed` says so."""

    def __init__(self, env: Mapping[Var, object], bound: Mapping[Var, PrimExpr]):
        super().__init__()
        self.env, self.bound, self.guessed = env, bound, False
        self.random = np.random.default_rng(0)

    def parts(self, e: Node) -> tuple[Node, ...]:
        if isinstance(e, Var):
            return (self.bound[e],) if e not in self.env and e in self.bound else ()
        if isinstance(e, tir.BufferLoad):
            return tuple(e.indices)
        if isinstance(e, (prim.Ramp, prim.Broadcast)):
            return tuple(c for c in e.children() if c is not e.lanes)
        return tuple(c for c in e.children() if isinstance(c, PrimExpr))

    def compute(self, e: Node, values: list):
        if isinstance(e, prim.IntImm):
            return np.int64(e.value)
        if isinstance(e, Var):
            return values[0] if values else self._variable(e)
        if isinstance(e, tir.BufferLoad):
            self.guessed = True
            shape = np.broadcast_shapes(*(np.shape(v) for v in values)) if values else ()
            return self.random.integers(0, _MOST, shape)
        if isinstance(e, prim.Ramp):
            return values[0] + values[1] * np.arange(lanes_of(e.lanes))
        if isinstance(e, (prim.Cast, prim.Broadcast)):
            return values[0] if not isinstance(e, prim.Cast) or not e.dtype.is_bool \
                else np.not_equal(values[0], 0)
        f = _MEANING.get(e.op if isinstance(e, prim.Call) else type(e))
        if f is None or not values:
            raise UnityLabError(f"where {e.script()} points to is not known before the run",
                                span=getattr(e, "span", None))
        with np.errstate(divide="ignore"):
            return f(*values)

    def _variable(self, v: Var):
        if v not in self.env:
            raise UnityLabError(f"the value of {v.name!r} is not known", span=v.span,
                                hint="give the sizes of symbolic dimensions")
        return self.env[v]


def lanes_of(lanes) -> int:
    """The number of lanes of a vector; scalable ones have no fixed number."""
    if isinstance(lanes, prim.IntImm):
        return lanes.value
    if not isinstance(lanes, int):
        raise UnityLabError("vectors of a length that only the machine knows are not simulated")
    return lanes
