"""Named pipelines: flat, readable tuples of passes. `Sequential(pipelines.default)` runs one.

default   from graph operators to fused, scheduled tensor programs
legalize  graph operators become tensor programs, nothing else changes
fuse      fuses what `legalize` gives
lower     from blocks to loops over flat memory (what `build` does by itself)
"""

from __future__ import annotations

from ..ir.transform import Pass
from ..transforms import (AnnotateTIROpPattern, CanonicalizeBindings, DeadCodeElimination,
                          EliminateCommonSubexpr, FoldConstant, FuseOps, FuseTIR, LegalizeOps,
                          Normalize, Simplify, all_passes)
from .lower import blocks, lower

legalize: tuple[Pass, ...] = (
    Normalize(),
    LegalizeOps(),
    AnnotateTIROpPattern(),
)

fuse: tuple[Pass, ...] = (
    FuseOps(),
    FuseTIR(),
    DeadCodeElimination(),
)

# FoldConstant comes before LegalizeOps: there NumPy computes whole operators
default: tuple[Pass, ...] = (
    Normalize(),
    EliminateCommonSubexpr(),
    FoldConstant(),
    CanonicalizeBindings(),
    LegalizeOps(),
    AnnotateTIROpPattern(),
    FuseOps(),
    FuseTIR(),
    DeadCodeElimination(),
    Simplify(),
)

__all__ = ["all_passes", "blocks", "default", "fuse", "legalize", "lower"]
