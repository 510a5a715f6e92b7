"""The error hierarchy: every complaint that a user can meet, each with a place and a way out."""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Callable, Iterable
from typing import ClassVar

from .span import Span
from .user_frames import short_traceback


class UnityLabError(Exception):
    """Base of all errors that unitylab raises for bad input.

    `span` is the place in the user's text when it is known, `hint` says what to try. `node` is
    what the error is about and `program` what it is part of: for programs that were made by code
    and have no text of their own, the line of the printed program is shown instead.
    """

    # draws nodes within a printed program; the room `script` puts it here
    _draw: ClassVar[Callable[..., str] | None] = None

    def __init__(self, message: str, *, span: Span | None = None, hint: str = "", node=None,
                 program=None):
        self.message, self.span, self.hint = message, span, hint
        self.node, self.program = node, program
        self._shown: str | None = None  # the picture, where the programs stayed behind
        super().__init__(message)

    def __reduce__(self):
        """A copy for another process: with its picture, without the programs."""
        left_out = ("node", "program", "left", "right", "places")
        state = {k: v for k, v in self.__dict__.items() if k not in left_out}
        return _restored, (type(self), self.message, {**state, "_shown": self.excerpt()})

    def __str__(self) -> str:
        return self._text(self.excerpt())

    def brief(self) -> str:
        """Place, message and hint, without the picture of the place."""
        return self._text("")

    def _text(self, excerpt: str) -> str:
        place = f"{self.span}: " if self.span else ""
        hint = f"  try: {self.hint}" if self.hint else ""
        return "\n".join(part for part in (f"{place}{self.message}", excerpt, hint) if part)

    def excerpt(self) -> str:
        """The line of the user's text with a caret below, else that of the printed program; ""
        where neither is known."""
        if self._shown is not None:
            return self._shown
        shown = self.span.excerpt() if self.span else ""
        if self.node is None or UnityLabError._draw is None or shown and self._is_written(shown):
            return shown
        printed = UnityLabError._draw(self.program or self.node, [(self.node,)], around=0)
        title = "  in the program as it is now:" if shown else "  in the printed program:"
        return "\n".join(filter(None, (shown, printed and f"{title}\n{printed}")))

    def _is_written(self, shown: str) -> bool:
        """Whether the user's text has the node; a pass may have put it there later."""
        if getattr(self.node, "span", None) is not None:
            return True
        name = re.escape(str(getattr(self.node, "name", "")))
        return re.search(rf"\b{name}\b", shown) is not None

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the user's own lines that led here, then the error."""
        return short_traceback(self)


def _restored(kind: type[UnityLabError], message: str, state: dict) -> UnityLabError:
    e = kind(message)
    e.__dict__.update(state)
    return e


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "", prefix: str = "") -> str:
    """A hint that names what is spelt nearly like `name`; `otherwise` where nothing is."""
    known = [k for k in known if isinstance(k, str)]
    near = difflib.get_close_matches(name, known, 3, 0.6 if len(name) > 3 else 0.5)
    if not near:
        near = [k for k in known if k.lower() == name.lower()]
    return f"did you mean {', '.join(prefix + n for n in near)}?" if near else otherwise


class ParseError(UnityLabError):
    """The script text is not a program; shows the line with a caret."""


class WellFormedError(UnityLabError):
    """A module breaks a rule of the language (scope, type, single assignment, ...)."""


class StructInfoError(WellFormedError):
    """Shapes or dtypes of a graph-level operator do not fit together."""


class ScheduleError(UnityLabError):
    """A schedule primitive was refused; the schedule is unchanged."""


class TransformError(UnityLabError):
    """A pass cannot be applied to this module."""


class BuildError(UnityLabError):
    """A module cannot be turned into machine code."""


class RuntimeCallError(UnityLabError):
    """A call does not fit the signature: count, shape, dtype, strides, read-only."""


class BoundsError(RuntimeCallError):
    """A load or store outside of its buffer: names buffer, index, block and line."""


class StructuralMismatch(UnityLabError, AssertionError):
    """Two programs that should be structurally equal differ; shows where.

    `left` and `right` are the programs; `places` are pairs of the ways, from the outside in, to
    what differs on each side."""

    def __init__(self, message: str, *, left=None, right=None, places=(), **kw):
        super().__init__(message, **kw)
        self.left, self.right, self.places = left, right, places

    def excerpt(self) -> str:
        """Both programs around the places that differ, each place with carets below."""
        if self.left is None or UnityLabError._draw is None:
            return super().excerpt()
        sides = (("left", self.left, [a for a, _ in self.places]),
                 ("right", self.right, [b for _, b in self.places]))
        return "\n".join(f"--- {name}\n" + (UnityLabError._draw(program, ways, around=2)
                                            or f"  a {type(program).__name__}")
                         for name, program, ways in sides)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
