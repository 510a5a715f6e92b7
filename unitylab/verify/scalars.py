"""Scalar expressions in tensor programs: names, dtypes of operands, ranks of accesses."""

from __future__ import annotations

from ..ir import prim, tir
from ..ir.dtypes import DataType
from ..ir.module import IRModule
from ..ir.node import Node
from .report import Report
from .scope import Scope


class ScalarChecker:
    """Checks expressions with a stack of its own, so that depth does not matter."""

    def __init__(self, mod: IRModule, scope: Scope, report: Report):
        self.mod, self.scope, self.report = mod, scope, report
        self._seen: set[int] = set()

    def check(self, *roots: Node) -> None:
        """All rules on the expressions; a part that several share is looked at once."""
        stack, self._seen = list(roots), set()
        visible, seen = self.scope.visible, self._seen
        while stack:
            e = stack.pop()
            cls = type(e)
            if cls is prim.Var:
                if id(e) not in visible:
                    self.scope.missing(e)
            elif cls is tuple:
                e[0](e[1])
            elif cls is not prim.IntImm and id(e) not in seen:
                seen.add(id(e))
                rule = _RULES.get(cls)
                if rule is not None:
                    rule(self, e, stack)
                elif isinstance(e, Node):
                    stack.extend(e.children())
                else:
                    self.report.say("expression", f"a Python {cls.__name__} stands where an "
                                    "expression is expected", None, "T.int32(...) and its kin")

    # --- what others ask for ----------------------------------------------------------------

    def integer(self, e: prim.PrimExpr, what: str, vector: bool = False) -> None:
        """An integer where one is needed; `e` itself is checked too."""
        if type(e) is not prim.IntImm:
            self.check(e)
        t = e.dtype
        if not t.is_int or (t.lanes > 1 and not vector):
            self.report.say("dtype", f"{what} has dtype {t}, an integer is expected", e,
                            f"T.Cast(\"int32\", ...) converts {_a(t)}")

    def condition(self, e: prim.PrimExpr, what: str) -> None:
        """A truth value where one is needed; `e` itself is checked too."""
        if type(e) is prim.IntImm and e.dtype.is_bool:
            return
        self.check(e)
        self._bool(e, what)

    def _bool(self, e: prim.PrimExpr, what: str) -> None:
        """Bool; an integer holds where it is not zero."""
        t = e.dtype
        if not t.is_bool and not t.is_int:
            self.report.say("condition", f"{what} has dtype {t}, bool is expected", e,
                            "compare with a value: x != 0")

    def buffer(self, buffer: tir.Buffer, at: Node) -> None:
        """The buffer is visible here."""
        if id(buffer) not in self.scope.visible:
            self.scope.missing(buffer, at)

    def access(self, buffer: tir.Buffer, indices: tuple[prim.PrimExpr, ...], at: Node) -> None:
        """Buffer, number and dtypes of indices; not what is below them."""
        if id(buffer) not in self.scope.visible:
            self.scope.missing(buffer, at)
        if len(indices) != len(buffer.shape):
            self.report.say("rank", f"the buffer {buffer.name!r} has {len(buffer.shape)} "
                            f"dimensions, {len(indices)} indices are given", at,
                            "one index a dimension; T.decl_buffer makes a view of another shape")
        lanes = indices[-1].dtype.lanes if indices else 1
        for k, i in enumerate(indices):
            t = i.dtype
            if not t.is_int:
                self.report.say("dtype", f"index {k} of the buffer {buffer.name!r} has dtype {t}, "
                                "an integer is expected", at, 'T.Cast("int32", ...) converts it')
            elif t.lanes != 1 and t.lanes != lanes:
                self.report.say("dtype", f"index {k} of the buffer {buffer.name!r} has {t.lanes} "
                                f"lanes, the last index has {lanes}", at,
                                "T.Broadcast(index, lanes) makes a vector of a scalar")

    # --- rules for kinds of nodes -----------------------------------------------------------

    def _load(self, e: tir.BufferLoad, stack: list) -> None:
        self.access(e.buffer, e.indices, e)
        stack.extend(e.indices)
        if e.predicate is not None:
            self._bool(e.predicate, "the predicate of a load")
            stack.append(e.predicate)

    def _binary(self, e: prim.BinaryExpr, stack: list) -> None:
        a, b = e.a.dtype, e.b.dtype
        if a != b and a.kind != "handle" and b.kind != "handle":
            self.report.say("dtype", f"the operands of {e.symbol or e.name} have dtypes {a} and "
                            f"{b}; they must agree", e, f'T.Cast("{a}", ...) converts the second')
        stack += (e.b, e.a)

    def _logical(self, e: prim.BinaryExpr, stack: list) -> None:
        self._bool(e.a, f"the left side of {e.symbol!r}")
        self._bool(e.b, f"the right side of {e.symbol!r}")
        self._lanes(e.a, e.b, e)
        stack += (e.b, e.a)

    def _lanes(self, a: prim.PrimExpr, b: prim.PrimExpr, at: Node) -> None:
        if a.dtype.lanes != b.dtype.lanes:
            self.report.say("dtype", f"vectors of {a.dtype.lanes} and {b.dtype.lanes} lanes meet",
                            at, "T.Broadcast(value, lanes) makes a vector of a scalar")

    def _not(self, e: prim.Not, stack: list) -> None:
        self._bool(e.a, "the operand of 'not'")
        stack.append(e.a)

    def _choice(self, condition, a, b, at: Node, name: str) -> None:
        self._bool(condition, f"the condition of {name}")
        if a.dtype != b.dtype:
            self.report.say("dtype", f"the two values of {name} have dtypes {a.dtype} and "
                            f"{b.dtype}; they must agree", at, f'T.Cast("{a.dtype}", ...)')

    def _select(self, e: prim.Select, stack: list) -> None:
        self._choice(e.condition, e.true_value, e.false_value, e, "T.Select")
        stack += (e.false_value, e.true_value, e.condition)

    def _call(self, e: prim.Call, stack: list) -> None:
        if e.op == "if_then_else" and len(e.args) == 3:
            self._choice(*e.args, e, "T.if_then_else")
        elif type(e.op) is prim.GlobalVar and e.op.name not in self.mod.functions:
            self.report.say("unknown-function", f"the module has no function {e.op.name!r}", e,
                            f"it has: {', '.join(self.mod.functions)}")
        stack.extend(reversed(e.args))

    def _let(self, e: prim.Let, stack: list) -> None:
        self._same_dtype(e.var, e.value, e)
        stack += ((self._leave, self.scope.mark()), e.body, (self._define, e.var), e.value)

    def _define(self, var: prim.Var) -> None:
        self.scope.define(var, "a let")

    def _leave(self, mark: tuple[int, int]) -> None:
        self.scope.leave(mark)
        self._seen.clear()  # what was visible in the let may stand outside of it too

    def _same_dtype(self, var: prim.Var, value: prim.PrimExpr, at: Node) -> None:
        if var.dtype != value.dtype:
            self.report.say("dtype", f"the variable {var.name!r} has dtype {var.dtype}, its value "
                            f"{value.dtype}", at, f'T.Cast("{var.dtype}", ...) converts the value')

    def _ramp(self, e: prim.Ramp, stack: list) -> None:
        if e.base.dtype != e.stride.dtype:
            self.report.say("dtype", f"T.Ramp begins with {e.base.dtype} and steps by "
                            f"{e.stride.dtype}; they must agree", e, "convert one of them")
        stack += (e.stride, e.base)
        if isinstance(e.lanes, Node):
            stack.append(e.lanes)

    def _reduce(self, e: tir.Reduce, stack: list) -> None:
        self.report.say("reduction", "a reduction of tensor expressions stands in a statement", e,
                        "a block with T.axis.reduce and T.init() reduces")

    def _buffer(self, e: tir.Buffer, stack: list) -> None:
        self.buffer(e, e)

    def _region(self, e: tir.BufferRegion, stack: list) -> None:
        self.buffer(e.buffer, e)
        stack.extend(e.region)

    def _nothing(self, e: Node, stack: list) -> None:
        pass


def _a(t: DataType) -> str:
    return f"a value of {t}"


_C = ScalarChecker
_RULES = {
    tir.BufferLoad: _C._load, prim.Not: _C._not, prim.Select: _C._select, prim.Call: _C._call,
    prim.Let: _C._let, prim.Ramp: _C._ramp, tir.Reduce: _C._reduce, tir.Buffer: _C._buffer,
    tir.BufferRegion: _C._region, prim.And: _C._logical, prim.Or: _C._logical,
    **dict.fromkeys((prim.FloatImm, prim.StringImm, prim.GlobalVar, prim.PointerType), _C._nothing),
    **dict.fromkeys((prim.Add, prim.Sub, prim.Mul, prim.Div, prim.Mod, prim.FloorDiv, prim.FloorMod,
                     prim.Min, prim.Max, prim.EQ, prim.NE, prim.LT, prim.LE, prim.GT, prim.GE),
                    _C._binary),
}
