"""`ToNonDataflow`: dataflow blocks become plain ones."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.module import IRModule
from ...ir.relax import BindingBlock, DataflowBlock, DataflowVar, Function, Var
from ...ir.transform import Pass, Recorder
from .binding_mutator import BindingMutator


@dataclass(frozen=True)
class ToNonDataflow(Pass):
    """Every dataflow block becomes a binding block and its local variables plain ones."""

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        return mod.map_functions(lambda name, f: _Plain(mod, name, recorder).visit(f), Function)


class _Plain(BindingMutator):
    def visit_DataflowBlock(self, block: DataflowBlock) -> BindingBlock:
        if not self.wants("plain", block):
            return self.visit_BindingBlock(block)
        for b in block.bindings:
            if isinstance(b.var, DataflowVar):
                self.define(b.var, Var(b.var.name, b.var.struct_info, span=b.var.span))
        new = BindingBlock(self.visit_BindingBlock(block).bindings, span=block.span)
        self.record("plain", (block,), (new,))
        return new
