"""Sessions: a module on its way through passes, with history, checks and diffs."""

from .diff import Diff, diff
from .inputs import sample_inputs
from .scheduling import ApplyTrace
from .session import Session
from .step import Check, Step

__all__ = ["ApplyTrace", "Check", "Diff", "Session", "Step", "diff", "sample_inputs"]
