"""`ConvertToDataflow`: rows of pure bindings become dataflow blocks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby

from ...ir.module import IRModule
from ...ir.relax import (Binding, BindingBlock, DataflowBlock, DataflowVar, Function, If, SeqExpr,
                         Var)
from ...ir.transform import Pass, Recorder
from .binding_mutator import BindingMutator
from .canonicalize_bindings import appearances
from .purity import is_pure


@dataclass(frozen=True)
class ConvertToDataflow(Pass):
    """Joins pure bindings that stand in a row, and dataflow blocks beside them, to one dataflow
    block; what is read in it alone becomes local to it.

    min_size: the fewest bindings outside of a dataflow block that are worth a new one."""

    min_size: int = 2

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        return mod.map_functions(
            lambda name, f: _Converter(mod, name, recorder, self.min_size, f).visit(f), Function)


class _Converter(BindingMutator):
    def __init__(self, mod, function, recorder, min_size: int, func: Function):
        super().__init__(mod, function, recorder)
        self.min_size, self.appearances = min_size, appearances(func)

    def visit_SeqExpr(self, seq: SeqExpr) -> SeqExpr:
        pieces = [(b, isinstance(block, DataflowBlock) or self.is_dataflow(b))
                  for block in seq.blocks for b in block.bindings]
        inside = {b for block in seq.blocks if isinstance(block, DataflowBlock)
                  for b in block.bindings}
        blocks: list[BindingBlock] = []
        for pure, row in groupby(pieces, key=lambda p: p[1]):
            blocks += self.blocks_of([b for b, _ in row], pure, inside)
        if [(type(b), b.bindings) for b in blocks] == [(type(b), b.bindings) for b in seq.blocks]:
            return super().visit_SeqExpr(seq)
        return super().visit_SeqExpr(seq.replace(blocks=tuple(blocks)))

    def blocks_of(self, row: list[Binding], pure: bool, inside: set) -> list[BindingBlock]:
        """The blocks for bindings in a row."""
        outside = [b for b in row if b not in inside]
        if not pure or len(outside) == 0 or (len(outside) < self.min_size
                                             and len(outside) == len(row)) \
                or not self.wants("dataflow", row[0]):
            return [kind(tuple(g)) for kind, g in groupby(
                row, key=lambda b: DataflowBlock if b in inside else BindingBlock)]
        here = Counter(v for b in row for v in appearances(b).elements())
        for b in row:
            if type(b.var) is Var and here[b.var] == self.appearances[b.var]:
                self.define(b.var, DataflowVar(b.var.name, b.var.struct_info, span=b.var.span))
        block = DataflowBlock(tuple(row))
        self.record("dataflow", tuple(row), (block,))
        return [block]

    def is_dataflow(self, binding: Binding) -> bool:
        return not isinstance(binding.value, If) and is_pure(binding.value, self.mod)
