"""Reading and writing at positions that tensors hold."""

from __future__ import annotations

import numpy as np

from ..ir import prim, te
from ..ir.errors import StructInfoError
from ..ir.prim import as_int, cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from .declare import arg, attr, axis_of, declare, known, tensor_of


def _infer_elements(call: Call) -> StructInfo:
    x, where = tensor_of(call, 0), tensor_of(call, 1)
    if x.ndim >= 0 and where.ndim >= 0 and x.ndim != where.ndim:
        raise StructInfoError(f"{call.op.short}: the data has {x.ndim} dimensions, the indices "
                              f"{where.ndim}", span=call.span)
    if x.ndim >= 0:
        axis_of(call, call.op.attr(call, "axis"), x.ndim)
    return TensorStructInfo(where.shape, x.dtype, where.ndim)


def wrapped(index, size):
    """A position counted from the front: negative ones count from the back."""
    index = cast(index, size.dtype)
    return prim.Select(index < 0, index + size, index)


def _gather_elements(x, indices, axis=0):
    a = axis % x.ndim
    return te.compute(indices.shape, lambda *i: x[(
        *i[:a], wrapped(indices[i], x.shape[a]), *i[a + 1:])], name="T_gather")


def _np_gather_elements(x, indices, axis=0):
    a = axis % x.ndim
    near = x[tuple(slice(n) if k != a else slice(None) for k, n in enumerate(indices.shape))]
    return np.take_along_axis(near, indices, a)


declare("gather_elements", [arg("data"), arg("indices", of="int"), attr("axis", 0)],
        _infer_elements,
        te=_gather_elements, numpy=_np_gather_elements, pattern="injective",
        doc="out[i, j] = data[indices[i, j], j] for axis 0, and so on.")


# --- positions along several axes -----------------------------------------------------------

def _infer_nd(call: Call) -> StructInfo:
    x, where, batch = tensor_of(call, 0), tensor_of(call, 1), call.op.attr(call, "batch_dims")
    if not known(x, where):
        return TensorStructInfo(None, x.dtype, -1)
    depth = as_int(where.dims[-1]) if where.dims else None
    if depth is None:
        raise StructInfoError("gather_nd: the last size of the indices must be a number",
                              span=call.span)
    if batch + depth > x.ndim:
        raise StructInfoError(f"gather_nd: positions of {depth} numbers in a tensor with "
                              f"{x.ndim - batch} dimensions", span=call.span)
    dims = (*where.dims[:-1], *x.dims[batch + depth:])
    return TensorStructInfo(dims, x.dtype, len(dims))


def _gather_nd(x, indices, batch_dims=0):
    depth, outer = as_int(indices.shape[-1]), indices.ndim - 1

    def rule(*i):
        at = tuple(wrapped(indices[(*i[:outer], literal(k, "int64"))], x.shape[batch_dims + k])
                   for k in range(depth))
        return x[(*i[:batch_dims], *at, *i[outer:])]

    return te.compute((*indices.shape[:-1], *x.shape[batch_dims + depth:]), rule,
                      name="T_gather_nd")


def _np_gather_nd(x, indices, batch_dims=0):
    if batch_dims == 0:
        return x[tuple(np.moveaxis(indices, -1, 0))]
    return np.stack([_np_gather_nd(a, b, batch_dims - 1) for a, b in zip(x, indices)])


declare("gather_nd", [arg("data"), arg("indices", of="int"), attr("batch_dims", 0)], _infer_nd,
        te=_gather_nd, numpy=_np_gather_nd, pattern="injective",
        doc="The parts of data at positions that stand along the last axis of the indices.")


# --- writing --------------------------------------------------------------------------------

REDUCTIONS = {"update": None, "add": np.add, "mul": np.multiply, "min": np.minimum,
              "max": np.maximum}


def _infer_scatter(call: Call) -> StructInfo:
    x, how = tensor_of(call, 0), call.op.attr(call, "reduction")
    tensor_of(call, 1)
    if how not in REDUCTIONS:
        raise StructInfoError(f"{call.op.short}: reduction is one of {', '.join(REDUCTIONS)}, not "
                              f"{how!r}", span=call.span)
    return x


def _write(x, at, updates, reduction):
    out = x.copy()
    if reduction == "update":
        out[at] = updates
    else:
        REDUCTIONS[reduction].at(out, at, updates)
    return out


def _np_scatter_elements(x, indices, updates, axis=0, reduction="update"):
    at = list(np.indices(indices.shape))
    at[axis % x.ndim] = indices
    return _write(x, tuple(at), updates, reduction)


def _np_scatter_nd(x, indices, updates, reduction="update"):
    return _write(x, tuple(np.moveaxis(indices, -1, 0)), updates, reduction)


declare("scatter_elements", [arg("data"), arg("indices", of="int"), arg("updates"), attr("axis", 0),
                             attr("reduction", "update")], _infer_scatter,
        numpy=_np_scatter_elements,
        doc="data with updates[i, j] written to (or combined at) [indices[i, j], j] for axis 0.")
declare("scatter_nd", [arg("data"), arg("indices", of="int"), arg("updates"),
                       attr("reduction", "update")],
        _infer_scatter, numpy=_np_scatter_nd,
        doc="data with updates written to (or combined at) the positions along the last axis of "
            "the indices.")
