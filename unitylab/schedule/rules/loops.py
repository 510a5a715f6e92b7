"""Small constructors for nests that rules write out."""

from __future__ import annotations

from collections.abc import Callable

from ...ir.dtypes import INT64
from ...ir.node import FrozenDict
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import PARALLEL, SERIAL, UNROLLED, VECTORIZED, For, IfThenElse, Stmt, seq

Body = Callable[[PrimExpr], Stmt]


def loop(name: str, extent, body: Body, kind: str = SERIAL, dtype: str = INT64) -> Stmt:
    """`for name in range(extent): body(name)`; a single iteration needs no loop."""
    if as_int(extent) == 1:
        return body(literal(0, dtype))
    var = Var(name, dtype)
    return For(var, literal(0, dtype), literal(extent, dtype), kind, body(var))


def unrolled(name: str, extent, body: Body, dtype: str = INT64) -> Stmt:
    return loop(name, extent, body, UNROLLED, dtype)


def parallel(name: str, extent, body: Body, dtype: str = INT64) -> Stmt:
    return loop(name, extent, body, PARALLEL, dtype)


def vectorized(name: str, extent, body: Body, dtype: str = INT64) -> Stmt:
    return loop(name, extent, body, VECTORIZED, dtype)


def in_lanes(count: int) -> Callable[..., Stmt]:
    """A serial loop that walks in vectors of `count`, a reduction included."""
    def made(name: str, extent, body: Body, dtype: str = INT64) -> Stmt:
        walk = loop(name, extent, body, SERIAL, dtype)
        return walk.replace(annotations=FrozenDict({"lanes": count}))
    return made


def vectors(name: str, width: int, lanes: int, body: Body, dtype: str = INT64) -> Stmt:
    """`body` for `width` neighbours: whole vectors unrolled, then a shorter one."""
    whole, rest = divmod(width, lanes)
    parts: list[Stmt] = []
    if whole:
        parts.append(unrolled(f"{name}_v", whole, lambda v: loop(
            name, lanes, lambda j: body(v * lanes + j), VECTORIZED, dtype), dtype))
    if rest:
        parts.append(loop(name, rest, lambda j: body(j + whole * lanes), VECTORIZED, dtype))
    return seq(*parts)


def nested(names, extents, body: Callable[[list], Stmt], dtype: str = INT64) -> Stmt:
    """Serial loops, the first outermost; `body` gets their variables."""
    if not names:
        return body([])
    return loop(names[0], extents[0], lambda v: nested(
        names[1:], extents[1:], lambda rest: body([v, *rest]), dtype), dtype=dtype)


def with_last(name: str, whole: PrimExpr | int, body: Body, last: Stmt | None, kind: str = SERIAL,
              dtype: str = INT64) -> Stmt:
    """`body` for `whole` pieces, then a `last` one that differs; in parallel it is one iteration
    more, so that no thread waits for the others before it."""
    none = as_int(whole) == 0
    if last is None or kind != PARALLEL or none:
        return seq(None if none else loop(name, whole, body, kind, dtype), last)
    return loop(name, whole + 1, lambda v: IfThenElse(v < whole, body(v), last), kind, dtype)
