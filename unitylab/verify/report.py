"""Complaints: what is wrong, where, and what to try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..ir.errors import Span, WellFormedError
from ..ir.node import Node


@dataclass(frozen=True)
class Complaint:
    """One broken rule. `place` names the function and the binding, block or loop; `node` is what
    the complaint is about; `rule` says which rule of the language is broken."""

    rule: str
    place: str
    message: str
    hint: str = ""
    span: Span | None = None
    node: Node | None = None
    program: Node | None = None  # the function that `node` is part of

    def __str__(self) -> str:
        return str(self.error())

    def error(self) -> WellFormedError:
        """The complaint as an error."""
        return WellFormedError(f"{self.place}: {self.message}", span=self.span, hint=self.hint,
                               node=self.node, program=self.program)


class Enough(Exception):
    """The first complaint was found and no others are asked for."""


class Report:
    """Collects complaints; knows the place that is being looked at."""

    def __init__(self, first_only: bool = False):
        self.complaints: list[Complaint] = []
        self.first_only = first_only
        self.near: Node | None = None  # the statement that is looked at
        self._places: list[tuple[str, Node]] = []

    @contextmanager
    def at(self, place: str, node: Node) -> Iterator[None]:
        """Complaints inside of the `with` are about this place."""
        self._places.append((place, node))
        yield
        self._places.pop()

    def enter(self, place: str, node: Node) -> None:
        """From here to `leave` complaints are about this place."""
        self._places.append((place, node))

    def leave(self) -> None:
        """Back to the place before."""
        self._places.pop()

    @property
    def depth(self) -> int:
        """How many places are entered."""
        return len(self._places)

    def back_to(self, depth: int) -> None:
        """Leaves all places that were entered since."""
        del self._places[depth:]
        self.near = None

    def say(self, rule: str, message: str, node: Node | None = None, hint: str = "") -> None:
        """Adds a complaint about `node`; its place in the text is the nearest that is known."""
        around = [node, self.near, *(n for _, n in reversed(self._places))]
        span = next((n.span for n in around if getattr(n, "span", None) is not None), None)
        place = ", ".join(p for p, _ in self._places) or "the module"
        about = next((n for n in around if n is not None), None)
        program = self._places[0][1] if self._places else None
        self.complaints.append(Complaint(rule, place, message, hint, span, about, program))
        if self.first_only:
            raise Enough
