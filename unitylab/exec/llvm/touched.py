"""What an iteration of a loop touches in memory from outside: a box for each access."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...arith.analyzer import Analyzer
from ...arith.bounds import EVERYTHING, Bound
from ...ir import prim, tir
from ...ir.node import Node
from ...ir.prim import PrimExpr, Var, literal
from ...ir.tir import Buffer, Range
from ...ir.visitor import Mutator, free_vars, walk
from ...schedule.regions import Relaxer, Span, range_span

HARMLESS = {"prefetch", "buffer_prefetch", "likely"}  # of the calls that take an address


@dataclass(frozen=True)
class Touch:
    """One access: `box` has a span for each dimension, None where nothing is known of it. It runs
    in the iterations from `when[0]` to `when[1]`, where the box lies within the numbers `ends`."""

    data: Node
    buffer: Buffer
    box: tuple[Span | None, ...]
    writes: bool
    when: Bound = EVERYTHING
    ends: tuple[Bound, ...] = ()


def touches(loop: tir.For, analyzer: Analyzer) -> Iterator[Touch]:
    """All accesses in the body of a loop, its variable fixed, of memory that an iteration does not
    allocate for itself."""
    found = _Touches(loop.loop_var, analyzer)
    found.visit_body(loop.body)
    own = {id(n.buffer.data) for n in walk(loop.body) if isinstance(n, tir.AllocBuffer)}
    return (t for t in found.list if id(t.data) not in own)


class _Touches:
    def __init__(self, var: Var, analyzer: Analyzer):
        self.var, self.analyzer = var, analyzer
        self.domain: dict[Var, Span] = {}
        self.relax = Relaxer(self.domain, analyzer)
        self.values: dict[Node, Node] = {}
        self.unknown: set[Var] = set()
        self.list: list[Touch] = []
        self.branches = 0  # around the present place that ask for the loop variable

    def visit_body(self, s: Node) -> None:
        if isinstance(s, tir.For):
            self._loop(s)
        elif isinstance(s, tir.Bind):
            self._expr(s.value)
            self._bind(s)
        elif isinstance(s, tir.BufferStore):
            self._access(s, writes=True)
            for e in (s.value, *s.indices, s.predicate):
                self._expr(e)
        elif isinstance(s, tir.IfThenElse) and self.var in free_vars(s.condition):
            self._branch(s)
        elif isinstance(s, tir.AttrStmt) and isinstance(s.node, tir.IterVar):
            self.unknown.add(s.node.var)
            self.visit_body(s.body)
        elif not isinstance(s, (tir.AllocBuffer, tir.DeclBuffer)):
            for c in s.children():
                self.visit_body(c) if isinstance(c, tir.Stmt) else self._expr(c)

    def _loop(self, s: tir.For) -> None:
        self._expr(s.min)
        self._expr(s.extent)
        low, extent = self._plain(s.min), self._plain(s.extent)
        if low is None or extent is None or s.step is not None:
            self.unknown.add(s.loop_var)
        else:
            self.domain[s.loop_var] = range_span(low, extent)
        with self.analyzer.scope():  # that the loop runs at all is known inside of it only
            if s.loop_var in self.domain:
                self.analyzer.bind(s.loop_var, Range(low, extent))
            self.visit_body(s.body)

    def _branch(self, s: tir.IfThenElse) -> None:
        """A condition on the loop variable says which iterations run what is below."""
        self._expr(s.condition)
        known = self._plain(s.condition)
        self.branches += 1
        for holds, body in ((True, s.then_case), (False, s.else_case)):
            if body is not None:
                with self.analyzer.scope():
                    if known is not None:
                        self.analyzer.assume(known if holds else prim.Not(known))
                    self.visit_body(body)
        self.branches -= 1

    def _bind(self, s: tir.Bind) -> None:
        value = self._plain(s.value)
        if value is None:
            self.unknown.add(s.var)
        else:
            self.values[s.var] = value

    def _plain(self, e: PrimExpr) -> PrimExpr | None:
        """An expression without names and vectors; None where it depends on what was loaded."""
        lanes = _Lanes(self.values)
        e = lanes.visit(e)
        for v, extent in lanes.new.items():
            self.domain[v] = Span(literal(0, v.dtype), literal(extent - 1, v.dtype))
            self.analyzer.bind(v, (0, extent - 1))
        hard = any(isinstance(n, (tir.BufferLoad, prim.Let, prim.Call)) or
                   isinstance(n, Var) and n in self.unknown for n in walk(e))
        return None if hard else e

    def _access(self, n, writes: bool) -> None:
        indices = [self._plain(e) for e in n.indices]
        box = tuple(None if e is None else self.relax(e) for e in indices)
        ends = tuple(map(self._ends, box)) if self.branches else ()
        self.list.append(Touch(n.buffer.data, n.buffer, box, writes,
                               self.analyzer.const_bound(self.var), ends))

    def _ends(self, s: Span | None) -> Bound:
        bound = self.analyzer.const_bound
        return EVERYTHING if s is None else (bound(s.low)[0], bound(s.high)[1])

    def _expr(self, e: Node | None) -> None:
        stack = [] if e is None else [e]
        while stack:
            n = stack.pop()
            if isinstance(n, tir.BufferLoad):
                self._access(n, writes=False)
            if isinstance(n, prim.Call):
                self._call(n)
            if isinstance(n, prim.Let):
                self.unknown.add(n.var)
            stack += [c for c in n.children() if not isinstance(c, Buffer)]

    def _call(self, n: prim.Call) -> None:
        """Who gets an address may write anywhere behind it."""
        if isinstance(n.op, str) and n.op in HARMLESS:
            return
        for a in n.args:
            if isinstance(a, Var) and a.pointer is not None:
                self.list.append(Touch(a, None, (), True))
            elif isinstance(n.op, str) and n.op == "address_of" and isinstance(a, tir.BufferLoad):
                self.list.append(Touch(a.buffer.data, None, (), True))


class _Lanes(Mutator):
    """Names become their values; the lanes of a vector become a variable that runs over them."""

    def __init__(self, values: dict[Node, Node]):
        super().__init__()
        self.values = values
        self.new: dict[Var, int] = {}

    def visit_Var(self, n: Var) -> PrimExpr:
        return self.values.get(n, n)

    def visit_Buffer(self, n: Buffer) -> Buffer:
        return n

    def visit_Ramp(self, n: prim.Ramp) -> PrimExpr:
        base = self.visit(n.base)
        lane = Var("lane", base.dtype)
        self.new[lane] = prim.as_int(n.lanes) if not isinstance(n.lanes, int) else n.lanes
        return base + lane * self.visit(n.stride)

    def visit_Broadcast(self, n: prim.Broadcast) -> PrimExpr:
        return self.visit(n.value)
