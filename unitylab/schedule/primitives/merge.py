"""One loop for several that stand side by side: merge."""

from __future__ import annotations

from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.prim import Var, literal
from ...ir.tir import SERIAL, Block, For, SeqStmt, Stmt, seq
from ..dependence import blocks_in, read_buffers, why_iterations_depend, written_buffers
from ..nest import Nest
from ..signature import LOOP, primitive
from .compute_at import check_finished


@primitive(returns=LOOP, loops=LOOP)
def merge(nest: Nest, *loops: For) -> For:
    """Makes one nest of several that stand side by side; returns its innermost loop.

        for i, j in T.grid(8, 8): C[i, j] = ...         for i, j in T.grid(8, 8):
        for i, j in T.grid(8, 8): D[i, j] = ...    ->       C[i, j] = ...; D[i, j] = ...

    Each loop stands for its nest, from the place where they part down to itself; the nests have
    equal extents and are chains. What runs must not need what other iterations of another nest
    make. TVM: the same name; Exo: `fuse`; Halide: `compute_with`."""
    top, nests = _nests(nest, loops)
    _check_shapes(nest, nests)
    variables = [Var(f"{l.loop_var.name}_m", l.loop_var.dtype) for l in nests[0]]
    bodies, inside = [], []
    for chain in nests:
        at = {l.loop_var: prim.cast(v, l.loop_var.dtype) for l, v in zip(chain, variables)}
        inside.append(blocks_in(chain[-1].body))
        bodies.append(nest.substitute(chain[-1].body, at))
    stmt: Stmt = seq(*bodies)
    made = []
    for v, l in reversed(list(zip(variables, nests[0]))):
        stmt = For(v, literal(0, v.dtype), l.extent, SERIAL, stmt)
        made.append(stmt)
    outers = [chain[0] for chain in nests]
    _check_passed(nest, top, outers)
    for old in outers[:-1]:
        nest.replace(old, None)
    nest.replace(outers[-1], stmt)
    _check_iterations(nest, made[0], [[nest.now(b) for b in bs] for bs in inside])
    return made[0]


def _nests(nest: Nest, loops: tuple[For, ...]) -> tuple[For | Block, list[list[For]]]:
    """Where the nests part, and each as a chain from there down to its loop."""
    if len(loops) < 2 or len(set(map(id, loops))) != len(loops):
        raise ScheduleError("merge takes two loops or more, each once")
    chains = [[l, *nest.above(l)] for l in loops]
    top = next((a for a in chains[0] if isinstance(a, (For, Block))
                and all(any(a is x for x in c) for c in chains[1:])), None)
    nests = []
    for l, chain in zip(loops, chains):
        path = [a for a in chain[:chain.index(top)]][::-1] if top is not None else []
        path = path[1:] if path and isinstance(path[0], SeqStmt) else path
        if not path or not all(isinstance(a, For) for a in path):
            raise ScheduleError(f"loop {l.loop_var.name} does not stand beside the others",
                                hint="the nests to merge are chains of loops in one block")
        nests.append(path)
    return top, nests


def _check_shapes(nest: Nest, nests: list[list[For]]) -> None:
    first, analyzer = nests[0], nest.analyzer(nest.parent(nests[0][0]))
    for chain in nests:
        if len(chain) != len(first):
            raise ScheduleError(f"loop {chain[-1].loop_var.name} is {len(chain)} loops deep, loop "
                                f"{first[-1].loop_var.name} is {len(first)}")
        for l, f in zip(chain, first):
            name = l.loop_var.name
            if l.kind != SERIAL or l.annotations or l.step is not None or \
                    not prim.is_const(l.min, 0):
                raise ScheduleError(f"loop {name} is no plain serial loop from 0", span=l.span,
                                    hint="merge loops before giving them a kind or an annotation")
            if not analyzer.can_prove_equal(l.extent, prim.cast(f.extent, l.extent.dtype)):
                raise ScheduleError(f"the extents of loops {f.loop_var.name} and {name} differ: "
                                    f"{f.extent.script()} and {l.extent.script()}", span=l.span)


def _check_passed(nest: Nest, top: For | Block, outers: list[For]) -> None:
    """The nests move down to the last one: what stands between must not care."""
    order = list(top.body.stmts)
    where = [order.index(o) for o in outers]
    if where != sorted(where):
        raise ScheduleError(f"loop {outers[-1].loop_var.name} does not stand after the others",
                            hint="name the loops in program order")
    for k, moved in zip(where[:-1], outers):
        for other in order[k + 1:where[-1]]:
            if not any(other is o for o in outers):
                _check_pair(moved, other)


def _check_pair(moved: Stmt, other: Stmt) -> None:
    for a in blocks_in(moved):
        for b in blocks_in(other):
            shared = {*written_buffers(a)} & {*read_buffers(b), *written_buffers(b)} or \
                {*written_buffers(b)} & {*read_buffers(a)}
            if shared:
                raise ScheduleError(f"block {b.name}, between the loops, uses "
                                    f"{next(iter(shared)).name} as block {a.name} does",
                                    span=b.span)


def _check_iterations(nest: Nest, loop: For, inside: list[list[Block]]) -> None:
    """Blocks of different nests now run in turns."""
    for k, first in enumerate(inside):
        for later in inside[k + 1:]:
            for a in first:
                for b in later:
                    both = {*written_buffers(a)} & {*written_buffers(b)}
                    if both:
                        raise ScheduleError(f"blocks {a.name} and {b.name} both write "
                                            f"{next(iter(both)).name}", span=b.span)
                    if {*written_buffers(a)} & {*read_buffers(b)}:
                        check_finished(nest, a, loop)
                    late = {*written_buffers(b)} & {*read_buffers(a)}
                    if late:
                        raise ScheduleError(f"block {b.name} overwrites {next(iter(late)).name}, "
                                            f"which block {a.name} reads in other iterations",
                                            span=b.span)
    reason = why_iterations_depend(nest, loop)
    if reason:
        raise ScheduleError(reason, hint="these loops cannot run as one")
