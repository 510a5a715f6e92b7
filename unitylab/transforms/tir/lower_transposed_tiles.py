"""LowerTransposedTiles: two nested vectorized loops around a copy that swaps them."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import prim, tir
from ...ir.prim import PrimExpr, Ramp, Var, as_int, literal
from ...ir.tir import AttrStmt, Bind, BufferLoad, BufferStore, For, PrimFunc, Stmt
from ...ir.transform import PrimFuncPass, Recorder
from ...ir.visitor import Mutator, collect, fold_substitute, free_vars, substitute
from .lower_vectorized_loop import NotVectorizable, _Lanes, independent

SIZES = (2, 4, 8, 16)


@dataclass(frozen=True)
class LowerTransposedTiles(PrimFuncPass):
    """Where a store walks along the inner of two vectorized loops of the same extent and a load
    along the outer one, loads the tile row by row and transposes it in registers.

        for i in T.vectorized(16):            r0 = A[0, 0:16]; ...; r15 = A[15, 0:16]
            for j in T.vectorized(16):  ->    4 rounds of shuffles
                B[i, j] = A[j, i]             B[0, 0:16] = r0; ...; B[15, 0:16] = r15
    """

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        if not any(map(_nested, collect(func.body, For))):
            return func
        return func.replace(body=_Tiles(name, recorder).visit(func.body))


def _nested(loop: For) -> bool:
    inner = loop.body
    return loop.kind == tir.VECTORIZED and isinstance(inner, For) and \
        inner.kind == tir.VECTORIZED and as_int(loop.extent) == as_int(inner.extent) and \
        as_int(loop.extent) in SIZES and loop.step is None and inner.step is None


class _Tiles(Mutator):
    def __init__(self, name: str, recorder: Recorder):
        super().__init__()
        self.name, self.recorder = name, recorder

    def visit_For(self, loop: For) -> Stmt:
        if not _nested(loop) or not self.recorder.wants("transposed tile", loop):
            return self.rebuild(loop)
        new = transposed(loop)
        if new is None:
            return loop
        self.recorder.record("transposed tile", loop, new, self.name)
        return new


def transposed(outer: For) -> Stmt | None:
    """The tile with its loads transposed in registers; None where nothing is to be transposed."""
    inner, attrs = outer.body, []
    store = inner.body
    while isinstance(store, AttrStmt):
        attrs.append(store)
        store = store.body
    if not isinstance(store, BufferStore) or store.predicate is not None or \
            not independent(outer) or not independent(inner):
        return None
    loads = {id(l): l for l in collect(store.value, BufferLoad)
             if _walks(l.indices, outer.loop_var, inner.loop_var) and l.predicate is None}
    if not loads or not _walks(store.indices, inner.loop_var, outer.loop_var):
        return None
    try:
        stmt = tir.seq(*_tile(outer, inner, store, list(loads.values())))
    except NotVectorizable:
        return None
    for attr in reversed(attrs):
        stmt = attr.replace(body=stmt)
    return stmt


def _walks(indices, along: Var, other: Var) -> bool:
    """Whether an access is contiguous along one variable, which chooses nothing else, and the
    other variable chooses among the rest."""
    if not indices or any(along in free_vars(i) for i in indices[:-1]) or \
            other in free_vars(indices[-1]) or not any(other in free_vars(i) for i in indices):
        return False
    last = indices[-1]
    return last is along or isinstance(last, prim.Add) and (
        last.b is along and along not in free_vars(last.a)
        or last.a is along and along not in free_vars(last.b))


def _tile(outer: For, inner: For, store: BufferStore, loads: list[BufferLoad]) -> list[Stmt]:
    n, stmts = as_int(outer.extent), []
    t = outer.loop_var.dtype
    columns: list[tuple[Var, list[PrimExpr]]] = []
    value = store.value
    for load in loads:
        place = Var("tile", load.dtype)
        value = substitute(value, {load: place})
        rows = []
        for k in range(n):
            at = fold_substitute(load, {inner.loop_var: inner.min + literal(k, inner.min.dtype)})
            rows.append(_along(outer, n).visit(at))
        columns.append((place, _transpose(rows, stmts)))
    for k in range(n):
        here = {outer.loop_var: outer.min + literal(k, t)}
        one = fold_substitute(store.replace(value=value), here)
        lanes = _along(inner, n)
        for place, vectors in columns:
            lanes._memo[id(place)] = place, vectors[k]
        stmts.append(lanes.visit(one))
    return stmts


def _along(loop: For, n: int) -> _Lanes:
    return _Lanes(loop.loop_var, Ramp(loop.min, literal(1, loop.loop_var.dtype), n), n)


def _transpose(rows: list[PrimExpr], stmts: list[Stmt]) -> list[PrimExpr]:
    """Swaps the off-diagonal halves of ever smaller squares."""
    def hold(e: PrimExpr) -> Var:
        v = Var("row", e.dtype)
        stmts.append(Bind(v, e))
        return v

    n, rows = len(rows), [hold(r) for r in rows]
    half = n // 2
    while half:
        for k in range(n):
            if k & half:
                continue
            pair = rows[k], rows[k + half]
            upper = [l if not l & half else n + l - half for l in range(n)]
            lower = [l + half if not l & half else n + l for l in range(n)]
            rows[k], rows[k + half] = (
                hold(prim.Shuffle(pair, tuple(literal(i, "int32") for i in places)))
                for places in (upper, lower))
        half //= 2
    return rows
