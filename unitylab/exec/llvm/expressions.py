"""Scalar and vector expressions as LLVM values."""

from __future__ import annotations

from llvmlite import ir

from ...ir import prim, tir
from ...ir.dtypes import BOOL, DataType
from ...ir.errors import BuildError
from ...ir.node import Node
from ...ir.prim import PrimExpr
from ...ir.visitor import Dispatch
from ..polynomial import never_wraps
from . import unit as codes
from .access import Access
from .arithmetic import FUSE, binary, convert, divide, narrow_bfloat, widen_bfloat
from .dot import dot
from .folding import DIVISIONS, fold, may_fail, nonzero_vector, reduce_and
from .frame import Frame
from .intrinsics import ROWS
from .types import I32, PTR, constant, i64, known, lanes_of, memory_type, register_type, splat

_WIDE = (prim.Add, prim.Sub, prim.Mul, prim.Min, prim.Max, *DIVISIONS)


class Expressions(Dispatch):
    """Evaluates expressions at the place where the frame's builder stands."""

    def __init__(self, frame: Frame, call_function):
        self.frame = frame
        self.call_function = call_function
        self.access = Access(frame, self)
        self.flags = FUSE

    @property
    def b(self) -> ir.IRBuilder:
        return self.frame.builder

    # --- indices: integer arithmetic in 64 bits, which never wraps around ---------------------

    def index(self, e: PrimExpr) -> ir.Value:
        """The value of a scalar integer expression as 64-bit integer."""
        if isinstance(e, prim.IntImm):
            return i64(int(e.value))
        if isinstance(e, prim.Var) and id(e) in self.frame.wide:
            return self.frame.wide[id(e)]
        if e.dtype in ("int32", "int64") and never_wraps(e):
            if isinstance(e, _WIDE):
                return self._wide_binary(e)
            if isinstance(e, prim.Cast):
                return self.index(e.value)
        value = self.visit(e)
        return convert(self.b, value, e.dtype, DataType("int64"))

    def _wide_binary(self, e: prim.BinaryExpr) -> ir.Value:
        x, y, kind = self.index(e.a), self.index(e.b), type(e)
        folded = fold(kind, known(x), known(y))
        if folded is not None:
            return i64(folded)
        if kind in (prim.Add, prim.Sub) and known(y) == 0:
            return x
        if kind is prim.Add and known(x) == 0 or kind is prim.Mul and known(x) == 1:
            return y
        if kind is prim.Mul and known(y) == 1:
            return x
        if kind in DIVISIONS:
            return self._divide(e, x, y, signed=True)
        return binary(self.b, kind, x, y, DataType("int64"))

    def _divide(self, e: prim.BinaryExpr, x, y, signed: bool) -> ir.Value:
        """An integer division; the divisor is checked unless it is a literal."""
        if known(y) in (0, None) and not nonzero_vector(y):
            self._check_divisor(e, y)
        bounds = self.frame.bounds
        positive = signed and e.dtype.lanes == 1 and e.dtype in ("int32", "int64") and \
            bounds.holds(bounds.polynomial(e.a)) and bounds.holds(bounds.polynomial(e.b))
        return divide(self.b, type(e), x, y, signed, positive)

    def _check_divisor(self, e: prim.BinaryExpr, y: ir.Value) -> None:
        if not self.frame.unit.checked and known(y) is None:
            return
        fine = self.b.icmp_signed("!=", y, ir.Constant(y.type, None))
        if lanes_of(y) > 1:
            fine = reduce_and(self.b, fine)
        self.frame.require(fine, codes.DIVISION_BY_ZERO, self.frame.here(span=e.span))

    def condition(self, e: PrimExpr) -> ir.Value:
        """A truth value; a number is true if it is not zero."""
        return convert(self.b, self.visit(e), e.dtype, BOOL.with_lanes(e.dtype.lanes))

    # --- leaves -----------------------------------------------------------------------------

    def visit_Var(self, n: prim.Var) -> ir.Value:
        frame = self.frame
        if id(n) in frame.scalars:
            return frame.scalars[id(n)]
        if id(n) in frame.wide:
            return convert(self.b, frame.wide[id(n)], DataType("int64"), n.dtype)
        if id(n) in frame.pointers:
            return frame.pointers[id(n)]
        raise BuildError(f"variable {n.name!r} is used but not defined", span=n.span,
                         hint="define it as a parameter, a loop or a dimension of a parameter")

    def visit_IntImm(self, n: prim.IntImm) -> ir.Value:
        if n.dtype.kind == "handle":
            return self.b.inttoptr(i64(int(n.value)), PTR)
        return constant(n.value, n.dtype)

    def visit_FloatImm(self, n: prim.FloatImm) -> ir.Value:
        return constant(n.value, n.dtype)

    def visit_StringImm(self, n: prim.StringImm) -> ir.Value:
        raise BuildError("a string has no machine code", span=n.span)

    # --- operators --------------------------------------------------------------------------

    def visit_BinaryExpr(self, n: prim.BinaryExpr) -> ir.Value:
        kind, t = type(n), n.a.dtype
        if kind in (prim.And, prim.Or) and n.dtype.lanes == 1:
            return self._lazy_logic(n)
        if kind in DIVISIONS and not t.is_float:
            if t in ("int32", "int64") and never_wraps(n):
                return convert(self.b, self._wide_binary(n), DataType("int64"), t)
            x, y = self.visit(n.a), self.visit(n.b)
            return self._divide(n, x, y, t.kind == "int")
        if isinstance(n, prim.CompareExpr) and t in ("int32", "int64"):
            return binary(self.b, kind, self.index(n.a), self.index(n.b), DataType("int64"))
        x, y = self.visit(n.a), self.visit(n.b)
        lanes = max(lanes_of(x), lanes_of(y))
        result = binary(self.b, kind, splat(self.b, x, lanes), splat(self.b, y, lanes), t,
                        self.flags)
        return self._rounded(result, n.dtype)

    def _rounded(self, x: ir.Value, t: DataType) -> ir.Value:
        """bfloat16 arithmetic is done in float; each result is rounded."""
        if t.element == "bfloat16":
            return convert(self.b, x, DataType("float32"), t)
        return x

    def _lazy_logic(self, n: prim.BinaryExpr) -> ir.Value:
        """`and`, `or`: the right side is evaluated only where it decides."""
        if not may_fail(n.b):
            return binary(self.b, type(n), self.condition(n.a), self.condition(n.b), BOOL)
        if isinstance(n, prim.And):
            return self.lazy(n.a, n.b, prim.literal(False), BOOL)
        return self.lazy(n.a, prim.literal(True), n.b, BOOL)

    def visit_Not(self, n: prim.Not) -> ir.Value:
        return self.b.not_(self.condition(n.a))

    def visit_Select(self, n: prim.Select) -> ir.Value:
        return self._select(self.condition(n.condition), self.visit(n.true_value),
                            self.visit(n.false_value))

    def _select(self, c, x, y) -> ir.Value:
        lanes = max(lanes_of(x), lanes_of(y), lanes_of(c))
        x, y = splat(self.b, x, lanes), splat(self.b, y, lanes)
        return self.b.select(c, x, y)

    def lazy(self, condition: PrimExpr, then: PrimExpr, other: PrimExpr, t: DataType) -> ir.Value:
        """One of two values; only that one is evaluated, unless both are harmless."""
        bounds = self.frame.bounds
        if condition.dtype.lanes > 1 or not (may_fail(then) or may_fail(other)):
            return self._select(self.condition(condition), self.visit(then), self.visit(other))
        c = self.condition(condition)
        function = self.frame.function
        yes, no, end = (function.append_basic_block(n) for n in ("if.true", "if.false", "if.end"))
        self.b.cbranch(c, yes, no)
        values = []
        for start, e, holds in ((yes, then, True), (no, other, False)):
            self.b.position_at_end(start)
            with bounds.where(condition, holds):
                values.append((splat(self.b, self.visit(e), t.lanes), self.b.block))
            self.b.branch(end)
        self.b.position_at_end(end)
        phi = self.b.phi(register_type(t))
        for value, block in values:
            phi.add_incoming(value, block)
        return phi

    def visit_Cast(self, n: prim.Cast) -> ir.Value:
        if n.value.dtype in ("int32", "int64") and (n.dtype.is_int and n.dtype.lanes == 1):
            return convert(self.b, self.index(n.value), DataType("int64"), n.dtype)
        value = splat(self.b, self.visit(n.value), n.dtype.lanes)
        return convert(self.b, value, self.dtype_of(n.value), n.dtype)

    def dtype_of(self, e: PrimExpr) -> DataType:
        """The dtype of a value; a call of a tensor program has that of its result."""
        if isinstance(e, prim.Call) and isinstance(e.op, prim.GlobalVar):
            return self.frame.unit.mod[e.op].ret_type
        return e.dtype

    def visit_Let(self, n: prim.Let) -> ir.Value:
        self.bind(n.var, n.value)
        return self.visit(n.body)

    def bind(self, v: prim.Var, e: PrimExpr) -> None:
        """Gives a variable the value of an expression, from here on."""
        if v.dtype in ("int32", "int64") and e.dtype in ("int32", "int64"):
            self.frame.set_wide(v, self.index(e))
            self.frame.bounds.define(v, e)
        else:
            value = splat(self.b, self.visit(e), v.dtype.lanes)
            self.frame.set_scalar(v, convert(self.b, value, e.dtype, v.dtype))

    # --- vectors ----------------------------------------------------------------------------

    def visit_Ramp(self, n: prim.Ramp) -> ir.Value:
        base, stride = self.visit(n.base), self.visit(n.stride)
        lanes = n.dtype.lanes
        steps = ir.Constant(register_type(n.dtype), list(range(lanes)))
        strides = self.b.mul(splat(self.b, stride, lanes), steps)
        return self.b.add(splat(self.b, base, lanes), strides)

    def visit_Broadcast(self, n: prim.Broadcast) -> ir.Value:
        register_type(n.dtype)
        value = self.visit(n.value)
        if lanes_of(value) == 1:
            return splat(self.b, value, n.dtype.lanes)
        pattern = [i % lanes_of(value) for i in range(n.dtype.lanes)]
        return self.b.shuffle_vector(value, ir.Constant(value.type, ir.Undefined),
                                     ir.Constant(ir.VectorType(I32, len(pattern)), pattern))

    def visit_Shuffle(self, n: prim.Shuffle) -> ir.Value:
        vectors = [self.visit(v) for v in n.vectors]
        if len(vectors) <= 2 and all(v.type == vectors[0].type for v in vectors) and \
                lanes_of(vectors[0]) > 1 and len(n.indices) > 1:
            return self._picked(n, vectors)
        scalars = [v if lanes_of(v) == 1 else self.b.extract_element(v, ir.Constant(I32, k))
                   for v in vectors for k in range(lanes_of(v))]
        places = [prim.as_int(i) for i in n.indices]
        if None in places or not all(0 <= p < len(scalars) for p in places):
            raise BuildError("the indices of a shuffle must be literals within the vectors",
                             span=n.span)
        picked = [scalars[p] for p in places]
        if len(picked) == 1:
            return picked[0]
        result: ir.Value = ir.Constant(register_type(n.dtype), ir.Undefined)
        for k, value in enumerate(picked):
            result = self.b.insert_element(result, value, ir.Constant(I32, k))
        return result

    def _picked(self, n: prim.Shuffle, vectors: list[ir.Value]) -> ir.Value:
        """Lanes of one or two vectors by one instruction."""
        vector = vectors[0]
        places = [prim.as_int(i) for i in n.indices]
        if None in places or not all(0 <= p < lanes_of(vector) * len(vectors) for p in places):
            raise BuildError("the indices of a shuffle must be literals within the vectors",
                             span=n.span)
        other = vectors[1] if len(vectors) > 1 else ir.Constant(vector.type, ir.Undefined)
        return self.b.shuffle_vector(vector, other,
                                     ir.Constant(ir.VectorType(I32, len(places)), places))

    # --- memory and calls -------------------------------------------------------------------

    def visit_BufferLoad(self, n: tir.BufferLoad) -> ir.Value:
        return self.access.load(n)

    def visit_Call(self, n: prim.Call) -> ir.Value:
        if isinstance(n.op, prim.GlobalVar):
            return self.call_function(n)
        name = n.op.removeprefix("tir.")
        special = getattr(self, f"call_{name}", None)
        if special is not None:
            return special(n)
        row = ROWS.get(name)
        if row is None or not n.args:
            raise BuildError(f"the intrinsic {name!r} has no code generation", span=n.span)
        lanes = n.dtype.lanes
        values = [splat(self.b, self.visit(a), lanes) for a in n.args]
        return self._rounded(row(self.b, values, n.args[0].dtype.with_lanes(lanes), n.dtype),
                             n.dtype)

    def call_dot(self, n: prim.Call) -> ir.Value:
        sums, x, y = n.args
        lanes = x.dtype.lanes
        if lanes != y.dtype.lanes or lanes % sums.dtype.lanes:
            raise BuildError(f"T.dot cannot add products of {x.dtype} and {y.dtype} to "
                             f"{sums.dtype}",
                             span=n.span, hint="both factors need the same multiple of the lanes "
                             "of the sums")
        return self._rounded(dot(self.b, self.frame.unit.cpu, self.visit(sums), self.bits(x),
                                 self.bits(y), n.dtype, (x.dtype, y.dtype)), n.dtype)

    def bits(self, e: PrimExpr) -> ir.Value:
        """The value of an expression; of a bfloat16 as it lies in memory."""
        if e.dtype.element != "bfloat16":
            return self.visit(e)
        if isinstance(e, tir.BufferLoad):
            return self.access.load(e, widen=False)
        if isinstance(e, prim.Call) and e.op == "reinterpret":
            return self._reinterpreted(e)
        return narrow_bfloat(self.b, self.visit(e))

    def call_if_then_else(self, n: prim.Call) -> ir.Value:
        return self.lazy(*n.args, n.dtype)

    def call_reinterpret(self, n: prim.Call) -> ir.Value:
        value = self._reinterpreted(n)
        return widen_bfloat(self.b, value) if n.dtype.element == "bfloat16" else value

    def _reinterpreted(self, n: prim.Call) -> ir.Value:
        source, to = n.args[0].dtype, n.dtype
        if source.bits * source.lanes != to.bits * to.lanes:
            raise BuildError(f"{source} cannot be reinterpreted as {to}: sizes differ", span=n.span)
        return self.b.bitcast(self.bits(n.args[0]), memory_type(to))

    def call_undef(self, n: prim.Call) -> ir.Value:
        return ir.Constant(register_type(n.dtype), None)

    def call_assume(self, n: prim.Call) -> ir.Value:
        return constant(1, BOOL)

    def call_prefetch(self, n: prim.Call) -> ir.Value:
        return ir.Constant(I32, 0)

    def call_address_of(self, n: prim.Call) -> ir.Value:
        return self.access.address(n.args[0])

    def call_call_extern(self, n: prim.Call) -> ir.Value:
        name = n.args[0].value if n.args and isinstance(n.args[0], prim.StringImm) else ""
        raise BuildError(f"the C function {name!r} is unknown to this process", span=n.span,
                         hint="register it with ul.register_func and call it by R.call_dps_packed")

    call_call_pure_extern = call_call_extern

    def call_call_packed(self, n: prim.Call) -> ir.Value:
        name = n.args[0].value if n.args and isinstance(n.args[0], prim.StringImm) else ""
        raise BuildError(f"a tensor program cannot call the library function {name!r}", span=n.span,
                         hint="call it from a graph function: R.call_dps_packed")

    def default(self, n: Node, *args):
        raise BuildError(f"{type(n).__name__} has no code generation",
                         span=getattr(n, "span", None))
