"""Blocks: bindings, iteration variables, declared regions, what is visible inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ir import tir
from ..ir.node import Node
from ..ir.prim import Var

if TYPE_CHECKING:
    from .tensor import TensorChecker

_KINDS = (tir.SPATIAL, tir.REDUCE, tir.OPAQUE, tir.SCAN, tir.ORDERED)


class BlockChecker:
    """The rules of blocks; the statements inside go back to the checker of the function."""

    def __init__(self, outer: TensorChecker):
        self.outer = outer
        self.report, self.scope, self.scalars = outer.report, outer.scope, outer.scalars
        self.root: tir.Block | None = None
        self._writable: list[set[int]] = []  # memory that each block around may write

    def realize(self, s: tir.BlockRealize) -> None:
        """The bindings are in the scope around the block."""
        block = s.block
        named = block is not self.root
        if named:
            self.report.enter(f"block {block.name}", block)
        self.bindings(s)
        self.scalars.condition(s.predicate, "the predicate of the block")
        if named:
            self.outer.stack.append((_leave_place, self.report))
        self.block(block)

    def bindings(self, s: tir.BlockRealize) -> None:
        """One integer for each iteration variable (which may be of another width)."""
        iters, values = s.block.iter_vars, s.iter_values
        if len(iters) != len(values):
            self.report.say("binding", f"the block has {len(iters)} iteration variables, "
                            f"{len(values)} values are bound", s, "one value for each")
        for iv, value in zip(iters, values):
            self.scalars.integer(value, f"the value of the iteration variable {iv.var.name!r}")

    def block(self, b: tir.Block) -> None:
        """What the block defines, its regions, then `init` and body."""
        for iv in b.iter_vars:
            self.iter_var(iv)
        outer = self.outer
        outer.stack.append((self.scope.leave, self.scope.mark()))
        if b.iter_vars:
            outer.stack.append((self.scope.show_loops, self.scope.hide_loops(b.name)))
        for iv in b.iter_vars:
            self.scope.define(iv.var, "an axis of a block")
        for r in b.reads:
            self.region(r, "reads")
        for r in b.writes:
            self.region(r, "writes")
            self.wrote(r.buffer, r)
        if b.iter_vars:
            self._writable.append({id(r.buffer.data) for r in b.writes})
            outer.stack.append((_close, self._writable))
        for a in b.alloc_buffers:
            outer.allocate(a, "a block")
        for m in b.match_buffers:
            self.match(m)
        outer.inside(b.body)
        if b.init is not None:
            outer.inside(b.init)

    def own(self, memory: Var) -> None:
        """The block around may write memory that is made or named inside of it."""
        if self._writable:
            self._writable[-1].add(id(memory))

    def wrote(self, buffer: tir.Buffer, at: Node) -> None:
        """The block around says that it writes the buffer: schedules rely on it."""
        if self._writable and id(buffer.data) not in self._writable[-1]:
            self.report.say("region", f"the buffer {buffer.name!r} is written, but is not among "
                            "the writes of the block", at,
                            f"T.writes({buffer.name}[...]), or leave T.writes out: it is derived")

    def iter_var(self, iv: tir.IterVar) -> None:
        """Domain and kind."""
        name = iv.var.name
        if iv.kind not in _KINDS:
            self.report.say("iteration", f"the iteration variable {name!r} has the unknown kind "
                            f"{iv.kind!r}", iv, f"one of {', '.join(_KINDS)}")
        if iv.dom is None:
            self.report.say("iteration", f"the iteration variable {name!r} has no domain", iv,
                            "T.axis.spatial(extent, value)")
            return
        self.scalars.integer(iv.dom.min, f"the begin of the domain of {name!r}")
        self.scalars.integer(iv.dom.extent, f"the extent of the domain of {name!r}")

    def region(self, r: tir.BufferRegion, where: str) -> None:
        """A box of the buffer's rank, with integer bounds in scope."""
        name = r.buffer.name
        self.scalars.buffer(r.buffer, r)
        if len(r.region) != len(r.buffer.shape):
            self.report.say("region", f"the buffer {name!r} has {len(r.buffer.shape)} dimensions, "
                            f"its region in {where} has {len(r.region)}", r,
                            "one range or index a dimension")
        for k, d in enumerate(r.region):
            self.scalars.integer(d.min, f"dimension {k} of the region of {name!r} in {where}")
            self.scalars.integer(d.extent, f"dimension {k} of the region of {name!r} in {where}")

    def match(self, m: tir.MatchBufferRegion) -> None:
        """A view of a region: same dtype; the sizes that stand alone are read off."""
        self.region(m.source, "match_buffer")
        if m.buffer.dtype != m.source.buffer.dtype:
            self.report.say("dtype", f"match_buffer views {m.source.buffer.name!r} of dtype "
                            f"{m.source.buffer.dtype} as {m.buffer.dtype}", m, "use its dtype")
        self.outer.unpack(m.buffer)
        self.outer.allocate(m.buffer, "match_buffer")


def _close(writable: list[set[int]]) -> None:
    writable.pop()


def _leave_place(report) -> None:
    report.leave()
