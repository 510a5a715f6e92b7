"""When each access of a program happens: a program of loops has a clock.

Every access of a statement takes one tick. A loop's body takes the same number of ticks each time,
so the tick of an access is an affine function of the loop variables around it; what a condition
leaves out leaves a gap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..ir import prim, tir
from ..ir.errors import UnityLabError
from ..ir.node import Node
from ..ir.prim import PrimExpr, Var
from ..ir.tir import Buffer, PrimFunc
from ..ir.visitor import free_vars
from .index_arrays import IndexArrays, lanes_of

_THREADS = ("thread_extent", "virtual_thread")
_CHOICES = ("if_then_else", "tir.if_then_else")
_CORNERS = 100_000  # values of outer variables for which an extent is evaluated

Guard = tuple[PrimExpr, bool]  # a condition, and whether it holds or not


@dataclass(eq=False)
class Level:
    """A loop around an access. `extent` is the largest number of iterations, `period` the ticks of
    one of them; `exact` is the expression where it depends on outer loops."""

    var: Var
    kind: str
    min: PrimExpr
    step: int
    extent: int
    exact: PrimExpr | None = None
    period: int = 0


@dataclass(eq=False)
class Site:
    """One load or store in the text of the program."""

    access: tir.BufferLoad | tir.BufferStore
    levels: tuple[Level, ...]
    guards: tuple[Guard, ...]
    bound: Mapping[Var, PrimExpr]
    tick: int  # of its first execution
    statement: int  # the tick of its statement's first access
    lanes: int

    @property
    def write(self) -> bool:
        return isinstance(self.access, tir.BufferStore)

    @property
    def buffer(self) -> Buffer:
        return self.access.buffer


@dataclass
class Plan:
    """All sites of a program whose symbolic sizes are `sizes`, and how many ticks it takes."""

    func: PrimFunc
    sizes: dict[Var, int]
    clamp: Callable[[tir.For, int], int] | None = None
    sites: list[Site] = field(default_factory=list)
    ticks: int = 0

    def __post_init__(self):
        self.ticks = self.statement(self.func.body, 0, (), (), {})

    def statement(self, s: Node, at: int, levels: tuple[Level, ...], guards: tuple[Guard, ...],
                  bound: dict[Var, PrimExpr]) -> int:
        """The ticks of a statement that begins at tick `at`."""
        if isinstance(s, tir.For):
            return self.loop(s, at, levels, guards, bound)
        if isinstance(s, tir.IfThenElse):
            first = self.accesses((s.condition,), at, at, levels, guards, bound)
            then = self.statement(s.then_case, at + first, levels,
                                  (*guards, (s.condition, True)), bound)
            if s.else_case is None:
                return first + then
            return first + then + self.statement(s.else_case, at + first + then, levels,
                                                 (*guards, (s.condition, False)), bound)
        if isinstance(s, tir.While):
            raise UnityLabError("how often a while loop runs is not known before the run",
                                span=s.span)
        if isinstance(s, tir.AttrStmt) and s.key in _THREADS:
            return self.threads(s, at, levels, guards, bound)
        if isinstance(s, tir.BufferStore):
            ticks = self.accesses((s.value, *s.indices), at, at, levels, guards, bound)
            return ticks + self.site(s, at + ticks, at, levels, guards, bound)
        if isinstance(s, tir.Bind):
            bound[s.var] = s.value
        if isinstance(s, (tir.Bind, tir.Evaluate)):
            return self.accesses((s.value,), at, at, levels, guards, bound)
        ticks = 0
        for c in s.children():
            if isinstance(c, tir.Stmt):
                ticks += self.statement(c, at + ticks, levels, guards, bound)
        return ticks

    def loop(self, s: tir.For, at: int, levels, guards, bound) -> int:
        step = s.step.value if isinstance(s.step, prim.IntImm) else 1
        extent, exact = self.extent(s.extent, levels, bound)
        if self.clamp is not None:
            extent = min(extent, self.clamp(s, extent))
        level = Level(s.loop_var, s.kind, s.min, step, extent, exact)
        level.period = self.statement(s.body, at, (*levels, level), guards, dict(bound))
        return extent * level.period

    def threads(self, s: tir.AttrStmt, at: int, levels, guards, bound) -> int:
        extent, exact = self.extent(s.value, levels, bound)
        var = s.node.var if isinstance(s.node, tir.IterVar) else s.node
        level = Level(var, tir.THREAD_BINDING, prim.literal(0), 1, extent, exact)
        level.period = self.statement(s.body, at, (*levels, level), guards, dict(bound))
        return extent * level.period

    def extent(self, e: PrimExpr, levels: tuple[Level, ...], bound):
        """(the most iterations, the expression if it depends on other loops)."""
        if isinstance(e, prim.IntImm):
            return max(0, e.value), None
        arrays = IndexArrays({**self.sizes, **grid(levels, self, e, bound)}, bound)
        values = np.asarray(arrays(e))
        if arrays.guessed:
            raise UnityLabError(f"how often a loop to {e.script()} runs depends on data",
                                span=e.span)
        return max(0, int(values.max())), e if values.size > 1 else None

    def accesses(self, roots, at: int, statement: int, levels, guards, bound) -> int:
        """The loads in expressions, in the order in which they are evaluated."""
        ticks = 0
        for load, inner in loads(roots, guards, bound):
            ticks += self.site(load, at + ticks, statement, levels, inner, bound)
        return ticks

    def site(self, access, at: int, statement: int, levels, guards, bound) -> int:
        lanes = max((lanes_of(i.dtype.lanes) for i in access.indices), default=1)
        self.sites.append(Site(access, levels, guards, dict(bound), at, statement, lanes))
        return lanes


def grid(levels: tuple[Level, ...], plan: Plan, e: PrimExpr, bound) -> dict[Var, np.ndarray]:
    """Values of the loop variables that `e` depends on, an axis each: all of them, or the first,
    some in between and the last where that is too many."""
    wanted, todo = set(), [e]
    while todo:
        for v in free_vars(todo.pop()):
            if v in bound:
                todo.append(bound[v])
            wanted.add(v)
    chosen = [l for l in levels if l.var in wanted]
    least = max(2, int(_CORNERS ** (1 / max(1, len(chosen)))))
    env: dict[Var, np.ndarray] = {}
    for d, l in enumerate(chosen):
        count = min(l.extent, least)
        counts = np.unique(np.linspace(0, max(0, l.extent - 1), max(1, count)).astype(np.int64))
        shape = [1] * (len(chosen) + 1)
        shape[d] = len(counts)
        low = IndexArrays({**plan.sizes, **env}, bound)(l.min)
        env[l.var] = low + counts.reshape(shape) * l.step
    return env


def loads(roots, guards: tuple[Guard, ...], bound: dict) -> Iterator[tuple]:
    """The distinct loads in expressions with the conditions under which they are made."""
    seen: set[int] = set()

    def visit(e: Node, inner: tuple[Guard, ...]):
        if id(e) in seen or isinstance(e, Buffer):
            return
        seen.add(id(e))
        if isinstance(e, prim.Call) and e.op in _CHOICES:
            yield from visit(e.args[0], inner)
            yield from visit(e.args[1], (*inner, (e.args[0], True)))
            yield from visit(e.args[2], (*inner, (e.args[0], False)))
            return
        if isinstance(e, prim.Call) and e.op in ("address_of", "prefetch"):
            return
        if isinstance(e, prim.Let):
            bound[e.var] = e.value
        for c in e.children():
            if isinstance(c, PrimExpr):
                yield from visit(c, inner)
        if isinstance(e, tir.BufferLoad):
            yield e, inner
    for root in roots:
        yield from visit(root, guards)


def elements(buffer: Buffer, sizes: Mapping[Var, int]) -> int:
    """How many elements of memory a buffer spans."""
    arrays = IndexArrays(sizes, {})
    shape = [int(arrays(d)) for d in buffer.shape]
    if buffer.strides:
        strides = [int(arrays(d)) for d in buffer.strides]
        return 1 + sum(max(0, n - 1) * abs(s) for n, s in zip(shape, strides))
    return math.prod(shape)
