"""Other layouts: of a buffer in memory, and of the points of a block."""

from __future__ import annotations

import math

from ...arith.index_map import IndexMap
from ...arith.iter_inverse import rounded_domain
from ...arith.iter_map import NotAffine
from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import (REDUCE, SERIAL, SPATIAL, Block, BlockRealize, Buffer, BufferLoad,
                       BufferStore, For, IterVar, Range, Stmt)
from ...ir.visitor import Mutator, fold_substitute, free_vars
from ..access import check_no_pointer, update_regions
from ..dependence import why_order_matters
from ..nest import Nest
from ..signature import (BLOCK, BOOL, BUFFER, INDEX_MAP, INT, PAD_VALUE, MapSource, list_of,
                         optional, primitive)


@primitive(block=BLOCK, index_map=INDEX_MAP)
def transform_block_layout(nest: Nest, block: Block, index_map: MapSource) -> None:
    """Runs over the points of a block in another shape: new iteration variables and loops.

        for i in range(64): B[i] = ...    ->    for a, b in T.grid(4, 16): B[a * 16 + b] = ...
        (index_map=lambda i: (i // 16, i % 16))

    The map must be one to one. Exo: a chain of `divide_loop`, `mult_loops` and `reorder_loops`."""
    loops = _own_loops(nest, block)
    point = index_map.resolve(len(block.iter_vars), [it.var.dtype for it in block.iter_vars])
    domain = {v: it.dom for v, it in zip(point.inputs, block.iter_vars)}
    analyzer = nest.analyzer(nest.scope(block), unit_loops=False)
    _check_zero_based(block)
    order = why_order_matters(block)
    if order:
        raise ScheduleError(f"the instances of block {block.name} must stay in order: {order}",
                            span=block.span)
    try:
        back = point.inverse([it.dom for it in block.iter_vars], analyzer)
        sizes = point.map_shape([it.dom.extent for it in block.iter_vars], analyzer)
    except (NotAffine, ValueError) as e:
        raise ScheduleError(f"the index map {point.text} is not one to one on block {block.name}:"
                            f" {e}", span=block.span) from None
    whole = _points(it.dom.extent for it in block.iter_vars)
    if not analyzer.can_prove_equal(_points(sizes), whole):
        shown = " x ".join(s.script() for s in sizes)
        raise ScheduleError(f"the index map {point.text} makes {shown} points of block {block.name}"
                            f", more than it has", span=block.span,
                            hint="a map that starts at 0 and fills its shape, or split")
    kinds = [_kind_of(o, dict(zip(domain, block.iter_vars)), block) for o in point.outputs]
    new = [Var(f"v{k}", o.dtype) for k, o in enumerate(point.outputs)]
    its = tuple(IterVar(v, Range(literal(0, v.dtype), prim.cast(s, v.dtype)), kind)
                for v, s, kind in zip(new, sizes, kinds))
    for it in its:
        if as_int(it.dom.extent) != 1:
            analyzer.bind(it.var, it.dom)
    values = [analyzer.simplify(e) for e in back(new)]
    values = [_at(v, it) for v, it in zip(values, block.iter_vars)]
    for v, o in zip(new, point.outputs):
        if o in point.inputs:  # also where it has one value
            values[point.inputs.index(o)] = v
    at = {it.var: v for it, v in zip(block.iter_vars, values)}
    body = Substituted(at, analyzer)
    inner = nest.rewritten(body, block.replace(iter_vars=()))
    made = inner.replace(iter_vars=its)
    nest.forward(block, made)
    axes = [Var(f"ax{k}", v.dtype) for k, v in enumerate(new)]
    stmt: Stmt = BlockRealize(tuple(axes), literal(True), made)
    for ax, it in reversed(list(zip(axes, its))):
        stmt = For(ax, literal(0, ax.dtype), it.dom.extent, SERIAL, stmt)
    nest.replace(loops[0] if loops else nest.realize(block), stmt)


def _points(sizes) -> PrimExpr:
    return math.prod((prim.cast(s, "int64") for s in sizes), start=literal(1, "int64"))


def _at(value: PrimExpr, it: IterVar) -> PrimExpr:
    return literal(0, it.var.dtype) if as_int(it.dom.extent) == 1 and not free_vars(value) \
        else prim.cast(value, it.var.dtype)


