"""Named pipelines: flat, readable tuples of passes. `Sequential(pipelines.default)` runs one.

default   from graph operators to fused, scheduled tensor programs
legalize  graph operators become tensor programs, nothing else changes
fuse      fuses what `legalize` gives
lower     from blocks to loops over flat memory (what `build` does by itself)
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import transforms
from ..ir.errors import TransformError, did_you_mean
from ..ir.transform import Pass
from ..schedule.default_schedule import DefaultSchedule
from ..schedule.pack_weights import PackWeights
from ..transforms import (AnnotateTIROpPattern, CancelPermutes, CanonicalizeBindings,
                          DeadCodeElimination, EliminateCommonSubexpr, FoldConstant, FuseOps,
                          FuseTIR, LegalizeOps, Normalize, RecognizeAttention, Simplify)
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
    RecognizeAttention(),
    CancelPermutes(),
    DeadCodeElimination(),
    LegalizeOps(),
    AnnotateTIROpPattern(),
    FuseOps(copies=True),
    FuseTIR(),
    Simplify(),
    PackWeights(),
    FoldConstant(max_elements=1 << 28),
    DeadCodeElimination(),
    DefaultSchedule(),
)


NAMED = {"default": default, "legalize": legalize, "fuse": fuse}


def find_pipeline(pipeline: str | Pass | Sequence) -> Pass | Sequence:
    """A pipeline as it is, or the one of a name. Raises TransformError for an unknown name."""
    if not isinstance(pipeline, str):
        return pipeline
    if pipeline not in NAMED:
        raise TransformError(f"no pipeline is called {pipeline!r}", hint=did_you_mean(
            pipeline, NAMED, f"there are: {', '.join(NAMED)}"))
    return NAMED[pipeline]


def all_passes() -> dict[str, type[Pass]]:
    """Every pass that a person can apply, by name: those of `transforms` and of `schedule`."""
    found = {**transforms.all_passes(), **{p.__name__: p for p in (DefaultSchedule, PackWeights)}}
    return {name: found[name] for name in sorted(found)}


__all__ = ["all_passes", "blocks", "default", "find_pipeline", "fuse", "legalize", "lower"]
