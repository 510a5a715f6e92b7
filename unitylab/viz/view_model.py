"""What the workbench shows of a session, as plain data. Pure functions, no user interface.

A node keeps its key from step to step as long as it is the same variable (or has the same name in
the same function), so that selections and positions stay.
"""

from __future__ import annotations

import difflib
from collections import defaultdict

from ..ir import relax
from ..ir.errors import UnityLabError
from ..ir.node import Node
from ..ir.structural import structural_equal
from ..ir.tir import PrimFunc
from ..script import print_document
from ..session.session import Session
from ..session.step import Step
from .graph_model import Graph, GraphNode, graph_of, loop_tree
from .layout import Box, Layout, place

SIGNS = {"added": "+", "removed": "-", "changed": "~", "same": " "}
CONTEXT = 4  # unchanged lines kept around a change


class SessionView:
    """Views of a session; remembers keys and pictures of steps it has shown."""

    def __init__(self, session: Session):
        self.session = session
        self._graphs: dict[int, Graph] = {}
        self._keys: dict[int, dict[int, str]] = {}
        self._views: dict[int, dict] = {}
        self._scripts: dict[int, tuple[list[str], list[list[str]]]] = {}

    # --- history ----------------------------------------------------------------------------

    def history(self) -> list[dict]:
        """One row a step."""
        return [self.row(s) for s in self.session.steps.values()]

    def row(self, s: Step) -> dict:
        counts = self.counts(s)
        check = s.check
        parent = self.session.steps.get(s.parent) if s.parent is not None else None
        ratio = s.time / parent.time if s.time and parent is not None and parent.time else None
        return {"id": s.id, "parent": s.parent, "name": s.name, "branch": s.branch,
                "detail": "nothing to do" if s.unchanged else counts,
                "check": check.state if check else "pending",
                "error": check.max_rel_error if check else None,
                "message": str(check) if check else "not checked",
                "time": s.time, "ratio": ratio, "seconds": s.seconds,
                "python": s.pass_.to_python() if s.pass_ is not None else "",
                "rewrites": [{"rule": r.rule, "function": r.function, "label": _label(r.place)}
                             for r in s.rewrites[:200]], "rewriteCount": len(s.rewrites)}

    def counts(self, s: Step) -> str:
        if s.parent is None:
            return f"{len(s.module)} function{'s' if len(s.module) != 1 else ''}"
        return self.session.diff(s.parent, s.id).summary

    # --- keys -------------------------------------------------------------------------------

    def graph(self, s: Step) -> Graph:
        if s.id not in self._graphs:
            self._graphs[s.id] = graph_of(s.module, self.session.entry)
        return self._graphs[s.id]

    def keys(self, s: Step) -> dict[int, str]:
        """The key of each node, by the id of its item."""
        if s.id not in self._keys:
            self._keys[s.id] = self._make_keys(s)
        return self._keys[s.id]

    def _make_keys(self, s: Step) -> dict[int, str]:
        nodes = self.graph(s).nodes
        if s.parent is None:
            return {id(n.item): f"{s.id}.{k}" for k, n in enumerate(nodes)}
        before = self.session.steps[s.parent]
        old, old_nodes = self.keys(before), self.graph(before).nodes
        found = {id(n.item): old[id(n.item)] for n in nodes if id(n.item) in old}
        for alike in (_name, _content):
            taken, free = set(found.values()), defaultdict(list)
            for n in old_nodes:
                if old[id(n.item)] not in taken:
                    free[alike(n)].append(old[id(n.item)])
            for n in nodes:
                if id(n.item) not in found and free.get(alike(n)):
                    found[id(n.item)] = free[alike(n)].pop(0)
        for k, n in enumerate(nodes):
            found.setdefault(id(n.item), f"{s.id}.{k}")
        return found

    # --- one step ---------------------------------------------------------------------------

    def step(self, number: int) -> dict:
        """Graph, script, diff, loops and inspector of a step against its parent."""
        if number not in self._views:
            s = self.session.history.find(number)
            lines, marks = self.script(s)
            self._views[number] = {
                "id": s.id, "graph": self.picture(s), "script": _script_rows(lines, marks),
                "diff": self.diff_rows(s), "loops": self.loops(s), "inspector": self.inspector(s)}
        return self._views[number]

    def parent(self, s: Step) -> Step | None:
        return self.session.steps[s.parent] if s.parent is not None else None

    def picture(self, s: Step) -> dict:
        """The graph with what was removed as ghosts, laid out as one."""
        keys, graph, before = self.keys(s), self.graph(s), self.parent(s)
        status = self.statuses(s)
        shown = [(keys[id(n.item)], n) for n in graph.nodes]
        ghosts = []
        if before is not None:
            present = {k for k, _ in shown}
            old = self.keys(before)
            ghosts = [(old[id(n.item)], n) for n in self.graph(before).nodes
                      if old[id(n.item)] not in present]
            own = {id(n.item): old[id(n.item)] for _, n in ghosts}
            edges = self.edges(graph, keys) + self.edges(self.graph(before), old,
                                                         only=set(own.values()))
        else:
            edges = self.edges(graph, keys)
        boxes = [_box(k, n, n.group) for k, n in shown] + [_box(k, n, "") for k, n in ghosts]
        groups = [Box(g, label=label) for g, label in graph.groups]
        layout = place(boxes, [(a, b) for a, b, _ in edges], groups)
        nodes = [_node(k, n, status[k], layout) for k, n in shown]
        nodes += [_node(k, n, "removed", layout) for k, n in ghosts]
        return {"nodes": nodes, "edges": _edges(edges, layout),
                "groups": self.groups(s, groups, layout),
                "width": layout.width, "height": layout.height}

    def edges(self, graph: Graph, keys, only: set[str] | None = None):
        """(source, target, status); `only`: those that touch one of these keys (ghosts)."""
        found = []
        for n in graph.nodes:
            for m in n.inputs:
                a, b = keys.get(id(m)), keys[id(n.item)]
                if a is None or a == b:
                    continue
                if only is None or a in only or b in only:
                    found.append((a, b, "same" if only is None else "removed"))
        return found

    def groups(self, s: Step, groups: list[Box], layout: Layout) -> list[dict]:
        before = self.parent(s)
        old = {label for _, label in self.graph(before).groups} if before is not None else None
        return [{"id": g.id, "label": g.label, "x": b[0], "y": b[1], "w": b[2], "h": b[3],
                 "status": "added" if old is not None and g.label not in old else "same"}
                for g in groups if (b := layout.groups.get(g.id))]

    def statuses(self, s: Step) -> dict[str, str]:
        """added, changed or same for each node of a step."""
        before, keys = self.parent(s), self.keys(s)
        if before is None:
            return {k: "same" for k in keys.values()}
        old_keys = self.keys(before)
        old = {old_keys[id(n.item)]: n for n in self.graph(before).nodes}
        return {keys[id(n.item)]: _status(old.get(keys[id(n.item)]), n)
                for n in self.graph(s).nodes}

    # --- script and diff --------------------------------------------------------------------

    def script(self, s: Step) -> tuple[list[str], list[list[str]]]:
        """The lines, and for each the keys of the nodes on it."""
        if s.id not in self._scripts:
            document = print_document(s.module)
            lines = document.text.splitlines()
            marks: list[list[str]] = [[] for _ in lines]
            by_item, callers = self.items(s)
            for span in document.spans:
                n = span.node
                found = by_item.get(id(getattr(n, "var", n)), []) if not isinstance(n, PrimFunc) \
                    else callers.get(id(n), [])
                for line in range(span.line - 1, min(span.end_line, len(lines))):
                    marks[line] += [k for k in found if k not in marks[line]]
            self._scripts[s.id] = lines, marks
        return self._scripts[s.id]

    def items(self, s: Step):
        """Keys by the id of the variable, and by the id of the program that a node calls."""
        keys, by_item, callers = self.keys(s), defaultdict(list), defaultdict(list)
        for n in self.graph(s).nodes:
            key = keys[id(n.item)]
            by_item[id(n.item)].append(key)
            func = s.module.functions.get(n.callee) if n.callee else None
            if func is not None:
                callers[id(func)].append(key)
        return by_item, callers

    def diff_rows(self, s: Step) -> list[dict]:
        """The script against the parent's: old and new line numbers, sign, text, keys; long runs
        of unchanged lines as folds."""
        before = self.parent(s)
        lines, marks = self.script(s)
        if before is None:
            return _script_rows(lines, marks)
        old_lines, old_marks = self.script(before)
        rows: list[dict] = []
        match = difflib.SequenceMatcher(None, old_lines, lines, False)
        for tag, a, b, c, d in match.get_opcodes():
            if tag == "equal":
                rows += _folded([{"old": a + i + 1, "new": c + i + 1, "sign": " ",
                                  "text": lines[c + i], "nodes": marks[c + i]}
                                 for i in range(b - a)], at_start=not rows, at_end=d == len(lines))
            else:
                rows += [{"old": i + 1, "new": None, "sign": "-", "text": old_lines[i],
                          "nodes": old_marks[i]} for i in range(a, b)]
                rows += [{"old": None, "new": i + 1, "sign": "+", "text": lines[i],
                          "nodes": marks[i]} for i in range(c, d)]
        return rows

    def loops(self, s: Step) -> dict[str, list[dict]]:
        """The loop tree of each tensor program."""
        return {name: loop_tree(f) for name, f in s.module.prim_funcs.items()}

    # --- one node ---------------------------------------------------------------------------

    def inspector(self, s: Step) -> dict[str, dict]:
        """What is known of each node, by key."""
        keys = self.keys(s)
        return {keys[id(n.item)]: self.inspect(s, n) for n in self.graph(s).nodes}

    def inspect(self, s: Step, n: GraphNode) -> dict:
        rows = [["result", f"{getattr(n.item, 'name', 'result')}: {n.detail}"],
                ["in", n.function]]
        func = s.module.functions.get(n.callee) if n.callee else None
        if n.callee:
            rows.append(["calls", n.callee])
        if func is not None and "op_pattern" in func.attrs:
            rows.append(["pattern", PATTERNS.get(func.attrs["op_pattern"], "?")])
        span = getattr(n.value, "span", None) or getattr(n.item, "span", None)
        if span is not None:
            rows.append(["written at", str(span)])
        return {"title": n.label, "rows": rows, "callee": n.callee,
                "origins": self.origins(s, n)}

    def origins(self, s: Step, n: GraphNode) -> list[dict]:
        """From this step back to where the node's value was made."""
        target = n.value if n.value is not None else n.item
        chain = self.session.origins(target, s.id)
        return [{"step": o.step, "rule": o.rule, "label": _label(o.node)} for o in chain]

    # --- code -------------------------------------------------------------------------------

    def source(self, number: int, kind: str, function: str | None = None) -> str:
        """The LLVM IR or assembly of a step (of one of its tensor programs)."""
        step = self.session.history.find(number)
        if function and not isinstance(step.module.functions.get(function), PrimFunc):
            function = None
        try:
            return self.session.build(number).source(kind, func=function)
        except UnityLabError as e:
            return f"; {e}"


