"""Long work says how far it is and can be stopped between two of its small steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..ir.errors import UnityLabError
from ..ir.transform import Recording, Rewrite


class Stopped(UnityLabError):
    """The user stopped the work; the session is as it was before."""


@dataclass
class Watch:
    """What is going on (`what` is "" when nothing is) and how many small steps are `done`.

    Another thread sets `stop`; the work notices at its next `tick`. `hear` is called at times."""

    what: str = ""
    done: int = 0
    stop: bool = False
    hear: Callable[[], None] | None = None

    def start(self, what: str) -> None:
        self.what, self.done = what, 0
        if self.hear is not None:
            self.hear()

    def tick(self) -> None:
        """One small step is done. Raises Stopped if the user asked for it."""
        self.done += 1
        self.check()
        if self.hear is not None and self.done % 256 == 0:
            self.hear()

    def check(self) -> None:
        if self.stop:
            self.stop = False
            raise Stopped(f"stopped while {self.what}", hint="nothing that was made is lost")


@dataclass
class Watched(Recording):
    """Records rewrites, at one place alone if `match` is given, and lets the work be stopped."""

    watch: Watch = field(default_factory=Watch)
    match: Rewrite | None = None

    def __init__(self, watch: Watch, match: Rewrite | None = None):
        super().__init__()
        self.watch, self.match = watch, match

    def wants(self, rule, place):
        self.watch.check()
        return self.match is None or rule == self.match.rule and place is self.match.place

    def record(self, rule, before, after, function=""):
        super().record(rule, before, after, function)
        self.watch.tick()
