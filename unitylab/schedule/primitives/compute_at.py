"""Moving a block into a loop of its consumers, or of its producers."""

from __future__ import annotations

from ...arith.analyzer import Analyzer
from ...arith.bound_form import bound_form
from ...arith.iter_inverse import invert_affine
from ...arith.iter_map import NotAffine, detect
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import (SERIAL, SPATIAL, Block, BlockRealize, Buffer, BufferRegion, For, IterVar,
                       Range, SeqStmt, Stmt, seq)
from ...ir.visitor import free_vars
from ..dependence import (blocks_in, bound_by, consumers, is_output, producers, read_buffers,
                          siblings, touched, why_not_covered, why_not_dominant,
                          written_buffers)
from ..handles import INLINE, Place
from ..independence import check_loops_around
from ..nest import Nest
from ..regions import Relaxer, Span, contains
from ..signature import BLOCK, BOOL, INT, LOOP_OR_PLACE, primitive
from .inline import compute_inline, reverse_compute_inline


@primitive(block=BLOCK, loop=LOOP_OR_PLACE, preserve_unit_loops=BOOL, index=INT)
def compute_at(nest: Nest, block: Block, loop: For | Place, preserve_unit_loops: bool = False,
               index: int = -1) -> None:
    """Moves a block into a loop around all its consumers; each iteration computes what it needs.

        for i in range(128): B[i] = A[i] * 2          for i in range(128):
        for i in range(128): C[i] = B[i] + 1    ->        B[i] = A[i] * 2; C[i] = B[i] + 1

    `index`: -1 puts it as late as possible in the body, -2 as early, else the position. Halide:
    `compute_at`; Exo: `fuse` of producer loops. What sample_compute_location returned may be no
    loop: then the block stays, or is inlined."""
    if isinstance(loop, Place):
        return compute_inline(nest, block) if loop is INLINE else None
    _check_movable(nest, block, loop)
    if is_output(nest, block):
        raise ScheduleError(f"block {block.name} writes an output of the function", span=block.span,
                            hint="reverse_compute_at moves it to its producer")
    users = consumers(nest, block)
    outside = [b for b in users if not nest.is_below(b, loop)]
    if outside or not users:
        who = f"its consumer, block {outside[0].name}, is outside of" if outside else \
            "no consumer is in"
        raise ScheduleError(f"block {block.name} cannot move into loop {loop.loop_var.name}: {who} "
                            f"that loop", hint="choose a loop around all its consumers")
    _check_not_overwritten(nest, block)
    analyzer = nest.analyzer(loop)
    domain: dict[Var, Span] = {}
    for w in block.writes:
        reads = [(b, [r for r in b.reads if r.buffer is w.buffer]) for b in users]
        boxes = [touched(nest, b, loop, rs, analyzer) for b, rs in reads if rs]
        for box in boxes:
            _narrow(domain, w, _inside(box, w.buffer), block, analyzer, widen=True)
    _move(nest, block, loop, domain, analyzer, preserve_unit_loops, index)


@primitive(block=BLOCK, loop=LOOP_OR_PLACE, preserve_unit_loops=BOOL, index=INT)
def reverse_compute_at(nest: Nest, block: Block, loop: For | Place,
                       preserve_unit_loops: bool = False, index: int = -1) -> None:
    """Moves a block into a loop around its producers; each iteration uses up what was just made.

        for i in range(128): B[i] = A[i] * 2          for i in range(128):
        for i in range(128): C[i] = B[i] + 1    ->        B[i] = A[i] * 2; C[i] = B[i] + 1

    `index` as in compute_at."""
    if isinstance(loop, Place):
        return reverse_compute_inline(nest, block) if loop is INLINE else None
    _check_movable(nest, block, loop)
    made = [p for p in producers(nest, block) if nest.is_below(p, loop)]
    if not made:
        raise ScheduleError(f"no producer of block {block.name} is in loop {loop.loop_var.name}",
                            hint="choose a loop around its producers")
    for p in producers(nest, block):
        _check_before(nest, p, loop, block)
    _check_nobody_reads_before(nest, block)
    analyzer = nest.analyzer(loop)
    domain: dict[Var, Span] = {}
    for p in made:
        for w in p.writes:
            for r in block.reads:
                if r.buffer is w.buffer:
                    _narrow(domain, r, touched(nest, p, loop, [w], analyzer), block, analyzer,
                            widen=False)
    _check_whole_reduction(block, loop, domain, analyzer)
    _move(nest, block, loop, domain, analyzer, preserve_unit_loops, index)


