"""What is known of a graph-level value before it runs: shape, dtype, fields, signature."""

from __future__ import annotations

from collections.abc import Callable

from .dtypes import INT64, DataType, dtype
from .errors import Span
from .node import Node, child, definition, node, plain, span_field
from .prim import PrimExpr, literal


class StructInfo(Node):
    """Base of the kinds of struct info."""


@node
class ObjectStructInfo(StructInfo):
    """Any value (`R.Object`)."""

    span: Span | None = span_field()


@node
class PrimStructInfo(StructInfo):
    """A scalar (`R.Prim("int64")` or `R.Prim(value=n)`); `value` is its expression when known."""

    dtype: DataType = plain()
    value: PrimExpr | None = child(None)
    span: Span | None = span_field()


@node
class ShapeStructInfo(StructInfo):
    """A shape (`R.Shape(["n", 4])`); `values` None when only `ndim` (-1: unknown) is known."""

    values: tuple[PrimExpr, ...] | None = child(None)
    ndim: int = plain(-1)
    span: Span | None = span_field()


@node
class TensorStructInfo(StructInfo):
    """A tensor (`R.Tensor((n, 4), "float32")`).

    `shape` is a tuple of expressions, or a relax Var that holds a shape, or None if unknown;
    `ndim` is -1 if unknown; `dtype` is None if unknown."""

    shape: tuple[Node, ...] | Node | None = child(None)
    dtype: DataType | None = plain(None)
    ndim: int = plain(-1)
    vdevice: str | None = plain(None)
    span: Span | None = span_field()

    @property
    def dims(self) -> tuple[PrimExpr, ...] | None:
        """The shape as expressions, None where it is unknown or held by a variable."""
        return self.shape if isinstance(self.shape, tuple) else None


@node
class TupleStructInfo(StructInfo):
    """A tuple; `fields` None when nothing is known of it."""

    fields: tuple[StructInfo, ...] | None = child()
    span: Span | None = span_field()


@node
class FuncStructInfo(StructInfo):
    """A function. `params` None: an opaque function (packed function), `derive` may then compute
    the result from the call."""

    params: tuple[StructInfo, ...] | None = definition()
    ret: StructInfo = child()
    pure: bool = plain(True)
    derive: Callable | None = plain(None)
    span: Span | None = span_field()


def as_dims(shape) -> tuple[PrimExpr, ...]:
    """Shape entries as expressions; ints become int64 literals, as everywhere in graphs."""
    return tuple(literal(s, INT64) if isinstance(s, int) else s for s in shape)


def tensor_info(shape=None, dtype_: str | None = None, ndim: int = -1) -> TensorStructInfo:
    """`R.Tensor(shape, dtype)` from Python values."""
    to = dtype(dtype_) if dtype_ else None
    if shape is None or isinstance(shape, Node):
        return TensorStructInfo(shape, to, ndim)
    dims = as_dims(shape)
    return TensorStructInfo(dims, to, len(dims))


def shape_info(values=None, ndim: int = -1) -> ShapeStructInfo:
    """`R.Shape(values)` from Python values."""
    dims = None if values is None else as_dims(values)
    return ShapeStructInfo(dims, ndim if dims is None else len(dims))