def _check_zero_based(block: Block) -> None:
    for it in block.iter_vars:
        if not prim.is_const(it.dom.min, 0):
            raise ScheduleError(f"{it.var.name} of block {block.name} does not start at 0",
                                span=block.span)


def _own_loops(nest: Nest, block: Block) -> list[For]:
    """The loops of a block, each feeding one variable, with nothing else inside."""
    realize = nest.realize(block)
    if block is nest.root:
        raise ScheduleError("the root block has no points")
    if not prim.is_const(realize.predicate, 1):
        raise ScheduleError(f"block {block.name} runs only where {realize.predicate.script()}",
                            span=block.span, hint="transform it before it gets a predicate")
    loops = nest.loops(block)
    for outer, inner in zip(loops, [*loops[1:], realize]):
        if outer.body is not inner:
            raise ScheduleError(f"loop {outer.loop_var.name} holds more than block {block.name}",
                                span=block.span)
    order = {l.loop_var: l for l in loops}
    for it, v in zip(block.iter_vars, realize.iter_values):
        found = order.pop(v, None) if isinstance(v, Var) else None
        if found is None and as_int(it.dom.extent) != 1:
            raise ScheduleError(f"{it.var.name} of block {block.name} is not bound to a loop of "
                                f"its own", span=block.span,
                                hint="transform it before split or fuse")
    left = [l for l in order.values() if as_int(l.extent) != 1]
    if left:
        raise ScheduleError(f"loop {left[0].loop_var.name} feeds no variable of block {block.name}")
    return loops


def _kind_of(e: PrimExpr, its: dict[Var, IterVar], block: Block) -> str:
    kinds = {its[v].kind for v in free_vars(e) if v in its}
    if len(kinds) > 1:
        raise ScheduleError(f"{e.script()} mixes variables of kinds {' and '.join(sorted(kinds))} "
                            f"of block {block.name}", span=block.span)
    return next(iter(kinds), SPATIAL)


class Substituted(Mutator):
    """Replaces variables and simplifies the indices (`conditions`: and comparisons) in which they
    stand."""

    def __init__(self, at, analyzer, conditions: bool = False):
        super().__init__()
        self.at, self.analyzer = at, analyzer
        self.kinds = ("int", "uint", "bool") if conditions else ("int", "uint")

    def visit_PrimExpr(self, n):
        if isinstance(n, Var):
            return self.at.get(n, n)
        new = self.rebuild(n)
        tidy = new is not n and n.dtype.kind in self.kinds
        return self.analyzer.simplify(new) if tidy else new

    def visit_BufferLoad(self, n):
        return self.rebuild(n)

    def visit_Buffer(self, n):
        return n


@primitive(block=BLOCK, new_order=list_of(INT))
def reorder_block_iter_var(nest: Nest, block: Block, new_order: list[int]) -> None:
    """Writes the iteration variables of a block in another order; what it computes stays.

        vi, vj = T.axis.remap("SS", [i, j])   ->   vj, vi = T.axis.remap("SS", [j, i])"""
    count = len(block.iter_vars)
    if sorted(new_order) != list(range(count)):
        raise ScheduleError(f"{new_order} is not an order of the {count} variables of block "
                            f"{block.name}", hint=f"use each of 0 to {count - 1} once")
    realize = nest.realize(block)
    new = nest.edit(block, iter_vars=tuple(block.iter_vars[k] for k in new_order))
    nest.edit(nest.realize(new), iter_values=tuple(realize.iter_values[k] for k in new_order))


# --- layout of buffers ----------------------------------------------------------------------

@primitive(block=BLOCK, buffer=BUFFER, index_map=INDEX_MAP, pad_value=optional(PAD_VALUE),
           assume_injective_transform=BOOL)
