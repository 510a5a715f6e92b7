"""Targets: what machine code is made for. `"native"`, `"native -threads=1"`."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from functools import cache

from ..ir.errors import BuildError


@dataclass(frozen=True)
class Target:
    """The machine that runs this process, or a processor of its family (`cpu`, by LLVM's name);
    `threads` is how many a parallel loop may use."""

    threads: int = 1
    cpu: str = ""

    def __str__(self) -> str:
        return f"native -threads={self.threads}" + (f" -mcpu={self.cpu}" if self.cpu else "")


def parse_target(text: str | Target) -> Target:
    """A target from its spelling. Raises BuildError for what is unknown.

    Without `-threads` parallel loops use all cores that this process may run on."""
    if isinstance(text, Target):
        return text
    words = shlex.split(str(text)) or [""]
    if words[0] not in ("native", "llvm"):
        raise BuildError(f"unknown target {text!r}", hint='"native" or "native -threads=2"')
    options = {"threads": str(available_cores()), "mcpu": ""}
    for word in words[1:]:
        key, equals, value = word.lstrip("-").partition("=")
        if key not in options or not equals:
            raise BuildError(f"unknown target option {word!r} in {text!r}",
                             hint="-threads=N, -mcpu=NAME")
        options[key] = value
    if not options["threads"].isdigit() or int(options["threads"]) < 1:
        raise BuildError(f"-threads must be a positive number, not {options['threads']!r}")
    return Target(int(options["threads"]), options["mcpu"])


@cache
def available_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
