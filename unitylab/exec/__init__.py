"""Execution: `build` makes machine code of a module, an `Executable` runs, times and shows it."""

from .build import build
from .executable import Executable
from .target import Target, parse_target
from .timing import StepTime, Timing, measure

__all__ = ["Executable", "StepTime", "Target", "Timing", "build", "measure", "parse_target"]
