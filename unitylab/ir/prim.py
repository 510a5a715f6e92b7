"""The scalar language that shapes and loops share: variables, literals, arithmetic, calls.

Expressions support Python's operators; comparison `==` stays identity, use `equal(a, b)` for the
expression. Arithmetic on two literals folds at once, and `x + 0`, `x * 1` give `x` (as TVM does);
everything beyond that is `arith`'s work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

from .dtypes import BOOL, FLOAT32, HANDLE, INT32, DataType, dtype
from .errors import Span
from .node import EMPTY, FrozenDict, Node, child, definition, node, note, plain, span_field


class Operators:
    """Python's operators, which build expressions."""

    __slots__ = ()

    def __add__(self, other): return add(self, other)
    def __radd__(self, other): return add(other, self)
    def __sub__(self, other): return sub(self, other)
    def __rsub__(self, other): return sub(other, self)
    def __mul__(self, other): return mul(self, other)
    def __rmul__(self, other): return mul(other, self)
    def __truediv__(self, other): return div(self, other)
    def __rtruediv__(self, other): return div(other, self)
    def __floordiv__(self, other): return floordiv(self, other)
    def __rfloordiv__(self, other): return floordiv(other, self)
    def __mod__(self, other): return floormod(self, other)
    def __rmod__(self, other): return floormod(other, self)
    def __neg__(self): return mul(self, literal(-1, self.dtype))
    def __lt__(self, other): return compare(LT, self, other)
    def __le__(self, other): return compare(LE, self, other)
    def __gt__(self, other): return compare(GT, self, other)
    def __ge__(self, other): return compare(GE, self, other)

    def __and__(self, other): return bitwise("bitwise_and", self, other)
    def __or__(self, other): return bitwise("bitwise_or", self, other)
    def __xor__(self, other): return bitwise("bitwise_xor", self, other)
    def __lshift__(self, other): return bitwise("shift_left", self, other)
    def __rshift__(self, other): return bitwise("shift_right", self, other)


class Axis(Operators):
    """What stands for its variable `var` in an expression: `k + 1` with a reduction axis `k`."""

    __slots__ = ()

    def __neg__(self): return -self.var


class PrimExpr(Operators, Node):
    """A scalar (or short vector) value; `dtype` gives its type."""

    dtype: DataType

    def __bool__(self):
        raise TypeError("a symbolic expression has no truth value; use equal(), logical_and() "
                        "or compare objects with `is`")

    def __invert__(self): return Call(self.dtype, "bitwise_not", (self,))

    def astype(self, to: str) -> PrimExpr:
        """This value converted to another dtype."""
        return cast(self, to)


@node
class PointerType(Node):
    """What a handle variable points to: element dtype and storage scope."""

    dtype: DataType = plain()
    scope: str = plain("global")


@node
class Var(PrimExpr):
    """A scalar variable; its identity is the variable, the name is for people."""

    name: str = note()
    dtype: DataType = plain(INT32)
    pointer: PointerType | None = child(None)
    span: Span | None = span_field()

    def __post_init__(self):
        if type(self.dtype) is not DataType:
            object.__setattr__(self, "dtype", dtype(self.dtype))


@node
class IntImm(PrimExpr):
    """An integer or bool literal."""

    value: int = plain()
    dtype: DataType = plain(INT32)
    span: Span | None = span_field()


@node
class FloatImm(PrimExpr):
    """A floating-point literal."""

    value: float = plain()
    dtype: DataType = plain(FLOAT32)
    span: Span | None = span_field()


@node
class StringImm(PrimExpr):
    """A string literal, as an argument of a call."""

    value: str = plain()
    span: Span | None = span_field()
    dtype = HANDLE


@node
class Cast(PrimExpr):
    """`value` converted to `dtype`."""

    dtype: DataType = plain()
    value: PrimExpr = child()
    span: Span | None = span_field()


class BinaryExpr(PrimExpr):
    """Two operands of one dtype; `symbol` is the operator in script."""

    a: PrimExpr
    b: PrimExpr
    symbol: str = ""
    name: str = ""

    @cached_property
    def dtype(self) -> DataType:
        return _chain_dtype(self, lambda t: t)


class CompareExpr(BinaryExpr):
    """A comparison; bool with the lanes of its operands."""

    @cached_property
    def dtype(self) -> DataType:
        return _chain_dtype(self, lambda t: BOOL.with_lanes(t.lanes))


