"""Declared signatures of primitives: one form of check, of error and of record for all.

    @primitive(loop=LOOP, factors=FACTORS, returns=LOOPS)
    def split(nest, loop, factors): ...

The function gets nodes and returns nodes; handles, the trace and the unchanged schedule after an
error are the business of `Schedule`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arith.index_map import IndexMap
from ..ir.errors import ScheduleError
from ..ir.prim import PrimExpr, as_int
from .handles import BlockRV, ExprRV, LoopRV, Place
from .tensor_intrin import TensorIntrin, name_of


@dataclass(frozen=True)
class Kind:
    """What an argument must be. `accept(value, get)` gives the value for the primitive, or raises
    ValueError; `get` turns a handle into its node."""

    text: str
    accept: Callable[[object, Callable], object]
    record: Callable[[object], object] = lambda value: value  # what the trace keeps


def _handle(kind: type) -> Callable:
    def accept(value, get):
        if not isinstance(value, kind):
            raise ValueError
        return get(value)
    return accept


def _loop(value, get):
    found = _handle(LoopRV)(value, get)
    if isinstance(found, Place):
        raise ScheduleError(f"this LoopRV stands for {found}, not for a loop",
                            hint="only compute_at and reverse_compute_at take it")
    return found


def _plain(*types: type) -> Callable:
    def accept(value, get):
        if not isinstance(value, types) or isinstance(value, bool) and bool not in types:
            raise ValueError
        return value
    return accept


def _integer(value, get) -> int:
    value = get(value) if isinstance(value, ExprRV) else value
    number = int(value) if isinstance(value, np.integer) else as_int(value)
    if number is None or isinstance(value, bool):
        raise ValueError
    return number


def _size(value, get) -> int | PrimExpr:
    if isinstance(value, PrimExpr) and as_int(value) is None:
        return value
    return _integer(value, get)


def _anything(value, get):
    if isinstance(value, ExprRV):
        return get(value)
    return [_anything(v, get) for v in value] if isinstance(value, list) else value


class MapSource:
    """A function of indices that a user gave; it becomes an `IndexMap` when the primitive knows how
    many there are, and prints as a lambda."""

    def __init__(self, f: Callable | IndexMap):
        self.f, self.known = f, f if isinstance(f, IndexMap) else None

    @property
    def names(self) -> list[str] | None:
        return getattr(self.f, "names", None)

    def resolve(self, ndim: int, dtypes) -> IndexMap:
        """The map of `ndim` indices. Raises ScheduleError where the function does not fit."""
        f = self.f
        if isinstance(f, IndexMap):
            if len(f.inputs) != ndim:
                raise ScheduleError(f"the index map takes {len(f.inputs)} indices, not {ndim}")
            return f
        try:
            self.known = IndexMap.of(f, ndim, dtypes)
        except (TypeError, ValueError) as e:
            raise ScheduleError(f"the index map does not take {ndim} indices: {e}") from None
        return self.known

    def __repr__(self) -> str:
        return repr(self.known) if self.known else getattr(self.f, "source_text", repr(self.f))


def _as_map(value):
    plain = value is None or isinstance(value, MapSource)
    return value if plain or not (callable(value) or isinstance(value, IndexMap)) \
        else MapSource(value)


def _map(value, get):
    if not isinstance(value, MapSource):
        raise ValueError
    return value


def _pad(value, get):
    return value if value is None or isinstance(value, MapSource) else _anything(value, get)


def _buffer(value, get):
    """("read", 1), "write" for the first, or the buffer's name."""
    if isinstance(value, (list, tuple)) and len(value) == 2 and value[0] in ("read", "write"):
        return value[0], _integer(value[1], get)
    if isinstance(value, str):
        return value
    raise ValueError


def optional(kind: Kind) -> Kind:
    """The kind, or None."""
    return Kind(f"{kind.text} or None", lambda v, get: None if v is None else kind.accept(v, get),
                kind.record)


