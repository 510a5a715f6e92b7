"""What blocks are to each other: who writes what, complete and reduction blocks, covered reads.

Functions called `why_not_...` return the reason as text, or None when all is well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from weakref import WeakKeyDictionary

from ..arith.analyzer import Analyzer
from ..arith.regions import access_regions
from ..ir import prim
from ..ir.errors import ScheduleError
from ..ir.prim import PrimExpr, Var, as_int
from ..ir.structural import structural_equal
from ..ir.tir import (REDUCE, SPATIAL, Block, BlockRealize, Buffer, BufferLoad, BufferRegion,
                      BufferStore, For, IterVar, Stmt)
from ..ir.visitor import collect, fold_substitute, free_vars
from .collisions import apart_along, why_instances_collide
from .nest import Nest, child_realizes
from .regions import Relaxer, Span, hull, loop_domain, relax_region


def _once_a_block(find: Callable[[Block], list[Buffer]]) -> Callable[[Block], tuple[Buffer, ...]]:
    """Blocks are values: what was found out about one is remembered as long as it lives."""
    known: WeakKeyDictionary[Block, tuple[Buffer, ...]] = WeakKeyDictionary()

    @wraps(find)
    def remembered(block: Block) -> tuple[Buffer, ...]:
        found = known.get(block)
        if found is None:
            found = known[block] = tuple(find(block))
        return found
    return remembered


@_once_a_block
def read_buffers(block: Block) -> list[Buffer]:
    """The buffers that a block reads, its own output in a reduction excluded when undeclared."""
    found = [r.buffer for r in block.reads]
    found += _loaded(block.body)
    own = {id(b) for b in written_buffers(block)} - {id(r.buffer) for r in block.reads}
    inner = {id(b) for b in _allocated_inside(block)}
    return [b for b in dict.fromkeys(found) if id(b) not in inner and
            (block.init is None or id(b) not in own)]


def _loaded(stmt: Stmt) -> list[Buffer]:
    """The buffers that are loaded below a statement; not the result of a reduction that is done
    there from its init to its end."""
    found: list[Buffer] = []
    inner = child_realizes(stmt)
    for r in inner:
        block = r.block
        carried = {v for it, e in zip(block.iter_vars, r.iter_values) if it.kind == REDUCE
                   for v in free_vars(e)}
        whole = carried <= {l.loop_var for l in collect(stmt, For)}
        found += read_buffers(block) if whole else [
            *read_buffers(block), *(l.buffer for l in collect(block.body, BufferLoad))]
    inside = {id(l) for r in inner for l in collect(r.block, BufferLoad)}
    return found + [l.buffer for l in collect(stmt, BufferLoad) if id(l) not in inside]


@_once_a_block
def written_buffers(block: Block) -> list[Buffer]:
    """The buffers that a block writes."""
    found = [r.buffer for r in block.writes]
    found += [s.buffer for s in collect(block.body, BufferStore)]
    inner = {id(b) for b in _allocated_inside(block)}
    return [b for b in dict.fromkeys(found) if id(b) not in inner]


@_once_a_block
def _allocated_inside(block: Block) -> list[Buffer]:
    return [b for n in collect(block, Block)
            for b in (*n.alloc_buffers, *[m.buffer for m in n.match_buffers])]


def blocks_in(stmt: Stmt) -> list[Block]:
    """The outermost blocks below a statement, in program order."""
    return [r.block for r in child_realizes(stmt)]


def siblings(nest: Nest, block: Block) -> list[Block]:
    """All blocks of the scope of a block, in program order, itself included."""
    return blocks_in(nest.scope(block))


def producers(nest: Nest, block: Block) -> list[Block]:
    """The blocks of the scope that write what `block` reads."""
    needed = set(map(id, read_buffers(block)))
    return [b for b in siblings(nest, block) if b is not block
            and any(id(w) in needed for w in written_buffers(b))]


def consumers(nest: Nest, block: Block) -> list[Block]:
    """The blocks of the scope that read what `block` writes."""
    made = set(map(id, written_buffers(block)))
    return [b for b in siblings(nest, block) if b is not block
            and any(id(r) in made for r in read_buffers(b))]


def is_output(nest: Nest, block: Block) -> bool:
    """Whether a block writes a buffer that its scope does not allocate."""
    inside = set(map(id, nest.scope(block).alloc_buffers))
    return any(id(b) not in inside for b in written_buffers(block))


# --- kinds of blocks ------------------------------------------------------------------------

def why_not_complete(nest: Nest, block: Block) -> str | None:
    """A complete block: all iteration variables are spatial, it alone writes its outputs, and it
    reads none of them."""
    odd = [it for it in block.iter_vars if it.kind != SPATIAL]
    if odd:
        return f"its iteration variable {odd[0].var.name} is of kind {odd[0].kind}"
    both = read_and_written(block)
    if both:
        return f"it reads {both[0].name}, which it also writes"
    return why_instances_collide(block) or _other_writer(nest, block)


def why_not_reduction(nest: Nest, block: Block) -> str | None:
    """A reduction block: it has an init, spatial and reduction variables only, alone writes its
    outputs, at elements that do not depend on the reduction variables."""
    if block.init is None:
        return "it has no init"
    odd = [it for it in block.iter_vars if it.kind not in (SPATIAL, REDUCE)]
    if odd:
        return f"its iteration variable {odd[0].var.name} is of kind {odd[0].kind}"
    return (_reduced_element_moves(block) or why_instances_collide(block)
            or _other_writer(nest, block))


def why_not_dominant(nest: Nest, block: Block) -> str | None:
    """Either of both kinds; the reason names what is missing."""
    if block.init is not None:
        return why_not_reduction(nest, block)
    return why_not_complete(nest, block)


def read_and_written(block: Block) -> list[Buffer]:
    written = set(map(id, written_buffers(block)))
    return [b for b in read_buffers(block) if id(b) in written]


def _other_writer(nest: Nest, block: Block) -> str | None:
    for other in siblings(nest, block):
        shared = set(map(id, written_buffers(other))) & set(map(id, written_buffers(block)))
        if other is not block and shared:
            return f"block {other.name} writes the same buffer"
    return None


def _reduced_element_moves(block: Block) -> str | None:
    reduced = {it.var for it in block.iter_vars if it.kind == REDUCE}
    for w in block.writes:
        for r in w.region:
            used = [v for v in free_vars(r) if v in reduced]
            if used:
                return f"the element of {w.buffer.name} that it writes depends on {used[0].name}"
    return None


def why_order_matters(block: Block, own: Sequence[IterVar] | None = None) -> str | None:
    """Why instances of a block that differ in one of the variables `own` (all of them) may not run
    in another order; None if they may."""
    own = block.iter_vars if own is None else own
    odd = [it for it in own if it.kind not in (SPATIAL, REDUCE)]
    if odd:
        return f"its iteration variable {odd[0].var.name} is of kind {odd[0].kind}"
    reason = _reduced_element_moves(block) or why_instances_collide(block, own)
    if reason:
        return reason
    for w in block.writes:
        if not _reads_only(block, w, own):
            return f"it reads elements of {w.buffer.name} that other iterations write"
    return None


def _reads_only(block: Block, write: BufferRegion, own: Sequence[IterVar]) -> bool:
    """Whether all reads of a written buffer are of what the same values of `own` write."""
    loads = [l.indices for l in collect(block.body, BufferLoad) if l.buffer is write.buffer]
    reads = [r for r in block.reads if r.buffer is write.buffer]
    if blocks_in(block.body):  # what inner blocks read, over their loops
        inside, _ = access_regions((block.body,))
        loads, reads = [], [*reads, *(r for r in inside if r.buffer is write.buffer)]
    single = {it.var: it.dom.min for it in block.iter_vars if as_int(it.dom.extent) == 1}

    def equal(a, b) -> bool:
        return structural_equal(fold_substitute(a, single), fold_substitute(b, single))
    same = [k for k, w in enumerate(write.region)
            if all(equal(i[k], w.min) for i in loads)
            and all(equal(r.region[k], w) for r in reads)]
    return len(same) == len(write.region) or \
        apart_along(block, own, [write.region[k] for k in same])


# --- loops and iteration variables ----------------------------------------------------------

def bound_by(realize: BlockRealize, var: Var) -> list[IterVar]:
    """The iteration variables of a block whose value depends on a loop variable."""
    return [it for it, value in zip(realize.block.iter_vars, realize.iter_values)
            if var in free_vars(value)]


def why_not_affine(realize: BlockRealize) -> str | None:
    """Why the values of iteration variables cannot be told apart; None where each loop feeds one
    variable, or several as digits (`f // 4`, `f % 4`)."""
    owner: dict[Var, int] = {}
    for n, value in enumerate(realize.iter_values):
        for v in free_vars(value):
            if owner.setdefault(v, n) != n and not _only_digits(realize.iter_values, v):
                its = realize.block.iter_vars
                return (f"loop {v.name} feeds both {its[owner[v]].var.name} and {its[n].var.name} "
                        f"of block {realize.block.name}")
    return None


def _only_digits(values: tuple[PrimExpr, ...], var: Var) -> bool:
    def digits(e) -> bool:
        if e is var:
            return False
        if isinstance(e, (prim.FloorDiv, prim.FloorMod)) and as_int(e.b) is not None:
            return True
        return all(digits(c) for c in e.children())
    return all(digits(v) for v in values)


# --- who needs what within one iteration ----------------------------------------------------

def bindings(realize: BlockRealize) -> dict[Var, PrimExpr]:
    return {it.var: v for it, v in zip(realize.block.iter_vars, realize.iter_values)}


def touched(nest: Nest, block: Block, top: For | None, regions, analyzer: Analyzer) -> list[Span]:
    """The box that regions of a block sweep in one iteration of loop `top` (None: of the scope)."""
    if not regions:
        raise ScheduleError(f"block {block.name} does not declare what it touches", span=block.span,
                            hint="work on the blocks inside of it")
    realize = nest.realize(block)
    loops = nest.loops(block) if top is None else nest.loops_below(block, top)
    relaxer = Relaxer(loop_domain(loops), analyzer)
    point = bindings(realize)
    placed = [_place(r, point, relaxer.analyzer) for r in regions]
    return hull([relax_region(r, relaxer) for r in placed], analyzer)


def _place(region: BufferRegion, point: dict[Var, PrimExpr], analyzer: Analyzer) -> BufferRegion:
    return region.map_children(lambda c: c if isinstance(c, Buffer) else c.map_children(
        lambda e: analyzer.simplify(fold_substitute(e, point))))


def why_not_covered(nest: Nest, writer: Block, reader: Block, buffer: Buffer,
                    top: For) -> str | None:
    """Whether all that `reader` reads in an iteration of `top` is written by `writer` in the same
    iteration."""
    analyzer = nest.analyzer(top)
    reads = [r for r in reader.reads if r.buffer is buffer]
    writes = [w for w in writer.writes if w.buffer is buffer]
    if not reads or not writes:
        return f"blocks {writer.name} and {reader.name} do not declare how they use {buffer.name}"
    need = touched(nest, reader, top, reads, analyzer)
    made = touched(nest, writer, top, writes, analyzer)
    for d, (n, m) in enumerate(zip(need, made)):
        if not (m.is_point or m.step == 1) or not _holds(m, n, buffer.shape[d], analyzer):
            return (f"block {reader.name} reads elements of {buffer.name} that block {writer.name} "
                    f"writes in other iterations of loop {top.loop_var.name}")
    return None


def _holds(made: Span, need: Span, size: PrimExpr, analyzer: Analyzer) -> bool:
    """`made` holds the part of `need` that lies inside of a dimension."""
    low = analyzer.can_prove(made.low <= need.low) or analyzer.can_prove(made.low <= 0)
    high = analyzer.can_prove(need.high <= made.high) or analyzer.can_prove(size - 1 <= made.high)
    return low and (high or analyzer.can_prove(
        prim.minimum(need.high, size - 1) <= analyzer.simplify(made.high)))


def why_iterations_depend(nest: Nest, top: For) -> str | None:
    """Why the iterations of a loop that holds several blocks need each other's results."""
    inside = blocks_in(top.body)
    for n, writer in enumerate(inside):
        for m, reader in enumerate(inside):
            shared = set(map(id, written_buffers(writer)))
            for b in read_buffers(reader) if m != n else ():
                if id(b) not in shared:
                    continue
                if m < n:
                    return (f"block {reader.name} reads {b.name} before block {writer.name} "
                            f"overwrites it")
                reason = why_not_covered(nest, writer, reader, b, top)
                if reason:
                    return reason
    return None
