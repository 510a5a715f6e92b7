"""Errors that show the source: the line, a caret, what is wrong, what to try."""

from __future__ import annotations

import ast
import difflib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ..ir.errors import ParseError, UnityLabError, did_you_mean
from ..ir.node import Node
from ..ir.span import SourceText, Span, numbered
from .document import NodeSpan
from .print_script import print_document

MOST_LINES = 60  # of a program that a picture shows


@dataclass
class Source:
    """Script text, where it comes from, and how its lines count there."""

    text: str
    name: str = "<text>"
    first_line: int = 1
    column_offset: int = 0
    lines: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.lines = re.split("\r\n|\r|\n", self.text)  # as Python counts them
        self.place = SourceText(self.name, self.lines, self.first_line, self.column_offset)
        self.ascii = self.text.isascii()

    def span(self, n: ast.AST) -> Span:
        """The place of a syntax node."""
        shift, cut = self.first_line - 1, self.column_offset
        start, last, end = n.col_offset, n.end_lineno or n.lineno, n.end_col_offset or n.col_offset
        if not self.ascii:  # Python counts bytes
            start, end = self.characters(n.lineno, start), self.characters(last, end)
        return Span(self.place, n.lineno + shift, start + cut, last + shift, end + cut)

    def characters(self, line: int, column: int) -> int:
        """The number of characters in the first `column` bytes of a line."""
        if not 1 <= line <= len(self.lines):
            return column
        return len(self.lines[line - 1].encode(errors="replace")[:column].decode(errors="ignore"))

    def error(self, n: ast.AST, message: str, hint: str = "") -> ParseError:
        """A ParseError at a syntax node."""
        return ParseError(message, span=self.span(n), hint=hint)

    def located(self, n: ast.AST, e: Exception) -> UnityLabError:
        """An error that happened while `n` was read, with its place."""
        if not isinstance(e, UnityLabError):
            return self.error(n, _plain(e))
        if e.span is None:
            e.span = self.span(n)
        return e


def _plain(e: Exception) -> str:
    """What a mistake in the text made one of our functions say, without the words of Python."""
    if isinstance(e, IndexError):
        return "too few arguments or items"
    if isinstance(e, (TypeError, AttributeError)):
        return f"a value of another kind is expected here ({e})"
    return str(e) if isinstance(e, ValueError) and str(e) else f"{type(e).__name__}: {e}"


def call_checked(source: Source, n: ast.Call, name: str, call, args, kwargs):
    """`call(*args, **kwargs)` of a function of the language. Arguments that do not fit are an error
    that says what it takes; so is a word it would ignore that is spelt nearly like one it knows."""
    if kwargs:
        check_words(source, n, name, _arguments(call))
    try:
        return call(*args, **kwargs)
    except TypeError as e:
        if e.__traceback__.tb_next is not None:  # it happened further inside
            raise
        takes = _arguments(call)
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(e))
        if unknown:
            raise _unknown_argument(source, n, name, unknown.group(1), takes) from None
        text = re.sub(r"^[\w.<>]+\(\)", name, str(e))
        raise source.error(n, text, f"{name}({', '.join(takes)})") from None


def check_words(source: Source, n: ast.Call, name: str, takes: Sequence[str]) -> None:
    """Refuses a keyword that is spelt nearly like one of those that are known; others may be those
    of another version of the language."""
    for k in n.keywords:
        if k.arg and k.arg not in takes and difflib.get_close_matches(k.arg, takes, 1, 0.8):
            raise _unknown_argument(source, n, name, k.arg, takes)


def _unknown_argument(source: Source, n: ast.Call, name: str, word: str, takes) -> ParseError:
    place = next(k for k in n.keywords if k.arg == word)
    return source.error(place, f"{name} has no argument {word!r}",
                        did_you_mean(word, takes, f"{name}({', '.join(takes)})"))


@lru_cache(4096)
def _arguments(call) -> tuple[str, ...]:
    """The names of the arguments that a function takes."""
    try:
        found = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(p.name for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))


def draw(program: Node, ways: Sequence[Sequence[Node]], around: int = 0) -> str:
    """The printed program around some nodes, with carets below them.

    A way leads from the outside to the node that is meant; where it is not printed itself, the
    nearest node around it is marked. `around` lines before and after are shown, and everything
    where nothing can be marked. "" for programs that cannot be printed."""
    try:
        document = print_document(program)
        spans: dict[int, list[NodeSpan]] = {}
        for s in (*document.spans, *document.expressions):
            spans.setdefault(id(s.node), []).append(s)
        places = {_find(spans, way) for way in ways} - {None}
    except Exception:  # a broken program must not hide the complaint about it
        return ""
    return _picture(document.text.split("\n"), places, around)


def _find(spans: Mapping[int, list[NodeSpan]], way: Sequence[Node]) -> NodeSpan | None:
    """The innermost printed place along a way."""
    found = None
    for node in way:
        inside = [s for s in spans.get(id(node), ()) if found is None or _within(s, found)]
        found = min(inside, key=lambda s: (s.end_line - s.line), default=found)
    return found


def _within(s: NodeSpan, around: NodeSpan) -> bool:
    return (around.line, around.column) <= (s.line, s.column) and \
        (s.end_line, s.end_column) <= (around.end_line, around.end_column)


def _picture(lines: list[str], places: set[NodeSpan], around: int) -> str:
    marks: dict[int, list[tuple[int, int]]] = {}
    for s in places:
        k, text = s.line, lines[s.line - 1]
        while text.lstrip().startswith("@") and k < s.end_line:  # the line that has the name
            k, text = k + 1, lines[k]
        marks.setdefault(k, []).append((s.column, s.end_column if s.end_line == k else len(text)))
    shown = sorted({k for m in marks for k in range(m - around, m + around + 1)
                    if 1 <= k <= len(lines)}) or list(range(1, len(lines) + 1))
    width, parts, last = len(str(shown[-1])), [], 0
    for k in shown[:MOST_LINES]:
        if k > last + 1 and (parts or around):
            parts.append("  ...")
        parts.append(numbered(k, lines[k - 1], marks.get(k, ()), width))
        last = k
    return "\n".join(parts if last == len(lines) or around == 0 else [*parts, "  ..."])