def _chain_dtype(e: PrimExpr, result: Callable) -> DataType:
    """The dtype by the leftmost operand: a loop that leaves its result all along the way, since
    chains may be thousands deep."""
    way, compares = [], isinstance(e, CompareExpr)
    first = e.a
    while isinstance(first, BinaryExpr) and isinstance(first, CompareExpr) == compares \
            and "dtype" not in first.__dict__:
        way.append(first)
        first = first.a
    found = result(first.dtype)
    for step in way:
        step.__dict__["dtype"] = found
    return found


def _binary(name: str, symbol: str, doc: str, base: type = BinaryExpr) -> type:
    body = {"__annotations__": {"a": "PrimExpr", "b": "PrimExpr"}, "a": child(), "b": child(),
            "span": span_field(), "__doc__": doc, "symbol": symbol, "name": name,
            "__module__": __name__, "__qualname__": name}
    body["__annotations__"]["span"] = "Span | None"
    return node(type(name, (base,), body))


Add = _binary("Add", "+", "`a + b`.")
Sub = _binary("Sub", "-", "`a - b`.")
Mul = _binary("Mul", "*", "`a * b`.")
Div = _binary("Div", "/", "`a / b`: true division of floats, division toward zero of integers.")
Mod = _binary("Mod", "", "The remainder of division toward zero (`T.truncmod`).")
FloorDiv = _binary("FloorDiv", "//", "`a // b`, rounded toward minus infinity.")
FloorMod = _binary("FloorMod", "%", "`a % b`, with the sign of `b`.")
Min = _binary("Min", "", "The smaller of two values.")
Max = _binary("Max", "", "The larger of two values.")
EQ = _binary("EQ", "==", "`a == b`.", CompareExpr)
NE = _binary("NE", "!=", "`a != b`.", CompareExpr)
LT = _binary("LT", "<", "`a < b`.", CompareExpr)
LE = _binary("LE", "<=", "`a <= b`.", CompareExpr)
GT = _binary("GT", ">", "`a > b`.", CompareExpr)
GE = _binary("GE", ">=", "`a >= b`.", CompareExpr)
And = _binary("And", "and", "Both hold; evaluates `b` only if `a` holds.", CompareExpr)
Or = _binary("Or", "or", "One holds; evaluates `b` only if `a` does not hold.", CompareExpr)


@node
class Not(PrimExpr):
    """The logical negation."""

    a: PrimExpr = child()
    span: Span | None = span_field()

    @property
    def dtype(self) -> DataType:
        return self.a.dtype


@node
class Select(PrimExpr):
    """One of two values; both are evaluated (`T.if_then_else` evaluates only one)."""

    condition: PrimExpr = child()
    true_value: PrimExpr = child()
    false_value: PrimExpr = child()
    span: Span | None = span_field()

    @property
    def dtype(self) -> DataType:
        return self.true_value.dtype


@node
class Let(PrimExpr):
    """`body` in which `var` stands for `value`."""

    var: Var = definition()
    value: PrimExpr = child()
    body: PrimExpr = child()
    span: Span | None = span_field()

    @property
    def dtype(self) -> DataType:
        return self.body.dtype


@node
class Ramp(PrimExpr):
    """The vector base, base + stride, ... with `lanes` elements (an expression with `vscale`
    where the length is scalable)."""

    base: PrimExpr = child()
    stride: PrimExpr = child()
    lanes: int | PrimExpr = child()
    span: Span | None = span_field()

    @property
    def dtype(self) -> DataType:
        return vector_type(self.base.dtype, self.lanes)


@node
class Broadcast(PrimExpr):
    """A vector whose lanes all hold `value`."""

    value: PrimExpr = child()
    lanes: int | PrimExpr = child()
    span: Span | None = span_field()

    @property
    def dtype(self) -> DataType:
        return vector_type(self.value.dtype, self.lanes)


@node
class Shuffle(PrimExpr):
    """Lanes picked by `indices` out of the concatenated `vectors`."""

    vectors: tuple[PrimExpr, ...] = child()
    indices: tuple[PrimExpr, ...] = child()
    span: Span | None = span_field()

    @property
    def dtype(self) -> DataType:
        return self.vectors[0].dtype.with_lanes(len(self.indices))


@node
class GlobalVar(Node):
    """A function of the module, by its name."""

    name: str = plain()
    span: Span | None = span_field()


@node
class Call(PrimExpr):
    """A call of an intrinsic (named by `op`: "exp", "if_then_else", "call_extern") or of another
    function of the module (`op` is a GlobalVar). Arguments may be nodes of any scalar kind."""

    dtype: DataType = plain()
    op: str | GlobalVar = child()
    args: tuple[Node, ...] = child(())
    annotations: FrozenDict = child(EMPTY)
    span: Span | None = span_field()


