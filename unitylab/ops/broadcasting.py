"""NumPy's broadcasting, with symbolic sizes."""

from __future__ import annotations

from ..arith.analyzer import Analyzer
from ..ir import prim
from ..ir.dtypes import BOOL
from ..ir.errors import StructInfoError
from ..ir.prim import PrimExpr, as_int
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from .declare import show, tensor_of


def equal_sizes(a: PrimExpr, b: PrimExpr) -> bool | None:
    """True or False where it is known, else None."""
    x, y = as_int(a), as_int(b)
    if x is not None and y is not None:
        return x == y
    if a is b or Analyzer().can_prove_equal(a, b):
        return True
    return None


def broadcast_dims(a, b, what: str, span=None) -> tuple[PrimExpr, ...] | None:
    """The common shape; None where it depends on unknown sizes.
    Raises StructInfoError, naming both shapes."""
    out: list[PrimExpr] = []
    for x, y in zip(_padded(a, len(b)), _padded(b, len(a))):
        if as_int(x) == 1:
            out.append(y)
        elif as_int(y) == 1:
            out.append(x)
        else:
            same = equal_sizes(x, y)
            if same is False:
                raise StructInfoError(f"{what}: the shapes {show(a)} and {show(b)} do not "
                                      "broadcast", span=span,
                                      hint="sizes must be equal or 1, counted from the right")
            if same is None:
                return None
            out.append(x)
    return tuple(out)


def _padded(dims, ndim: int) -> tuple[PrimExpr, ...]:
    return (prim.literal(1, "int64"),) * max(0, ndim - len(dims)) + tuple(dims)


def binary_dtype(call: Call, a: TensorStructInfo, b: TensorStructInfo):
    """The common dtype. Raises StructInfoError if they differ."""
    if a.dtype and b.dtype and a.dtype != b.dtype:
        raise StructInfoError(f"{call.op.short}: the dtypes {a.dtype} and {b.dtype} differ",
                              span=call.span, hint="R.astype(x, dtype) converts")
    return a.dtype or b.dtype


def infer_broadcast(call: Call, result=None) -> StructInfo:
    """Struct info of an elementwise operator of all its tensor arguments."""
    infos = [tensor_of(call, k) for k in range(len(call.args))]
    out = infos[0]
    for info in infos[1:]:
        kind = binary_dtype(call, out, info)
        dims, ndim = None, -1
        if out.dims is not None and info.dims is not None:
            dims = broadcast_dims(out.dims, info.dims, call.op.short, call.span)
        if out.ndim >= 0 and info.ndim >= 0:
            ndim = max(out.ndim, info.ndim)
        out = TensorStructInfo(dims, kind, ndim)
    return out if result is None else out.replace(dtype=result)


def infer_comparison(call: Call) -> StructInfo:
    """Like `infer_broadcast`, the result is bool."""
    return infer_broadcast(call, BOOL)


def at(tensor, indices: tuple[PrimExpr, ...]):
    """The element of a tensor (or the scalar) that broadcasts to the point `indices`."""
    if not hasattr(tensor, "shape"):
        return tensor
    own = indices[len(indices) - tensor.ndim:]
    return tensor[tuple(prim.literal(0, i.dtype) if as_int(s) == 1 else i
                        for s, i in zip(tensor.shape, own))]


def broadcast_shape(*tensors) -> tuple[PrimExpr, ...]:
    """The common shape of tensors in a tensor expression; scalars have none."""
    dims: tuple[PrimExpr, ...] = ()
    for t in tensors:
        if hasattr(t, "shape"):
            found = broadcast_dims(dims, t.shape, "broadcast")
            dims = found if found is not None else max(dims, t.shape, key=len)
    return dims
