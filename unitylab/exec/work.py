"""How much a tensor program does at given sizes: arithmetic operations, and bytes it must move."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..arith.bottom_up import BottomUp
from ..arith.evaluate import evaluate
from ..ir import prim, tir
from ..ir.errors import UnityLabError
from ..ir.node import Node
from ..ir.prim import PrimExpr, Var
from ..ir.tir import Buffer, PrimFunc
from ..ir.visitor import free_vars, walk

_POINTS = 4096  # values of a loop variable that are tried where inner extents depend on it
_THREADS = ("thread_extent", "virtual_thread")
_FREE = frozenset({"likely", "reinterpret", "address_of", "break_loop", "continue_loop", "ret",
                   "assume", "undef", "vscale", "prefetch", "isnullptr", "tvm_access_ptr"})
_CHOICES = ("if_then_else", "tir.if_then_else")


@dataclass(frozen=True)
class Work:
    """Of one run: arithmetic operations (None where the program does not tell), and the least
    bytes that it moves."""

    flops: int | None = None
    bytes: int | None = None

    def __add__(self, other: Work) -> Work:
        """Both one after the other; what is unknown of one is unknown of the sum."""
        return Work(_sum(self.flops, other.flops), _sum(self.bytes, other.bytes))


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def work_of(func: PrimFunc, sizes: Mapping[Var, int] | None = None) -> Work:
    """The work of a tensor program whose symbolic sizes and integer parameters are `sizes`.

    Every addition, multiplication, division, minimum, maximum and intrinsic on floats, or on
    integers that come from a buffer, is one operation a lane, a fused multiply-add two; indices,
    comparisons and casts are none. Branches count as the dearer side. A buffer parameter that is
    accessed counts once, with no more elements than there are accesses. Loops that depend on data,
    `while`, and calls of other functions leave `flops` None; a size that is not given, both."""
    counter = _Counter(func, dict(sizes or {}))
    try:
        flops = round(counter.statement(func.body, 1, 1))
    except (_Unknown, UnityLabError, RecursionError):
        flops = None
    try:
        return Work(flops, counter.bytes(flops is not None))
    except UnityLabError:
        return Work(flops, None)


def work_by_statement(func: PrimFunc) -> dict[Node, tuple[float, float]]:
    """(operations, runs) of each statement that computes something; sizes that are not given
    count as 64. Empty where the program does not tell."""
    sizes = {v: 64 for b in func.buffers for d in b.shape for v in free_vars(d)}
    counter = _Statements(func, {**sizes, **{p: 64 for p in func.params if isinstance(p, Var)}})
    try:
        counter.statement(func.body, 1, 1)
    except (_Unknown, UnityLabError, RecursionError):
        return {}
    return counter.found


class _Unknown(Exception):
    """The program does not tell how often something runs."""


class _Operations(BottomUp):
    """(operations of an expression, whether its value comes from a buffer)."""

    def __init__(self, carriers: set[Var]):
        super().__init__()
        self.carriers = carriers  # variables that hold values of buffers

    def parts(self, e: Node) -> tuple[Node, ...]:
        if isinstance(e, (Var, tir.BufferLoad)):
            return ()
        if isinstance(e, prim.Let):
            return (e.value, e.body)
        return tuple(c for c in e.children() if isinstance(c, PrimExpr))

    def compute(self, e: Node, values: list) -> tuple[int, bool]:
        if isinstance(e, (Var, tir.BufferLoad)):
            return 0, isinstance(e, tir.BufferLoad) or e in self.carriers
        counts, carries = [v[0] for v in values], any(v[1] for v in values)
        if isinstance(e, prim.Call) and e.op in _CHOICES:
            return counts[0] + max(counts[1:]), any(v[1] for v in values[1:])
        weight = _weight(e)
        if weight and (e.dtype.is_float or e.dtype.is_int and carries):
            if e.dtype.scalable:
                raise _Unknown
            return sum(counts) + weight * e.dtype.lanes, carries
        return sum(counts), carries


def _weight(e: Node) -> int:
    if isinstance(e, prim.Call):
        name = e.op.removeprefix("tir.") if isinstance(e.op, str) else ""
        if not name or name.startswith(("call_", "tvm_call")):
            raise _Unknown
        if name == "dot":
            return 2 * e.args[1].dtype.lanes // e.dtype.lanes
        return 0 if name in _FREE else 2 if name == "fma" else 1
    return int(isinstance(e, prim.BinaryExpr) and not isinstance(e, prim.CompareExpr))


class _Counter:
    """Walks the statements of one program with the number of times that each of them runs."""

    def __init__(self, func: PrimFunc, sizes: dict[Var, int]):
        self.func, self.sizes = func, sizes
        self.carriers = _carriers(func)
        self.operations = _Operations(self.carriers)
        self.steering = _steering(func)
        self.accesses: dict[Var, float] = {}
        self.tried = 1

    def statement(self, s: Node, runs: float, outer: float) -> float:
        """The operations of `s`, which runs `runs` times, `outer` times its enclosing block."""
        if isinstance(s, tir.For):
            return self.loop(s, runs, outer)
        if isinstance(s, tir.BlockRealize):
            return self.block(s, runs, outer)
        if isinstance(s, tir.IfThenElse):
            return self.branch(s, runs, outer)
        if isinstance(s, tir.While):
            raise _Unknown
        if isinstance(s, tir.AttrStmt) and s.key in _THREADS:
            return self.statement(s.body, runs * self.value(s.value), outer)
        if isinstance(s, tir.BufferStore):
            self.access(s, runs)
        elif isinstance(s, tir.Bind) and s.var in self.steering:
            self.sizes[s.var] = self.value(s.value)
        if isinstance(s, (tir.BufferStore, tir.Bind, tir.Evaluate)):
            return self.expressions((s.value, *getattr(s, "indices", ())), runs)
        return sum(self.statement(c, runs, outer) for c in s.children()
                   if isinstance(c, tir.Stmt))

    def branch(self, s: tir.IfThenElse, runs: float, outer: float) -> float:
        sides = [s.then_case, s.else_case]
        if prim.is_const(s.condition):
            sides = sides[:1] if s.condition.value else sides[1:]
        work = [self.statement(c, runs, outer) for c in sides if c is not None]
        return self.expressions((s.condition,), runs) + max(work, default=0)

    def loop(self, s: tir.For, runs: float, outer: float) -> float:
        trips = max(0, self.value(s.extent))
        if s.loop_var not in self.steering or not trips:
            return self.statement(s.body, runs * trips, outer) if trips else 0
        before = self.tried
        points = min(trips, max(8, _POINTS // before))
        self.tried, least = before * points, self.value(s.min)
        step = self.value(s.step) if s.step is not None else 1
        total = 0.0
        for k in range(points):
            self.sizes[s.loop_var] = least + step * ((2 * k + 1) * trips // (2 * points))
            total += self.statement(s.body, runs * trips / points, outer)
        self.tried = before
        return total

    def block(self, s: tir.BlockRealize, runs: float, outer: float) -> float:
        """A block that a predicate keeps inside of its domains runs once a point of them."""
        for v, value in zip(s.block.iter_vars, s.iter_values):
            if v.var in self.steering:
                self.sizes[v.var] = self.value(value)
        if not prim.is_const(s.predicate):
            runs = min(runs, outer * self.points(s.block.iter_vars))
        total = self.statement(s.block.body, runs, runs)
        if s.block.init is not None:
            reduced = [v for v in s.block.iter_vars if v.kind == tir.REDUCE]
            total += self.statement(s.block.init, runs / max(1, self.points(reduced)), runs)
        return total

    def points(self, iter_vars) -> int:
        return math.prod(self.value(v.dom.extent) for v in iter_vars if v.dom is not None)

    def value(self, e: PrimExpr) -> int:
        return evaluate(e, self.sizes)

    def expressions(self, roots: tuple[PrimExpr, ...], runs: float) -> float:
        """The operations of the first expression; the others are indices."""
        for load in _loads(roots):
            self.access(load, runs)
        return self.operations(roots[0])[0] * runs

    def access(self, n: tir.BufferLoad | tir.BufferStore, runs: float) -> None:
        lanes = math.prod(i.dtype.lanes for i in n.indices)
        self.accesses[n.buffer.data] = self.accesses.get(n.buffer.data, 0) + runs * lanes

    def bytes(self, complete: bool) -> int:
        """What the accessed parameters hold, or less where there are not that many accesses."""
        views, escaped, touched = _memory(self.func)
        counts: dict[Var, float] = {}
        for data, count in self.accesses.items():
            data = views.get(data, data)
            counts[data] = counts.get(data, 0) + count
        total = 0
        for b in self.func.buffers:
            if b.data in touched or b.data in escaped:
                elements = math.prod(self.value(d) for d in b.shape)
                if complete and b.data not in escaped:
                    elements = min(elements, round(counts.get(b.data, 0)))
                total += elements * b.dtype.itemsize * b.dtype.lanes
        return total


class _Statements(_Counter):
    """Keeps what each statement does."""

    def __init__(self, func: PrimFunc, sizes: dict[Var, int]):
        super().__init__(func, sizes)
        self.found: dict[Node, tuple[float, float]] = {}

    def statement(self, s: Node, runs: float, outer: float) -> float:
        work = super().statement(s, runs, outer)
        if isinstance(s, tir.BufferStore):
            before = self.found.get(s, (0, 0))
            self.found[s] = before[0] + work, before[1] + runs
        return work


def _loads(roots: tuple[PrimExpr, ...]) -> Iterator[tir.BufferLoad]:
    """The distinct loads in expressions, those in indices too."""
    seen, todo = set(), list(roots)
    while todo:
        e = todo.pop()
        if id(e) in seen or isinstance(e, Buffer):
            continue
        seen.add(id(e))
        if isinstance(e, tir.BufferLoad):
            yield e
        todo += e.children()


def _carriers(func: PrimFunc) -> set[Var]:
    """Variables that are bound to something read from a buffer."""
    found: set[Var] = set()
    for n in walk(func.body):
        if isinstance(n, (tir.Bind, prim.Let)):
            loaded = next(_loads((n.value,)), None) is not None
            if loaded or not found.isdisjoint(free_vars(n.value)):
                found.add(n.var)
    return found


def _steering(func: PrimFunc) -> set[Var]:
    """Variables that extents depend on, directly or through what is bound to block variables."""
    found: set[Var] = set()
    bound: list[tuple[Var, PrimExpr]] = []
    for n in walk(func.body):
        if isinstance(n, tir.For):
            found.update(free_vars(n.extent))
        elif isinstance(n, tir.Bind):
            bound.append((n.var, n.value))
        elif isinstance(n, tir.BlockRealize):
            bound += zip((v.var for v in n.block.iter_vars), n.iter_values)
        elif isinstance(n, tir.AttrStmt) and n.key in _THREADS:
            found.update(free_vars(n.value))
        elif isinstance(n, tir.IterVar) and n.dom is not None:
            found.update(free_vars(n.dom.extent))
    for v, value in reversed(bound):  # a definition stands before its uses
        if v in found:
            found.update(free_vars(value))
    return found


def _memory(func: PrimFunc) -> tuple[dict[Var, Var], set[Var], set[Var]]:
    """(the memory that views show, by theirs; memory handed to calls; memory accessed)."""
    views: dict[Var, Var] = {}
    escaped, touched = set(), set()
    for n in walk(func.body):
        if isinstance(n, tir.MatchBufferRegion):
            source = n.source.buffer.data
            views[n.buffer.data] = views.get(source, source)
        elif isinstance(n, (tir.BufferLoad, tir.BufferStore)):
            touched.add(n.buffer.data)
        elif isinstance(n, prim.Call):
            escaped |= {a for a in n.args if isinstance(a, Var) and a.dtype == "handle"}
            escaped |= {a.buffer.data for a in n.args
                        if n.op == "address_of" and isinstance(a, tir.BufferLoad)}
    return (views, {views.get(d, d) for d in escaped}, {views.get(d, d) for d in touched})
