"""LowerVectorizedLoop: `T.vectorized` loops become vector expressions."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import prim, tir
from ...ir.node import Node
from ...ir.prim import Broadcast, PrimExpr, Ramp, Var, as_int
from ...ir.structural import structural_equal
from ...ir.tir import BufferLoad, BufferStore, For, IfThenElse, PrimFunc, SeqStmt, Stmt
from ...ir.transform import PrimFuncPass, Recorder
from ...ir.visitor import BUILD, Mutator, collect, substitute


@dataclass(frozen=True)
class LowerVectorizedLoop(PrimFuncPass):
    """Replaces the variable of each vectorized loop by a ramp of `max_lanes` lanes at most (longer
    loops get a serial loop around, and a shorter vector for the rest).

    A loop whose iterations depend on each other, or whose body has no vector form, becomes serial.
    TVM's `VectorizeLoop`."""

    max_lanes: int = 64

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        if not any(f.kind == tir.VECTORIZED for f in collect(func.body, For)):
            return func
        return func.replace(body=_Loops(self.max_lanes, name, recorder).visit(func.body))


class _Loops(Mutator):
    def __init__(self, max_lanes: int, name: str, recorder: Recorder):
        super().__init__()
        self.max_lanes, self.name, self.recorder = max_lanes, name, recorder

    def visit_For(self, loop: For) -> Stmt:
        new = self.rebuild(loop)
        if loop.kind != tir.VECTORIZED or not self.recorder.wants("vectorize", loop):
            return new
        result = vectorized(new, self.max_lanes)
        self.recorder.record("vectorize", loop, result, self.name)
        return result


def vectorized(loop: For, max_lanes: int) -> Stmt:
    """The loop in vectors; as serial loop where it has no vector form."""
    serial = loop.replace(kind=tir.SERIAL)
    extent = as_int(loop.extent)
    if extent is None or loop.step is not None or not independent(loop):
        return serial
    try:
        return tir.seq(*_pieces(loop, extent, max_lanes))
    except NotVectorizable:
        return serial


def _pieces(loop: For, extent: int, max_lanes: int) -> list[Stmt]:
    if extent <= max_lanes:
        return [_vector(loop, loop.min, extent)] if extent > 1 else \
            [substitute(loop.body, {loop.loop_var: loop.min})] if extent == 1 else []
    whole, rest = divmod(extent, max_lanes)
    t = loop.loop_var.dtype
    outer = Var(f"{loop.loop_var.name}_o", t)
    start = loop.min + outer * prim.literal(max_lanes, t)
    pieces = [For(outer, prim.literal(0, t), prim.literal(whole, t), tir.SERIAL,
                  _vector(loop, start, max_lanes), span=loop.span)]
    if rest:
        tail = loop.replace(min=loop.min + prim.literal(whole * max_lanes, t),
                            extent=prim.literal(rest, t))
        pieces += _pieces(tail, rest, max_lanes)
    return pieces


def _vector(loop: For, start: PrimExpr, lanes: int) -> Stmt:
    one = prim.literal(1, loop.loop_var.dtype)
    return _Lanes(loop.loop_var, Ramp(start, one, lanes), lanes).visit(loop.body)


class NotVectorizable(Exception):
    """The body has no vector form."""


def independent(loop: For) -> bool:
    """Whether running statement by statement for all lanes is the same as lane by lane: what is
    written is read only at the very same index, and every index written moves with the loop."""
    written: dict[Var, list[tuple[PrimExpr, ...]]] = {}
    for s in collect(loop.body, BufferStore):
        if not any(loop.loop_var in collect(i, Var) for i in s.indices):
            return False
        written.setdefault(s.buffer.data, []).append(s.indices)
    for access in collect(loop.body, (BufferLoad, BufferStore)):
        for indices in written.get(access.buffer.data, ()):
            if not all(a is b or structural_equal(a, b)
                       for a, b in zip(indices, access.indices)):
                return False
    return True