def transform_layout(nest: Nest, block: Block, buffer, index_map: MapSource, pad_value=None,
                     assume_injective_transform: bool = False) -> None:
    """Keeps a buffer in memory in another layout; all accesses of it change with it.

        B[i, j]    ->    B[i // 16, j, i % 16]      (lambda i, j: (i // 16, j, i % 16))

    `buffer`: ("read" or "write", number) at `block`, or its name. A parameter changes its shape:
    callers must bring that layout. `pad_value`: what the elements hold that the map adds; without
    it they hold anything, and reading them is forbidden."""
    old = buffer_of(nest, block, buffer)
    point = index_map.resolve(old.ndim, [s.dtype for s in old.shape])
    analyzer = nest.analyzer(nest.scope(block) if block is not nest.root else block, False)
    try:
        shape = point.map_shape(old.shape, analyzer)
    except ValueError as e:
        raise ScheduleError(f"the index map {point.text} gives no shape: {e}") from None
    padding = None
    if not assume_injective_transform:
        padding = _padding(point, old, shape, analyzer)
    new = old.replace(shape=tuple(shape), strides=())
    fills = padding is not None and pad_value is not None
    writer = _writer_of_padding(nest, old) if fills else None
    _relayout(nest, old, new, point)
    if writer is not None:
        _fill(nest, nest.now(writer), new, point, padding, pad_value, old)


def buffer_of(nest: Nest, block: Block, which) -> Buffer:
    """The buffer that ("read", 1) or a name means at a block."""
    regions = (*block.reads, *block.writes)
    if isinstance(which, tuple):
        regions = block.reads if which[0] == "read" else block.writes
        if 0 <= which[1] < len(regions):
            return regions[which[1]].buffer
    else:
        found = [r.buffer for r in regions if r.buffer.name == which]
        if found:
            return found[0]
    known = ", ".join(f"({w!r}, {k}): {r.buffer.name}" for w, rs in
                      (("read", block.reads), ("write", block.writes)) for k, r in enumerate(rs))
    raise ScheduleError(f"block {block.name} has no buffer {which!r}", span=block.span,
                        hint=f"it has {known}")


def _padding(point: IndexMap, old: Buffer, shape, analyzer):
    """The inverse map and where it leaves the old shape; None where nothing is added."""
    ranges = [Range(literal(0, s.dtype), s) for s in old.shape]
    try:
        point.inverse(ranges, analyzer)
        return None
    except NotAffine:
        pass
    padded = rounded_domain(point.outputs, dict(zip(point.inputs, ranges)))
    sizes = [r.extent for r in padded.values()]
    try:
        back = point.inverse(list(padded.values()), analyzer)
    except NotAffine as e:
        raise ScheduleError(f"the index map {point.text} puts several elements of {old.name} at "
                            f"one place: {e}", hint="assume_injective_transform=True if you know "
                            "better") from None
    return back, list(zip(sizes, old.shape))


def _relayout(nest: Nest, old: Buffer, new: Buffer, point: IndexMap) -> None:
    """Puts `new` in the place of `old` in the whole function, with indices mapped."""
    func = nest.func
    check_no_pointer(func.body, old)
    users = [b for b in nest.blocks() if any(r.buffer is old for r in (*b.reads, *b.writes))]
    mutator = _Relayout(old, new, point, nest)
    body = nest.rewritten(mutator, func.body)
    params = tuple(new if p is old else p for p in func.params)
    if old in func.params:
        nest.relaid.append((func.params.index(old), point))
    nest.set_func(func.replace(params=params, body=body))
    for b in reversed(users):
        block = nest.now(b)
        if block is not nest.root:
            update_regions_of(nest, block, new)


def update_regions_of(nest: Nest, block: Block, buffer: Buffer) -> None:
    """Derives the declared regions of one buffer anew; the others stay as they are."""
    from ...arith.regions import derive_regions  # noqa: PLC0415
    reads, writes = derive_regions(block, nest.analyzer(block, unit_loops=False))

    def fresh(declared, derived):
        found = {r.buffer: r for r in derived}
        return tuple(found.get(r.buffer, r) if r.buffer is buffer else r for r in declared)
    nest.edit(block, reads=fresh(block.reads, reads), writes=fresh(block.writes, writes))


