"""Whether a block is what a tensor intrinsic describes, and with which parts of which buffers."""

from __future__ import annotations

from dataclasses import dataclass

from ..arith.analyzer import Analyzer
from ..arith.regions import derive_regions
from ..ir import prim
from ..ir.errors import ScheduleError
from ..ir.node import EMPTY, Node
from ..ir.prim import PrimExpr, as_int
from ..ir.structural import Compare, show
from ..ir.tir import Block, Buffer, BufferLoad, BufferRegion, For, PrimFunc, Range, Stmt
from ..ir.visitor import Mutator, collect


@dataclass(frozen=True)
class Bound:
    """A buffer of the description stands for the region of `buffer` that starts at `corner`."""

    buffer: Buffer
    corner: tuple[PrimExpr, ...]
    described: BufferRegion

    @property
    def lead(self) -> int:
        """How many leading dimensions the description does not have."""
        return self.buffer.ndim - self.described.buffer.ndim


def match(block: Block, desc: PrimFunc, analyzer: Analyzer) -> dict[Buffer, Bound]:
    """How the buffers of `desc` are bound. Raises ScheduleError that names the first difference."""
    root = desc.root
    if (block.init is None) != (root.init is None):
        has = "has an init" if root.init is None else "has no init"
        raise ScheduleError(f"block {block.name} {has}, unlike the intrinsic", span=block.span,
                            hint="decompose_reduction takes the init out")
    bound = _bind(block, root, analyzer)
    mover = _AsDescribed({b.buffer: b for b in bound.values()}, analyzer)
    for ours, theirs in ((block.init, root.init), (block.body, root.body)):
        if ours is not None:
            _compare(mover.visit(ours), _AsDescribed({}, Analyzer()).visit(theirs), block)
    return bound


def _compare(ours: Stmt, theirs: Stmt, block: Block) -> None:
    compare = _LooseIndices(map_free=False, names=True)
    compare.value(ours, theirs, False)
    if compare.found:
        d = compare.found[0]
        raise ScheduleError(f"block {block.name} is not what the intrinsic describes; they differ "
                            f"at {d.path}: {show(d.left)} here, {show(d.right)} there",
                            span=block.span)


class _LooseIndices(Compare):
    """Integers of any width are alike, except where data is converted."""

    def value(self, a, b, defining: bool) -> bool:
        if getattr(a, "kind", None) == "int" and getattr(b, "kind", None) == "int" \
                and not isinstance(a, Node):
            return True
        return super().value(a, b, defining)

    def fields(self, a: Node, b: Node, defining: bool) -> bool:
        if isinstance(a, prim.Cast) and a.dtype != b.dtype and collect(a.value, BufferLoad):
            return self.differ(a, b)
        return super().fields(a, b, defining)


# --- binding buffers ------------------------------------------------------------------------

def _bind(block: Block, root: Block, analyzer: Analyzer) -> dict[Buffer, Bound]:
    """Pairs buffers in the order of their first access."""
    bound: dict[Buffer, Bound] = {}
    for what, ours, theirs in zip(("reads", "writes"), derive_regions(block, analyzer),
                                  derive_regions(root)):
        if len(ours) != len(theirs):
            raise ScheduleError(f"block {block.name} {what} {len(ours)} buffers, the intrinsic "
                                f"{len(theirs)}", span=block.span)
        for a, b in zip(ours, theirs):
            known = bound.get(b.buffer)
            if known is not None and known.buffer is not a.buffer or known is None and \
                    any(k.buffer is a.buffer for k in bound.values()):
                raise ScheduleError(f"block {block.name} uses {a.buffer.name} where the intrinsic "
                                    f"uses another buffer than before", span=block.span)
            if known is None:
                bound[b.buffer] = _bound(block, _declared(block, a), _declared(root, b), analyzer)
    return bound


def _declared(block: Block, derived: BufferRegion) -> BufferRegion:
    """What a block declares of a buffer; its reads and writes have one corner."""
    for r in (*block.writes, *block.reads):
        if r.buffer is derived.buffer:
            return r
    return derived


def _bound(block: Block, ours: BufferRegion, theirs: BufferRegion, analyzer: Analyzer) -> Bound:
    buffer, described = ours.buffer, theirs.buffer
    lead = buffer.ndim - described.ndim
    where = f"{buffer.name} of block {block.name} and {described.name} of the intrinsic differ"
    for what, a, b in (("dtype", buffer.dtype, described.dtype),
                       ("storage scope", buffer.scope, described.scope)):
        if a != b:
            raise ScheduleError(f"{where} in {what}: {a} and {b}", span=block.span)
    sizes = [r.extent for r in ours.region]
    wanted = [as_int(r.extent) for r in theirs.region]
    fits = lead >= 0 and all(as_int(s) == 1 for s in sizes[:lead]) and \
        [as_int(analyzer.simplify(s)) for s in sizes[lead:]] == wanted
    if not fits:
        got = ", ".join(s.script() for s in sizes)
        raise ScheduleError(f"{where} in size: ({got}) and {tuple(wanted)}", span=block.span,
                            hint="split the loops by the sizes of the intrinsic")
    corner = [r.min for r in ours.region]
    for k, r in enumerate(theirs.region):
        if as_int(r.min) != 0:
            corner[lead + k] = corner[lead + k] - prim.cast(r.min, corner[lead + k].dtype)
    return Bound(buffer, tuple(corner), theirs)


class _AsDescribed(Mutator):
    """Accesses of bound buffers as accesses of the described ones, simplified; no block names."""

    def __init__(self, bound: dict[Buffer, Bound], analyzer: Analyzer):
        super().__init__()
        self.bound, self.analyzer = bound, analyzer

    def visit_Buffer(self, n: Buffer) -> Buffer:
        return n

    def visit_For(self, n: For) -> For:
        self.analyzer.bind(n.loop_var, Range(n.min, n.extent))
        return self.rebuild(n)

    def visit_Block(self, n: Block) -> Block:
        for it in n.iter_vars:
            self.analyzer.bind(it.var, it.dom)
        return self.rebuild(n).replace(name="", annotations=EMPTY)

    def visit_PrimExpr(self, n: PrimExpr) -> PrimExpr:
        new = self.rebuild(n)
        return self.analyzer.simplify(new) if new.dtype.is_int or new.dtype.kind == "bool" else new

    def _moved(self, n):
        new = self.rebuild(n)
        b = self.bound.get(n.buffer)
        if b is None:
            return new
        return new.replace(buffer=b.described.buffer, indices=self._indices(new.indices, b, n))

    visit_BufferLoad = visit_BufferStore = _moved

    def _indices(self, indices, b: Bound, n: Node):
        moved = [self.analyzer.simplify(i - prim.cast(c, i.dtype))
                 for i, c in zip(indices, b.corner)]
        if any(as_int(m) != 0 for m in moved[:b.lead]):
            raise ScheduleError(f"{b.buffer.name} is used at several places of its first "
                                f"dimensions, the intrinsic has {b.described.buffer.ndim}",
                                span=getattr(n, "span", None))
        return tuple(moved[b.lead:])

    def visit_BufferRegion(self, n: BufferRegion) -> BufferRegion:
        new = self.rebuild(n)
        b = self.bound.get(n.buffer)
        if b is None:
            return new
        lows = self._indices([r.min for r in new.region], b, n)
        ranges = (r.replace(min=m) for r, m in zip(new.region[b.lead:], lows))
        return BufferRegion(b.described.buffer, tuple(ranges))