_ALLOWED = (BufferStore, SeqStmt, IfThenElse, For, tir.Bind, tir.AttrStmt)


class _Lanes(Mutator):
    """Puts a vector for the loop variable and widens everything that it reaches."""

    def __init__(self, var: Var, ramp: PrimExpr, lanes: int):
        super().__init__()
        self._memo[id(var)] = (var, ramp)
        self.lanes = lanes
        self.mask: PrimExpr | None = None

    def wide(self, e: PrimExpr) -> PrimExpr:
        """`e` in all lanes."""
        if e.dtype.lanes == self.lanes:
            return e
        if e.dtype.lanes > 1:
            raise NotVectorizable
        return Broadcast(e, self.lanes)

    def alike(self, *values: PrimExpr) -> tuple[PrimExpr, ...]:
        """All of them as vectors if one is."""
        if all(v.dtype.lanes == 1 for v in values):
            return values
        return tuple(map(self.wide, values))

    # --- expressions ------------------------------------------------------------------------

    def visit_BinaryExpr(self, n: prim.BinaryExpr) -> PrimExpr:
        a, b = self.visit(n.a), self.visit(n.b)
        if a is n.a and b is n.b:
            return n
        moved = _move_ramp(type(n), a, b)
        if moved is not None:
            return moved
        a, b = self.alike(a, b)
        build = BUILD.get(type(n))
        return build(a, b) if build and a.dtype.lanes == 1 else n.replace(a=a, b=b)

    def visit_Select(self, n: prim.Select) -> PrimExpr:
        c, x, y = self.alike(*map(self.visit, (n.condition, n.true_value, n.false_value)))
        return n.replace(condition=c, true_value=x, false_value=y)

    def visit_Cast(self, n: prim.Cast) -> PrimExpr:
        value = self.visit(n.value)
        if value is n.value:
            return n
        to = n.dtype.element.with_lanes(value.dtype.lanes)
        if isinstance(value, Ramp) and to.is_int and to.bits >= value.dtype.bits:
            return Ramp(prim.cast(value.base, to.element), prim.cast(value.stride, to.element),
                        value.lanes)
        return n.replace(value=value, dtype=to)

    def visit_Call(self, n: prim.Call) -> PrimExpr:
        if n.op in ("if_then_else", "tir.if_then_else"):
            return self._choose(n)
        args = tuple(map(self.visit, n.args))
        if all(a is b for a, b in zip(args, n.args)):
            return n
        if not isinstance(n.op, str) or n.op in ("address_of", "call_extern", "call_packed"):
            raise NotVectorizable
        return n.replace(args=tuple(map(self.wide, args)),
                         dtype=n.dtype.element.with_lanes(self.lanes))

    def _choose(self, n: prim.Call) -> PrimExpr:
        """A vector condition: loads on either side are masked by it."""
        condition = self.visit(n.args[0])
        if condition.dtype.lanes == 1:
            values = self.alike(*map(self.visit, n.args[1:]))
            return n.replace(args=(condition, *values), dtype=values[0].dtype)
        sides = [self._masked(condition, n.args[1]), self._masked(prim.Not(condition), n.args[2])]
        return prim.Select(condition, *map(self.wide, sides), span=n.span)

    def _masked(self, condition: PrimExpr, n: Node) -> Node:
        inner = _Lanes.__new__(_Lanes)
        inner.__dict__.update(self.__dict__, _memo=dict(self._memo))
        # what was rewritten outside of the mask must be rewritten again under it
        inner._memo = {k: v for k, v in self._memo.items() if isinstance(v[0], Var)}
        inner.mask = condition if self.mask is None else prim.And(self.mask, condition)
        return inner.visit(n)

    def visit_Let(self, n: prim.Let) -> PrimExpr:
        value = self.visit(n.value)
        return n.replace(var=self._define(n.var, value), value=value, body=self.visit(n.body))

    def _define(self, v: Var, value: PrimExpr) -> Var:
        new = v if value.dtype == v.dtype else v.replace(dtype=value.dtype)
        self._memo[id(v)] = (v, new)
        return new

    def visit_BufferLoad(self, n: BufferLoad) -> PrimExpr:
        indices = tuple(map(self.visit, n.indices))
        if n.buffer.dtype.lanes > 1 and any(i.dtype.lanes > 1 for i in indices):
            raise NotVectorizable
        if all(i.dtype.lanes == 1 for i in indices):
            new = n if all(a is b for a, b in zip(indices, n.indices)) else \
                n.replace(indices=indices)
            if self.mask is None:
                return new
            indices = new.indices
            if not indices:
                return new
        return n.replace(indices=tuple(map(self.wide, indices)), predicate=self._predicate(n))

    def _predicate(self, n) -> PrimExpr | None:
        own = None if n.predicate is None else self.wide(self.visit(n.predicate))
        if self.mask is None or own is None:
            return own or self.mask
        return prim.And(self.mask, own)

    def visit_Ramp(self, n: Ramp) -> PrimExpr:
        raise NotVectorizable

    visit_Broadcast = visit_Shuffle = visit_Ramp

    # --- statements -------------------------------------------------------------------------

    def visit_Stmt(self, n: Stmt) -> Stmt:
        if not isinstance(n, _ALLOWED):
            raise NotVectorizable
        return self.rebuild(n)

    def visit_BufferStore(self, n: BufferStore) -> Stmt:
        if n.buffer.dtype.lanes > 1:
            raise NotVectorizable
        indices = tuple(self.wide(self.visit(i)) for i in n.indices)
        return n.replace(indices=indices, value=self.wide(self.visit(n.value)),
                         predicate=self._predicate(n))

    def visit_SeqStmt(self, n: SeqStmt) -> Stmt:
        return tir.seq(*map(self.visit, n.stmts))

    def visit_Bind(self, n: tir.Bind) -> Stmt:
        value = self.visit(n.value)
        return n.replace(var=self._define(n.var, value), value=value)

    def visit_For(self, n: For) -> Stmt:
        low, extent = self.visit(n.min), self.visit(n.extent)
        if low.dtype.lanes > 1 or extent.dtype.lanes > 1:
            raise NotVectorizable
        return n.replace(min=low, extent=extent, body=self.visit(n.body))

    def visit_IfThenElse(self, n: IfThenElse) -> Stmt:
        condition = self.visit(n.condition)
        if condition.dtype.lanes == 1:
            return self.rebuild(n)
        parts = [self._masked(condition, n.then_case)]
        if n.else_case is not None:
            parts.append(self._masked(prim.Not(condition), n.else_case))
        return tir.seq(*parts)


def _move_ramp(kind: type, a: PrimExpr, b: PrimExpr) -> PrimExpr | None:
    """`ramp + x`, `ramp * x` and their like as a ramp."""
    if kind in (prim.Add, prim.Sub) and isinstance(a, Ramp) and b.dtype.lanes == 1:
        return Ramp(BUILD[kind](a.base, b), a.stride, a.lanes)
    if kind is prim.Add and isinstance(b, Ramp) and a.dtype.lanes == 1:
        return Ramp(a + b.base, b.stride, b.lanes)
    if kind is prim.Mul and isinstance(a, Ramp) and b.dtype.lanes == 1:
        return Ramp(a.base * b, a.stride * b, a.lanes)
    if kind is prim.Mul and isinstance(b, Ramp) and a.dtype.lanes == 1:
        return Ramp(a * b.base, a * b.stride, b.lanes)
    if kind in (prim.Add, prim.Sub) and isinstance(a, Ramp) and isinstance(b, Ramp):
        return Ramp(BUILD[kind](a.base, b.base), BUILD[kind](a.stride, b.stride), a.lanes)
    return None
