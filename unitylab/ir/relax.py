"""Graph functions (Relax): expressions, bindings, dataflow blocks, functions."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .dtypes import DataType, dtype
from .errors import Span, StructInfoError
from .node import EMPTY, FrozenDict, Node, child, definition, node, note, plain, span_field
from .prim import GlobalVar, PrimExpr, literal
from .struct_info import (FuncStructInfo, ObjectStructInfo, PrimStructInfo, StructInfo,
                          TupleStructInfo, as_dims, shape_info, tensor_info)
from .tir import BaseFunc


class Expr(Node):
    """A graph-level value. `struct_info` is what is known of it, None before inference."""

    struct_info: StructInfo | None


@node
class Var(Expr):
    """A variable, bound once; its identity is the variable, the name is for people."""

    name: str = note()
    struct_info: StructInfo | None = definition(None)
    span: Span | None = span_field()


@node
class DataflowVar(Var):
    """A variable that lives only inside its dataflow block."""


@node
class Constant(Expr):
    """A tensor known at compile time. The array is read-only and shared, never copied."""

    data: np.ndarray = plain()
    span: Span | None = span_field()

    @cached_property
    def struct_info(self) -> StructInfo:
        return tensor_info(self.data.shape, str(self.data.dtype))


@node
class ShapeExpr(Expr):
    """A shape as a value: `R.shape([n, 4])`."""

    values: tuple[PrimExpr, ...] = child()
    span: Span | None = span_field()

    @property
    def struct_info(self) -> StructInfo:
        return shape_info(self.values)


@node
class PrimValue(Expr):
    """A scalar expression as a graph-level value."""

    value: PrimExpr = child()
    span: Span | None = span_field()

    @property
    def struct_info(self) -> StructInfo:
        return PrimStructInfo(self.value.dtype, self.value)


@node
class StringImm(Expr):
    """A string as a graph-level value: `R.str("...")`."""

    value: str = plain()
    span: Span | None = span_field()
    struct_info = ObjectStructInfo()


@node
class DataTypeImm(Expr):
    """A dtype as a graph-level value: `R.dtype("...")`."""

    value: DataType = plain()
    span: Span | None = span_field()
    struct_info = ObjectStructInfo()


@node
class ExternFunc(Expr):
    """A registered library function, by name."""

    name: str = plain()
    struct_info: StructInfo | None = child(None)
    span: Span | None = span_field()


@node
class Tuple(Expr):
    """Several values as one."""

    fields: tuple[Expr, ...] = child()
    span: Span | None = span_field()

    @property
    def struct_info(self) -> StructInfo | None:
        infos = tuple(info_of(f) for f in self.fields)
        return None if None in infos else TupleStructInfo(infos)


@node
class TupleGetItem(Expr):
    """Field `index` of a tuple."""

    tuple: Expr = child()
    index: int = plain()
    span: Span | None = span_field()

    @property
    def struct_info(self) -> StructInfo | None:
        info = self.tuple.struct_info
        if isinstance(info, TupleStructInfo) and info.fields is not None:
            return info.fields[self.index] if self.index < len(info.fields) else None
        return ObjectStructInfo() if info is not None else None


@node
class Call(Expr):
    """A call. `op` is an Op (by its record), a GlobalVar, an ExternFunc or a function value.

    `attrs` holds plain values by the name of the op's parameters; `sinfo_args` is the declared
    result of `call_tir` and its kin."""

    op: Node = child()
    args: tuple[Node, ...] = child()
    attrs: FrozenDict = child(EMPTY)
    sinfo_args: tuple[StructInfo, ...] = child(())
    struct_info: StructInfo | None = note(None)
    span: Span | None = span_field()


@node
class If(Expr):
    """A branch; both sides are sequences."""

    cond: Expr = child()
    true_branch: Expr = child()
    false_branch: Expr = child()
    struct_info: StructInfo | None = note(None)
    span: Span | None = span_field()


class Binding(Node):
    """Gives a value a name."""

    var: Var


@node
class VarBinding(Binding):
    """`var = value`."""

    var: Var = definition()
    value: Expr = child()
    span: Span | None = span_field()


@node
class MatchCast(Binding):
    """`var = R.match_cast(value, struct_info)`: checked when run, defines symbolic variables."""

    var: Var = definition()
    value: Expr = child()
    struct_info: StructInfo = definition()
    span: Span | None = span_field()


@node
class BindingBlock(Node):
    """Bindings in order; may have effects."""

    bindings: tuple[Binding, ...] = child()
    span: Span | None = span_field()


@node
class DataflowBlock(BindingBlock):
    """Pure bindings without control flow: what passes may reorder."""


@node
class SeqExpr(Expr):
    """Blocks of bindings, then a result."""

    blocks: tuple[BindingBlock, ...] = child()
    body: Expr = child()
    span: Span | None = span_field()

    @property
    def struct_info(self) -> StructInfo | None:
        return info_of(self.body)

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """All bindings of all blocks."""
        return tuple(b for block in self.blocks for b in block.bindings)


@node
class Function(BaseFunc, Expr):
    """A graph function. Symbolic variables are defined by the struct info of the parameters."""

    params: tuple[Var, ...] = definition()
    body: SeqExpr = child()
    ret_struct_info: StructInfo | None = child(None)
    is_pure: bool = plain(True)
    attrs: FrozenDict = child(EMPTY)
    span: Span | None = span_field()

    @property
    def struct_info(self) -> FuncStructInfo:
        """The signature."""
        params = tuple(p.struct_info or ObjectStructInfo() for p in self.params)
        return FuncStructInfo(params, self.ret_struct_info or ObjectStructInfo(), self.is_pure)


def info_of(e: Node) -> StructInfo | None:
    """The struct info of an expression, None where it is not inferred yet."""
    return getattr(e, "struct_info", None)


def const(value, dtype_: str | None = None) -> Constant:
    """A constant from an array or Python number (float32, int32 or bool unless said otherwise)."""
    if dtype_ is None and isinstance(value, (bool, int, float)):
        dtype_ = {bool: "bool", int: "int32", float: "float32"}[type(value)]
    array = np.asarray(value, dtype=dtype(dtype_).numpy if dtype_ else None)
    if array.flags.writeable:
        array = array.view() if array.base is None and array is not value else array.copy()
        array.flags.writeable = False
    return Constant(array)


def as_expr(value) -> Expr:
    """A Python value as a graph-level expression: numbers, tuples, arrays, shapes, strings."""
    if isinstance(value, (Expr, GlobalVar)):
        return value
    if isinstance(value, PrimExpr):
        return PrimValue(value)
    if isinstance(value, bool):
        return PrimValue(literal(value))
    if isinstance(value, int):
        return PrimValue(literal(value, "int64"))
    if isinstance(value, float):
        return PrimValue(literal(value))
    if isinstance(value, str):
        return StringImm(value)
    if isinstance(value, tuple):
        return Tuple(tuple(as_expr(v) for v in value))
    if isinstance(value, list):
        return ShapeExpr(as_dims(value))
    if isinstance(value, (np.ndarray, np.generic)):
        return const(value)
    if hasattr(value, "name") and hasattr(value, "infer"):  # an Op as a value
        return value
    raise StructInfoError(f"{type(value).__name__} cannot stand in a graph: {value!r}",
                          hint="pass an expression, number, tuple or NumPy array")
