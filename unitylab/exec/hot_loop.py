"""Where a tensor program spends its time: the statement that computes most, and its loop."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..ir.node import Node
from ..ir.tir import PrimFunc
from .work import work_by_statement


def hottest(func: PrimFunc) -> Node | None:
    """The statement with the most operations; among those without any, the one that runs most
    often. None where the program does not tell."""
    work = work_by_statement(func)
    return max(work, key=lambda s: work[s], default=None)


_LABEL = re.compile(r"([.\w$]+):")
# a jump and where it goes: LLVM's `br`, x86's `j..`, arm's `b..` and `cb..`
_JUMP = re.compile(r"\s+(?:br\b|j\w+|b(?:\.\w+)?\b|cbn?z|tbn?z)\s")
_TARGET = re.compile(r"[\s,%]([.\w$]+)(?=,|\s|$)")


def loops(rows: Sequence[str]) -> list[tuple[int, int]]:
    """The innermost loops of a listing: numbers of the label and of the last jump back to it."""
    labels: dict[str, int] = {}
    ends: dict[int, int] = {}
    for k, row in enumerate(rows):
        if label := _LABEL.match(row):
            labels[label[1]] = k
        elif _JUMP.match(row):
            for target in _TARGET.findall(row):
                if target in labels:
                    ends[labels[target]] = k
    return [(a, b) for a, b in ends.items()
            if not any(a < c and d <= b or a <= c and d < b for c, d in ends.items())]


def hot_loop(rows: Sequence[tuple[str, int]], line: int) -> range:
    """The innermost loop of a listing of (text, line) that holds most of what comes from `line`."""
    def share(loop: tuple[int, int]) -> tuple[int, int]:
        a, b = loop
        return sum(at == line for _, at in rows[a:b + 1]), a - b

    found = max(loops([text for text, _ in rows]), key=share, default=(0, -1))
    return range(found[0], found[1] + 1) if line and share(found)[0] else range(0)
