"""What the rules ask of the machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...target import Cpu, Target, cpu_of, host_cpu, parse_target


@dataclass(frozen=True)
class TargetInfo:
    """How many threads there are, and what the processor has; without words, this machine's."""

    threads: int = 1
    cpu: Cpu = field(default_factory=host_cpu)

    @staticmethod
    def of(target: str | Target) -> TargetInfo:
        """What a target has: `"native -threads=2 -mcpu=x86-64-v3"`."""
        target = parse_target(target)
        return TargetInfo(target.threads, cpu_of(target.cpu))

    @property
    def lanes(self) -> int:
        """Floats of a vector register."""
        return self.cpu.lanes
