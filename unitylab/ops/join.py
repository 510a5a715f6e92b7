"""Several tensors as one, one as several."""

from __future__ import annotations

import itertools

import numpy as np

from ..ir import prim, te
from ..ir.errors import StructInfoError
from ..ir.prim import PrimExpr, as_int, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo, TupleStructInfo
from .broadcasting import equal_sizes
from .declare import (
    arg,
    attr,
    axis_of,
    declare,
    show,
    tensor_of,
    tensors_of,
)


def _infer_concat(call: Call) -> StructInfo:
    infos, axis = tensors_of(call, 0), call.op.attr(call, "axis")
    first = infos[0]
    kinds = {i.dtype for i in infos if i.dtype}
    if len(kinds) > 1:
        raise StructInfoError(f"concat: the dtypes {', '.join(sorted(kinds))} differ",
                              span=call.span)
    if any(i.dims is None for i in infos):
        return TensorStructInfo(None, first.dtype, first.ndim)
    axis = axis_of(call, 0 if axis is None else axis, first.ndim)
    total: PrimExpr = literal(0, "int64")
    for i in infos:
        if i.ndim != first.ndim or any(equal_sizes(a, b) is False for k, (a, b) in enumerate(
                zip(i.dims, first.dims)) if k != axis):
            raise StructInfoError(f"concat: the shapes {show(first.dims)} and {show(i.dims)} "
                                  f"differ outside of axis {axis}", span=call.span)
        total = total + i.dims[axis]
    return first.replace(shape=(*first.dims[:axis], total, *first.dims[axis + 1:]))


def _concat(tensors, axis=0):
    axis = (axis or 0) % tensors[0].ndim
    ends, total = [], literal(0, "int64")
    for t in tensors:
        total = total + t.shape[axis]
        ends.append(total)

    def rule(*i):
        value = None
        for t, end in zip(reversed(tensors), reversed(ends)):
            start = end - t.shape[axis]
            here = t[(*i[:axis], i[axis] - start, *i[axis + 1:])]
            value = here if value is None else prim.Call(
                here.dtype, "if_then_else", (i[axis] < end, here, value))
        return value

    shape = tensors[0].shape
    return te.compute((*shape[:axis], total, *shape[axis + 1:]), rule, name="T_concat")


declare("concat", [arg("tensors", "tensors"), attr("axis", 0)], _infer_concat, te=_concat,
        numpy=lambda tensors, axis=0: np.concatenate(tensors, axis or 0), pattern="injective",
        doc="Tensors one after the other along an axis.")


def _infer_stack(call: Call) -> StructInfo:
    infos, axis = tensors_of(call, 0), call.op.attr(call, "axis")
    first = infos[0]
    if first.dims is None:
        return TensorStructInfo(None, first.dtype, first.ndim + 1 if first.ndim >= 0 else -1)
    a = axis_of(call, axis, first.ndim + 1)
    dims = (*first.dims[:a], literal(len(infos), "int64"), *first.dims[a:])
    return TensorStructInfo(dims, first.dtype, len(dims))


def _stack(tensors, axis=0):
    a = axis % (tensors[0].ndim + 1)
    shape = tensors[0].shape

    def rule(*i):
        value = None
        for k in range(len(tensors) - 1, -1, -1):
            here = tensors[k][(*i[:a], *i[a + 1:])]
            value = here if value is None else prim.Call(
                here.dtype, "if_then_else", (prim.equal(i[a], k), here, value))
        return value

    return te.compute((*shape[:a], literal(len(tensors), "int64"), *shape[a:]), rule,
                      name="T_stack")


declare("stack", [arg("tensors", "tensors"), attr("axis", 0)], _infer_stack, te=_stack,
        numpy=lambda tensors, axis=0: np.stack(tensors, axis), pattern="injective",
        doc="Tensors of one shape along a new axis.")


def _cuts(size, parts):
    """Begin and end of each section."""
    if isinstance(parts, int):
        n = as_int(size)
        each = (size + (parts - 1)) // parts if n is None or n % parts else \
            literal(n // parts, "int64")
        starts = [each * k for k in range(parts)]
        return list(zip(starts, [*starts[1:], size]))
    marks = [literal(0, "int64"), *[literal(p, "int64") if isinstance(p, int) else p
                                    for p in parts], size]
    return list(itertools.pairwise(marks))


def _infer_split(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    parts, axis = call.op.attr(call, "indices_or_sections"), call.op.attr(call, "axis")
    count = parts if isinstance(parts, int) else len(parts) + 1
    if x.dims is None:
        return TupleStructInfo((TensorStructInfo(None, x.dtype, x.ndim),) * count)
    a = axis_of(call, axis, x.ndim)
    fields = tuple(x.replace(shape=(*x.dims[:a], prim.sub(e, b), *x.dims[a + 1:]))
                   for b, e in _cuts(x.dims[a], parts))
    return TupleStructInfo(fields)


def _split(x, indices_or_sections, axis=0):
    a = axis % x.ndim

    def section(b, e):
        return te.compute((*x.shape[:a], prim.sub(e, b), *x.shape[a + 1:]),
                          lambda *i: x[(*i[:a], i[a] + b, *i[a + 1:])], name="T_split")

    return tuple(section(b, e) for b, e in _cuts(x.shape[a], indices_or_sections))


def _np_split(x, indices_or_sections, axis=0):
    if isinstance(indices_or_sections, int):
        n = x.shape[axis]
        each = -(-n // indices_or_sections)
        indices_or_sections = [min(each * k, n) for k in range(1, indices_or_sections)]
    return tuple(np.ascontiguousarray(p) for p in np.split(x, list(indices_or_sections), axis))


declare("split", [arg("x"), attr("indices_or_sections"), attr("axis", 0)], _infer_split,
        te=_split, numpy=_np_split, pattern="injective",
        doc="Sections along an axis: a number of equal ones, or the positions of the cuts.")
