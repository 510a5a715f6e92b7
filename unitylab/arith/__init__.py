"""Reasoning about integer expressions: simplifying, bounding, proving; access regions."""

from .analyzer import Analyzer
from .bounds import const_bound
from .evaluate import compile_dims, evaluate
from .regions import derive_regions

__all__ = ["Analyzer", "compile_dims", "const_bound", "derive_regions", "evaluate"]
