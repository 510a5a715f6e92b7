"""Errors that show the source: the line, a caret, what is wrong, what to try."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ..ir.errors import ParseError, Span, UnityLabError


@dataclass
class Source:
    """Script text, where it comes from, and how its lines count there."""

    text: str
    name: str = "<text>"
    first_line: int = 1
    column_offset: int = 0
    lines: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.lines = self.text.splitlines()

    def span(self, n: ast.AST) -> Span:
        """The place of a syntax node."""
        shift, cut = self.first_line - 1, self.column_offset
        return Span(self.name, n.lineno + shift, n.col_offset + cut,
                    (n.end_lineno or n.lineno) + shift, (n.end_col_offset or n.col_offset) + cut)

    def excerpt(self, line: int, column: int, end: int | None = None) -> str:
        """The line with a caret below. `line` counts from 1 within the text."""
        if not 1 <= line <= len(self.lines):
            return ""
        text = self.lines[line - 1]
        width = max(1, (end or column + 1) - column)
        number = str(line + self.first_line - 1)
        shown = text if len(text) <= 200 else text[:200] + "..."
        caret = " " * min(column, 200) + "^" * min(width, max(1, len(shown) - column))
        return f"\n  {number} | {shown}\n  {' ' * len(number)} | {caret}"

    def error(self, n: ast.AST, message: str, hint: str = "") -> ParseError:
        """A ParseError at a syntax node."""
        end = n.end_col_offset if n.end_lineno == n.lineno else None
        return ParseError(message + self.excerpt(n.lineno, n.col_offset, end),
                          span=self.span(n), hint=hint)

    def located(self, n: ast.AST, e: Exception) -> UnityLabError:
        """An error that happened while `n` was read, with its place."""
        if isinstance(e, UnityLabError):
            if e.span is not None:
                return e
            kind = type(e) if isinstance(e, UnityLabError) else ParseError
            found = self.error(n, e.message, e.hint)
            return found if kind is ParseError else kind(found.message, span=found.span,
                                                         hint=found.hint)
        return self.error(n, f"{type(e).__name__}: {e}")
