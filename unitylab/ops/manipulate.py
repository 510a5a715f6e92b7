"""Operators that move elements: reshape, transpose, concat, split, take, ..."""

from __future__ import annotations

import numpy as np

from ..ir import prim, te
from ..ir.errors import StructInfoError
from ..ir.prim import PrimExpr, as_int, literal
from ..ir.relax import Call, info_of
from ..ir.struct_info import StructInfo, TensorStructInfo, TupleStructInfo
from .broadcasting import at, broadcast_dims, equal_sizes
from .declare import (arg, attr, axes_of, axis_of, declare, shape_argument, show, tensor_of,
                      tensors_of)


def product(dims) -> PrimExpr:
    """The number of elements."""
    n: PrimExpr = literal(1, "int64")
    for d in dims:
        n = n * d
    return n


# --- reshape --------------------------------------------------------------------------------

def _infer_reshape(call: Call) -> StructInfo:
    x, want = tensor_of(call, 0), shape_argument(call, 1)
    if want is None:
        return TensorStructInfo(None, x.dtype, info_of(call.args[1]).ndim)
    dims = resolve_shape(want, x.dims, call)
    return TensorStructInfo(dims, x.dtype, len(want))


def resolve_shape(want, have, call: Call | None = None):
    """The sizes of a reshape: -1 stands for what is left, 0 for the same as before."""
    span = call.span if call is not None else None
    sizes = [have[k] if as_int(d) == 0 and have is not None and k < len(have)
             and as_int(have[k]) != 0 else d for k, d in enumerate(want)]
    holes = [k for k, d in enumerate(sizes) if as_int(d) == -1]
    if len(holes) > 1:
        raise StructInfoError("reshape: -1 may stand only once", span=span)
    if have is None:
        return None if holes else tuple(sizes)
    total = product(have)
    rest = product(d for k, d in enumerate(sizes) if k not in holes)
    if holes:
        left, by = as_int(total), as_int(rest)
        if left is not None and by and left % by:
            raise StructInfoError(f"reshape: {show(have)} has {left} elements, not a multiple of "
                                  f"{by}", span=span)
        sizes[holes[0]] = _quotient(have, sizes, holes[0], total, rest)
    elif equal_sizes(total, rest) is False:
        raise StructInfoError(f"reshape: {show(have)} has {as_int(total)} elements, "
                              f"{show(sizes)} has {as_int(rest)}", span=span)
    return tuple(sizes)


def _quotient(have, sizes, hole: int, total, rest) -> PrimExpr:
    """total // rest, cancelling symbolic sizes that stand on both sides."""
    above, below = list(have), [d for k, d in enumerate(sizes) if k != hole]
    for d in list(below):
        same = next((a for a in above if a is d), None)
        if same is not None and as_int(d) is None:
            above.remove(same)
            below.remove(d)
    return product(above) // product(below)


def _reshape(x, shape):
    dims = resolve_shape([literal(s, "int64") if isinstance(s, int) else s for s in shape],
                         x.shape)
    return te.compute(dims, lambda *i: x[unravel(ravel(i, dims), x.shape)], name="T_reshape")


def ravel(indices, dims) -> PrimExpr:
    """The position of a point in row-major order."""
    position: PrimExpr = literal(0, "int64")
    for i, d in zip(indices, dims):
        position = position * d + i
    return position


def unravel(position: PrimExpr, dims) -> tuple[PrimExpr, ...]:
    """The point at a position in row-major order."""
    indices, inner = [], literal(1, "int64")
    for k in range(len(dims) - 1, -1, -1):
        i = position // inner
        indices.append(i % dims[k] if k else i)
        inner = inner * dims[k]
    if len(dims) == 1:
        indices = [position]
    return tuple(reversed(indices))


def _np_reshape(x, shape):
    return x.reshape(tuple(x.shape[k] if s == 0 and x.shape[k:k + 1] != (0,) and x.size else s
                           for k, s in enumerate(shape)))


declare("reshape", [arg("x"), arg("shape", "shape")], _infer_reshape, te=_reshape,
        numpy=_np_reshape, pattern="injective",
        doc="The same elements in another shape; one size may be -1, 0 keeps a size.")