PATTERNS = {0: "kElemWise", 1: "kBroadcast", 2: "kInjective", 3: "kCommReduce",
            4: "kOutEWiseFusable", 7: "kTuple", 8: "kOpaque"}


def _name(n: GraphNode) -> tuple[str, str]:
    return n.label if n.kind in ("param", "output") else "", getattr(n.item, "name", n.label)


def _content(n: GraphNode) -> tuple[str, ...]:
    return n.label, n.detail, n.kind


def _label(n: Node) -> str:
    """A node in a few words."""
    if isinstance(n, relax.Binding):
        return f"{n.var.name} = {_label(n.value)}"
    if isinstance(n, relax.Call):
        callee = n.args[0] if n.args and hasattr(n.args[0], "name") and not isinstance(
            n.args[0], relax.Var) else n.op
        return getattr(callee, "short", getattr(callee, "name", "call"))
    if isinstance(n, relax.Var):
        return n.name
    text = " ".join(n.script().split())
    return text if len(text) < 60 else text[:57] + "..."


def _status(old: GraphNode | None, new: GraphNode) -> str:
    if old is None:
        return "added"
    if old.value is new.value and old.label == new.label:
        return "same"
    if old.value is None or new.value is None:
        return "same" if old.detail == new.detail else "changed"
    if old.label == new.label and structural_equal(old.value, new.value, map_free_vars=True):
        return "same"
    return "changed"


