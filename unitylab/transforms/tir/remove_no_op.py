"""`RemoveNoOp`: loops, branches and stores that do nothing go away."""

from __future__ import annotations

from dataclasses import dataclass

from ...arith.analyzer import Analyzer
from ...ir.prim import PrimExpr, literal, logical_not
from ...ir.structural import structural_equal
from ...ir.tir import (BlockRealize, BufferLoad, BufferStore, Evaluate, For, IfThenElse, PrimFunc,
                       SeqStmt, Stmt, seq)
from ...ir.transform import PrimFuncPass, Recorder
from ...ir.visitor import Mutator
from .no_op import has_no_effect, is_no_op

NOTHING = Evaluate(literal(0))


@dataclass(frozen=True)
class RemoveNoOp(PrimFuncPass):
    """Removes evaluations without effect, stores of what is there already (`A[i] = A[i]`), and
    loops and branches without a body."""

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        return _Remover(name, recorder).visit(func)


class _Remover(Mutator):
    def __init__(self, function: str, recorder: Recorder):
        super().__init__()
        self.function, self.recorder = function, recorder

    def nothing(self, rule: str, old: Stmt) -> Stmt | None:
        """The empty statement in place of `old`, None if it is not wanted."""
        if not self.recorder.wants(rule, old):
            return None
        self.recorder.record(rule, old, (), self.function)
        return NOTHING

    def visit_SeqStmt(self, stmts: SeqStmt) -> Stmt:
        new = tuple(map(self.visit, stmts.stmts))
        kept = [s for s, old in zip(new, stmts.stmts)
                if not is_no_op(s) or s is old and not self.nothing("no effect", old)]
        if len(kept) == len(stmts.stmts) and all(a is b for a, b in zip(kept, stmts.stmts)):
            return stmts
        return seq(*kept) if kept else NOTHING

    def visit_For(self, loop: For) -> Stmt:
        new = self.rebuild(loop)
        empty = is_no_op(new.body) and pure(new.min, new.extent)
        if empty or Analyzer().can_prove(new.extent <= 0):
            return self.nothing("loop without effect", loop) or new
        return new

    def visit_IfThenElse(self, branch: IfThenElse) -> Stmt:
        new = self.rebuild(branch)
        if new.else_case is not None and is_no_op(new.else_case) and \
                self.recorder.wants("branch without effect", branch):
            new = new.replace(else_case=None)
            self.recorder.record("branch without effect", branch, new, self.function)
        if not is_no_op(new.then_case):
            return new
        if new.else_case is None and pure(new.condition):
            return self.nothing("branch without effect", branch) or new
        if new.else_case is not None and self.recorder.wants("empty then", branch):
            new = new.replace(condition=logical_not(new.condition), then_case=new.else_case,
                              else_case=None)
            self.recorder.record("empty then", branch, new, self.function)
        return new

    def visit_BlockRealize(self, realize: BlockRealize) -> Stmt:
        new = self.rebuild(realize)
        is_root = not new.block.iter_vars and not new.iter_values
        if not is_root and new.block.init is None and is_no_op(new.block.body):
            return self.nothing("block without effect", realize) or new
        return new

    def visit_BufferStore(self, store: BufferStore) -> Stmt:
        value = store.value
        same = isinstance(value, BufferLoad) and value.buffer is store.buffer and \
            len(value.indices) == len(store.indices) and \
            all(a is b or structural_equal(a, b) for a, b in zip(value.indices, store.indices))
        return (self.nothing("store of what is there", store) or store) if same else store


def pure(*values: PrimExpr) -> bool:
    """Whether evaluating the values has no effect."""
    return all(map(has_no_effect, values))
