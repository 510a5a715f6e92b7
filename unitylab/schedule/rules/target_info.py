"""What the rules ask of the machine."""

from __future__ import annotations

from dataclasses import dataclass

LANES = 16  # floats of a vector register


@dataclass(frozen=True)
class TargetInfo:
    """How many threads there are, and how many floats a vector register has."""

    threads: int = 1
    lanes: int = LANES
