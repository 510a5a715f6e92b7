"""Loop transformations: split, fuse, reorder, add_unit_loop."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ...arith.iter_map import simplify_affine
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import SERIAL, Block, BlockRealize, For, Range, Stmt
from ...ir.visitor import Mutator, Substitute, free_vars
from ..collisions import why_repeated
from ..dependence import blocks_in, read_and_written, why_iterations_depend, why_order_matters
from ..nest import Nest
from ..signature import (BLOCK_OR_LOOP, BOOL, FACTORS, LOOP, LOOPS, primitive)


@primitive(returns=LOOPS, loop=LOOP, factors=FACTORS, preserve_unit_iters=BOOL,
           disable_predication=BOOL)
def split(nest: Nest, loop: For, factors: list, preserve_unit_iters: bool = True,
          disable_predication: bool = False) -> list[For]:
    """Splits a loop into several nested ones, outermost first; at most one factor is None, which is
    inferred. Where the factors do not divide the extent, a predicate guards the blocks below. The
    new loops are serial, whatever the old one was.

        for i in range(128):          for i_0, i_1 in T.grid(16, 8):
            C[i] = ...           ->       C[i_0 * 8 + i_1] = ...

    Halide: `split`; Exo: `divide_loop`."""
    _check_plain(loop, "split")
    extents = _infer(nest, loop, factors)
    name = loop.loop_var.name
    new_vars = [Var(f"{name}_{k}", loop.loop_var.dtype) for k in range(len(extents))]
    value = literal(0, loop.loop_var.dtype)
    for var, extent in zip(new_vars, extents):
        value = value * extent + var
    analyzer = nest.analyzer(loop)
    for var, extent in zip(new_vars, extents):
        analyzer.bind(var, Range(literal(0, var.dtype), extent))
    guard = value < loop.extent
    guard = None if disable_predication or analyzer.can_prove(guard) else guard
    if guard is not None:
        _check_guardable(nest, loop)
    body = nest.rewritten(Rebind({loop.loop_var: value}, guard), loop.body)
    return _put(nest, loop, new_vars, extents, body, preserve_unit_iters)


def _infer(nest: Nest, loop: For, factors: list) -> list[PrimExpr]:
    missing = inferred(loop, factors)
    t, analyzer = loop.loop_var.dtype, nest.analyzer(nest.parent(loop))
    sizes = [None if f is None else literal(f, t) for f in factors]
    product = math.prod((s for s in sizes if s is not None), start=literal(1, t))
    if missing:
        up = analyzer.simplify(prim.floordiv(loop.extent + product - 1, product))
        sizes[missing[0]] = up
    elif not analyzer.can_prove(product >= loop.extent):
        raise ScheduleError(
            f"the factors {[as_int(s) or s.script() for s in sizes]} multiply to less than the "
            f"extent {loop.extent.script()} of loop {loop.loop_var.name}",
            hint="leave one factor None: it is inferred")
    return sizes


def inferred(loop: For, factors: list) -> list[int]:
    """Which of the factors of a loop is to be inferred: at most one. Raises ScheduleError."""
    missing = [k for k, f in enumerate(factors) if f is None]
    if not factors or len(missing) > 1:
        raise ScheduleError(f"the factors of loop {loop.loop_var.name} leave "
                            f"{len(missing)} sizes open", hint="at most one factor may be None")
    bad = [f for f in factors if isinstance(f, int) and f <= 0]
    if bad:
        raise ScheduleError(f"a factor of loop {loop.loop_var.name} is {bad[0]}",
                            hint="factors are positive; None or -1 is inferred")
    return missing


def _check_plain(loop: For, what: str) -> None:
    name = loop.loop_var.name
    if not prim.is_const(loop.min, 0) or loop.step is not None:
        raise ScheduleError(f"loop {name} does not start at 0 with step 1", span=loop.span)
    if loop.thread_binding is not None or loop.annotations:
        why = "bound to a thread" if loop.thread_binding is not None else \
            f"annotated with {', '.join(loop.annotations)}"
        raise ScheduleError(f"loop {name} is {why} already", span=loop.span,
                            hint=f"{what} loops before giving them a thread or an annotation")


def _check_guardable(nest: Nest, loop: For) -> None:
    """Everything below a loop that needs a predicate must be in blocks."""
    stack = [loop.body]
    while stack:
        s = stack.pop()
        if isinstance(s, BlockRealize):
            continue
        parts = [c for c in s.children() if isinstance(c, Stmt)]
        if not parts:
            raise ScheduleError(f"the factors do not divide loop {loop.loop_var.name}, and below it"
                                f" stands a statement outside of blocks", span=s.span,
                                hint="put it in a T.block, or choose factors that divide")
        stack += parts


class Rebind(Substitute):
    """Replaces loop variables; the outermost blocks below get a further predicate."""

    def __init__(self, mapping, guard: PrimExpr | None = None):
        super().__init__(mapping)
        self.guard = guard

    def visit_BlockRealize(self, n: BlockRealize) -> BlockRealize:
        guard, self.guard = self.guard, None
        new = self.rebuild(n)
        self.guard = guard
        return new if guard is None else new.replace(
            predicate=prim.logical_and(new.predicate, guard))


class SimplifyBindings(Mutator):
    """Writes the values of iteration variables with as few digits of the loops around as possible,
    as they are where they are no digits. `unit_loops`: loops of one iteration stay in them."""

    def __init__(self, around: Iterable[For], unit_loops: bool = True):
        super().__init__()
        self.domain = {l.loop_var: Range(l.min, l.extent) for l in around}
        self.unit_loops = unit_loops

    def visit_For(self, n: For) -> For:
        self.domain[n.loop_var] = Range(n.min, n.extent)
        return self.rebuild(n)

    def visit_BlockRealize(self, n: BlockRealize) -> BlockRealize:
        values = simplify_affine(n.iter_values, self.domain, n.predicate,
                                 unit_loops=self.unit_loops)
        if all(a is b for a, b in zip(values, n.iter_values)):
            return n
        return n.replace(iter_values=tuple(values))

    def visit_PrimExpr(self, n: PrimExpr) -> PrimExpr:
        return n


def _put(nest: Nest, old: For, new_vars: list[Var], extents: list[PrimExpr],
         body: Stmt, preserve: bool) -> list[For]:
    """New serial loops in the place of `old`; bindings below are simplified. `preserve`: loops of
    one iteration stay in them."""
    stmt = body
    for var, extent in zip(reversed(new_vars), reversed(extents)):
        stmt = For(var, literal(0, var.dtype), extent, SERIAL, stmt)
    stmt = nest.rewritten(SimplifyBindings(nest.loops(old), preserve), stmt)
    nest.replace(old, stmt)
    loops = []
    for _ in new_vars:
        loops.append(stmt)
        stmt = stmt.body
    return loops


@primitive(returns=LOOP, loops=LOOP, preserve_unit_iters=BOOL)
def fuse(nest: Nest, *loops: For, preserve_unit_iters: bool = True) -> For:
    """Makes one loop of several that are directly nested, outermost first.

        for i, j in T.grid(4, 8):       for i_j_fused in range(32):
            C[i, j] = ...          ->       C[i_j_fused // 8, i_j_fused % 8] = ...

    Halide: `fuse`; Exo: `mult_loops`."""
    if not loops:
        raise ScheduleError("no loop is given")
    for outer, inner in zip(loops, loops[1:]):
        if outer.body is not inner:
            raise ScheduleError(f"loop {inner.loop_var.name} is not directly inside of loop "
                                f"{outer.loop_var.name}", hint="reorder them to be neighbours")
        if outer.loop_var in free_vars(inner.extent):
            raise ScheduleError(f"the extent of loop {inner.loop_var.name} depends on loop "
                                f"{outer.loop_var.name}")
    for l in loops:
        _check_plain(l, "fuse")
    t = max((l.loop_var.dtype for l in loops), key=lambda t: t.bits)
    fused = Var("_".join(l.loop_var.name for l in loops) + "_fused", t)
    numbers = math.prod(as_int(l.extent) or 1 for l in loops)
    symbols = [l.extent for l in loops if as_int(l.extent) is None]
    total = math.prod(symbols, start=literal(1, t)) * numbers
    if len(symbols) == 1:
        total = nest.analyzer(nest.parent(loops[0])).simplify(total)
    values, rest = {}, literal(1, t)
    for k, l in reversed(list(enumerate(loops))):
        part = prim.floordiv(fused, rest)
        whole = rest * l.extent
        if k:
            part = prim.floordiv(prim.floormod(fused, whole), rest)
        if as_int(l.extent) == 1 and not preserve_unit_iters:
            part = literal(0, t)
        values[l.loop_var], rest = prim.cast(part, l.loop_var.dtype), whole
    body = nest.rewritten(Rebind(values), loops[-1].body)
    return _put(nest, loops[0], [fused], [total], body, preserve_unit_iters)[0]


@primitive(loops=LOOP)
def reorder(nest: Nest, *loops: For) -> None:
    """Puts loops of one chain in the order given, outermost first; loops of the chain that are not
    named stay where they are. Halide: `reorder` (which names the innermost first)."""
    if len(set(map(id, loops))) != len(loops):
        raise ScheduleError("a loop is named twice")
    if len(loops) < 2:
        return
    chain = _chain(nest, loops)
    named = set(map(id, loops))
    order = iter(loops)
    new = [next(order) if id(l) in named else l for l in chain]
    _check_extents(new)
    inside = blocks_in(chain[-1].body)
    for b in inside:
        reason = why_order_matters(b)
        if not reason and (b.init is not None or read_and_written(b)):
            around = nest.loops(b)  # outer loops keep their order
            reason = why_repeated(nest.realize(b), around[around.index(chain[0]):])
        if reason:
            raise ScheduleError(f"the instances of block {b.name} must stay in order: {reason}",
                                span=b.span)
    reason = why_iterations_depend(nest, chain[-1]) if len(inside) > 1 else None
    if reason:
        raise ScheduleError(reason, hint="move the blocks apart, or reorder before compute_at")
    stmt = chain[-1].body
    for l in reversed(new):
        inner, stmt = stmt, l.replace(body=stmt)
        nest.forward(l, stmt)
        assert inner is not None
    nest.replace(chain[0], stmt)


def _chain(nest: Nest, loops: tuple[For, ...]) -> list[For]:
    """The directly nested loops from the outermost to the innermost of those named."""
    depth = {id(l): len(nest.loops(l)) for l in loops}
    bottom = max(loops, key=lambda l: depth[id(l)])
    missing = {id(l) for l in loops} - {id(bottom)}
    chain, node = [bottom], bottom
    while missing:
        parent = nest.parent(node)
        if not isinstance(parent, For):
            left = [l.loop_var.name for l in loops if id(l) in missing]
            raise ScheduleError(f"loops {left[0]} and {bottom.loop_var.name} are not in one chain: "
                                f"something else stands between them",
                                hint="reorder works on loops that are directly nested")
        missing.discard(id(parent))
        chain.append(parent)
        node = parent
    return chain[::-1]


def _check_extents(order: list[For]) -> None:
    for k, l in enumerate(order):
        inner = {x.loop_var: x for x in order[k + 1:]}
        for v in (*free_vars(l.extent), *free_vars(l.min)):
            if v in inner:
                raise ScheduleError(f"the range of loop {l.loop_var.name} depends on loop {v.name},"
                                    f" which must stay outside of it", span=l.span)


@primitive(returns=LOOP, block_or_loop=BLOCK_OR_LOOP)
def add_unit_loop(nest: Nest, block_or_loop: Block | For) -> For:
    """A loop of extent 1 around a block or loop."""
    at = nest.realize(block_or_loop) if isinstance(block_or_loop, Block) else block_or_loop
    loop = For(Var("u"), literal(0), literal(1), SERIAL, at)
    nest.replace(at, loop)
    return loop
