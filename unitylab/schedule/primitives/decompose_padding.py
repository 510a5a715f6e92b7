"""Padding written in two steps: decompose_padding."""

from __future__ import annotations

from ...arith.analyzer import Analyzer
from ...arith.iter_map import IterMap, NotAffine, detect
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import (SERIAL, SPATIAL, Block, BlockRealize, BufferStore, For, IterVar, Range, Stmt)
from ...ir.visitor import fold_substitute, free_vars
from ..dependence import why_not_complete
from ..nest import Nest
from ..signature import BLOCK, LOOP, primitive
from .layout import Substituted


@primitive(returns=BLOCK, block=BLOCK, loop=LOOP)
def decompose_padding(nest: Nest, block: Block, loop: For) -> Block:
    """Takes a block that pads apart: a block before `loop` fills all with the constant, the block
    itself copies the inner part without asking; returns the filling block.

        for i in range(130):                          for i in range(130): B[i] = 0
            B[i] = A[i - 1] if 1 <= i < 129 else 0  -> for i in range(128): B[i + 1] = A[i]

    Loops at or inside of `loop` that are a variable of the block run over the inner part only;
    outer ones get a predicate. TVM: the same name."""
    reason = why_not_complete(nest, block)
    if reason:
        raise ScheduleError(f"block {block.name} is not complete: {reason}", span=block.span)
    realize, around = nest.realize(block), nest.loops(block)
    if loop not in around:
        raise ScheduleError(f"loop {loop.loop_var.name} is not around block {block.name}")
    inside, value, constant = _pattern(block)
    analyzer = nest.analyzer(realize)
    condition = _condition(realize, inside, analyzer)
    box = _inner_box(realize, around, condition, nest)
    fill, filler = _filling(realize, around[around.index(loop):], constant,
                            nest.analyzer(nest.parent(loop)))
    _trim(nest, realize, _chain(around, loop, realize), box, condition, value)
    nest.insert(nest.now(loop), fill)
    return nest.now(filler)


def _pattern(block: Block) -> tuple[PrimExpr, PrimExpr, PrimExpr]:
    """(condition, value inside, constant outside) of `B[..] = if_then_else(c, value, constant)`."""
    store = block.body
    value = store.value if isinstance(store, BufferStore) else None
    if not (isinstance(value, prim.Call) and value.op in ("if_then_else", "tir.if_then_else")):
        raise ScheduleError(f"block {block.name} does not store one if_then_else", span=block.span,
                            hint="B[i] = T.if_then_else(1 <= i and i < 9, A[i - 1], T.float32(0))")
    condition, inside, constant = value.args
    if not isinstance(constant, (prim.IntImm, prim.FloatImm)):
        raise ScheduleError(f"block {block.name} pads with {constant.script()}, which is no "
                            f"constant", span=block.span)
    return condition, inside, constant


def _condition(realize: BlockRealize, inside: PrimExpr, analyzer: Analyzer) -> PrimExpr:
    """When a loop point is in the inner part."""
    at = {it.var: v for it, v in zip(realize.block.iter_vars, realize.iter_values)}
    terms = _terms(fold_substitute(inside, at)) + _terms(realize.predicate)
    found = analyzer.simplify(prim.logical_and(*terms))
    if prim.is_const(found):
        raise ScheduleError(f"the condition of block {realize.block.name} is always "
                            f"{bool(as_int(found))}", span=realize.block.span)
    return found


def _terms(e: PrimExpr) -> list[PrimExpr]:
    if isinstance(e, prim.And):
        return _terms(e.a) + _terms(e.b)
    if isinstance(e, prim.Call) and e.op == "likely":
        return _terms(e.args[0])
    return [] if prim.is_const(e, 1) else [e]


