"""A loop in several parts, one after the other: loop_partition."""

from __future__ import annotations

from ...arith.analyzer import Analyzer
from ...arith.int_set import of_range, to_range
from ...arith.regions import Regions, derive_regions
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import (REDUCE, SERIAL, THREAD_BINDING, Block, BlockRealize, BufferRegion, For,
                       Range, Stmt, seq)
from ...ir.visitor import Mutator, collect, fresh_copy
from ..dependence import bound_by
from ..nest import Nest, child_realizes
from ..signature import BOOL, FACTORS, LOOP, LOOPS, primitive
from .loops import inferred


@primitive(returns=LOOPS, loop=LOOP, factors=FACTORS, preserve_unit_iters=BOOL)
def loop_partition(nest: Nest, loop: For, factors: list,
                   preserve_unit_iters: bool = True) -> list[For]:
    """Cuts the range of a loop into parts that follow one another; returns their loops.

        for i in range(128): B[i] = ...   ->   for i0 in range(0, 112): B[i0] = ...
        (factors=[None, 16])                   for i1 in range(112, 128): B[i1] = ...

    `factors`: how many iterations each part has; None is inferred, and without None what is left
    makes one more part. Each part is a block of its own, with names after the part; handles below
    the loop are gone. TVM: the same name; Exo: `cut_loop`."""
    if loop.annotations or loop.kind == THREAD_BINDING or loop.step is not None:
        raise ScheduleError(f"loop {loop.loop_var.name} is annotated or bound to a thread",
                            span=loop.span, hint="partition it before")
    inside = child_realizes(loop.body)
    if not inside:
        raise ScheduleError(f"loop {loop.loop_var.name} holds no block")
    _check_starts_once(loop, inside)
    ends = _ends(nest, loop, factors)
    name = f"{inside[0].block.name}_{loop.loop_var.name}"
    low, parts, made = loop.min, [], []
    for k, end in enumerate(ends):
        part = _part(loop, k, low, end)
        predicate = prim.compare(prim.GT, end, literal(0, end.dtype))
        made.append(part)
        parts.append(BlockRealize((), predicate, _plain_block(f"{name}{k}_partition", part)))
        low = end
    common = BlockRealize((), literal(True), _plain_block(f"{name}_common", seq(*parts)))
    nest.replace(loop, common)
    return made


def _check_starts_once(loop: For, inside: list[BlockRealize]) -> None:
    """A reduction that is cut would start anew in each part."""
    for realize in inside:
        block = realize.block
        reduced = [it for it in bound_by(realize, loop.loop_var) if it.kind == REDUCE]
        if reduced and any(b.init is not None for b in collect(block, Block)):
            raise ScheduleError(f"loop {loop.loop_var.name} carries the reduction of block "
                                f"{block.name}: its init would run in each part", span=block.span,
                                hint="decompose_reduction first")


def _plain_block(name: str, body: Stmt) -> Block:
    return Block((), (), (), name, body)


def _ends(nest: Nest, loop: For, factors: list) -> list[PrimExpr]:
    """Where each part ends."""
    t, analyzer = loop.loop_var.dtype, nest.analyzer(nest.parent(loop))
    name = loop.loop_var.name
    open_ones = inferred(loop, factors)
    known = [literal(f, t) if f is not None else None for f in factors]
    total = sum((f for f in known if f is not None), start=literal(0, t))
    if not analyzer.can_prove(total < loop.extent):
        raise ScheduleError(f"the factors of loop {name} sum up to {as_int(total)}, which is not "
                            f"less than its extent {loop.extent.script()}",
                            hint="the rest makes the last part")
    rest = analyzer.simplify(loop.extent - total)
    sizes = [rest if f is None else f for f in known] + ([] if open_ones else [rest])
    ends, at = [], loop.min
    for size in sizes:
        at = analyzer.simplify(at + prim.cast(size, t))
        ends.append(at)
    return ends


def _part(loop: For, k: int, low: PrimExpr, end: PrimExpr) -> For:
    """One part: the loop, and copies of all below it."""
    var = Var(f"{loop.loop_var.name}{k}", loop.loop_var.dtype)
    body = fresh_copy(loop.body)
    body = _Cut(loop.loop_var, var, Range(low, Analyzer().simplify(end - low))).visit(body)
    return For(var, low, Analyzer().simplify(end - low), SERIAL, body)


class _Cut(Mutator):
    """Puts a part's loop variable in; a variable of a block that is the loop runs over the part
    only, and the block declares all that it touches meanwhile."""

    def __init__(self, old: Var, new: Var, dom: Range):
        super().__init__()
        self._memo[id(old)] = (old, new)
        self.old, self.new, self.dom = old, new, dom

    def visit_BlockRealize(self, n: BlockRealize) -> BlockRealize:
        where = next((k for k, v in enumerate(n.iter_values) if v is self.old), None)
        new = self.rebuild(n)
        block = new.block
        its = list(block.iter_vars)
        if where is not None:
            t = its[where].var.dtype
            dom = Range(prim.cast(self.dom.min, t), prim.cast(self.dom.extent, t))
            its[where] = its[where].replace(dom=dom)
        block = block.replace(iter_vars=tuple(its), name=f"{block.name}_{self.new.name}")
        if where is not None:
            reads, writes = _regions(block)
            block = block.replace(reads=_relaxed(block, reads), writes=_relaxed(block, writes))
        return new.replace(block=block)


def _regions(block: Block) -> Regions:
    """The reads and writes of a block in terms of its variables, which a partition around may have
    relaxed already."""
    derived = derive_regions(block)
    declared = block.reads, block.writes
    same = all([r.buffer for r in a] == [r.buffer for r in b] for a, b in zip(derived, declared))
    return derived if same else declared


def _relaxed(block: Block, regions: tuple[BufferRegion, ...]) -> tuple[BufferRegion, ...]:
    """What regions that variables choose alone cover while these run; others say it as they are."""
    analyzer = Analyzer()
    domain = {it.var: of_range(it.dom) for it in block.iter_vars}
    found = []
    for region in regions:
        if not all(r.min in domain for r in region.region):
            found.append(region)
            continue
        box = [of_range(r, domain, analyzer) for r in region.region]
        ranges = (to_range(i, analyzer) if i is not None else Range(literal(0, s.dtype), s)
                  for i, s in zip(box, region.buffer.shape))
        found.append(BufferRegion(region.buffer, tuple(ranges)))
    return tuple(found)
