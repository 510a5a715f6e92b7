"""`@I.ir_module`, `@T.prim_func`, `@R.function`: parse the text of what they decorate."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Mapping

from ..ir.errors import ParseError
from ..ir.user_frames import cell_name, is_cell
from .diagnostics import Source
from .parse import parse_source


def decorate(target, options: dict):
    """The decorator in both forms, with and without arguments."""
    frame = sys._getframe(2)
    if target is None:
        return lambda t: _parse(t, sys._getframe(1))
    return _parse(target, frame)


def _parse(target, frame):
    if _inside_class(target):
        return target  # the class is parsed as a whole by I.ir_module
    return parse_source(source_of(target, frame), _Values(target, frame))


def _inside_class(target) -> bool:
    """Whether a function stands in a class body."""
    if not inspect.isfunction(target):
        return False
    parts = target.__qualname__.split(".")
    return len(parts) > 1 and parts[-2] != "<locals>"


def source_of(target, frame) -> Source:
    """The text of a function or class, with its place in the file or cell. `frame` is where the
    decorator stands: a notebook's classes are found by it, Python does not know their file."""
    name = target.__code__.co_filename if inspect.isfunction(target) else frame.f_code.co_filename
    lines = linecache.getlines(name)
    found = _definition(lines, target, frame.f_lineno)
    if found is None:
        raise ParseError(f"the source of {target.__name__} is not available",
                         hint="write it in a file or notebook cell, or use ul.parse(text)")
    first = min([found.lineno, *[d.lineno for d in found.decorator_list]])
    chosen = lines[first - 1:found.end_lineno]
    indent = len(chosen[0]) - len(chosen[0].lstrip())
    text = "".join(line[indent:] if line[:indent].isspace() or not indent else line
                   for line in chosen)
    return Source(text, _short(name), first, indent)


def _definition(lines: list[str], target, line: int):
    """The definition of the decorated object: by name, and nearest to the decorator's line."""
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return None
    if inspect.isfunction(target):
        line = target.__code__.co_firstlineno
    found = [n for n in ast.walk(tree) if isinstance(n, (ast.ClassDef, ast.FunctionDef))
             and n.name == target.__name__]
    return min(found, key=lambda n: abs(n.lineno - line), default=None)


def _short(name: str) -> str:
    """A file's name as people say it; notebook cells have made-up ones."""
    if is_cell(name):
        return cell_name(name)
    return "<cell>" if name.startswith("<") else name


class _Values(Mapping):
    """The Python variables that the decorated code sees."""

    def __init__(self, target, frame):
        closure = {}
        if inspect.isfunction(target) and target.__closure__:
            for name, cell in zip(target.__code__.co_freevars, target.__closure__):
                try:
                    closure[name] = cell.cell_contents
                except ValueError:
                    pass
        self.layers = [closure, frame.f_locals, frame.f_globals]

    def __getitem__(self, key):
        for layer in self.layers:
            if key in layer:
                return layer[key]
        raise KeyError(key)

    def __contains__(self, key) -> bool:
        return any(key in layer for layer in self.layers)

    def __iter__(self):
        return iter({k for layer in self.layers for k in layer if not k.startswith("_")})

    def __len__(self) -> int:
        return sum(map(len, self.layers))