def _inner_box(realize: BlockRealize, around: list[For], condition: PrimExpr,
               nest: Nest) -> list[Range]:
    """What the variables of the block run over in the inner part."""
    block = realize.block
    domain, rest = _limited(around, condition, nest)
    analyzer = nest.analyzer(nest.scope(block))
    limits: dict[int, Range] = {}
    try:
        try:
            found = _affine(realize.iter_values, domain, rest, analyzer)
        except NotAffine:
            limits, rest = _limits(realize, rest, analyzer)
            values = [v for k, v in enumerate(realize.iter_values) if k not in limits]
            found = _affine(values, domain, rest, analyzer)
    except NotAffine as e:
        raise ScheduleError(f"the inner part of block {block.name} is no box: {e}",
                            span=block.span) from None
    box, sums = [], iter(found.sums)
    for k, it in enumerate(block.iter_vars):
        if k in limits:
            box.append(limits[k])
            continue
        s = next(sums)
        if len(s.args) > 1 or s.args and as_int(s.args[0].scale) != 1:
            raise ScheduleError(f"{it.var.name} of block {block.name} moves in steps",
                                span=block.span)
        extent = s.args[0].extent if s.args else literal(1, it.var.dtype)
        box.append(Range(prim.cast(s.base, it.var.dtype), prim.cast(extent, it.var.dtype)))
    return box


def _affine(values, domain, condition: PrimExpr, analyzer: Analyzer) -> IterMap:
    found = detect(values, domain, condition, analyzer)
    reason = found.why_not_surjective()
    if reason:
        raise NotAffine(reason)
    return found


def _limits(realize: BlockRealize, condition: PrimExpr, analyzer: Analyzer):
    """The ranges of variables whose whole value is compared with constants, and the other terms."""
    limits: dict[int, Range] = {}
    rest = []
    for term in _terms(condition):
        for k, (it, value) in enumerate(zip(realize.block.iter_vars, realize.iter_values)):
            whole = limits.get(k, it.dom)
            bound = _bound(_of_value(term, value, it.var, analyzer), {it.var: whole})
            if bound is None:
                continue
            _, low, high = bound
            first = whole.min if low is None else prim.maximum(whole.min, low)
            end = whole.min + whole.extent
            end = end if high is None else prim.minimum(end, high)
            limits[k] = Range(analyzer.simplify(first), analyzer.simplify(end - first))
            break
        else:
            rest.append(term)
    return limits, prim.logical_and(*rest)


def _of_value(term: PrimExpr, value: PrimExpr, var: Var, analyzer: Analyzer) -> PrimExpr:
    """A comparison in terms of a variable that has the value."""
    if not isinstance(term, (prim.LT, prim.LE, prim.GT, prim.GE)) or isinstance(value, Var) \
            or not free_vars(value):
        return term
    for side, other in ((term.a, term.b), (term.b, term.a)):
        shift = as_int(analyzer.simplify(side - value))
        if shift is not None:
            bound = analyzer.simplify(other - shift)
            return term.replace(a=var, b=bound) if side is term.a else term.replace(a=bound, b=var)
    return term


def _limited(around: list[For], condition: PrimExpr, nest: Nest):
    """The ranges of the loops with what single comparisons say, and the other terms."""
    domain = {l.loop_var: Range(l.min, l.extent) for l in around}
    analyzer, rest = nest.analyzer(around[0]), []
    for term in _terms(condition):
        bound = _bound(term, domain)
        if bound is None:
            rest.append(term)
            continue
        var, low, high = bound
        r = domain[var]
        first = r.min if low is None else analyzer.simplify(prim.maximum(r.min, low))
        end = r.min + r.extent
        end = end if high is None else prim.minimum(end, high)
        domain[var] = Range(first, analyzer.simplify(end - first))
    return domain, prim.logical_and(*rest)


