"""Where the time of a graph function goes: a table of its steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from .timing import amount, rate, show

_HEAD = ("step", "kind", "time", "share", "flops", "bytes", "rate")


@dataclass(frozen=True)
class StepTime:
    """The time of one step of a graph function: the bound variable, what ran, seconds.

    share: of the time of all steps, 0 to 1. flops, bytes: see `Timing`, None if not known."""

    label: str
    kind: str
    seconds: float
    share: float = 1.0
    flops: int | None = None
    bytes: int | None = None
    peak: float | None = None
    copy: float | None = None

    @property
    def rate(self) -> str:
        """Operations or bytes a second, with the share of the machine's limit if it is known."""
        return rate(self.seconds, self.flops, self.bytes, self.peak, self.copy)


class Profile(list):
    """The steps in the order in which they ran; prints as a table."""

    def __init__(self, steps: Iterable[StepTime] = ()):
        super().__init__(steps)

    @property
    def seconds(self) -> float:
        """The time of all steps together."""
        return sum(s.seconds for s in self)

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of the table, a row for each step."""
        return [(s.label, s.kind, show(s.seconds), f"{100 * s.share:.1f} %", _amount(s.flops),
                 _amount(s.bytes), s.rate) for s in self]

    def __str__(self) -> str:
        rows = [_HEAD, *self.rows()]
        widths = [max(len(r[k]) for r in rows) for k in range(len(_HEAD))]
        lines = ["  ".join(cell.ljust(w) if k < 2 else cell.rjust(w)
                           for k, (cell, w) in enumerate(zip(r, widths))).rstrip() for r in rows]
        return "\n".join([*lines, f"{len(self)} steps, {show(self.seconds)}"])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{h}</th>" for h in _HEAD)
        body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in r) + "</tr>"
                       for r in self.rows())
        return (f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
                f"<p>{len(self)} steps, {show(self.seconds)}</p>")


def _amount(count: int | None) -> str:
    return "" if count is None else amount(count).strip()
