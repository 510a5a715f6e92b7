"""`DeadCodeElimination`: what nobody reads or calls goes away."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.module import IRModule
from ...ir.node import Node
from ...ir.relax import Binding, BindingBlock, Function, SeqExpr, Var
from ...ir.transform import Pass, Recorder
from ...ir.visitor import Mutator
from ..reachable import reachable
from .purity import binding_is_pure


@dataclass(frozen=True)
class DeadCodeElimination(Pass):
    """Removes bindings whose variable is not read and whose value has no effect, then private
    functions that nothing calls.

    entry_functions: names of functions to keep, besides those that other modules may call."""

    entry_functions: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "entry_functions", tuple(self.entry_functions))

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        mod = self._remove_functions(mod, recorder)
        mod = mod.map_functions(
            lambda name, f: _UnusedBindings(mod, name, recorder).visit(f), Function)
        return self._remove_functions(mod, recorder)

    def _remove_functions(self, mod: IRModule, recorder: Recorder) -> IRModule:
        live = reachable(mod, self.entry_functions)
        dead = [n for n in mod if n not in live and recorder.wants("unreachable", mod[n])]
        for name in dead:
            recorder.record("unreachable", mod[name], (), name)
        return mod.with_functions({n: None for n in dead})


class _UnusedBindings(Mutator):
    """Goes backward through the bindings, so that all readers are known."""

    def __init__(self, mod: IRModule, function: str, recorder: Recorder):
        super().__init__()
        self.mod, self.function, self.recorder = mod, function, recorder
        self.read: set[Var] = set()

    def visit_SeqExpr(self, seq: SeqExpr) -> SeqExpr:
        self._note_reads(seq.body)
        blocks = [self._trim(b) for b in reversed(seq.blocks)][::-1]
        if all(a is b for a, b in zip(blocks, seq.blocks)):
            return seq
        return seq.replace(blocks=tuple(b for b in blocks if b.bindings))

    def _trim(self, block: BindingBlock) -> BindingBlock:
        kept: list[Binding] = []
        for b in reversed(block.bindings):
            if self._is_unused(b):
                self.recorder.record("unused", (b, b.value), (), self.function)
                continue
            new = self.visit(b)
            self._note_reads(b.value, b.var.struct_info)
            kept.append(new)
        kept.reverse()
        same = len(kept) == len(block.bindings) and \
            all(a is b for a, b in zip(kept, block.bindings))
        return block if same else block.replace(bindings=tuple(kept))

    def _is_unused(self, b: Binding) -> bool:
        return b.var not in self.read and binding_is_pure(b, self.mod) \
            and self.recorder.wants("unused", b)

    def _note_reads(self, *values: Node | None) -> None:
        """Variables below; sequences inside (branches, closures) note their own."""
        for value in values:
            if value is None or isinstance(value, SeqExpr):
                continue
            if isinstance(value, Var):
                self.read.add(value)
            self._note_reads(*value.children())
