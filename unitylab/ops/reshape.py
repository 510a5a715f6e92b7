"""The same elements in another shape."""

from __future__ import annotations

from ..ir import te
from ..ir.errors import StructInfoError
from ..ir.prim import PrimExpr, as_int, literal
from ..ir.relax import Call, info_of
from ..ir.struct_info import StructInfo, TensorStructInfo
from .broadcasting import equal_sizes
from .declare import (
    arg,
    declare,
    shape_argument,
    show,
    tensor_of,
)


def product(dims) -> PrimExpr:
    """The number of elements."""
    n: PrimExpr = literal(1, "int64")
    for d in dims:
        n = n * d
    return n


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


def flattened(x):
    return te.compute((product(x.shape),), lambda i: x[unravel(i, x.shape)] if x.ndim
                      else x[()], name="T_flatten")


declare("flatten", [arg("x")], _infer_flatten, te=flattened, numpy=lambda x: x.reshape(-1),
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