class _Relayout(Mutator):
    """Maps the indices of accesses of one buffer."""

    def __init__(self, old: Buffer, new: Buffer, point: IndexMap, nest: Nest):
        super().__init__()
        self.old, self.new, self.point = old, new, point
        self.analyzer = nest.analyzer(nest.root, False)

    def visit_Buffer(self, n):
        return self.new if n is self.old else n

    def visit_Block(self, n: Block) -> Block:
        for it in n.iter_vars:
            if as_int(it.dom.extent) != 1:
                self.analyzer.bind(it.var, it.dom)
        if any(m.source.buffer is self.old for m in n.match_buffers):
            raise ScheduleError(f"block {n.name} views {self.old.name} by match_buffer: its layout "
                                f"must stay", span=n.span)
        reads, writes = (tuple(self._region(r) for r in rs) for rs in (n.reads, n.writes))
        return self.rebuild(n.replace(reads=reads, writes=writes))

    def _region(self, r):
        if r.buffer is not self.old:
            return r
        return self.new.region()

    def visit_For(self, n: For) -> For:
        if as_int(n.extent) != 1:
            self.analyzer.bind(n.loop_var, Range(n.min, n.extent))
        return self.rebuild(n)

    def _mapped(self, n):
        at = tuple(self.analyzer.simplify(e) for e in self.point(n.indices))
        return n.replace(buffer=self.new, indices=at)

    def visit_BufferLoad(self, n: BufferLoad):
        if n.buffer is not self.old:
            return self.rebuild(n)
        return self._mapped(n.replace(indices=tuple(map(self.visit, n.indices))))

    def visit_BufferStore(self, n: BufferStore):
        if n.buffer is not self.old:
            return self.rebuild(n)
        return self._mapped(n.replace(indices=tuple(map(self.visit, n.indices)),
                                      value=self.visit(n.value)))


def _writer_of_padding(nest: Nest, buffer: Buffer) -> Block:
    """The block whose loops can run over the padding too: it alone writes, element by element."""
    writers = [b for b in nest.blocks() if b is not nest.root
               and any(r.buffer is buffer for r in b.writes)]
    if not writers:
        raise ScheduleError(f"{buffer.name} is an input: its padding is what the caller brings",
                            hint="leave pad_value out, or cache_read it first")
    block = writers[0]
    plain = len(writers) == 1 and isinstance(block.body, BufferStore) and block.init is None and \
        list(block.body.indices) == [it.var for it in block.iter_vars]
    if not plain or any(it.kind == REDUCE for it in block.iter_vars):
        raise ScheduleError(f"block {block.name} does not write {buffer.name} element by element "
                            f"in order: the padding has no loop", span=block.span,
                            hint="cache_write it, and transform what the copying block writes")
    _own_loops(nest, block)
    return block


def _fill(nest: Nest, block: Block, new: Buffer, point: IndexMap, padding, pad_value,
          old: Buffer) -> None:
    """Lets a block run over all of the padded buffer and store `pad_value` in the padding."""
    back, sizes = padding
    analyzer = nest.analyzer(nest.scope(block), False)
    named = [o.name if isinstance(o, Var) else f"axis{k}" for k, o in enumerate(point.outputs)]
    its = tuple(IterVar(Var(f"v_{n}", s.dtype), Range(literal(0, s.dtype), s), SPATIAL)
                for n, s in zip(named, new.shape))
    for it in its:
        analyzer.bind(it.var, it.dom)
    new_vars = [it.var for it in its]
    values = [analyzer.simplify(e) for e in back(new_vars)]
    inside = prim.logical_and(*[v < size for v, (whole, size) in zip(values, sizes)
                                if not analyzer.can_prove_equal(whole, size)])
    at = {it.var: v for it, v in zip(block.iter_vars, values)}
    value = fold_substitute(block.body.value, at)
    pad = _pad_value(pad_value, new_vars, new)
    value = prim.call_intrin(value.dtype, "if_then_else", inside, value, pad)
    made = block.replace(iter_vars=its, body=BufferStore(new, value, tuple(new_vars)))
    loops = nest.loops(block)
    top = loops[0] if loops else nest.realize(block)
    nest.forward(block, made)
    axes = [Var(n, s.dtype) for n, s in zip(named, new.shape)]
    stmt: Stmt = BlockRealize(tuple(axes), literal(True), made)
    for ax, s in reversed(list(zip(axes, new.shape))):
        stmt = For(ax, literal(0, ax.dtype), s, SERIAL, stmt)
    nest.replace(top, stmt)
    update_regions(nest, nest.now(made))


def _pad_value(value, at: list[Var], buffer: Buffer) -> PrimExpr:
    if isinstance(value, MapSource):
        found = value.resolve(len(at), [v.dtype for v in at])(at)
        return prim.cast(found[0], buffer.dtype)
    return literal(value, buffer.dtype) if not isinstance(value, PrimExpr) else value


