"""`Nest`: one tensor program while a primitive rewrites it, and what became of each node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from ..arith.analyzer import Analyzer
from ..arith.index_map import IndexMap
from ..ir.errors import ScheduleError
from ..ir.node import Node
from ..ir.prim import as_int
from ..ir.tir import Block, BlockRealize, Buffer, For, PrimFunc, Range, SeqStmt, Stmt, seq
from ..ir.visitor import Mutator, Substitute

_TRACKED = (For, Block, BlockRealize)


class Nest:
    """A `PrimFunc` under a schedule primitive.

    Trees are values: `replace` makes a new function and notes for every loop and block on the way
    what it became. `now(node)` follows these notes, so handles and local variables of a primitive
    reach the present form of a node. Throwing the nest away undoes everything."""

    def __init__(self, func: PrimFunc, rng: np.random.Generator | None = None):
        self.func = func
        self.rng = rng or np.random.default_rng(0)
        self._became: dict[int, tuple[Node, Node]] = {}
        # parameters that got another layout in this step: (position, index map)
        self.relaid: list[tuple[int, IndexMap]] = []

    # --- what became of a node --------------------------------------------------------------

    def forward(self, old: Node, new: Node) -> None:
        """`old` lives on as `new`."""
        if old is not new:
            self._became[id(old)] = old, new

    def now(self, node: Node) -> Node:
        """The present form of `node`."""
        while id(node) in self._became:
            node = self._became[id(node)][1]
        return node

    def rewritten(self, mutator: Mutator, stmt: Stmt) -> Stmt:
        """`stmt` rewritten by a mutator, whose memo says what each loop and block became."""
        new = mutator.visit(stmt)
        for before, after in mutator._memo.values():
            if isinstance(before, _TRACKED) and type(after) is type(before):
                self.forward(before, after)
        return new

    def substitute(self, stmt: Stmt, mapping: Mapping[Node, Node]) -> Stmt:
        """`stmt` with nodes replaced by identity."""
        return self.rewritten(Substitute(mapping), stmt)

    # --- the tree ---------------------------------------------------------------------------

    @cached_property
    def parents(self) -> dict[int, tuple[Node, Node]]:
        """For each statement its own entry (itself, its parent)."""
        table: dict[int, tuple[Node, Node]] = {}
        stack: list[Node] = [self.func]
        while stack:
            parent = stack.pop()
            for c in parent.children():
                if isinstance(c, Stmt):
                    table[id(c)] = c, parent
                    stack.append(c)
        return table

    def __contains__(self, node: Node) -> bool:
        return id(node) in self.parents

    def parent(self, stmt: Stmt) -> Node:
        return self.parents[id(stmt)][1]

    def above(self, stmt: Stmt) -> Iterator[Node]:
        """The ancestors, nearest first, the function excluded."""
        node = self.parent(stmt)
        while node is not self.func:
            yield node
            node = self.parent(node)

    @property
    def root(self) -> Block:
        """The root block."""
        return self.func.body.block

    def scope(self, stmt: Stmt) -> Block:
        """The nearest block around a statement (not itself)."""
        for node in self.above(self.realize(stmt) if isinstance(stmt, Block) else stmt):
            if isinstance(node, Block):
                return node
        raise ScheduleError("the root block has no scope around it")

    def realize(self, block: Block) -> BlockRealize:
        return self.parent(block)

    def loops(self, stmt: Stmt) -> list[For]:
        """The loops around a block or loop within its scope, outermost first."""
        found = []
        for node in self.above(self.realize(stmt) if isinstance(stmt, Block) else stmt):
            if isinstance(node, Block):
                break
            if isinstance(node, For):
                found.append(node)
        return found[::-1]

    def loops_below(self, stmt: Stmt, top: For) -> list[For]:
        """The loops around `stmt` that lie strictly inside of `top`."""
        loops = self.loops(stmt)
        return loops[loops.index(top) + 1:]

    def is_below(self, stmt: Stmt, top: Stmt) -> bool:
        return any(a is top for a in self.above(stmt))

    def blocks(self) -> list[Block]:
        """All blocks in program order."""
        return [n for n in statements(self.func.body) if isinstance(n, Block)]

    def name_of(self, node: Node) -> str:
        """How a loop or block is called in messages."""
        return f"loop {node.loop_var.name}" if isinstance(node, For) else f"block {node.name}"

    def analyzer(self, stmt: Node, unit_loops: bool = True) -> Analyzer:
        """An analyzer that knows the ranges of the loops and blocks around `stmt`. Without
        `unit_loops`, variables that have one value stay in what it simplifies."""
        analyzer = Analyzer()
        for node in reversed([stmt, *self.above(stmt)]) if stmt is not self.func else ():
            if isinstance(node, For):
                if unit_loops or as_int(node.extent) != 1:
                    analyzer.bind(node.loop_var, Range(node.min, node.extent))
            elif isinstance(node, Block):
                for it in node.iter_vars:
                    if unit_loops or as_int(it.dom.extent) != 1:
                        analyzer.bind(it.var, it.dom)
        return analyzer

    # --- rewriting --------------------------------------------------------------------------

    def replace(self, old: Stmt, new: Stmt | None) -> None:
        """Puts `new` where `old` is (None removes it, and loops that become empty)."""
        node, becomes = old, new
        while node is not self.func:
            parent = self.parent(node)
            if becomes is None and not isinstance(parent, (SeqStmt, Block)):
                node = parent
                continue
            rebuilt = _with_child(parent, node, becomes)
            self.forward(parent, rebuilt) if isinstance(parent, _TRACKED) else None
            node, becomes = parent, rebuilt
        self.func = becomes
        del self.parents

    def set_func(self, func: PrimFunc) -> None:
        """A function that was rewritten as a whole (with `rewritten`)."""
        self.func = func
        self.__dict__.pop("parents", None)

    def alloc(self, scope: Block, *buffers: Buffer) -> None:
        """Allocates buffers in a block."""
        self.edit(scope, alloc_buffers=(*scope.alloc_buffers, *buffers))

    def edit(self, node: Stmt, **fields) -> Stmt:
        """Changes fields of a loop or block in place; returns its new form."""
        new = node.replace(**fields)
        self.forward(node, new)
        self.replace(node, new)
        return new

    def insert(self, beside: Stmt, stmt: Stmt, after: bool = False) -> None:
        """Puts a statement before (or after) another one."""
        self.replace(beside, seq(beside, stmt) if after else seq(stmt, beside))

    def remove(self, block: Block) -> None:
        """Takes a block out, with the loops that only it was in."""
        self.replace(self.realize(block), None)


def _with_child(parent: Node, old: Stmt, new: Stmt | None) -> Node:
    if isinstance(parent, SeqStmt):
        kept = [new if s is old else s for s in parent.stmts]
        kept = [s for s in kept if s is not None]
        return seq(*kept) if kept else None
    if new is None:
        new = SeqStmt(())
    return parent.map_children(lambda c: new if c is old else c)


def statements(root: Node) -> Iterator[Stmt]:
    """The statements below `root` in program order, itself first."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += [c for c in reversed(tuple(node.children())) if isinstance(c, Stmt)]


def child_realizes(stmt: Stmt) -> list[BlockRealize]:
    """The outermost blocks at or below a statement, in program order."""
    if isinstance(stmt, BlockRealize):
        return [stmt]
    parts = (stmt.body, stmt.init) if isinstance(stmt, Block) else stmt.children()
    return [r for c in parts if isinstance(c, Stmt) for r in child_realizes(c)]


def unshared(func: PrimFunc) -> PrimFunc:
    """`func` in which no statement object stands at two places, so that handles are unambiguous."""
    seen: set[int] = set()

    def visit(node: Node) -> Node:
        new = node.map_children(lambda c: visit(c) if isinstance(c, Stmt) else c)
        if isinstance(new, Stmt):
            if id(new) in seen:
                new = new.replace()
            seen.add(id(new))
        return new

    return visit(func)