def list_of(kind: Kind) -> Kind:
    """A list or tuple of the kind."""
    def accept(value, get):
        if not isinstance(value, (list, tuple)):
            raise ValueError
        return [kind.accept(v, get) for v in value]
    return Kind(f"a list of {kind.text}", accept)


def _open_as_none(factors):
    """-1 stands for None: the factor that is inferred."""
    if not isinstance(factors, (list, tuple)):
        return factors
    return [None if type(f) is int and f == -1 else f for f in factors]


def either(a: Kind, b: Kind) -> Kind:
    """One of two kinds."""
    def accept(value, get):
        try:
            return a.accept(value, get)
        except ValueError:
            return b.accept(value, get)
    return Kind(f"{a.text} or {b.text}", accept)


def _intrin(value, get) -> TensorIntrin:
    if isinstance(value, TensorIntrin):
        return value
    if isinstance(value, str):
        return TensorIntrin.get(value)
    raise ValueError


BLOCK = Kind("a BlockRV", _handle(BlockRV))
LOOP = Kind("a LoopRV", _loop)
LOOP_OR_PLACE = Kind("a LoopRV", _handle(LoopRV))
INT = Kind("an integer", _integer)
SIZE = Kind("an integer or expression", _size)
BOOL = Kind("a bool", _plain(bool))
STR = Kind("a string", _plain(str))
VALUE = Kind("a value", _anything)
INDEX_MAP = Kind("a function of indices", _map, _as_map)
PAD_VALUE = Kind("a number or a function of indices", _pad, _as_map)
BUFFER = Kind('("read" or "write", number) or the name of a buffer', _buffer)
INTRIN = Kind("a TensorIntrin or the name of one", _intrin,
              lambda v: name_of(v) if isinstance(v, TensorIntrin) else v)
FACTORS = Kind("a list of integers, expressions or None", list_of(optional(SIZE)).accept,
               _open_as_none)
BLOCK_OR_LOOP = either(BLOCK, LOOP)
BLOCKS, LOOPS = list_of(BLOCK), list_of(LOOP)
NOTHING = Kind("nothing", lambda v, get: v)


@dataclass(frozen=True)
class Primitive:
    """A schedule primitive: its function, what its arguments must be, what it returns."""

    function: Callable
    kinds: Mapping[str, Kind]
    returns: Kind

    @property
    def name(self) -> str:
        return self.function.__name__

    @cached_property
    def signature(self) -> inspect.Signature:
        """What the user passes: without the nest."""
        parameters = list(inspect.signature(self.function).parameters.values())[1:]
        return inspect.Signature([p.replace(annotation=inspect.Parameter.empty)
                                  for p in parameters])

    def bind(self, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Arguments by position (those of `*loops`) and by name, defaults left out."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as e:
            raise ScheduleError(f"{self.name}: {e}", hint=f"{self.name}{self.signature}") from None
        rest, named = (), {}
        for name, value in bound.arguments.items():
            if self.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
                rest = tuple(value)
            else:
                kind = self.kinds.get(name)
                named[name] = kind.record(value) if kind else value
        return rest, named

    def resolve(self, name: str, value, get: Callable):
        """The argument as the primitive wants it. Raises ScheduleError for the wrong kind."""
        try:
            return self.kinds[name].accept(value, get)
        except ValueError:
            raise ScheduleError(f"{self.name}: {name} must be {self.kinds[name].text}, "
                                f"not {value!r}", hint=f"{self.name}{self.signature}") from None

    @cached_property
    def rest_name(self) -> str:
        """The name of the `*` parameter."""
        return next((n for n, p in self.signature.parameters.items()
                     if p.kind is inspect.Parameter.VAR_POSITIONAL), "")


PRIMITIVES: dict[str, Primitive] = {}


def primitive(returns: Kind = NOTHING, **kinds: Kind) -> Callable[[Callable], Callable]:
    """Declares a primitive; the function stays callable on a nest."""
    def declare(function: Callable) -> Callable:
        PRIMITIVES[function.__name__] = Primitive(function, kinds, returns)
        return function
    return declare
