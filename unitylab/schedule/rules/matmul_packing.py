"""Fills the packed panels of the right factor: by vectors, by transposed tiles, or one by one."""

from __future__ import annotations

from ...ir.prim import as_int, call_intrin, literal
from ...ir.tir import VECTORIZED, BufferStore, IfThenElse, Stmt, seq
from .loops import loop, unrolled, vectors
from .matmul_strip import Strip


def fill_panels(w, strip: Strip, panels) -> Stmt:
    """Panels of the right factor of writer `w`; columns beyond the last are zero. `panels(one)`
    does `one` for the number of each of them."""
    if strip.valid == strip.wide and _columns_are_rows(w, strip):
        return panels(lambda jo: _transposed(w, strip, jo))
    if strip.valid is not None:
        return w.over_k(lambda k: panels(lambda jo: _terms(w, strip, k, jo, strip.valid)))
    return panels(lambda jo: IfThenElse(
        strip.column(jo) + strip.wide <= w.width,
        w.over_k(lambda k: _terms(w, strip, k, jo, strip.wide)),
        w.over_k(lambda k: _checked(w, strip, k, jo))))


def _value(w, strip: Strip, jo, j, k):
    return w.place(w.c.right, column=strip.column(jo) + j, k=k)


def _terms(w, strip: Strip, k, jo, count: int) -> Stmt:
    """The terms of one panel at one point of the reduction."""
    packed = strip.buffers[0]
    return seq(vectors("j", count, w.p.lanes, lambda j: BufferStore(
        packed, _value(w, strip, jo, j, k), (jo, w.flat(k), j)), w.t), vectors(
        "j", strip.wide - count, w.p.lanes, lambda j: BufferStore(
            packed, literal(0, packed.dtype), (jo, w.flat(k), j + count)), w.t))


def _checked(w, strip: Strip, k, jo) -> Stmt:
    packed = strip.buffers[0]
    return w.loop("j", strip.wide, lambda j: BufferStore(packed, call_intrin(
        packed.dtype, "if_then_else", strip.column(jo) + j < w.width,
        _value(w, strip, jo, j, k), literal(0, packed.dtype)), (jo, w.flat(k), j)))


def _columns_are_rows(w, strip: Strip) -> bool:
    """Whether the terms of a column are neighbours in memory, a column a row of the factor."""
    c, lanes = w.c, w.p.lanes
    depth = as_int(c.reduce[-1].dom.extent)
    return len(c.reduce) == 1 and depth is not None and depth >= lanes and \
        strip.wide % lanes == 0 and c.stride(c.right, c.reduce[0].var) == 1 and \
        c.stride(c.right, c.column.var) not in (0, 1)


def _transposed(w, strip: Strip, jo) -> Stmt:
    """One panel by square tiles, which lowering transposes in registers."""
    lanes, packed, name = w.p.lanes, strip.buffers[0], w.c.reduce[0].var.name
    whole, rest = divmod(as_int(w.c.reduce[0].dom.extent), lanes)

    def tile(k0, j0) -> Stmt:
        return loop(name, lanes, lambda k: loop("j", lanes, lambda j: BufferStore(
            packed, _value(w, strip, jo, j0 + j, [k0 + k]), (jo, k0 + k, j0 + j)),
            VECTORIZED, w.t), VECTORIZED, w.t)

    def tiles(k0) -> Stmt:
        return unrolled("j_v", strip.wide // lanes, lambda v: tile(k0, v * lanes), w.t)
    left = w.loop(name, rest, lambda k: _terms(
        w, strip, [k + whole * lanes], jo, strip.wide)) if rest else None
    return seq(w.loop(f"{name}_b", whole, lambda b: tiles(b * lanes)), left)
