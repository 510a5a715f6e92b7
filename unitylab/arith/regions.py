"""Which parts of which buffers a block reads and writes, as TVM derives it where script is silent.

Per buffer one box, the hull of all accesses; variables of loops inside are relaxed over their
ranges, an index that is data covers its whole dimension, buffers that are local to the block do
not count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..ir import prim, tir
from ..ir.node import Node
from ..ir.prim import PrimExpr
from ..ir.tir import Block, Buffer, BufferRegion, Range
from ..ir.visitor import Visitor, collect, free_vars, substitute
from .analyzer import Analyzer
from .int_set import Interval, Relax, of_range, to_range, union

Regions = tuple[tuple[BufferRegion, ...], tuple[BufferRegion, ...]]


def derive_regions(block: Block, analyzer: Analyzer | None = None) -> Regions:
    """(reads, writes) of a block, in the order of first access. With an init, what the block writes
    is not among its reads."""
    local = (*block.alloc_buffers, *[m.buffer for m in block.match_buffers])
    return access_regions((block.init, block.body), analyzer=analyzer, local=local,
                          matches={m.buffer: m.source for m in block.match_buffers},
                          drop_self_reads=block.init is not None)


def access_regions(stmts: Iterable[Node | None], analyzer: Analyzer | None = None,
                   local: Iterable[Buffer] = (), domain: Mapping[prim.Var, Interval] | None = None,
                   matches: Mapping[Buffer, BufferRegion] | None = None,
                   drop_self_reads: bool = False) -> Regions:
    """(reads, writes) of statements. `domain`: variables to relax over; `local`: buffers that do
    not count; `matches`: views, whose accesses count for the region they stand for."""
    found = _Accesses(analyzer or Analyzer(), dict(domain or {}), set(local), dict(matches or {}))
    for s in stmts:
        if s is not None:
            found.visit(s)
    writes = found.regions(found.writes)
    written = {w.buffer for w in writes} if drop_self_reads else set()
    return tuple(r for r in found.regions(found.reads) if r.buffer not in written), writes


Boxes = dict[Buffer, list["Interval | None"]]


class _Accesses(Visitor):
    """Collects the hull of accesses per buffer."""

    def __init__(self, analyzer: Analyzer, domain: dict, local: set[Buffer], matches: dict):
        self.analyzer, self.domain = analyzer, domain
        self.local, self.matches = local, matches
        self.lets: dict[Node, Node] = {}
        self.reads: Boxes = {}
        self.writes: Boxes = {}
        self.sized: set[prim.Var] = set()

    def regions(self, boxes: Boxes) -> tuple[BufferRegion, ...]:
        """The boxes as regions; an unknown dimension is covered."""
        return tuple(BufferRegion(b, tuple(
            to_range(i, self.analyzer) if i is not None else Range(prim.literal(0, s.dtype), s)
            for i, s in zip(box, b.shape))) for b, box in boxes.items() if b not in self.local)

    def access(self, boxes: Boxes, buffer: Buffer, box: list[Interval | None]) -> None:
        if buffer in self.matches:
            buffer, box = self._through_view(buffer, box)
        old = boxes.get(buffer)
        boxes[buffer] = box if old is None else [union(a, b, self.analyzer)
                                                 for a, b in zip(old, box)]

    def _through_view(self, view: Buffer, box: list) -> tuple[Buffer, list]:
        """An access of a view as one of its source; leading dimensions may be missing."""
        source = self.matches[view]
        relax = Relax(self.domain, self.analyzer)
        lead = len(source.region) - len(box)
        inner = []
        for k, r in enumerate(source.region):
            base, part = relax(r.min), box[k - lead] if k >= lead else None
            if base is None or k >= lead and part is None or k < lead:
                inner.append(of_range(r, self.domain, self.analyzer))
            else:
                inner.append((self.analyzer.simplify(base[0] + part[0]),
                              self.analyzer.simplify(base[1] + part[1])))
        return source.buffer, inner

    def index(self, e: PrimExpr) -> Interval | None:
        if self.lets:
            e = substitute(e, self.lets)
        if not any(v in self.domain for v in free_vars(e)) and not collect(e, tir.BufferLoad):
            return e, e  # as it was written
        return Relax(self.domain, self.analyzer)(e)

    def sizes(self, buffer: Buffer) -> None:
        """An accessed buffer is not empty."""
        for s in buffer.shape:
            if isinstance(s, prim.Var) and s not in self.sized:
                self.sized.add(s)
                self.analyzer.bind(s, (1, None))

    def visit_BufferLoad(self, n: tir.BufferLoad) -> None:
        self.sizes(n.buffer)
        self.access(self.reads, n.buffer, [self.index(i) for i in n.indices])
        for e in (*n.indices, n.predicate):
            if e is not None:
                self.visit(e)

    def visit_BufferStore(self, n: tir.BufferStore) -> None:
        self.sizes(n.buffer)
        self.access(self.writes, n.buffer, [self.index(i) for i in n.indices])
        for e in (n.value, *n.indices, n.predicate):
            if e is not None:
                self.visit(e)

    def visit_Call(self, n: prim.Call) -> None:
        if n.op == "address_of" and isinstance(n.args[0], tir.BufferLoad):
            buffer = n.args[0].buffer  # who holds an address may touch all of it
            for boxes in (self.reads, self.writes):
                self.access(boxes, buffer, [None] * buffer.ndim)
        self.visit_children(n)

    def visit_For(self, n: tir.For) -> None:
        self.visit(n.min)
        self.visit(n.extent)
        span = n.extent if n.step is None else (n.extent - 1) * n.step + 1
        r = Range(n.min, span)
        r = substitute(r, self.lets) if self.lets else r
        self.domain[n.loop_var] = of_range(r, self.domain, self.analyzer)
        self.visit(n.body)
        del self.domain[n.loop_var]

    def visit_Bind(self, n: tir.Bind) -> None:
        self.visit(n.value)
        self.lets[n.var] = substitute(n.value, self.lets) if self.lets else n.value

    def visit_Let(self, n: prim.Let) -> None:
        self.visit(n.value)
        self.lets[n.var] = substitute(n.value, self.lets) if self.lets else n.value
        self.visit(n.body)

    def visit_AllocBuffer(self, n: tir.AllocBuffer) -> None:
        self.local.add(n.buffer)

    def visit_DeclBuffer(self, n: tir.DeclBuffer) -> None:
        self.local.add(n.buffer)

    def visit_Var(self, n: Node) -> None:
        """A scalar: no access."""

    def visit_BlockRealize(self, n: tir.BlockRealize) -> None:
        """A block inside counts by its own regions."""
        values = {**self.lets, **{v.var: x for v, x in zip(n.block.iter_vars, n.iter_values)}}
        for boxes, regions in ((self.reads, n.block.reads), (self.writes, n.block.writes)):
            for region in regions:
                self.sizes(region.buffer)
                self.access(boxes, region.buffer, [
                    of_range(substitute(r, values), self.domain, self.analyzer)
                    for r in region.region])


