"""Run-time values of graph functions: what they must look like, and checks of that."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..interp.interpreter import Shape
from ..ir.errors import RuntimeCallError
from ..ir.node import Node
from ..ir.prim import Var
from ..ir.struct_info import (
    FuncStructInfo,
    ObjectStructInfo,
    PrimStructInfo,
    ShapeStructInfo,
    StructInfo,
    TensorStructInfo,
    TupleStructInfo,
)
from .activation import Activation
from .arguments import as_array, compact
from .sizes import Sizes

Check = Callable[[Activation, object, str], object]


def checker(info: StructInfo | None, sizes: Sizes, defined: set[Var],
            slot_of: Callable[[Node], int]) -> Check:
    """A function (activation, value, what) -> value that accepts a value declared as `info`.

    It binds the symbolic sizes that the info mentions first and checks all others."""
    if info is None or isinstance(info, (ObjectStructInfo, FuncStructInfo)):
        return lambda act, value, what: value
    if isinstance(info, TensorStructInfo):
        return _tensor(info, sizes, defined, slot_of)
    if isinstance(info, ShapeStructInfo):
        return _shape(info, sizes, defined)
    if isinstance(info, PrimStructInfo):
        return _scalar(info, sizes, defined)
    if isinstance(info, TupleStructInfo) and info.fields is not None:
        return _tuple(info, sizes, defined, slot_of)
    return lambda act, value, what: value


def _tensor(info: TensorStructInfo, sizes: Sizes, defined: set[Var], slot_of) -> Check:
    dtype = info.dtype.numpy if info.dtype else None
    ndim = info.ndim
    dims = None if info.dims is None else _dims(info.dims, sizes, defined)
    held = slot_of(info.shape) if info.dims is None and info.shape is not None else None

    def check(act: Activation, value, what: str) -> np.ndarray:
        array = compact(as_array(value, what))
        if dtype is not None and array.dtype != dtype:
            raise RuntimeCallError(f"{what} has dtype {array.dtype}, {dtype} expected",
                                   hint=f'convert it: x.astype("{dtype}")')
        if ndim >= 0 and array.ndim != ndim:
            raise RuntimeCallError(f"{what} has {array.ndim} dimensions {array.shape}, "
                                   f"{ndim} expected")
        if dims is not None:
            dims(act, array.shape, what)
        if held is not None and array.shape != tuple(act.slots[held]):
            raise RuntimeCallError(f"{what} has shape {array.shape}, "
                                   f"{tuple(act.slots[held])} expected")
        return array
    return check


def _dims(dims, sizes: Sizes, defined: set[Var]) -> Callable:
    """Binds or checks each dimension; plain sizes before what is computed from them."""
    rows = []
    for d, e in sorted(enumerate(dims), key=lambda x: not isinstance(x[1], Var)):
        if isinstance(e, Var) and e not in defined:
            defined.add(e)
            rows.append((d, sizes.place(e), None, e.name))
        else:
            rows.append((d, None, sizes.compile(e), e.script()))

    def check(act: Activation, shape, what: str) -> None:
        if len(shape) != len(rows):
            raise RuntimeCallError(f"{what} has {len(shape)} dimensions, {len(rows)} expected")
        for d, place, size, text in rows:
            if place is not None:
                act.sizes[place] = shape[d]
            elif size(act.sizes) != shape[d]:
                want = size(act.sizes)
                shown = str(want) if text == str(want) or text.startswith("T.") else \
                    f"{text} = {want}"
                raise RuntimeCallError(f"{what}: dimension {d} is {shape[d]}, {shown} expected")
    return check


def _shape(info: ShapeStructInfo, sizes: Sizes, defined: set[Var]) -> Check:
    dims = None if info.values is None else _dims(info.values, sizes, defined)

    def check(act: Activation, value, what: str):
        if not isinstance(value, (tuple, list)):
            raise RuntimeCallError(f"{what} must be a shape (a tuple of sizes), not "
                                   f"{type(value).__name__}")
        shape = Shape(int(v) for v in value)
        if info.ndim >= 0 and len(shape) != info.ndim:
            raise RuntimeCallError(f"{what} has {len(shape)} sizes, {info.ndim} expected")
        if dims is not None:
            dims(act, shape, what)
        return shape
    return check


def _scalar(info: PrimStructInfo, sizes: Sizes, defined: set[Var]) -> Check:
    place = None
    if isinstance(info.value, Var) and info.value not in defined:
        defined.add(info.value)
        place = sizes.place(info.value)
    size = None if place is not None or info.value is None else sizes.compile(info.value)

    def check(act: Activation, value, what: str):
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        if not isinstance(value, (int, float, bool, np.generic)):
            raise RuntimeCallError(f"{what} must be a scalar of dtype {info.dtype}, not "
                                   f"{type(value).__name__}")
        if place is not None:
            act.sizes[place] = int(value)
        elif size is not None and size(act.sizes) != value:
            raise RuntimeCallError(f"{what} is {value}, {size(act.sizes)} expected")
        return value
    return check


def _tuple(info: TupleStructInfo, sizes: Sizes, defined: set[Var], slot_of) -> Check:
    fields = [checker(f, sizes, defined, slot_of) for f in info.fields]

    def check(act: Activation, value, what: str) -> tuple:
        if not isinstance(value, (tuple, list)) or len(value) != len(fields):
            raise RuntimeCallError(f"{what} must be a tuple of {len(fields)} values")
        return tuple(f(act, v, f"{what}, field {i}")
                     for i, (f, v) in enumerate(zip(fields, value)))
    return check


def typed(value, info: StructInfo | None):
    """What a library or an operator's reference gave, as value of the declared dtype."""
    if isinstance(info, TupleStructInfo) and info.fields is not None and \
            isinstance(value, (tuple, list)):
        return tuple(typed(v, f) for v, f in zip(value, info.fields))
    if isinstance(info, TensorStructInfo):
        array = as_array(value if not isinstance(value, list) else np.asarray(value), "a result")
        return array.astype(info.dtype.numpy, copy=False) if info.dtype else array
    if isinstance(info, ShapeStructInfo) and isinstance(value, (tuple, list)):
        return Shape(value)
    return value
