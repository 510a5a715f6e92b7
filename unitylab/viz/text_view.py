"""Script as lines with the keys of what stands on them, and what differs between two texts."""

from __future__ import annotations

import difflib
import linecache
from collections import defaultdict

from ..ir.span import SourceText, Span
from ..ir.tir import Block, For, PrimFunc
from ..ir.user_frames import cell_name, is_cell
from ..script import print_document
from ..script.document import Document

LONGEST_MOVE_SEARCH = 4000  # changed lines among which moved ones are looked for


def text_of(view, s) -> dict:
    """`lines`; `keys`: for each line the keys of the nodes on it (an empty list for none);
    `programs`: first and last line of the body of each tensor program; `ends`: the last line of
    the loops and blocks that begin on a line. Lines count from 1."""
    if s.id not in view._texts:
        document = print_document(s.module)
        lines = document.text.splitlines()
        marks: list[list[str]] = [[] for _ in lines]
        programs, ends = [], {}
        by_item, callers = _items(view, s)
        for span in document.spans:
            n = span.node
            found = by_item.get(id(getattr(n, "var", n)), []) if not isinstance(n, PrimFunc) \
                else callers.get(id(n), [])
            if isinstance(n, PrimFunc):
                programs.append([_body_of(lines, span.line), span.end_line])
            elif isinstance(n, (For, Block)) and span.end_line > span.line:
                ends[span.line] = max(span.end_line, ends.get(span.line, 0))
            for line in range(span.line - 1, min(span.end_line, len(lines))):
                marks[line] += [k for k in found if k not in marks[line]]
        view._texts[s.id] = {"lines": lines, "keys": marks, "programs": programs, "ends": ends}
        view._lines[s.id] = lines_of(document)
    return view._texts[s.id]


def lines_of(document: Document) -> dict[int, int]:
    """The first line of each node, by the node's id."""
    found: dict[int, int] = {}
    for span in document.spans:
        found.setdefault(id(span.node), span.line)
    return found


def _body_of(lines: list[str], first: int) -> int:
    """The line below the head of a function whose decorator is on line `first`."""
    return next((k + 2 for k in range(first - 1, len(lines)) if lines[k].rstrip().endswith(":")),
                first)


def _items(view, s):
    """Keys by the id of the variable, and by the id of the program that a node calls."""
    keys, by_item, callers = view.keys(s), defaultdict(list), defaultdict(list)
    for n in view.graph(s).nodes:
        key = keys[id(n.item)]
        by_item[id(n.item)].append(key)
        func = s.module.functions.get(n.callee) if n.callee else None
        if func is not None:
            callers[id(func)].append(key)
    return by_item, callers


def compare_lines(old: list[str], new: list[str]) -> dict:
    """`diff`: operations (tag, a, b, c, d) that turn old[a:b] into new[c:d]; `moves`: `gone` and
    `come` give for a line that was moved where it went, and where it came from."""
    ops = difflib.SequenceMatcher(None, old, new, False).get_opcodes()
    gone = [i for tag, a, b, _, _ in ops if tag != "equal" for i in range(a, b)]
    come = [i for tag, _, _, c, d in ops if tag != "equal" for i in range(c, d)]
    moves = _moves(old, new, gone, come) if len(gone) + len(come) < LONGEST_MOVE_SEARCH else {}
    return {"diff": [list(op) for op in ops],
            "moves": {"gone": moves, "come": {v: k for k, v in moves.items()}}}


def _moves(old, new, gone: list[int], come: list[int]) -> dict[int, int]:
    """Lines that stand elsewhere word for word: those that say enough to be recognised."""
    places = defaultdict(list)
    for j in come:
        if len(new[j].strip()) > 12 and not new[j].strip().startswith(("@", "class ")):
            places[new[j].strip()].append(j)
    found = {}
    for i in gone:
        if places.get(old[i].strip()):
            found[i] = places[old[i].strip()].pop(0)
    return found


def compared_texts(before: str, after: str) -> dict:
    """Two texts without keys, ready for the diff pane."""
    old, new = before.splitlines(), after.splitlines()
    found = compare_lines(old, new)
    return {"before": {"lines": old, "keys": {}}, "after": {"lines": new, "keys": {}},
            "ops": found["diff"], "moves": found["moves"]}


def rows(view: dict) -> list[dict]:
    """The diff of a view as rows for pictures: sign and text, runs of unchanged lines folded."""
    if "before" not in view:
        return [{"sign": " ", "text": t} for t in view["text"]["lines"]]
    found: list[dict] = []
    for tag, a, b, c, d in view["diff"]:
        if tag == "equal":
            same = [{"sign": " ", "text": t} for t in view["text"]["lines"][c:d]]
            found += same if len(same) < 9 else [*same[:3], {"fold": same[3:-3]}, *same[-3:]]
        else:
            found += [{"sign": "-", "text": t} for t in view["before"]["lines"][a:b]]
            found += [{"sign": "+", "text": t} for t in view["text"]["lines"][c:d]]
    return found


def place_name(span: Span) -> str:
    """Where a node was written, for people."""
    name = cell_name(span.source) if is_cell(span.source) else span.source.rpartition("/")[2]
    return f"{name}:{span.line}"


def source_line(span: Span) -> str:
    """The line itself, empty where it is not known any more."""
    source = span.source
    if isinstance(source, SourceText) and source.first_line <= span.line:
        known = source.lines[span.line - source.first_line:][:1]
        return known[0].strip() if known else ""
    return linecache.getline(span.source, span.line).strip()
