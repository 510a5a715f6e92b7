"""`AnnotateTIROpPattern`: says of each tensor program how it may be fused."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.tir import PrimFunc
from ...ir.transform import PrimFuncPass, Recorder
from ..tir.op_pattern import op_pattern


@dataclass(frozen=True)
class AnnotateTIROpPattern(PrimFuncPass):
    """Sets the attribute `op_pattern` (an `OpPattern` as number) of every tensor program that has
    none, found by analysing its blocks. `FuseOps` reads it."""

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        if "op_pattern" in func.attrs or not recorder.wants("annotate", func):
            return func
        new = func.with_attrs(op_pattern=int(op_pattern(func)))
        recorder.record("annotate", func, new, name)
        return new
