"""What declarations of operators are written with."""

from __future__ import annotations

from collections.abc import Callable

from ..ir.errors import StructInfoError
from ..ir.node import Node
from ..ir.op import REQUIRED, Op, Param, register
from ..ir.prim import as_int
from ..ir.relax import Call, info_of
from ..ir.struct_info import (
    ObjectStructInfo,
    PrimStructInfo,
    ShapeStructInfo,
    StructInfo,
    TensorStructInfo,
    TupleStructInfo,
)


def arg(name: str, kind: str = "tensor", default=REQUIRED, of: str = "") -> Param:
    """An argument of a call: a tensor (`of` floating point, integers, numbers, ...), or (`kind`
    "expr") anything."""
    return Param(name, kind, default, of)


def attr(name: str, default=REQUIRED) -> Param:
    """A plain value of a call."""
    return Param(name, "attr", default)


def declare(name: str, params: tuple[Param, ...] | list[Param], infer: Callable | None, *,
            te: Callable | None = None, numpy: Callable | None = None, doc: str = "",
            pattern: str = "opaque", pure: bool = True) -> Op:
    """Registers an operator called `R.<name>`."""
    return register(Op(f"relax.{name}", tuple(params), infer, te, numpy, doc, pattern, pure))


# --- struct info of arguments ---------------------------------------------------------------

def tensor_of(call: Call, k: int) -> TensorStructInfo:
    """The struct info of argument `k`, which must be a tensor (or a scalar, as one of rank 0)."""
    if k >= len(call.args):
        raise StructInfoError(f"{call.op.short}: argument {k} is missing", span=call.span)
    info = info_of(call.args[k])
    if isinstance(info, PrimStructInfo):
        return TensorStructInfo((), info.dtype, 0)
    if isinstance(info, ObjectStructInfo) or info is None:
        return TensorStructInfo(None, None, -1)
    if not isinstance(info, TensorStructInfo):
        raise StructInfoError(f"{call.op.short}: argument {k} must be a tensor, it is "
                              f"{info.script()}", span=call.span)
    return info


def tensors_of(call: Call, k: int) -> tuple[TensorStructInfo, ...] | None:
    """The struct infos of a tuple of tensors, None if they are not known."""
    info = info_of(call.args[k])
    if not isinstance(info, TupleStructInfo):
        raise StructInfoError(f"{call.op.short}: argument {k} must be a tuple of tensors",
                              span=call.span)
    return info.fields


def shape_argument(call: Call, k: int):
    """The sizes that argument `k`, a shape, holds; None if they are not known."""
    info = info_of(call.args[k])
    if not isinstance(info, ShapeStructInfo):
        raise StructInfoError(f"{call.op.short}: argument {k} must be a shape", span=call.span,
                              hint="R.shape([n, 4]) or a tuple of sizes")
    return info.values


def same(call: Call) -> StructInfo:
    """The result is like the first argument."""
    return tensor_of(call, 0)


def show(dims) -> str:
    """A shape for people."""
    if dims is None:
        return "(unknown)"
    inner = ", ".join(str(as_int(d)) if as_int(d) is not None else d.script() for d in dims)
    return f"({inner},)" if len(dims) == 1 else f"({inner})"


def axis_of(call: Call, axis: int, ndim: int) -> int:
    """An axis counted from the front. Raises StructInfoError if there is none such."""
    if not -ndim <= axis < ndim:
        raise StructInfoError(f"{call.op.short}: axis {axis} of a tensor with {ndim} dimensions",
                              span=call.span)
    return axis % ndim


def axes_of(call: Call, axes, ndim: int) -> tuple[int, ...]:
    """Axes counted from the front; None means all."""
    if axes is None:
        return tuple(range(ndim))
    axes = (axes,) if isinstance(axes, int) else axes
    return tuple(axis_of(call, a, ndim) for a in axes)


def known(*infos: TensorStructInfo) -> bool:
    """Whether all shapes are known."""
    return all(i.dims is not None for i in infos)


def is_node(x) -> bool:
    return isinstance(x, Node)
