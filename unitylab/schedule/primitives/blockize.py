"""A part of a loop nest as one block: blockize."""

from __future__ import annotations

from dataclasses import dataclass

from ...arith.analyzer import Analyzer
from ...arith.int_set import of_range, to_range, union
from ...arith.iter_map import NotAffine
from ...arith.subspace import Division, divide
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import (REDUCE, SPATIAL, Block, BlockRealize, BufferRegion, For, IterVar, Range,
                       SeqStmt, Stmt, seq)
from ...ir.visitor import fold_substitute, free_vars
from ..nest import Nest, child_realizes
from ..signature import BLOCK, BLOCKS, BOOL, LOOP, either, primitive
from .layout import Substituted


@primitive(returns=BLOCK, target=either(LOOP, BLOCKS), preserve_unit_iters=BOOL)
def blockize(nest: Nest, target: For | list[Block], preserve_unit_iters: bool = True) -> Block:
    """Makes one block of all that a loop holds, or of several blocks side by side; returns it.

        for i_0, i_1 in T.grid(8, 16):          for i_0 in range(8):
            with T.block("B"):                      with T.block("B_o"):
                vi = T.axis.S(128, i_0*16+i_1)  ->      vi_o = T.axis.S(8, i_0)
                B[vi] = ...                             for i_1 in range(16):
                                                            with T.block("B"): ...

    A list of blocks: they stand one after the other in one loop or block, and the loops around them
    become iteration variables of the new block. `preserve_unit_iters`: variables with one value
    stay variables. The handle of a block stays with the inner block."""
    if isinstance(target, For):
        return blockize_loop(nest, target, preserve_unit_iters)
    return _blockize_blocks(nest, target, preserve_unit_iters)


def blockize_loop(nest: Nest, loop: For, preserve_unit_iters: bool) -> Block:
    """Blockizes one loop."""
    inside = child_realizes(loop.body)
    if len(inside) != 1 or not _is_chain(loop, inside[0]):
        names = ", ".join(r.block.name for r in inside) or "none"
        raise ScheduleError(f"loop {loop.loop_var.name} must hold one block and nothing else; it "
                            f"holds: {names}", span=loop.span,
                            hint="blockize a list of blocks, or a loop further inside")
    realize = inside[0]
    loops = [loop, *nest.loops_below(realize.block, loop)]
    parts = _divide(nest, realize, loops, preserve_unit_iters)
    outer_its = parts.outer_iter_vars()
    inner = _inner_block(nest, realize, parts, outer_its)
    block = realize.block
    init = None
    if block.init is not None:
        init = _outer_init(parts, loops, inner, block)
        keeps = any(it.kind == REDUCE for it in outer_its)
        reads = (*inner.block.writes, *inner.block.reads) if keeps else inner.block.reads
        inner = inner.replace(block=_forwarded(nest, inner.block, init=None, reads=reads))
    body = nest.substitute(loop, {realize: inner, **parts.shared_loops(outer_its)})
    _check_closed(nest, body, loop)
    reads, writes = (_swept(rs, parts) for rs in (parts.reads, parts.writes))
    made = Block(outer_its, reads, writes, f"{block.name}_o", body, init)
    nest.replace(loop, BlockRealize(parts.outer_values(), parts.outer_predicate, made))
    return made


def _check_closed(nest: Nest, body: Stmt, loop: For) -> None:
    around = {l.loop_var for l in nest.loops(loop)}
    used = [v for v in free_vars(body) if v in around]
    if used:
        raise ScheduleError(f"a loop inside of loop {loop.loop_var.name} runs as far as loop "
                            f"{used[0].name} tells, which is no variable of the block",
                            span=loop.span)


def _is_chain(loop: For, realize: BlockRealize) -> bool:
    node: Stmt = loop
    while isinstance(node, For):
        node = node.body
    return node is realize


def _forwarded(nest: Nest, block: Block, **fields) -> Block:
    new = block.replace(**fields)
    nest.forward(block, new)
    return new


