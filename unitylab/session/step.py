"""One step of a session: the module after a pass, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir.module import IRModule
from ..ir.transform import Pass, Rewrite


@dataclass(frozen=True)
class Check:
    """The outcome of comparing a step with the interpreter's run of the original module.

    state: "ok", "wrong", "error" (it could not be built or run), "pending" (the interpreter is at
    work) or "none" (nothing to run)."""

    state: str
    max_rel_error: float | None = None
    message: str = ""

    def __str__(self) -> str:
        if self.state == "ok":
            more = f", {self.message}" if self.message else ""
            return f"ok, largest relative error {self.max_rel_error:.1e}{more}"
        return f"{self.state}: {self.message}" if self.message else self.state


@dataclass
class Step:
    """A node of the history tree. The module is shared with other steps as far as it is equal.

    seconds: how long the pass took; time: how long one call of the module takes, in seconds;
    profile: seconds of each binding by name, once measured;
    only: the single place that the pass was restricted to, the `only_index`-th of its places;
    unchanged: the pass found nothing to do; label: a name that a person gave; code, source: of a
    step that was read from a file, the lines that make it and the text of its own pass."""

    id: int
    parent: int | None
    name: str
    module: IRModule
    pass_: Pass | None = None
    rewrites: list[Rewrite] = field(default_factory=list)
    seconds: float = 0.0
    check: Check | None = None
    time: float | None = None
    branch: str = "main"
    only: Rewrite | None = None
    only_index: int | None = None
    unchanged: bool = False
    label: str = ""
    code: tuple[str, ...] = ()
    source: str = ""
    profile: dict[str, float] = field(default_factory=dict)
