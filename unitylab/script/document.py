"""Printed text with the place of every node in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ..ir.node import Node


class NodeSpan(NamedTuple):
    """Where a node was printed: lines from 1, both inclusive; columns from 0, the end exclusive."""

    node: Node
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass
class Document:
    """Script text and the places of statements, bindings, blocks, loops and functions in it.

    `expressions` has the places of the expressions too; they are found when first asked for."""

    text: str = ""
    spans: list[NodeSpan] = field(default_factory=list)
    reprint: Callable[[], Document] | None = None

    @cached_property
    def expressions(self) -> list[NodeSpan]:
        """The places of all expressions, buffers and variables, definitions first."""
        return self.reprint().spans if self.reprint is not None else []

    def at(self, line: int, column: int | None = None) -> list[Node]:
        """The nodes on a line (at a column: with the expressions there), innermost last."""
        found = [s for s in self.spans if s.line <= line <= s.end_line]
        found.sort(key=lambda s: s.line - s.end_line)
        if column is not None:
            inside = [s for s in self.expressions
                      if (s.line, s.column) <= (line, column) < (s.end_line, s.end_column)]
            found += sorted(inside, key=lambda s: s.column - s.end_column)
        return [s.node for s in found]

    def lines_of(self, node: Node) -> tuple[int, int] | None:
        """The first and last line of a node, None if it was not printed."""
        return next(((s.line, s.end_line) for s in self.spans if s.node is node), None)


class Writer:
    """Collects indented lines and the places of nodes."""

    def __init__(self):
        self.lines: list[str] = []
        self.spans: list[NodeSpan] = []
        self.indent = ""

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text if text else "")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """`head` with what follows indented; `pass` where nothing follows."""
        self.line(head)
        outer, start = self.indent, len(self.lines)
        self.indent += "    "
        yield
        for text in self.lines[start:]:
            if text and not text.lstrip().startswith("#"):
                break
        else:
            self.line("pass")
        self.indent = outer

    def mark(self, node: Node, start: int) -> None:
        """The lines from number `start` (from 0) up to here belong to `node`."""
        lines = self.lines
        end = max(start + 1, len(lines))
        self.spans.append(NodeSpan(node, start + 1, len(self.indent), end,
                                   len(lines[end - 1]) if end <= len(lines) else 0))

    @contextmanager
    def span(self, node: Node) -> Iterator[None]:
        """The lines written inside belong to `node`."""
        start = len(self.lines)
        yield
        self.mark(node, start)

    def document(self) -> Document:
        return Document("\n".join(self.lines), self.spans)


# Text in which each expression stands between marks: characters that no printed text holds.
_OPEN, _NUMBERED, _CLOSE = "\ue000", "\ue001", "\ue002"
_MARK = re.compile(f"{_OPEN}(\\d+){_NUMBERED}|{_CLOSE}|\n")


class Marks:
    """Puts marks around the texts of nodes and finds the places of those nodes afterwards."""

    def __init__(self):
        self.nodes: list[Node] = []

    def around(self, node: Node, text: str) -> str:
        self.nodes.append(node)
        return f"{_OPEN}{len(self.nodes) - 1}{_NUMBERED}{text}{_CLOSE}"

    def places(self, text: str) -> Document:
        """The text without the marks, and the places of what they were around."""
        spans, open_, parts = [], [], []
        line, column, at = 1, 0, 0
        for m in _MARK.finditer(text):
            part = text[at:m.start()]
            parts.append(part)
            column, at = column + len(part), m.end()
            if m.group() == "\n":
                parts.append("\n")
                line, column = line + 1, 0
            elif m.group() == _CLOSE:
                number, first, start = open_.pop()
                spans.append(NodeSpan(self.nodes[number], first, start, line, column))
            else:
                open_.append((int(m.group(1)), line, column))
        parts.append(text[at:])
        return Document("".join(parts), spans)