def vector_type(element: DataType, lanes) -> DataType:
    """The vector type with so many lanes; `lanes` is an int or `n * vscale`."""
    if isinstance(lanes, int):
        return dtype(f"{element}x{lanes}") if lanes != 1 else element
    factor = next((n.value for n in (getattr(lanes, "a", None), getattr(lanes, "b", None))
                   if isinstance(n, IntImm)), 1)
    return dtype(f"{element}xvscalex{factor}")


# --- building -------------------------------------------------------------------------------

def literal(value, to: str | None = None) -> PrimExpr:
    """A Python number as a literal: bool, int (int32 unless said otherwise) or float (float32)."""
    if isinstance(value, PrimExpr):
        return value if to is None else cast(value, to)
    if isinstance(value, Axis):
        return literal(value.var, to)
    if isinstance(value, str):
        return StringImm(value)
    if hasattr(value, "item"):
        to, value = to or str(value.dtype), value.item()
    if to is None:
        to = "bool" if isinstance(value, bool) else "int32" if isinstance(value, int) else "float32"
        if to == "int32" and not -2**31 <= value < 2**31:
            to = "int64"
    t = dtype(to)
    if t.lanes > 1:
        return Broadcast(literal(value, t.element), t.lanes)
    return FloatImm(float(value), t) if t.is_float else IntImm(int(value), t)


def cast(value, to: str) -> PrimExpr:
    """`value` as `to`; literals convert at once."""
    value, t = literal(value), dtype(to)
    if value.dtype == t:
        return value
    if isinstance(value, IntImm) and t.kind in ("int", "uint", "float"):
        return literal(value.value, t)
    if isinstance(value, FloatImm) and t.is_float and t.lanes == 1:
        return FloatImm(value.value, t)
    if t.lanes > 1 and value.dtype.lanes == 1:
        return Broadcast(cast(value, t.element), t.lanes)
    return Cast(t, value)


def _rank(t: DataType) -> tuple[int, int]:
    return ({"bool": 0, "uint": 1, "int": 2, "float": 3}.get(t.kind, 4), t.bits)


def unify(a, b) -> tuple[PrimExpr, PrimExpr]:
    """Both operands in one dtype: a Python number takes the other's, otherwise the wider wins."""
    if not isinstance(a, PrimExpr) or not isinstance(b, PrimExpr):
        a, b = (x.var if isinstance(x, Axis) else x for x in (a, b))
        if not isinstance(a, PrimExpr) and not isinstance(b, PrimExpr):
            a = literal(a)
    if not isinstance(b, PrimExpr):
        return a, _like(b, a.dtype)
    if not isinstance(a, PrimExpr):
        return _like(a, b.dtype), b
    if a.dtype == b.dtype:
        return a, b
    if a.dtype.kind == "handle" or b.dtype.kind == "handle":
        return a, b
    lanes = max(a.dtype.lanes, b.dtype.lanes)
    t = max(a.dtype.element, b.dtype.element, key=_rank)
    if lanes > 1 and (a.dtype.scalable or b.dtype.scalable):
        t = a.dtype if a.dtype.scalable else b.dtype
        return (a, Broadcast(b, a.lanes)) if a.dtype.scalable else (Broadcast(a, b.lanes), b)
    t = t.with_lanes(lanes)
    return cast(a, t), cast(b, t)


def _like(value, t: DataType) -> PrimExpr:
    if isinstance(value, float) and not t.is_float:
        return literal(value)
    if not isinstance(value, bool) and t.is_bool and isinstance(value, int):
        return literal(value)
    return literal(value, t)


def _fold(a: PrimExpr, b: PrimExpr, f: Callable, kind: type, to: DataType | None = None):
    """`kind(a, b)`, computed by `f` where both are literals and the result has a value."""
    if type(a) is type(b) and isinstance(a, (IntImm, FloatImm)):
        value = f(a.value, b.value)
        t = to or a.dtype
        if representable(value, t):
            return literal(value, t)
    return kind(a, b)


def representable(value, t: DataType) -> bool:
    """Whether a literal of dtype `t` can have this value."""
    if isinstance(value, float):
        return math.isfinite(value)
    if t.kind == "int":
        return -2**(t.bits - 1) <= value < 2**(t.bits - 1)
    return t.kind != "uint" or 0 <= value < 2**t.bits


def is_const(e, value=None) -> bool:
    """Whether `e` is a literal (with that value)."""
    return isinstance(e, (IntImm, FloatImm)) and (value is None or e.value == value)


