"""Places in the text that a program was written in, and the picture of a place."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 120  # characters of a line that a picture shows
BEFORE = 60  # of them at most before the place, in a longer line


class SourceText(str):
    """The name of a text that also knows the lines of the text.

    Compares and hashes as the name alone; copies that leave the process are the name alone.
    `first_line` is the number of the first of `lines` where the text stands (file or cell),
    `indent` the number of columns that were cut off in front of every line."""

    lines: tuple[str, ...] = ()
    first_line: int = 1
    indent: int = 0

    def __new__(cls, name: str, lines: Iterable[str] = (), first_line: int = 1, indent: int = 0):
        self = super().__new__(cls, name)
        self.lines, self.first_line, self.indent = tuple(lines), first_line, indent
        return self

    def __reduce__(self):
        return str, (str(self),)


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

    def excerpt(self) -> str:
        """The line with a caret below; "" where the text is not known."""
        source = self.source
        if not isinstance(source, SourceText):
            return ""
        index = self.line - source.first_line
        if not 0 <= index < len(source.lines):
            return ""
        start = max(0, self.column - source.indent)
        text = source.lines[index]
        end = self.end_column - source.indent if self.end_line == self.line else \
            len(text.rstrip()) if self.end_line > self.line else start + 1
        return numbered(self.line, text, [(start, end)])


def numbered(line: int, text: str, marks: Iterable[tuple[int, int]] = (), width: int = 0) -> str:
    """`line | text`, and below it carets from column to column for each of the marks.

    `width` is the room for the number. Of a long line the part around the first mark is shown."""
    marks = sorted(marks)
    text = "".join(c if c.isprintable() else " " for c in text)
    cut, dots = 0, ""
    if len(text) > SHOWN and marks and marks[0][0] > BEFORE:
        cut, dots = marks[0][0] - BEFORE, "..."
    shown = dots + text[cut:cut + SHOWN] + ("..." if len(text) > cut + SHOWN else "")
    number = str(line).rjust(width)
    head = f"  {number} | {shown}".rstrip()
    moved = [(a - cut + len(dots), b - cut + len(dots)) for a, b in marks]
    carets = _carets(shown, moved)
    return f"{head}\n  {' ' * len(number)} | {carets}" if carets else head


def _carets(shown: str, marks: list[tuple[int, int]]) -> str:
    """Carets below the marked characters, as wide as a terminal draws them."""
    marked = {i for a, b in marks for i in range(a, max(a + 1, min(b, len(shown))))}
    padded = shown.ljust(max(marked, default=-1) + 1) if len(marked) <= SHOWN + 8 else shown
    return "".join(("^" if i in marked else " ") * _columns(c)
                   for i, c in enumerate(padded)).rstrip()


def _columns(c: str) -> int:
    if unicodedata.combining(c):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1