def _bound(term: PrimExpr, domain):
    """(loop, first value, end) of a comparison of one loop with a constant; None for others."""
    if not isinstance(term, (prim.LT, prim.LE, prim.GT, prim.GE)):
        return None
    a, b, upper = term.a, term.b, isinstance(term, (prim.LT, prim.LE))
    if isinstance(b, Var) and b in domain:
        a, b, upper = b, a, not upper
    if not (isinstance(a, Var) and a in domain) or any(v in domain for v in free_vars(b)):
        return None
    strict = isinstance(term, (prim.LT, prim.GT))
    return (a, None, b if strict else b + 1) if upper else (a, b + 1 if strict else b, None)


def _filling(realize: BlockRealize, loops: list[For], constant: PrimExpr,
             analyzer: Analyzer) -> tuple[Stmt, Block]:
    """Loops with a block that stores the constant everywhere."""
    block = realize.block
    fresh = {it.var: Var(it.var.name, it.var.dtype) for it in block.iter_vars}
    copies = {l.loop_var: Var(l.loop_var.name, l.loop_var.dtype) for l in loops}
    store = fold_substitute(block.body.replace(value=constant), fresh)
    writes = tuple(fold_substitute(w, fresh) for w in block.writes)
    its = tuple(IterVar(fresh[it.var], it.dom, SPATIAL) for it in block.iter_vars)
    made = Block(its, (), writes, f"{block.name}_pad_const", store)
    values = (analyzer.simplify(fold_substitute(v, copies)) for v in realize.iter_values)
    stmt: Stmt = BlockRealize(tuple(values), fold_substitute(realize.predicate, copies), made)
    for l in reversed(loops):
        low, extent = (fold_substitute(e, copies) for e in (l.min, l.extent))
        stmt = For(copies[l.loop_var], low, extent, SERIAL, stmt)
    return stmt, made


def _chain(around: list[For], loop: For, realize: BlockRealize) -> list[For]:
    """The loops at or inside of `loop` that hold the block alone."""
    inside = around[around.index(loop):]
    found: list[For] = []
    below: Stmt = realize
    for l in reversed(inside):
        if l.body is not below:
            break
        found.insert(0, l)
        below = l
    return found


def _trim(nest: Nest, realize: BlockRealize, loops: list[For], box: list[Range],
          condition: PrimExpr, value: PrimExpr) -> None:
    """Lets the block run over the inner part only."""
    block = realize.block
    owned = {l.loop_var: l for l in loops}
    analyzer = nest.analyzer(nest.parent(loops[0]) if loops else realize)
    its, values, at, moved, ranges = [], [], {}, {}, {}
    for it, v, r in zip(block.iter_vars, realize.iter_values, box):
        new = Var(it.var.name, it.var.dtype)
        whole = Range(literal(0, new.dtype), r.extent)
        its.append(IterVar(new, whole, SPATIAL))
        at[it.var] = prim.add(new, r.min)
        if isinstance(v, Var) and v in owned and v not in moved:
            ranges[v], moved[v] = whole, prim.add(v, prim.cast(r.min, v.dtype))
            values.append(v)
        else:
            values.append(analyzer.simplify(prim.sub(v, r.min)))
    for l in loops:
        r = ranges.get(l.loop_var, Range(l.min, l.extent))
        analyzer.bind(l.loop_var, r)
    for it in its:
        analyzer.bind(it.var, it.dom)
    mover = Substituted(at, analyzer)
    new = block.replace(iter_vars=tuple(its), body=block.body.replace(
        value=mover.visit(value), indices=tuple(map(mover.visit, block.body.indices))),
        reads=tuple(map(mover.visit, block.reads)), writes=tuple(map(mover.visit, block.writes)))
    predicate = analyzer.simplify(fold_substitute(condition, moved))
    nest.forward(block, new)
    nest.replace(realize, BlockRealize(tuple(values), predicate, new))
    for l in loops:
        if l.loop_var in ranges:
            r = ranges[l.loop_var]
            low, extent = prim.cast(r.min, l.loop_var.dtype), prim.cast(r.extent, l.loop_var.dtype)
            nest.edit(nest.now(l), min=low, extent=extent)
