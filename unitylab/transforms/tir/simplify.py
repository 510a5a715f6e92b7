"""`Simplify`: index arithmetic, conditions and values of tensor programs in their simplest form."""

from __future__ import annotations

from dataclasses import dataclass

from ...arith.analyzer import Analyzer
from ...arith.simplify import Simplifier
from ...ir.node import Node
from ...ir.prim import FloatImm, IntImm, Not, PrimExpr, StringImm, Var, is_const, literal
from ...ir.tir import (AssertStmt, Block, BlockRealize, Buffer, Evaluate, For, IfThenElse, PrimFunc,
                       Range, SeqStmt, Stmt, seq)
from ...ir.transform import PrimFuncPass, Recorder

_ATOMS = (Var, IntImm, FloatImm, StringImm)
NOTHING = Evaluate(literal(0))


@dataclass(frozen=True)
class Simplify(PrimFuncPass):
    """Simplifies every expression with what is known where it stands: the ranges of loop and block
    variables, the conditions around it. Branches of a known condition vanish. Each rule of
    `arith` that fires is recorded."""

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        return simplify_func(func, recorder, name)


def simplify_func(func: PrimFunc, recorder: Recorder, name: str = "") -> PrimFunc:
    """The tensor program with simplified expressions; itself if there is nothing to simplify."""
    body = _Statements(func, recorder, name).visit(func.body)
    return func if body is func.body else func.replace(body=body)


class _Expressions(Simplifier):
    """Leaves buffers as they are: their shapes are part of their identity."""

    def parts(self, node: Node) -> list[Node]:
        return [] if isinstance(node, Buffer) else super().parts(node)

    def rebuild(self, node, new):
        return node if isinstance(node, Buffer) else super().rebuild(node, new)


class _Statements:
    """Walks through the statements with an analyzer that knows what holds there. Remembers
    nothing: the same expression may simplify differently in two places."""

    def __init__(self, func: PrimFunc, recorder: Recorder, name: str):
        self.recorder, self.name = recorder, name
        self.analyzer = Analyzer()
        for b in func.buffers:
            for size in b.shape:
                if isinstance(size, Var):
                    self.analyzer.bind(size, (0, None))
                elif not isinstance(size, IntImm):
                    self.analyzer.assume(size >= 0)

    def visit(self, node: Node) -> Node:
        if isinstance(node, Buffer) or isinstance(node, _ATOMS):
            return node
        if isinstance(node, PrimExpr):
            return self.simplified(node)
        method = getattr(self, f"visit_{type(node).__name__}", None)
        return method(node) if method else node.map_children(self.visit)

    def simplified(self, e: PrimExpr) -> PrimExpr:
        return _Expressions(self.analyzer, recorder=self.recorder, function=self.name)(e)

    def visit_For(self, loop: For) -> Stmt:
        low, extent = self.visit(loop.min), self.visit(loop.extent)
        with self.analyzer.scope():
            self.analyzer.bind(loop.loop_var, Range(low, extent))
            body = self.visit(loop.body)
        same = low is loop.min and extent is loop.extent and body is loop.body
        return loop if same else loop.replace(min=low, extent=extent, body=body)

    def visit_BlockRealize(self, realize: BlockRealize) -> Stmt:
        new = realize.replace(iter_values=tuple(map(self.visit, realize.iter_values)),
                              predicate=self.visit(realize.predicate))
        with self.analyzer.constraint(new.predicate):
            block = self.visit(realize.block)
        same = block is realize.block and new.predicate is realize.predicate and \
            all(a is b for a, b in zip(new.iter_values, realize.iter_values))
        return realize if same else new.replace(block=block)

    def visit_Block(self, block: Block) -> Block:
        with self.analyzer.scope():
            for v in block.iter_vars:
                self.analyzer.bind(v.var, v.dom)
            return block.map_children(self.visit)

    def visit_IfThenElse(self, branch: IfThenElse) -> Stmt:
        condition = self.visit(branch.condition)
        if isinstance(condition, IntImm) and self.recorder.wants("if of a known condition", branch):
            taken = branch.then_case if condition.value else branch.else_case
            new = NOTHING if taken is None else self.visit(taken)
            self.recorder.record("if of a known condition", branch, new, self.name)
            return new
        with self.analyzer.constraint(condition):
            then_case = self.visit(branch.then_case)
        else_case = branch.else_case
        if else_case is not None:
            with self.analyzer.constraint(Not(condition)):
                else_case = self.visit(else_case)
        same = condition is branch.condition and then_case is branch.then_case and \
            else_case is branch.else_case
        return branch if same else branch.replace(condition=condition, then_case=then_case,
                                                  else_case=else_case)

    def visit_SeqStmt(self, stmts: SeqStmt) -> Stmt:
        with self.analyzer.scope():
            new = tuple(map(self._in_sequence, stmts.stmts))
        if all(a is b for a, b in zip(new, stmts.stmts)):
            return stmts
        kept = [s for s, old in zip(new, stmts.stmts) if s is old or not _is_nothing(s)]
        return seq(*kept) if kept else NOTHING

    def _in_sequence(self, stmt: Stmt) -> Stmt:
        """What an assertion says holds for the rest of the sequence."""
        new = self.visit(stmt)
        if isinstance(new, AssertStmt):
            self.analyzer.assume(new.condition)
        return new


def _is_nothing(stmt: Stmt) -> bool:
    return isinstance(stmt, Evaluate) and is_const(stmt.value, 0)