# --- legality -------------------------------------------------------------------------------

def _check_movable(nest: Nest, block: Block, loop: For) -> None:
    if block is nest.root:
        raise ScheduleError("the root block cannot move")
    if nest.is_below(nest.realize(block), loop):
        raise ScheduleError(f"loop {loop.loop_var.name} is around block {block.name} already")
    if nest.scope(block) is not nest.scope(loop):
        raise ScheduleError(f"block {block.name} and loop {loop.loop_var.name} are in different "
                            f"blocks")
    reason = why_not_dominant(nest, block)
    if reason:
        raise ScheduleError(f"block {block.name} is neither complete nor a reduction: {reason}",
                            span=block.span)
    _check_guard(nest, block)


def _check_guard(nest: Nest, block: Block) -> None:
    """A predicate may only say that the iteration variables are within their domains: that is said
    anew at the new place."""
    realize = nest.realize(block)
    if prim.is_const(realize.predicate):
        return
    analyzer = nest.analyzer(realize)
    for it, value in zip(block.iter_vars, realize.iter_values):
        analyzer.assume(prim.logical_and(value >= it.dom.min, value < it.dom.min + it.dom.extent))
    if not analyzer.can_prove(realize.predicate):
        raise ScheduleError(f"block {block.name} runs only where {realize.predicate.script()}",
                            span=block.span, hint="move it before it gets a predicate")


def _check_whole_reduction(block: Block, loop: For, domain: dict[Var, Span],
                           analyzer: Analyzer) -> None:
    """A reduction needs all that it adds up at once."""
    for it in block.iter_vars:
        s = domain.get(it.var)
        whole = Span(it.dom.min, it.dom.min + it.dom.extent - 1)
        if it.kind != SPATIAL and s is not None and not contains(s, whole, analyzer):
            raise ScheduleError(
                f"an iteration of loop {loop.loop_var.name} makes a part of what block {block.name}"
                f" reduces along {it.var.name}", span=block.span,
                hint="choose an outer loop, or compute_at its producers")


def _check_not_overwritten(nest: Nest, block: Block) -> None:
    order, needed = siblings(nest, block), set(map(id, read_buffers(block)))
    for other in order[order.index(block) + 1:]:
        changed = [b for b in written_buffers(other) if id(b) in needed]
        if changed:
            raise ScheduleError(f"block {other.name} overwrites {changed[0].name}, which block "
                                f"{block.name} reads", span=other.span)


def _check_before(nest: Nest, producer: Block, loop: For, block: Block) -> None:
    """A producer that is not in the loop must have run before it."""
    if nest.is_below(producer, loop):
        return
    order = siblings(nest, block)
    inside = blocks_in(loop.body)
    if inside and order.index(producer) > order.index(inside[0]):
        raise ScheduleError(f"block {producer.name}, whose result block {block.name} reads, runs "
                            f"after loop {loop.loop_var.name}", span=producer.span)


def _check_nobody_reads_before(nest: Nest, block: Block) -> None:
    order, made = siblings(nest, block), set(map(id, written_buffers(block)))
    for other in order[:order.index(block)]:
        read = [b for b in read_buffers(other) if id(b) in made]
        if read:
            raise ScheduleError(f"block {other.name} reads {read[0].name} before block {block.name}"
                                f" overwrites it", span=other.span)


def _check_placed(nest: Nest, block: Block, loop: For) -> None:
    """At its new place the block finds complete inputs, and its readers find all they need."""
    for other in blocks_in(loop.body):
        for b in read_buffers(block):
            if other is not block and any(w is b for w in written_buffers(other)):
                check_finished(nest, other, loop)
                _refuse(why_not_covered(nest, other, block, b, loop))
        for b in written_buffers(block):
            if other is not block and any(r is b for r in read_buffers(other)):
                _refuse(why_not_covered(nest, block, other, b, loop))
    check_loops_around(nest, block)


def check_finished(nest: Nest, producer: Block, loop: For) -> None:
    """Refuses to use what a block makes inside of `loop` where that carries its reduction."""
    realize = nest.realize(producer)
    around = nest.loops(producer)
    for l in around[:around.index(loop) + 1]:
        carried = [it for it in bound_by(realize, l.loop_var) if it.kind != SPATIAL]
        if carried:
            raise ScheduleError(
                f"loop {l.loop_var.name} carries the reduction of block {producer.name}: in its "
                f"iterations the result is not complete", span=producer.span,
                hint="choose a loop outside of the reduction, or reorder")


