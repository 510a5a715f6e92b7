"""Reductions that choose: the best value and the place where it is (argmax, argmin), in vectors.

    for k: i0, v0 = ((i[0], v[0]) if v[0] > x[k] or v[0] == x[k] and i[0] < k else (k, x[k]))

Among equal values the place decides, so the order in which elements are compared does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...ir import prim, tir
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.structural import structural_equal
from ...ir.tir import AttrStmt, Bind, Buffer, BufferLoad, BufferStore, For, SeqStmt, Stmt
from ...ir.visitor import Mutator, collect, free_vars, fresh_copy, substitute

_STRICT = (prim.GT, prim.LT)


@dataclass(frozen=True)
class Choice:
    """What is kept of the best element, and the element that it is compared with."""

    place: BufferStore
    value: BufferStore
    new_place: PrimExpr
    new_value: PrimExpr
    better: type  # GT: the largest value, LT: the smallest


def choice_of(loop: For) -> Choice | None:
    """The parts of a loop that is such a reduction and nothing else."""
    stmt = loop.body
    while isinstance(stmt, AttrStmt):
        stmt = stmt.body
    parts = stmt.stmts if isinstance(stmt, SeqStmt) else ()
    bound = {p.var: p.value for p in parts if isinstance(p, Bind)}
    stores = [p for p in parts if isinstance(p, BufferStore)]
    if len(stores) != 2 or len(bound) + 2 != len(parts) or any(
            s.predicate is not None or any(loop.loop_var in free_vars(i) for i in s.indices)
            for s in stores):
        return None
    for place, value in (stores, stores[::-1]):
        found = _match(place, value, *(bound.get(s.value, s.value) for s in (place, value)))
        if found is not None:
            return found
    return None


def _match(place: BufferStore, value: BufferStore, p: PrimExpr, v: PrimExpr) -> Choice | None:
    if not isinstance(p, prim.Select) or not isinstance(v, prim.Select):
        return None
    better, tie = v.condition, p.condition
    old_place, old_value = p.true_value, v.true_value
    fits = (isinstance(better, _STRICT) and _is(place, old_place) and _is(value, old_value)
            and _same(better.a, old_value) and _same(better.b, v.false_value)
            and isinstance(tie, prim.Or) and _same(tie.a, better) and isinstance(tie.b, prim.And)
            and isinstance(tie.b.a, prim.EQ) and _same(tie.b.a.a, old_value)
            and _same(tie.b.a.b, v.false_value) and isinstance(tie.b.b, _STRICT)
            and _same(tie.b.b.a, old_place) and _same(tie.b.b.b, p.false_value))
    return Choice(place, value, p.false_value, v.false_value, type(better)) if fits else None


def _same(a, b) -> bool:
    return structural_equal(a, b)


def _is(store: BufferStore, load: PrimExpr) -> bool:
    return isinstance(load, BufferLoad) and load.buffer is store.buffer and \
        all(_same(a, b) for a, b in zip(store.indices, load.indices))


def choose_in_lanes(loop: For, choice: Choice, lanes: int,
                    pieces: Callable[[For, int], list[Stmt]]) -> Stmt:
    """Each lane keeps its own best, which starts with its first element or what is known; then
    lanes are compared."""
    whole = loop
    stores = (choice.place, choice.value)
    kept = {s.buffer: tir.decl_buffer((lanes,), s.buffer.dtype, f"{s.buffer.name}_lanes",
                                      scope="local") for s in stores}
    if _counts_up(loop, choice, lanes):
        start, loop = _first_of_each(loop, choice, kept, lanes)
    else:
        every = prim.Ramp(literal(0, "int32"), literal(1, "int32"), lanes)
        start = [BufferStore(kept[s.buffer], prim.Broadcast(s.buffer[s.indices], lanes), (every,))
                 for s in stores]
    walk = [_Lanes(kept).visit(piece) for piece in pieces(loop, lanes)]
    return tir.seq(*map(tir.AllocBuffer, kept.values()), *start, *walk,
                   _compare(whole, choice, kept, lanes))


def _counts_up(loop: For, choice: Choice, lanes: int) -> bool:
    """Whether a lane meets its places in order, the smaller ones first, and each lane has one."""
    extent = as_int(loop.extent)
    parts = [p for p in collect(loop.body, prim.And) if isinstance(p.b, prim.LT)]
    return extent is not None and extent >= lanes and choice.new_place is loop.loop_var and \
        bool(parts)


def _first_of_each(loop: For, choice: Choice, kept: dict[Buffer, Buffer],
                   lanes: int) -> tuple[list[Stmt], For]:
    """The first elements as what the lanes begin with; then an equal value later on is no better,
    and places need not be compared."""
    t = loop.loop_var.dtype
    lane = Var("lane", t)
    at = {loop.loop_var: loop.min + lane}
    first = [BufferStore(kept[s.buffer], fresh_copy(substitute(new, at)), (lane,)) for s, new in (
        (choice.place, choice.new_place), (choice.value, choice.new_value))]
    start = For(lane, literal(0, t), literal(lanes, t), tir.VECTORIZED, tir.seq(*first))
    place, value = (s.buffer[s.indices] for s in (choice.place, choice.value))
    keep = (prim.GE if choice.better is prim.GT else prim.LE)(value, choice.new_value)
    body = tir.seq(choice.place.replace(value=prim.Select(keep, place, choice.new_place)),
                   choice.value.replace(value=prim.Select(keep, value, choice.new_value)))
    count = literal(lanes, t)
    return [start], loop.replace(min=loop.min + count, extent=literal(
        as_int(loop.extent) - lanes, t), body=body)


def _compare(loop: For, choice: Choice, kept: dict[Buffer, Buffer], lanes: int) -> Stmt:
    """The reduction once more, over what the lanes have kept."""
    lane = Var("lane", "int32")
    news = {choice.new_place: kept[choice.place.buffer][lane],
            choice.new_value: kept[choice.value.buffer][lane]}
    body = fresh_copy(_Replace(news).visit(loop.body))
    return For(lane, literal(0, "int32"), literal(lanes, "int32"), tir.SERIAL, body)


class _Replace(Mutator):
    """Puts other expressions for equal ones."""

    def __init__(self, news: dict[PrimExpr, PrimExpr]):
        super().__init__()
        self.news = news

    def visit(self, n, *args):
        if isinstance(n, PrimExpr):
            for old, new in self.news.items():
                if type(n) is type(old) and _same(n, old):
                    return new
        return super().visit(n, *args)


class _Lanes(Mutator):
    """Puts the lane's own for what is kept."""

    def __init__(self, kept: dict[Buffer, Buffer], lane: PrimExpr = literal(0, "int32")):
        super().__init__()
        self.kept, self.lane = kept, lane

    def visit_For(self, n: For) -> For:
        if n.kind != tir.VECTORIZED:
            return self.rebuild(n)
        return n.replace(body=_Lanes(self.kept, n.loop_var).visit(n.body))

    def visit_BufferLoad(self, n: BufferLoad) -> PrimExpr:
        return self.kept[n.buffer][self.lane] if n.buffer in self.kept else self.rebuild(n)

    def visit_BufferStore(self, n: BufferStore) -> Stmt:
        if n.buffer not in self.kept:
            return self.rebuild(n)
        return BufferStore(self.kept[n.buffer], self.visit(n.value), (self.lane,), span=n.span)
