"""Code whose lines know the line of the program that they come from.

The program is compiled once more for it, with debug locations: what runs, and its key in the
cache, stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..ir.errors import Span
from ..ir.module import IRModule
from ..ir.node import FrozenDict, Node
from ..ir.tir import Block, Stmt
from ..ir.visitor import Mutator
from .hot_loop import hot_loop, hottest
from .kernel import Kernel, Source, emit
from .llvm.jit import listing


class SourceLine(NamedTuple):
    """One line of LLVM IR or assembly of tensor program `func`.

    line: the line of the module's script, from 1, that it comes from; None where there is none
    hot: it is in the innermost loop that does most of the program's arithmetic"""

    text: str
    func: str
    line: int | None
    hot: bool = False


def source_lines(kernel: Kernel, kind: str, lines: Mapping[int, int]) -> list[SourceLine]:
    """The "llvm" or "asm" code of a kernel; `lines` are those of its statements, by id."""
    return code_of(kernel.source, lines)[kind]


def code_of(source: Source, lines: Mapping[int, int]) -> dict[str, list[SourceLine]]:
    """The "llvm" and "asm" code of a program that need not have been compiled before."""
    stamp = _Stamp(lines)
    part = IRModule(FrozenDict({n: stamp(f) for n, f in source.part.items()}))
    unit = emit(part, source.name, source.entry, dict(source.options), located=True)
    llvm, asm = listing(str(unit.module), source.target.cpu)
    hottest_line = lines.get(id(hottest(source.func)), 0)
    return {kind: _marked(source.name, list(read), hottest_line)
            for kind, read in (("llvm", read_llvm(llvm)), ("asm", read_assembly(asm)))}


def _marked(name: str, read: list[tuple[str, int]], hottest_line: int) -> list[SourceLine]:
    hot = hot_loop(read, hottest_line)
    return [SourceLine(text, name, line or None, k in hot) for k, (text, line) in enumerate(read)]


class _Stamp(Mutator):
    """Gives statements the line that they are printed on as their place."""

    def __init__(self, lines: Mapping[int, int]):
        super().__init__()
        self.lines = lines

    def default(self, node: Node) -> Node:
        new = self.rebuild(node)
        if not isinstance(node, (Stmt, Block)):
            return new
        line = self.lines.get(id(node))
        return new.replace(span=Span("script", line, 0) if line is not None else None)

    visit_SeqStmt = default


_LOCATION = re.compile(r"!(\d+) = !DILocation\(line: (\d+)")
_MARK = re.compile(r",? !dbg !(\d+)")
_DEBUG = re.compile(r'!\d+ = ((distinct )?!DI|!\{null\}|!\{i32 2, !"Debug)|!llvm\.(dbg|module\.fl)')


def read_llvm(text: str) -> Iterator[tuple[str, int]]:
    """Lines of LLVM IR without their debug locations, each with its line number or 0."""
    at = {k: int(line) for k, line in _LOCATION.findall(text)}
    for row in "\n".join(r for r in text.splitlines() if not _DEBUG.match(r)).strip().split("\n"):
        mark = _MARK.search(row)
        yield _MARK.sub("", row), at.get(mark[1], 0) if mark else 0


_DIRECTIVE = re.compile(r'\s+\.(loc|file\s+\d|cfi_\w+)\b|\.L(tmp|func_begin)\d+:$')


def read_assembly(text: str) -> Iterator[tuple[str, int]]:
    """Lines of assembly without debug directives, each with its line number or 0."""
    line = 0
    for row in text.splitlines():
        where = re.match(r"\s+\.loc\s+\d+\s+(\d+)", row)
        if where:
            line = int(where[1])
        elif re.match(r"\.Lfunc_begin\d+:", row):
            line = 0
        if not _DIRECTIVE.match(row):
            yield row, line if re.match(r"\s+[a-z]", row) else 0