def _refuse(reason: str | None) -> None:
    if reason:
        raise ScheduleError(reason)


# --- what must be computed in one iteration -------------------------------------------------

def _narrow(domain: dict[Var, Span], region: BufferRegion, box: list[Span], block: Block,
            analyzer: Analyzer, widen: bool) -> None:
    """Finds which values of the block's variables touch a box, by the dimensions that a variable
    chooses alone."""
    own = {it.var for it in block.iter_vars}
    solved = [x for r, s in zip(region.region, box)
              if (x := _solve(r.min, as_int(r.extent), s, own)) is not None]
    used = {v for r in region.region for v in free_vars(r.min) if v in own}
    if used - {v for v, _ in solved}:
        solved = _invert(region, box, block, used, analyzer) or solved
    for var, span in solved:
        old = domain.get(var)
        if old is None or contains(span, old, analyzer):
            domain[var] = span
        elif not contains(old, span, analyzer):
            if not widen:
                raise ScheduleError(f"the producers of block {block.name} make different parts of "
                                    f"their buffers along {var.name}")
            domain[var] = Span(prim.minimum(old.low, span.low), prim.maximum(old.high, span.high))


def _invert(region: BufferRegion, box: list[Span], block: Block, used: set[Var],
            analyzer: Analyzer) -> list[tuple[Var, Span]]:
    """The variables by the inverse of all indices together; none where there is no inverse."""
    pairs = [(r.min, s) for r, s in zip(region.region, box)
             if any(v in used for v in free_vars(r.min))]
    if any(as_int(r.extent) != 1 for r in region.region):
        return []
    at = [Var(f"d{k}", e.dtype) for k, (e, _) in enumerate(pairs)]
    try:
        back = invert_affine([e for e, _ in pairs], at,
                             {it.var: it.dom for it in block.iter_vars if it.var in used})
    except NotAffine:
        return []
    with analyzer.scope():
        relax = Relaxer({d: s for d, (_, s) in zip(at, pairs)}, analyzer)
        spans = [(v, relax(analyzer.simplify(back[v]))) for v in back]
    return [(v, s) for v, s in spans if s is not None]


def _inside(box: list[Span], buffer: Buffer) -> list[Span]:
    """A box without what is known to lie outside of its buffer."""
    found = []
    for s, size in zip(box, buffer.shape):
        low, high, end = as_int(s.low), as_int(s.high), as_int(size)
        if low is not None and low < 0:
            s = Span(literal(0, s.low.dtype), s.high, s.step)
        if high is not None and end is not None and high >= end:
            s = Span(s.low, literal(end - 1, s.high.dtype), s.step)
        found.append(s)
    return found


def _solve(index: PrimExpr, extent: int | None, s: Span, own: set[Var]) -> tuple[Var, Span] | None:
    """`v` or `v * c : v * c + c` within low..high tells v."""
    if isinstance(index, Var) and index in own and extent == 1:
        return index, s
    if isinstance(index, prim.Mul) and index.a in own and as_int(index.b) == extent and extent:
        return index.a, Span(prim.floordiv(s.low, extent), prim.floordiv(s.high, extent))
    return None


# --- the move -------------------------------------------------------------------------------

def _move(nest: Nest, block: Block, loop: For, domain: dict[Var, Span], analyzer: Analyzer,
          preserve_unit_loops: bool, index: int) -> None:
    position = _position(nest, block, loop, index)
    around = {l.loop_var: Range(l.min, l.extent) for l in [*nest.loops(loop), loop]}
    stmt = _nest_for(block, domain, around, analyzer, preserve_unit_loops)
    nest.remove(block)
    loop = nest.now(loop)
    stmts = list(loop.body.stmts) if isinstance(loop.body, SeqStmt) else [loop.body]
    stmts.insert(position, stmt)
    loop = nest.edit(loop, body=seq(*stmts))
    _check_placed(nest, nest.now(block), loop)


