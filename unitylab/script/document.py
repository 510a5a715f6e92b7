"""Printed text with the place of every statement, binding and function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..ir.node import Node


@dataclass(frozen=True)
class NodeSpan:
    """The lines (from 1, inclusive) that a node was printed on."""

    node: Node
    line: int
    end_line: int


@dataclass
class Document:
    """Script text and, for each printed node, its lines."""

    text: str = ""
    spans: list[NodeSpan] = field(default_factory=list)

    def at(self, line: int) -> list[Node]:
        """The nodes on a line, innermost last."""
        found = [s for s in self.spans if s.line <= line <= s.end_line]
        return [s.node for s in sorted(found, key=lambda s: s.line - s.end_line)]

    def lines_of(self, node: Node) -> tuple[int, int] | None:
        """The first and last line of a node, None if it was not printed."""
        return next(((s.line, s.end_line) for s in self.spans if s.node is node), None)


class Writer:
    """Collects indented lines and the spans of nodes."""

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
        if all(text.lstrip().startswith("#") or not text for text in self.lines[start:]):
            self.line("pass")
        self.indent = outer

    @contextmanager
    def span(self, node: Node) -> Iterator[None]:
        """The lines written inside belong to `node`."""
        start = len(self.lines) + 1
        yield
        self.spans.append(NodeSpan(node, start, max(start, len(self.lines))))

    def document(self) -> Document:
        return Document("\n".join(self.lines), self.spans)