def _box(key: str, n: GraphNode, group: str) -> Box:
    width = min(230.0, max(110.0, max(7.0 * len(n.label) + 14, 6.2 * len(n.detail)) + 28))
    return Box(key, width, 26.0 if n.kind == "tuple" else 40.0, group)


def _node(key: str, n: GraphNode, status: str, layout: Layout) -> dict:
    box = _box(key, n, n.group)
    x, y = layout.nodes[key]
    return {"id": key, "label": n.label, "detail": n.detail, "kind": n.kind, "status": status,
            "x": x, "y": y, "w": box.width, "h": box.height, "callee": n.callee}


def _edges(edges, layout: Layout) -> list[dict]:
    return [{"source": a, "target": b, "status": status, "points": layout.edges.get((a, b), [])}
            for a, b, status in dict.fromkeys(edges)]


def _script_rows(lines: list[str], marks: list[list[str]]) -> list[dict]:
    return [{"old": None, "new": i + 1, "sign": " ", "text": line, "nodes": keys}
            for i, (line, keys) in enumerate(zip(lines, marks))]


def _folded(rows: list[dict], at_start: bool, at_end: bool) -> list[dict]:
    """Unchanged lines with the middle folded away."""
    head, tail = 0 if at_start else CONTEXT, 0 if at_end else CONTEXT
    hidden = len(rows) - head - tail
    if hidden <= CONTEXT:
        return rows
    end = len(rows) - tail
    return [*rows[:head], {"fold": rows[head:end]}, *rows[end:]]