def _position(nest: Nest, block: Block, loop: For, index: int) -> int:
    """Where in the body: after all producers, before all consumers."""
    parts = loop.body.stmts if isinstance(loop.body, SeqStmt) else (loop.body,)
    before, after = set(map(id, producers(nest, block))), set(map(id, consumers(nest, block)))
    inside = [set(map(id, blocks_in(p))) for p in parts]
    low = max((k + 1 for k, ids in enumerate(inside) if ids & before), default=0)
    high = min((k for k, ids in enumerate(inside) if ids & after), default=len(parts))
    if low > high:
        raise ScheduleError(f"in loop {loop.loop_var.name} a consumer of block {block.name} stands "
                            f"before a producer")
    place = {-1: high, -2: low}.get(index, index)
    if not low <= place <= high:
        raise ScheduleError(f"position {index} in loop {loop.loop_var.name} is not between the "
                            f"producers and the consumers of block {block.name}",
                            hint=f"{low} to {high}, -1 for the last, -2 for the first")
    return place


def _nest_for(block: Block, domain: dict[Var, Span], around: dict[Var, Range],
              analyzer: Analyzer, preserve_unit_loops: bool) -> Stmt:
    """New loops over the needed part of the block's domain. `around`: the ranges of the loops
    around the new place."""
    loops: list[tuple[Var, PrimExpr]] = []
    values, guards = [], []
    for it in block.iter_vars:
        low, extent = _needed(it, domain, analyzer, around)
        s = domain.get(it.var)
        if s is not None and analyzer.can_prove(s.high < it.dom.min + it.dom.extent):
            analyzer.assume(low + extent <= it.dom.min + it.dom.extent)
        if as_int(extent) == 1 and not preserve_unit_loops:
            values.append(low)
            guards += _guards(it, low, extent, low, analyzer, around)
            continue
        ax = Var(f"ax{len(loops)}", it.var.dtype)
        loops.append((ax, extent))
        analyzer.bind(ax, (0, None) if as_int(extent) is None else
                      Range(literal(0, ax.dtype), extent))
        value = low + ax
        values.append(value)
        point = low if as_int(extent) == 1 else value
        guards += _guards(it, low, extent, point, analyzer, around)
    guards = [bound_form(g, analyzer) for g in guards]
    realize = BlockRealize(tuple(values), prim.logical_and(*guards), block)
    stmt: Stmt = realize
    for ax, extent in reversed(loops):
        stmt = For(ax, literal(0, ax.dtype), extent, SERIAL, stmt)
    return stmt


def _needed(it: IterVar, domain: dict[Var, Span], analyzer: Analyzer,
            around: dict[Var, Range]) -> tuple[PrimExpr, PrimExpr]:
    """First value and extent. An extent that sizes decide is clipped; one that changes from one
    iteration to the next gets a guard instead."""
    s, t = domain.get(it.var), it.var.dtype
    if s is None or it.kind != SPATIAL:
        return it.dom.min, it.dom.extent
    last = it.dom.min + it.dom.extent - 1
    if analyzer.can_prove(s.low <= it.dom.min) and analyzer.can_prove(last <= s.high):
        return it.dom.min, it.dom.extent
    low = prim.cast(analyzer.simplify(s.low), t)
    extent = literal(1, t) if s.is_point else prim.cast(analyzer.simplify(s.high - s.low + 1), t)
    if any(v not in around for v in free_vars(extent)):
        low = analyzer.simplify(prim.maximum(low, it.dom.min))
        extent = analyzer.simplify(prim.minimum(s.high, last) - low + 1)
    return low, extent


def _guards(it: IterVar, low: PrimExpr, extent: PrimExpr, value: PrimExpr,
            analyzer: Analyzer, domain: dict[Var, Range]) -> list[PrimExpr]:
    first, end = it.dom.min, it.dom.min + it.dom.extent
    found = []
    if not analyzer.can_prove(low >= first):
        found.append(value >= first)
    if not analyzer.can_prove(low + extent <= end) and not (
            as_int(extent) == 1 and _digit_below(low, end, domain)):
        found.append(value < end)
    return found


def _digit_below(e: PrimExpr, end: PrimExpr, domain: dict[Var, Range]) -> bool:
    """Whether an expression is a digit of loops that runs below `end`, as `i // n` in range(n * 32)
    is below 32."""
    try:
        s, = detect([e], domain).sums
    except NotAffine:
        return False
    return len(s.args) == 1 and as_int(s.base) == 0 and as_int(s.args[0].scale) == 1 and \
        Analyzer().can_prove(s.args[0].extent <= end)