def add(a, b) -> PrimExpr:
    a, b = unify(a, b)
    if a.dtype == b.dtype:
        if is_const(a, 0) and a.dtype.is_int:
            return b
        if is_const(b, 0) and b.dtype.is_int:
            return a
    return _fold(a, b, lambda x, y: x + y, Add)


def sub(a, b) -> PrimExpr:
    a, b = unify(a, b)
    if is_const(b, 0) and a.dtype.is_int:
        return a
    return _fold(a, b, lambda x, y: x - y, Sub)


def mul(a, b) -> PrimExpr:
    a, b = unify(a, b)
    if a.dtype.is_int and a.dtype == b.dtype:
        if is_const(a, 1) or is_const(b, 0):
            return b
        if is_const(b, 1) or is_const(a, 0):
            return a
    return _fold(a, b, lambda x, y: x * y, Mul)


def div(a, b) -> PrimExpr:
    """True division for floats, truncating for integers."""
    a, b = unify(a, b)
    if is_const(b, 1):
        return a
    if is_const(b, 0):
        return Div(a, b)
    if a.dtype.is_int:
        return _fold(a, b, truncdiv_int, Div)
    return _fold(a, b, lambda x, y: x / y, Div)


def truncdiv_int(x: int, y: int) -> int:
    q = abs(x) // abs(y)
    return q if (x < 0) == (y < 0) else -q


def floordiv(a, b) -> PrimExpr:
    a, b = unify(a, b)
    if is_const(b, 1) and a.dtype.is_int:
        return a
    if is_const(b, 0):
        return FloorDiv(a, b)
    return _fold(a, b, lambda x, y: x // y, FloorDiv)


def floormod(a, b) -> PrimExpr:
    a, b = unify(a, b)
    if is_const(b, 1) and a.dtype.is_int:
        return literal(0, a.dtype)
    if is_const(b, 0):
        return FloorMod(a, b)
    return _fold(a, b, lambda x, y: x % y, FloorMod)


def truncmod(a, b) -> PrimExpr:
    a, b = unify(a, b)
    if is_const(b, 0) or a.dtype.is_float:
        return Mod(a, b)
    return _fold(a, b, lambda x, y: x - y * truncdiv_int(x, y), Mod)


def minimum(a, b) -> PrimExpr:
    a, b = unify(a, b)
    return a if a is b else _fold(a, b, min, Min)


def maximum(a, b) -> PrimExpr:
    a, b = unify(a, b)
    return a if a is b else _fold(a, b, max, Max)


_COMPARE = {"EQ": lambda x, y: x == y, "NE": lambda x, y: x != y, "LT": lambda x, y: x < y,
            "LE": lambda x, y: x <= y, "GT": lambda x, y: x > y, "GE": lambda x, y: x >= y}


def compare(kind: type, a, b) -> PrimExpr:
    """A comparison node of class `kind` (EQ, LT, ...)."""
    a, b = unify(a, b)
    return _fold(a, b, _COMPARE[kind.__name__], kind, BOOL)


def equal(a, b) -> PrimExpr:
    """The expression `a == b`."""
    return compare(EQ, a, b)


def not_equal(a, b) -> PrimExpr:
    return compare(NE, a, b)


def logical_and(*terms) -> PrimExpr:
    """All terms hold; literals fold away."""
    result = None
    for term in map(literal, terms):
        if is_const(term) and term.value:
            continue
        if is_const(term):
            return term
        result = term if result is None else And(result, term)
    return literal(True) if result is None else result


def logical_or(a, b) -> PrimExpr:
    a, b = literal(a), literal(b)
    if is_const(a):
        return a if a.value else b
    if is_const(b):
        return b if b.value else a
    return Or(a, b)


def logical_not(a) -> PrimExpr:
    a = literal(a)
    return literal(not a.value) if is_const(a) else Not(a)


def bitwise(name: str, a, b) -> PrimExpr:
    """A bit operation: bitwise_and, bitwise_or, bitwise_xor, shift_left, shift_right."""
    a, b = unify(a, b)
    if a.dtype.is_bool and b.dtype.is_bool and name != "bitwise_xor":
        return logical_and(a, b) if name == "bitwise_and" else logical_or(a, b)
    return Call(a.dtype, name, (a, b))


def call_intrin(to: str, name: str, *args) -> PrimExpr:
    """A call of the intrinsic `name` with a result of dtype `to`."""
    return Call(dtype(to), name, tuple(literal(a) for a in args))


def as_int(e) -> int | None:
    """The value of an integer literal or Python int, None for everything else."""
    if isinstance(e, IntImm):
        return e.value
    return e if isinstance(e, int) else None
