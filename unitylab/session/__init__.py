"""Sessions: a module on its way through passes, with history, checks and diffs."""

from .diff import Diff, diff
from .inputs import sample_inputs
from .session import Session
from .step import Check, Step

__all__ = ["Check", "Diff", "Session", "Step", "diff", "sample_inputs"]
