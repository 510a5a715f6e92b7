"""Data types as LLVM types: how a value is computed with, and how it lies in memory.

A bool is an i1 in registers and a byte in memory; a bfloat16 is a float in registers and 16 bits in
memory.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from ...ir.dtypes import DataType
from ...ir.errors import BuildError

I1, I8, I16, I32, I64 = (ir.IntType(n) for n in (1, 8, 16, 32, 64))
FLOAT, PTR, VOID = ir.FloatType(), ir.PointerType(), ir.VoidType()
_FLOATS = {"float16": ir.HalfType(), "bfloat16": FLOAT, "float32": FLOAT,
           "float64": ir.DoubleType()}


def register_type(t: DataType) -> ir.Type:
    """The type in registers. Raises BuildError for dtypes without code generation."""
    return with_lanes(_register_element(t.element), _lanes(t))


def memory_type(t: DataType) -> ir.Type:
    """The type in memory."""
    element = t.element
    found = {"bool": I8, "bfloat16": I16}.get(element)
    return with_lanes(found or _register_element(element), _lanes(t))


def _lanes(t: DataType) -> int:
    if t.scalable:
        raise BuildError(f"{t}: vectors of scalable length have no code generation",
                         hint="choose a fixed number of lanes")
    return t.lanes


def _register_element(t: DataType) -> ir.Type:
    if t.is_float:
        if t not in _FLOATS:
            raise BuildError(f"{t} has no code generation", hint="cast to float16 or float32")
        return _FLOATS[t]
    if t.kind in ("int", "uint") and t.bits in (8, 16, 32, 64):
        return ir.IntType(t.bits)
    if t.is_bool:
        return I1
    if t.kind == "handle":
        return PTR
    raise BuildError(f"{t} has no code generation", hint="use an 8 to 64 bit integer")


def with_lanes(element: ir.Type, lanes: int) -> ir.Type:
    return element if lanes == 1 else ir.VectorType(element, lanes)


def constant(value, t: DataType) -> ir.Constant:
    """A literal of dtype `t` in registers; a vector holds it in every lane."""
    element = _register_element(t.element)
    if t.is_float:
        with np.errstate(all="ignore"):
            scalar = ir.Constant(element, float(t.element.numpy.type(value)))
    else:
        scalar = ir.Constant(element, int(value))
    if t.lanes == 1:
        return scalar
    return ir.Constant(register_type(t), [scalar] * t.lanes)


def i64(value: int) -> ir.Constant:
    return ir.Constant(I64, value)


def known(value: ir.Value) -> int | None:
    """The number of an integer constant, None for what is computed."""
    if isinstance(value, ir.Constant) and isinstance(value.constant, int):
        return value.constant
    return None


def lanes_of(value: ir.Value) -> int:
    return value.type.count if isinstance(value.type, ir.VectorType) else 1


def splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    """A vector with `value` in every lane."""
    if lanes == 1 or lanes_of(value) == lanes:
        return value
    vector = ir.VectorType(value.type, lanes)
    if isinstance(value, ir.Constant):
        return ir.Constant(vector, [value] * lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, lanes), [ir.Constant(I32, 0)] * lanes)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)
