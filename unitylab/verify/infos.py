"""Struct infos against each other: what can be proven to differ."""

from __future__ import annotations

from ..ir.node import Node
from ..ir.prim import Var, as_int
from ..ir.struct_info import (
    FuncStructInfo,
    ObjectStructInfo,
    PrimStructInfo,
    ShapeStructInfo,
    StructInfo,
    TensorStructInfo,
    TupleStructInfo,
)

_NAMES = {TensorStructInfo: "a tensor", TupleStructInfo: "a tuple", ShapeStructInfo: "a shape",
          PrimStructInfo: "a scalar", FuncStructInfo: "a function", ObjectStructInfo: "an object"}


def describe(info: StructInfo) -> str:
    """What kind of value it is, in words."""
    return _NAMES.get(type(info), type(info).__name__)


def difference(want: StructInfo | None, have: StructInfo | None) -> str:
    """Why no value is of both struct infos, "" if one may be. What is unknown, and sizes that are
    not literals, differ from nothing."""
    if want is have or want is None or have is None:
        return ""
    if isinstance(want, ObjectStructInfo) or isinstance(have, ObjectStructInfo):
        return ""
    if type(want) is not type(have):
        if _scalar(want) and _scalar(have):
            return "" if want.dtype == have.dtype or None in (want.dtype, have.dtype) else \
                f"dtype {want.dtype} expected, {have.dtype} found"
        return f"{describe(want)} expected, {describe(have)} found"
    rule = _RULES.get(type(want))
    return rule(want, have) if rule else ""


def _scalar(info: StructInfo) -> bool:
    """A number, or a tensor that may be one: a call takes either."""
    return isinstance(info, PrimStructInfo) or (isinstance(info, TensorStructInfo)
                                                and rank(info) in (0, -1))


def rank(info: TensorStructInfo | ShapeStructInfo) -> int:
    """The number of dimensions, -1 if unknown."""
    dims = sizes(info)
    return info.ndim if dims is None else len(dims)


def sizes(info: StructInfo) -> tuple[Node, ...] | None:
    """The sizes of a tensor or shape, None if unknown."""
    return info.dims if isinstance(info, TensorStructInfo) else info.values


def _tensor(want: TensorStructInfo, have: TensorStructInfo) -> str:
    if want.dtype and have.dtype and want.dtype != have.dtype:
        return f"dtype {want.dtype} expected, {have.dtype} found"
    return _shape(want, have)


def _shape(want, have) -> str:
    if -1 not in (rank(want), rank(have)) and rank(want) != rank(have):
        return f"{rank(want)} dimensions expected, {rank(have)} found"
    return size_difference(sizes(want), sizes(have), {})


def size_difference(want, have, bound: dict[int, tuple[Var, int]]) -> str:
    """The first dimension that differs for certain. `bound` holds the numbers that the variables
    of `want` stand for, where a variable alone met a literal."""
    for k, (w, h) in enumerate(zip(want or (), have or ())):
        found = as_int(h)
        if found is None:
            continue
        if type(w) is Var:
            _, known = bound.setdefault(id(w), (w, found))
            if known != found:
                return f"dimension {k} is {found}, but {w.name} is {known} elsewhere"
        elif as_int(w) not in (None, found):
            return f"dimension {k} is {found}, {as_int(w)} is expected"
    return ""


def _tuple(want: TupleStructInfo, have: TupleStructInfo) -> str:
    if want.fields is None or have.fields is None:
        return ""
    return _in_order("field", want.fields, have.fields)


def _in_order(what: str, want, have) -> str:
    """The first of several infos that differs; `what` one of them is called."""
    if len(want) != len(have):
        return f"{len(want)} {what}s expected, {len(have)} found"
    for k, (w, h) in enumerate(zip(want, have)):
        if why := difference(w, h):
            return f"{what} {k}: {why}"
    return ""


def _prim(want: PrimStructInfo, have: PrimStructInfo) -> str:
    if want.dtype != have.dtype:
        return f"{want.dtype} expected, {have.dtype} found"
    if None not in (pair := (as_int(want.value), as_int(have.value))) and pair[0] != pair[1]:
        return f"the value {pair[0]} expected, {pair[1]} found"
    return ""


def _function(want: FuncStructInfo, have: FuncStructInfo) -> str:
    if want.params is None or have.params is None:
        return ""
    if why := _in_order("parameter", want.params, have.params):
        return why
    why = difference(want.ret, have.ret)
    return f"the result: {why}" if why else ""


_RULES = {TensorStructInfo: _tensor, ShapeStructInfo: _shape, TupleStructInfo: _tuple,
          PrimStructInfo: _prim, FuncStructInfo: _function}