def _infer_flatten(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    dims = None if x.dims is None else (product(x.dims),)
    return TensorStructInfo(dims, x.dtype, 1)


def _flatten(x):
    return te.compute((product(x.shape),), lambda i: x[unravel(i, x.shape)] if x.ndim
                      else x[()], name="T_flatten")


declare("flatten", [arg("x")], _infer_flatten, te=_flatten, numpy=lambda x: x.reshape(-1),
        pattern="injective", doc="All elements in one dimension, row-major.")


def _infer_batch_flatten(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    dims = None if x.dims is None else (x.dims[0], product(x.dims[1:]))
    return TensorStructInfo(dims, x.dtype, 2)


def _batch_flatten(x):
    dims = (x.shape[0], product(x.shape[1:]))
    return te.compute(dims, lambda b, i: x[(b, *unravel(i, x.shape[1:]))], name="T_batch_flatten")


declare("nn.batch_flatten", [arg("data")], _infer_batch_flatten, te=_batch_flatten,
        numpy=lambda x: x.reshape(x.shape[0], -1), pattern="injective",
        doc="All dimensions but the first as one.")


# --- permutations ---------------------------------------------------------------------------

def _infer_permute(call: Call) -> StructInfo:
    x, axes = tensor_of(call, 0), call.op.attr(call, "axes")
    if x.ndim < 0:
        return x.replace(ndim=len(axes) if axes is not None else -1)
    order = tuple(reversed(range(x.ndim))) if axes is None else axes_of(call, axes, x.ndim)
    if sorted(order) != list(range(x.ndim)):
        raise StructInfoError(f"permute_dims: {axes} is no permutation of {x.ndim} axes",
                              span=call.span)
    return x if x.dims is None else x.replace(shape=tuple(x.dims[a] for a in order))


def _permute(x, axes=None):
    order = tuple(reversed(range(x.ndim))) if axes is None else tuple(a % x.ndim for a in axes)

    def rule(*i):
        source = [None] * x.ndim
        for k, a in enumerate(order):
            source[a] = i[k]
        return x[tuple(source)]

    return te.compute(tuple(x.shape[a] for a in order), rule, name="T_transpose")


declare("permute_dims", [arg("x"), attr("axes", None)], _infer_permute, te=_permute,
        numpy=lambda x, axes=None: np.ascontiguousarray(np.transpose(x, axes)),
        pattern="injective", doc="The axes in another order; None reverses them.")


def _infer_expand(call: Call) -> StructInfo:
    x, axis = tensor_of(call, 0), call.op.attr(call, "axis")
    axes = (axis,) if isinstance(axis, int) else axis
    if x.ndim < 0:
        return x
    places = axes_of(call, axes, x.ndim + len(axes))
    ndim = x.ndim + len(axes)
    if x.dims is None:
        return x.replace(ndim=ndim)
    rest = iter(x.dims)
    dims = tuple(literal(1, "int64") if k in places else next(rest) for k in range(ndim))
    return TensorStructInfo(dims, x.dtype, ndim)


def _expand(x, axis):
    axes = (axis,) if isinstance(axis, int) else axis
    ndim = x.ndim + len(axes)
    places = {a % ndim for a in axes}
    rest = iter(x.shape)
    dims = [literal(1, "int64") if k in places else next(rest) for k in range(ndim)]
    return te.compute(dims, lambda *i: x[tuple(v for k, v in enumerate(i) if k not in places)],
                      name="T_expand_dims")


declare("expand_dims", [arg("x"), attr("axis")], _infer_expand, te=_expand,
        numpy=lambda x, axis: np.expand_dims(x, axis), pattern="injective",
        doc="New axes of size 1.")


def _squeezed(dims, axis, ndim: int):
    if axis is None:
        return tuple(k for k, d in enumerate(dims) if as_int(d) == 1)
    return tuple(a % ndim for a in ((axis,) if isinstance(axis, int) else axis))


def _infer_squeeze(call: Call) -> StructInfo:
    x, axis = tensor_of(call, 0), call.op.attr(call, "axis")
    if x.dims is None:
        return TensorStructInfo(None, x.dtype, -1)
    if axis is not None:
        for a in axes_of(call, axis, x.ndim):
            if as_int(x.dims[a]) not in (1, None):
                raise StructInfoError(f"squeeze: axis {a} of {show(x.dims)} has size "
                                      f"{as_int(x.dims[a])}, not 1", span=call.span)
    gone = _squeezed(x.dims, axis, x.ndim)
    dims = tuple(d for k, d in enumerate(x.dims) if k not in gone)
    return TensorStructInfo(dims, x.dtype, len(dims))


def _squeeze(x, axis=None):
    gone = _squeezed(x.shape, axis, x.ndim)
    dims = tuple(d for k, d in enumerate(x.shape) if k not in gone)

    def rule(*i):
        rest = iter(i)
        return x[tuple(literal(0, "int64") if k in gone else next(rest) for k in range(x.ndim))]

    return te.compute(dims, rule, name="T_squeeze")


declare("squeeze", [arg("x"), attr("axis", None)], _infer_squeeze, te=_squeeze,
        numpy=lambda x, axis=None: np.squeeze(x, axis), pattern="injective",
        doc="Without axes of size 1 (the given ones, or all).")


def _infer_flip(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    if x.ndim >= 0:
        axis_of(call, call.op.attr(call, "axis"), x.ndim)
    return x


def _flip(x, axis):
    a = axis % x.ndim
    return te.compute(x.shape, lambda *i: x[(*i[:a], x.shape[a] - 1 - i[a], *i[a + 1:])],
                      name="T_reverse_sequence")


declare("flip", [arg("data"), attr("axis")], _infer_flip, te=_flip,
        numpy=lambda x, axis: np.ascontiguousarray(np.flip(x, axis)), pattern="injective",
        doc="Reversed along an axis.")


# --- several tensors ------------------------------------------------------------------------

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
    return list(zip(marks, marks[1:]))


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


# --- broadcasting and repetition ------------------------------------------------------------

def _infer_broadcast_to(call: Call) -> StructInfo:
    x, want = tensor_of(call, 0), shape_argument(call, 1)
    if want is not None and x.dims is not None:
        broadcast_dims(x.dims, want, "broadcast_to", call.span)
    ndim = len(want) if want is not None else info_of(call.args[1]).ndim
    return TensorStructInfo(want, x.dtype, ndim)


def _broadcast_to(x, shape):
    return te.compute(shape, lambda *i: at(x, i), name="T_broadcast_to")


declare("broadcast_to", [arg("x"), arg("shape", "shape")], _infer_broadcast_to, te=_broadcast_to,
        numpy=lambda x, shape: np.ascontiguousarray(np.broadcast_to(x, shape)),
        pattern="broadcast", doc="Repeated along axes of size 1 until the shape is reached.")


def _infer_repeat(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    n, axis = call.op.attr(call, "repeats"), call.op.attr(call, "axis")
    if x.dims is None:
        return TensorStructInfo(None, x.dtype, 1 if axis is None else x.ndim)
    if axis is None:
        return TensorStructInfo((product(x.dims) * n,), x.dtype, 1)
    a = axis_of(call, axis, x.ndim)
    return x.replace(shape=(*x.dims[:a], x.dims[a] * n, *x.dims[a + 1:]))


def _repeat(x, repeats, axis=None):
    if axis is None:
        return _repeat(_flatten(x), repeats, 0)
    a = axis % x.ndim
    return te.compute((*x.shape[:a], x.shape[a] * repeats, *x.shape[a + 1:]),
                      lambda *i: x[(*i[:a], i[a] // repeats, *i[a + 1:])], name="T_repeat")


declare("repeat", [arg("data"), attr("repeats"), attr("axis", None)], _infer_repeat, te=_repeat,
        numpy=np.repeat, pattern="injective", doc="Each element several times.")


def _infer_tile(call: Call) -> StructInfo:
    x, times = tensor_of(call, 0), _times(call.op.attr(call, "repeats"))
    if x.dims is None:
        return TensorStructInfo(None, x.dtype, max(x.ndim, len(times)) if x.ndim >= 0 else -1)
    dims = _tiled(x.dims, times)
    return TensorStructInfo(dims, x.dtype, len(dims))


def _times(repeats) -> tuple[int, ...]:
    return (repeats,) if isinstance(repeats, int) else tuple(repeats)


def _tiled(dims, times):
    n = max(len(dims), len(times))
    dims = (literal(1, "int64"),) * (n - len(dims)) + tuple(dims)
    times = (1,) * (n - len(times)) + tuple(times)
    return tuple(d * t for d, t in zip(dims, times))


def _tile(x, repeats):
    dims = _tiled(x.shape, _times(repeats))
    return te.compute(dims, lambda *i: x[tuple(v % s for v, s in zip(
        i[len(dims) - x.ndim:], x.shape))], name="T_tile")


declare("tile", [arg("data"), attr("repeats")], _infer_tile, te=_tile,
        numpy=lambda x, repeats: np.tile(x, repeats), pattern="injective", doc="The whole tensor several times along each axis.")


# --- picking --------------------------------------------------------------------------------

def _infer_take(call: Call) -> StructInfo:
    x, indices, axis = tensor_of(call, 0), tensor_of(call, 1), call.op.attr(call, "axis")
    if indices.dtype and not indices.dtype.is_int:
        raise StructInfoError(f"take: indices are integers, not {indices.dtype}", span=call.span)
    if x.dims is None or indices.dims is None:
        known = x.ndim >= 0 and indices.ndim >= 0
        return TensorStructInfo(None, x.dtype, x.ndim - 1 + indices.ndim if known else -1)
    if axis is None and x.ndim != 1:
        raise StructInfoError("take: give an axis for a tensor with several dimensions",
                              span=call.span)
    a = axis_of(call, axis or 0, x.ndim)
    dims = (*x.dims[:a], *indices.dims, *x.dims[a + 1:])
    return TensorStructInfo(dims, x.dtype, len(dims))


def _take(x, indices, axis=None, mode="fast"):
    a = (axis or 0) % x.ndim
    if not hasattr(indices, "shape"):
        return te.compute((*x.shape[:a], *x.shape[a + 1:]),
                          lambda *i: x[(*i[:a], indices, *i[a:])], name="T_take")
    n = indices.ndim

    def rule(*i):
        where = indices[i[a:a + n]]
        if mode == "clip":
            top = x.shape[a] - 1
            where = prim.minimum(prim.maximum(where, 0), prim.cast(top, where.dtype))
        elif mode == "wrap":
            where = where % prim.cast(x.shape[a], where.dtype)
        return x[(*i[:a], where, *i[a + n:])]

    return te.compute((*x.shape[:a], *indices.shape, *x.shape[a + 1:]), rule, name="T_take")


def _np_take(x, indices, axis=None, mode="fast"):
    return np.take(x, indices, axis=axis or 0, mode={"fast": "raise"}.get(mode, mode))


declare("take", [arg("x"), arg("indices"), attr("axis", None), attr("mode", "fast")], _infer_take,
        te=_take, numpy=_np_take, pattern="injective",
        doc="The slices at `indices` along an axis (an embedding lookup); mode fast, clip, wrap.")


def _infer_strided_slice(call: Call) -> StructInfo:
    x = tensor_of(call, 0)
    return TensorStructInfo(None if x.dims is None else _slice_dims(x.dims, *_slice_parts(call, x)),
                            x.dtype, x.ndim)


def _slice_parts(call: Call, x):
    values = [call.args[k] for k in range(1, len(call.args))]
    sizes = [_sizes(v) for v in values]
    axes, begin, end = sizes[:3]
    strides = sizes[3] if len(sizes) > 3 else (literal(1, "int64"),) * len(axes)
    return tuple(as_int(a) % x.ndim for a in axes), begin, end, strides


def _sizes(e):
    fields = getattr(e, "fields", None)
    if fields is not None:
        return tuple(f.value for f in fields)
    return e.values


def _bound(v, size, stride: int, end: bool) -> PrimExpr:
    """A begin or end as Python's slices read it: negative counts from the back, clipped."""
    n, s = as_int(v), as_int(size)
    if n is not None and s is not None:
        return literal(slice(None if end else n, n if end else None, stride)
                       .indices(s)[1 if end else 0], "int64")
    if n is not None and n < 0:
        return prim.maximum(size + n, 0)
    return prim.minimum(v, size) if not (n == 0) else literal(0, "int64")


def _slice_dims(dims, axes, begin, end, strides):
    out = list(dims)
    for a, b, e, s in zip(axes, begin, end, strides):
        step = as_int(s)
        low, high = _bound(b, dims[a], step, False), _bound(e, dims[a], step, True)
        count = prim.sub(high, low) if step > 0 else prim.sub(low, high)
        count = (count + (abs(step) - 1)) // abs(step)
        n = as_int(count)
        out[a] = literal(max(n, 0), "int64") if n is not None else count
    return tuple(out)


def _strided_slice(x, axes, begin, end, strides=None, assume_inbound=False):
    axes = tuple(as_int(a) % x.ndim for a in axes)
    lift = [literal(v, "int64") if isinstance(v, int) else v for v in begin]
    stop = [literal(v, "int64") if isinstance(v, int) else v for v in end]
    steps = [literal(v, "int64") if isinstance(v, int) else v
             for v in (strides or (1,) * len(axes))]
    start = {a: (_bound(b, x.shape[a], as_int(s), False), as_int(s))
             for a, b, s in zip(axes, lift, steps)}

    def rule(*i):
        return x[tuple(start[k][0] + v * start[k][1] if k in start else v
                       for k, v in enumerate(i))]

    return te.compute(_slice_dims(x.shape, axes, lift, stop, steps), rule,
                      name="T_strided_slice")


def _np_strided_slice(x, axes, begin, end, strides=None, assume_inbound=False):
    index = [slice(None)] * x.ndim
    for k, a in enumerate(axes):
        index[a] = slice(begin[k], end[k], strides[k] if strides else 1)
    return np.ascontiguousarray(x[tuple(index)])


declare("strided_slice", [arg("x"), arg("axes", "expr"), arg("begin", "expr"), arg("end", "expr"),
                          arg("strides", "expr", None), attr("assume_inbound", False)],
        _infer_strided_slice, te=_strided_slice, numpy=_np_strided_slice, pattern="injective",
        doc="x[begin:end:stride] along some axes.")
