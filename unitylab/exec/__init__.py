"""Execution: `build` makes machine code of a module, an `Executable` runs, times and shows it."""

from ..target import Target, parse_target
from .build import build
from .executable import Executable
from .profile import Profile, StepTime
from .timing import Timing, measure
from .work import Work, work_of

__all__ = ["Executable", "Profile", "StepTime", "Target", "Timing", "Work", "build", "measure",
           "parse_target", "work_of"]
