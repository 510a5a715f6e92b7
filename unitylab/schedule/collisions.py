"""Whether two instances of a block may write the same element, or be the same instance twice."""

from __future__ import annotations

from collections.abc import Sequence

from ..arith.iter_map import NotAffine, detect
from ..ir import prim
from ..ir.prim import PrimExpr, Var, as_int, literal
from ..ir.structural import structural_equal
from ..ir.tir import (REDUCE, Block, BlockRealize, BufferLoad, BufferRegion, BufferStore, For,
                      IterVar, Range)
from ..ir.visitor import collect, free_vars


def why_instances_collide(block: Block, own: Sequence[IterVar] | None = None) -> str | None:
    """Why instances that differ in one of the variables `own` (all but those of a reduction) may
    write one element: the last of them would decide. None where they never do. Asked for all of a
    block, what it declares counts: others rely on that."""
    among = block.iter_vars if own is None else own
    choosing = [it for it in among if it.kind != REDUCE and as_int(it.dom.extent) != 1]
    for w in block.writes:
        region = w.region if own is None else _stored(block, w)
        reason = _shared_element(block, choosing, region, w.buffer.name)
        if reason:
            return reason
    return None


def _stored(block: Block, write: BufferRegion) -> Sequence[Range]:
    """The elements of a buffer that a block stores; what it declares may be more."""
    stores = [s for s in collect(block.body, BufferStore) if s.buffer is write.buffer]
    if not stores or all(as_int(r.extent) == 1 for r in write.region) or \
            collect(block.body, BlockRealize):
        return write.region
    at, own = stores[0].indices, {it.var for it in block.iter_vars}
    known = all(v in own for i in at for v in free_vars(i)) and \
        not any(collect(i, BufferLoad) for i in at)
    same = all(structural_equal(a, b) for s in stores for a, b in zip(s.indices, at))
    return [Range(i, literal(1, i.dtype)) for i in at] if known and same else write.region


def apart_along(block: Block, own: Sequence[IterVar], region: Sequence[Range]) -> bool:
    """Whether instances that differ in one of the variables `own` differ in these ranges."""
    moving = [it for it in own if as_int(it.dom.extent) != 1]
    return bool(region) and _shared_element(block, moving, region, "") is None


def _shared_element(block: Block, choosing: list[IterVar], region: Sequence[Range],
                    name: str) -> str | None:
    plain = {r.min for r in region if isinstance(r.min, Var) and as_int(r.extent) == 1}
    if all(it.var in plain for it in choosing):
        return None
    indices, domain = _as_indices(region)
    used = {v for i in indices for v in _variables(i)}
    unused = next((it.var.name for it in choosing if it.var not in used), None)
    if unused:
        return f"it does not use {unused} to choose the element of {name} that it writes"
    domain |= {it.var: it.dom for it in block.iter_vars if it.var in used}
    try:
        shared = detect(indices, domain).why_not_bijective()
    except NotAffine as e:
        shared = str(e)
    return shared and (f"its iterations may write the same element of {name}, at "
                       f"[{', '.join(r.min.script() for r in region)}]: {shared}")


def _as_indices(region: Sequence[Range]) -> tuple[list[PrimExpr], dict[Var, Range]]:
    """The elements of a box as indices; a variable runs over each range of several."""
    indices, domain = [], {}
    for k, r in enumerate(region):
        at = r.min
        if as_int(r.extent) != 1:
            inside = Var(f"e{k}", at.dtype)
            domain[inside] = Range(literal(0, at.dtype), prim.cast(r.extent, at.dtype))
            at = at + inside
        indices.append(at)
    return indices, domain


def _variables(e: PrimExpr) -> set[Var]:
    found, stack = set(), [e]
    while stack:
        n = stack.pop()
        found |= {n} if isinstance(n, Var) else set()
        stack += n.children()
    return found


def why_repeated(realize: BlockRealize, loops: list[For]) -> str | None:
    """Why an instance of a block may run more than once in its loops; None if each runs once."""
    plain = {v for v in realize.iter_values if isinstance(v, Var)}
    moving = [l for l in loops if as_int(l.extent) != 1]
    if all(l.loop_var in plain for l in moving):
        return None
    used = {v for e in realize.iter_values for v in _variables(e)}
    for l in moving:
        if l.loop_var not in used:
            return f"loop {l.loop_var.name} repeats it"
    domain = {l.loop_var: Range(l.min, l.extent) for l in moving}
    for predicate in (realize.predicate, None):
        try:
            found = detect(realize.iter_values, domain, predicate)
        except NotAffine:
            continue
        if found.why_not_bijective() is None:
            return None
    values = ", ".join(v.script() for v in realize.iter_values)
    return f"its values [{values}] may be met several times"