@dataclass
class _Parts:
    """A block's iteration variables in two parts."""

    block: Block
    divisions: list[Division]
    outer_predicate: PrimExpr
    inner_predicate: PrimExpr
    preserve: bool
    analyzer: Analyzer
    inner_its: list[IterVar] = None
    inner_values: list[PrimExpr] = None
    reads: tuple[BufferRegion, ...] = ()
    writes: tuple[BufferRegion, ...] = ()

    def outer_iter_vars(self) -> tuple[IterVar, ...]:
        return tuple(IterVar(Var(f"{it.var.name}_o", it.var.dtype),
                             Range(literal(0, it.var.dtype), d.outer.extent), it.kind)
                     for it, d in zip(self.block.iter_vars, self.divisions))

    def outer_values(self) -> tuple[PrimExpr, ...]:
        return tuple(d.outer.value for d in self.divisions)

    def shared_loops(self, outer: tuple[IterVar, ...]) -> dict[Var, Var]:
        """The outer loops that are the value of a variable of the new block."""
        return {d.outer.value: it.var for d, it in zip(self.divisions, outer)
                if isinstance(d.outer.value, Var)}

    def substitution(self, outer: tuple[IterVar, ...]) -> dict[Var, PrimExpr]:
        """What each variable is in the new ones; makes the inner variables."""
        at, self.inner_its, self.inner_values = {}, [], []
        for it, d, o in zip(self.block.iter_vars, self.divisions, outer):
            t = it.var.dtype
            if as_int(d.inner.extent) == 1:
                unit = as_int(d.outer.extent) == 1 and not self.preserve
                at[it.var] = literal(0, t) if unit else o.var
                continue
            v = Var(f"{it.var.name}_i", t)
            dom = Range(literal(0, t), d.inner.extent)
            self.inner_its.append(IterVar(v, dom, it.kind))
            self.inner_values.append(d.inner.value)
            self.analyzer.bind(v, dom)
            at[it.var] = v if as_int(d.outer.extent) == 1 else o.var * d.inner.extent + v
        return at


def _divide(nest: Nest, realize: BlockRealize, inner: list[For], preserve: bool) -> _Parts:
    block = realize.block
    domain = {l.loop_var: Range(l.min, l.extent) for l in nest.loops(block)}
    for it in block.iter_vars:
        if not prim.is_const(it.dom.min, 0):
            raise ScheduleError(f"{it.var.name} of block {block.name} does not start at 0",
                                span=block.span)
    try:
        found = divide(realize.iter_values, [it.dom.extent for it in block.iter_vars], domain,
                       [l.loop_var for l in inner], realize.predicate,
                       nest.analyzer(nest.scope(block)), preserve)
    except NotAffine as e:
        at = f"loop {inner[0].loop_var.name}" if inner else "its loops"
        raise ScheduleError(f"block {block.name} cannot be divided at {at}: {e}",
                            span=block.span, hint="reorder so that all loops of one tile are "
                            "inside, and split by factors that divide") from None
    return _Parts(block, *found, preserve, Analyzer())


def _inner_block(nest: Nest, realize: BlockRealize, parts: _Parts,
                 outer: tuple[IterVar, ...]) -> BlockRealize:
    """The block in the new variables."""
    at = parts.substitution(outer)
    block = realize.block
    moved = nest.rewritten(Substituted(at, parts.analyzer, conditions=True),
                           block.replace(iter_vars=()))
    parts.reads, parts.writes = moved.reads, moved.writes
    new = moved.replace(iter_vars=tuple(parts.inner_its))
    nest.forward(block, new)
    return BlockRealize(tuple(parts.inner_values), parts.inner_predicate, new)


def _outer_init(parts: _Parts, loops: list[For], inner: BlockRealize, block: Block) -> Stmt:
    """The init as a block in loops of its own, over the inner spatial variables that it uses."""
    init = inner.block.init
    used = set(free_vars(init))
    kept = [(it, v) for it, v in zip(inner.block.iter_vars, inner.iter_values)
            if it.kind == SPATIAL and it.var in used]
    fresh = {it.var: Var(f"{it.var.name}_init", it.var.dtype) for it, _ in kept}
    its = tuple(it.replace(var=fresh[it.var]) for it, _ in kept)
    around = {v for _, value in kept for v in free_vars(value)}
    copies = {l.loop_var: Var(l.loop_var.name, l.loop_var.dtype) for l in loops
              if l.loop_var in around}
    writes = tuple(fold_substitute(w, fresh) for w in inner.block.writes)
    made = Block(its, (), writes, f"{block.name}_init", fold_substitute(init, fresh))
    terms = parts.inner_predicate
    guard = terms if all(v in copies for v in free_vars(terms)) else literal(True)
    stmt: Stmt = BlockRealize(tuple(fold_substitute(v, copies) for _, v in kept),
                              fold_substitute(guard, copies), made)
    for l in reversed(loops):
        if l.loop_var in copies:
            low, extent = (fold_substitute(e, copies) for e in (l.min, l.extent))
            stmt = l.replace(loop_var=copies[l.loop_var], min=low, extent=extent, body=stmt)
    return stmt


def _swept(regions: tuple[BufferRegion, ...], parts: _Parts) -> tuple[BufferRegion, ...]:
    """What regions touch while the inner variables run."""
    domain = {it.var: of_range(it.dom) for it in parts.inner_its}
    found = []
    for region in regions:
        box = [of_range(r, domain, parts.analyzer) for r in region.region]
        ranges = (to_range(i, parts.analyzer) if i is not None else Range(literal(0, s.dtype), s)
                  for i, s in zip(box, region.buffer.shape))
        found.append(BufferRegion(region.buffer, tuple(ranges)))
    return tuple(found)


