"""LowerLanes: loops annotated with `lanes` walk in vectors, reductions included."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import prim, tir
from ...ir.dtypes import DataType
from ...ir.node import FrozenDict
from ...ir.prim import PrimExpr, Ramp, Var, as_int, literal
from ...ir.te import max_value, min_value
from ...ir.tir import Buffer, BufferStore, For, PrimFunc, Stmt
from ...ir.transform import PrimFuncPass, Recorder
from ...ir.visitor import Mutator, collect, free_vars, fresh_copy, substitute
from .choosing_reduction import choice_of, choose_in_lanes
from .cut_at_conditions import cut_at_conditions
from .joined_reduction import joined_reduction, last_reduction, reduction
from .lower_vectorized_loop import independent

LANES = "lanes"
RECIPROCAL = "reciprocal"
STRAIGHT = 16  # the vector that the rest of a loop of unknown extent is cut into
COPIES = 4     # of a vector in one iteration: written out whole, a row spills all registers
CHOICES = 32   # lanes of reductions that keep two numbers a lane


@dataclass(frozen=True)
class LowerLanes(PrimFuncPass):
    """Cuts each loop with the annotation `lanes` into vectors of so many lanes, and shorter ones
    for the rest, whatever its extent, and where conditions change (`cut_at_conditions`).

        for k in range(n):  # lanes = 64        acc[0:64] = 0
            s[i] = s[i] + x[i, k]         ->    for k_o in range(n // 64): acc[0:64] += x[i, ...]
                                                s[i] = s[i] + (acc[0] + ... + acc[63])

    With the annotation `reciprocal` too, a division by a float that stays the same in the loop
    becomes a multiplication by its reciprocal (at most one ulp more).
    A sum, product, minimum or maximum over the loop keeps a partial result in each lane; the order
    of a sum changes. A loop that is neither this nor independent stays serial."""

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        if not any(LANES in f.annotations for f in collect(func.body, For)):
            return func
        return func.replace(body=_Loops(name, recorder).visit(func.body))


class _Loops(Mutator):
    def __init__(self, name: str, recorder: Recorder):
        super().__init__()
        self.name, self.recorder = name, recorder

    def visit_SeqStmt(self, n: tir.SeqStmt) -> Stmt:
        """A reduction of what the loop before has made joins that loop."""
        done: list[Stmt] = []
        for stmt in n.stmts:
            joined = joined_reduction(done, stmt)
            if joined is not None and self.recorder.wants("lanes joined", stmt):
                done = joined
                self.recorder.record("lanes joined", stmt, joined[-1], self.name)
            else:
                done.append(stmt)
        return tir.seq(*map(self.visit, done))

    def visit_For(self, loop: For) -> Stmt:
        new = self.rebuild(loop)
        if LANES not in loop.annotations or not self.recorder.wants("lanes", loop):
            return new
        lanes = as_int(loop.annotations[LANES]) or 1
        plain = new.replace(annotations=FrozenDict(
            {k: v for k, v in new.annotations.items() if k not in (LANES, RECIPROCAL)}))
        if RECIPROCAL in loop.annotations:
            plain = plain.replace(body=_Reciprocals(loop.loop_var).visit(plain.body))
        result = in_lanes(plain, lanes)
        self.recorder.record("lanes", loop, result, self.name)
        return result


class _Reciprocals(Mutator):
    """x / y -> x * (1 / y), where the loop leaves y alone."""

    def __init__(self, var: Var):
        super().__init__()
        self.var = var

    def visit_Div(self, n: prim.Div) -> PrimExpr:
        new = self.rebuild(n)
        if not n.dtype.is_float or n.dtype.bits < 32 or self.var in free_vars(n.b) or \
                self.var not in free_vars(n.a):
            return new
        return prim.Mul(new.a, prim.Div(literal(1.0, n.dtype), new.b))


def in_lanes(loop: For, lanes: int) -> Stmt:
    """The loop in vectors; the loop itself where it has no such form."""
    if loop.kind not in (tir.SERIAL, tir.VECTORIZED) or loop.step is not None:
        return loop
    serial = loop.replace(kind=tir.SERIAL)
    store = reduction(serial) or last_reduction(serial)
    if store is not None:
        return _reduce(serial, store, lanes)
    choice = choice_of(serial)
    if choice is not None:
        return choose_in_lanes(serial, choice, min(lanes, CHOICES), pieces)
    if not independent(serial):
        return loop
    return tir.seq(*(p for part in cut_at_conditions(serial) for p in pieces(part, lanes)))


# --- loops in pieces ------------------------------------------------------------------------

def pieces(loop: For, lanes: int) -> list[Stmt]:
    """Loops over vectors of `lanes`, then over shorter ones, that together are the loop."""
    extent, t = as_int(loop.extent), loop.loop_var.dtype
    found: list[Stmt] = []
    done: PrimExpr = literal(0, t)
    width = lanes
    while width >= 1:
        left = loop.extent - done if extent is None else literal(extent - as_int(done), t)
        count = prim.floordiv(left, literal(width, t))
        if as_int(count) != 0:
            found.append(_piece(loop, loop.min + done, count, width))
            done = done + count * literal(width, t)
        # of an unknown extent the rest is cut once more, then walked one by one
        width = width // 2 if extent is not None else \
            STRAIGHT if width > STRAIGHT else 1 if width > 1 else 0
    return found


def _piece(loop: For, start: PrimExpr, count: PrimExpr, width: int) -> Stmt:
    t, v = loop.loop_var.dtype, loop.loop_var
    outer, lane = Var(f"{v.name}_o", t), Var(f"{v.name}_l", t)
    single = as_int(count) == 1
    at = start if single else start + outer * literal(width, t)
    # what the body binds is bound once a piece
    body = fresh_copy(substitute(loop.body, {v: at if width == 1 else at + lane}))
    if width > 1:
        body = For(lane, literal(0, t), literal(width, t), tir.VECTORIZED, body)
    notes = FrozenDict({**loop.annotations, "unroll_count": COPIES if width > 1 else 1})
    return body if single else loop.replace(loop_var=outer, min=literal(0, t), extent=count,
                                            body=body, annotations=notes)


# --- reductions -----------------------------------------------------------------------------

def _reduce(loop: For, store: BufferStore, lanes: int) -> Stmt:
    kind, t = type(store.value), store.buffer.dtype
    extent = as_int(loop.extent)
    if extent is not None:
        lanes = min(lanes, 1 << max(extent.bit_length() - 1, 0))
    if lanes < 2 or t.lanes > 1:
        return loop
    partial = tir.decl_buffer((lanes,), t, f"{store.buffer.name}_lanes", scope="local")
    every = Ramp(literal(0, "int32"), literal(1, "int32"), lanes)
    start = BufferStore(partial, prim.Broadcast(identity(kind, t), lanes), (every,))
    walk = []
    for piece in pieces(loop, lanes):
        walk.append(_Partial(store, partial).visit(piece))
    total, binds = _tree(kind, partial[every], lanes)
    last = store.replace(value=store.value.replace(a=store.value.a, b=total))
    return tir.seq(tir.AllocBuffer(partial), start, *walk, *binds, last)


class _Partial(Mutator):
    """Puts the partial results where the reduction reads and writes its own."""

    def __init__(self, store: BufferStore, partial: Buffer):
        super().__init__()
        self.own, self.partial = store.buffer, partial
        self.lane: PrimExpr = literal(0, "int32")

    def visit_For(self, n: For) -> For:
        if n.kind != tir.VECTORIZED:
            return self.rebuild(n)
        inner = _Partial.__new__(_Partial)
        inner.__dict__.update(self.__dict__, _memo={}, lane=n.loop_var)
        return n.replace(body=inner.visit(n.body))

    def visit_BufferStore(self, n: BufferStore) -> BufferStore:
        if n.buffer is not self.own:
            return n
        value = n.value.replace(a=self.partial[self.lane])
        return BufferStore(self.partial, value, (self.lane,), span=n.span)


def _tree(kind: type, vector: PrimExpr, lanes: int) -> tuple[PrimExpr, list[Stmt]]:
    """All lanes combined, halves first."""
    binds: list[Stmt] = []
    while lanes > 1:
        held = Var(f"lanes{lanes}", vector.dtype)
        binds.append(tir.Bind(held, vector))
        half = lanes // 2
        parts = [prim.Shuffle((held,), tuple(literal(k + start, "int32") for k in range(half)))
                 for start in (0, half)]
        vector, lanes = kind(*parts), half
    return vector, binds


def identity(kind: type, t: DataType) -> PrimExpr:
    """What changes nothing when it is combined with a value."""
    if kind in (prim.Add, prim.Mul):
        return literal(0 if kind is prim.Add else 1, t)
    if t.is_float:
        return literal(float("inf" if kind is prim.Min else "-inf"), t)
    return max_value(t) if kind is prim.Min else min_value(t)
