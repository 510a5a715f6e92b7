"""Whether values fit the fields of a node: the declared types of the fields, checked."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable
from functools import cache

from .dtypes import DataType
from .node import Node


def misfit(kind: type[Node], values: dict[str, object]) -> str:
    """Why `kind(**values)` would be no node, as `.field holds ...`; empty if all fits."""
    hints = _hints(kind)
    for name, value in values.items():
        if not fits(value, hints[name]):
            return f".{name} holds a {type(value).__name__}, {_spelled(hints[name])} expected"
    return ""


def fits(value, hint) -> bool:
    """Whether a value is of a declared type: classes, unions, tuples of any length."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, h) for h in typing.get_args(hint))
    if origin is tuple:
        inner = typing.get_args(hint)[0]
        return type(value) is tuple and all(fits(v, inner) for v in value)
    if hint is None or hint is type(None):
        return value is None
    if origin is Callable or hint is Callable:
        return callable(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, DataType)
    if hint is float:
        return isinstance(value, (int, float))
    if hint is DataType:
        return isinstance(value, str)
    return isinstance(value, hint)


def _spelled(hint) -> str:
    return getattr(hint, "__name__", str(hint)).replace("unitylab.ir.", "")


@cache
def _hints(kind: type[Node]) -> dict[str, object]:
    """The declared types of a kind's fields. (A field may be called like a type, `tuple`: its
    class must not be looked into when names are resolved.)"""
    found: dict[str, object] = {}
    for base in reversed(kind.__mro__):
        names = vars(sys.modules[base.__module__])
        for name, text in inspect.get_annotations(base).items():
            if name in kind.field_names:
                found[name] = eval(text, dict(names)) if isinstance(text, str) else text
    return found