# --- several blocks -------------------------------------------------------------------------

def _blockize_blocks(nest: Nest, blocks: list[Block], preserve: bool) -> Block:
    top, stmts = _side_by_side(nest, blocks)
    shared = nest.loops(top) + [top] if isinstance(top, For) else []
    all_parts = [_divide(nest, nest.realize(b), _below(nest, b, shared), preserve) for b in blocks]
    outer_its, values = all_parts[0].outer_iter_vars(), all_parts[0].outer_values()
    at, new = all_parts[0].shared_loops(outer_its), {}
    for b, s, parts in zip(blocks, stmts, all_parts):
        _check_same_outer(b, parts, all_parts[0])
        realize = nest.realize(b)
        inner = _inner_block(nest, realize, parts, outer_its)
        if b.init is not None:
            inner = inner.replace(block=_forwarded(nest, inner.block, init=None))
        stmt = nest.substitute(s, {realize: inner, **at})
        new[id(s)] = stmt
    reads = _union([r for p in all_parts for r in _swept(p.reads, p)])
    writes = _union([w for p in all_parts for w in _swept(p.writes, p)])
    name = "outer_" + "".join(f"{b.name}_" for b in blocks)
    made = Block(outer_its, reads, writes, name, seq(*(new[id(s)] for s in stmts)))
    realize = BlockRealize(values, all_parts[0].outer_predicate, made)
    rest = [s for s in top.body.stmts if id(s) not in new]
    where = top.body.stmts.index(stmts[0])
    rest.insert(where, realize)
    nest.edit(top, body=seq(*rest))
    return made


def _below(nest: Nest, block: Block, shared: list[For]) -> list[For]:
    return [l for l in nest.loops(block) if l not in shared]


def _side_by_side(nest: Nest, blocks: list[Block]) -> tuple[For | Block, list[Stmt]]:
    """Where the blocks stand, and the statement of each; they follow one another."""
    if len(blocks) < 2:
        raise ScheduleError("a list of blocks has at least two", hint="blockize a loop instead")
    chains = [[nest.realize(b), *nest.above(nest.realize(b))] for b in blocks]
    top = next(a for a in chains[0] if isinstance(a, (For, Block))
               and all(any(a is x for x in c) for c in chains[1:]))
    stmts = []
    for b, chain in zip(blocks, chains):
        at = chain.index(top)
        stmt = chain[at - 2] if isinstance(chain[at - 1], SeqStmt) else None
        if not isinstance(chain[at - 1], SeqStmt) or child_realizes(stmt) != [nest.realize(b)] \
                or not all(isinstance(x, (For, BlockRealize)) for x in chain[:at - 1]):
            raise ScheduleError(f"block {b.name} is not the only block of a statement beside the "
                                f"others", span=b.span)
        stmts.append(stmt)
    order = [top.body.stmts.index(s) for s in stmts]
    if order != list(range(order[0], order[0] + len(order))):
        raise ScheduleError(f"blocks {', '.join(b.name for b in blocks)} do not follow one another "
                            f"in this order", span=blocks[0].span)
    reducing = [b for b in blocks if b.init is not None]
    for b in reducing:
        if any(it.kind == REDUCE for it in b.iter_vars):
            raise ScheduleError(f"block {b.name} is a reduction with an init", span=b.span,
                                hint="decompose_reduction first")
    return top, stmts


def _check_same_outer(block: Block, parts: _Parts, first: _Parts) -> None:
    same = len(parts.divisions) == len(first.divisions) and all(
        parts.analyzer.can_prove_equal(a.outer.extent, b.outer.extent)
        and parts.analyzer.can_prove_equal(a.outer.value, b.outer.value)
        and x.kind == y.kind
        for a, b, x, y in zip(parts.divisions, first.divisions, block.iter_vars,
                              first.block.iter_vars))
    if not same:
        raise ScheduleError(f"blocks {first.block.name} and {block.name} use the loops around them "
                            f"in different ways", span=block.span)


def _union(regions: list[BufferRegion]) -> tuple[BufferRegion, ...]:
    """One region a buffer."""
    analyzer, boxes = Analyzer(), {}
    for r in regions:
        box = [of_range(x) for x in r.region]
        old = boxes.get(r.buffer)
        boxes[r.buffer] = box if old is None else [union(a, b, analyzer)
                                                   for a, b in zip(old, box)]
    return tuple(BufferRegion(b, tuple(to_range(i, analyzer) for i in box))
                 for b, box in boxes.items())
