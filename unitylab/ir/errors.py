"""The error hierarchy: every complaint that a user can meet, each with a place and a way out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A place in the text that a node was written in: file or cell, line from 1, columns from 0."""

    source: str
    line: int
    column: int
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column + 1}"


class UnityLabError(Exception):
    """Base of all errors that unitylab raises for bad input.

    `span` is the place in the user's text when it is known, `hint` says what to try.
    """

    def __init__(self, message: str, *, span: Span | None = None, hint: str = ""):
        self.message, self.span, self.hint = message, span, hint
        super().__init__(message)

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        hint = f"\n  try: {self.hint}" if self.hint else ""
        return f"{place}{self.message}{hint}"


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
    """Two programs that should be structurally equal differ; shows where."""
