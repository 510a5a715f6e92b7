"""What the workbench shows of a session, as plain data. Pure functions, no user interface.

A node keeps its key from step to step as long as it is the same variable (or has the same name in
the same function), so that selections and positions stay.
"""

from __future__ import annotations

from collections import defaultdict

from ..ir.errors import UnityLabError
from ..session.actions import Action
from ..session.diff import diff
from ..session.numbers import bind_sizes, count
from ..session.provenance import Provenance
from ..session.session import Session
from ..session.step import Step
from .code_view import source
from .graph_model import Graph, GraphNode, graph_of
from .graph_picture import picture, sides
from .loop_view import loop_rows
from .measure_view import measures, numbers_of, numbers_rows, pairs
from .rewrite_view import label, rewrite_rows
from .text_view import compare_lines, compared_texts, place_name, source_line, text_of


class SessionView:
    """Views of a session; remembers keys and pictures of steps it has shown."""

    def __init__(self, session: Session):
        self.session = session
        self._graphs: dict[int, Graph] = {}
        self._keys: dict[int, dict[int, str]] = {}
        self._by_key: dict[int, dict[str, GraphNode]] = {}
        self._views: dict[tuple, dict] = {}
        self._texts: dict[int, dict] = {}
        self._lines: dict[int, dict[int, int]] = {}
        self._provenance: dict[int, Provenance] = {}
        self._actions: dict[str, Action] = {}
        self._numbers: dict[tuple, object] = {}
        self._rows: dict[int, str] = {}
        self._built: dict = {}

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
                "check": check.state if check else "pending" if self.session.check else "unchecked",
                "error": check.max_rel_error if check else None,
                "message": str(check) if check else "not checked",
                "time": s.time, "ratio": ratio, "seconds": s.seconds,
                "python": s.pass_.to_python() if s.pass_ is not None else "",
                "label": s.label, "unchanged": s.unchanged,
                "rewriteCount": len(s.rewrites)}

    def counts(self, s: Step) -> str:
        if s.parent is None:
            return f"{len(s.module)} function{'s' if len(s.module) != 1 else ''}"
        if s.id not in self._rows:
            self._rows[s.id] = self.session.diff(s.parent, s.id).summary
        return self._rows[s.id]

    def info(self) -> dict:
        """What stands in the header."""
        s, sizes = self.session, self.sizes()
        chips = [s.entry or "no function", *(f"{k} = {v}" for k, v in sizes.items()), s.target]
        return {"title": s.steps[0].name, "entry": s.entry, "chips": chips,
                "sizes": sizes if s.given_inputs is None else {}}

    def sizes(self) -> dict[str, int]:
        """The symbolic sizes of the entry function, as the inputs give them."""
        mod, entry = self.session.steps[0].module, self.session.entry
        if entry is None:
            return {}
        try:
            return {v.name: n for v, n in bind_sizes(mod[entry], self.session.inputs).items()}
        except UnityLabError:
            return {}

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

    def last_line(self, s: Step, name: str) -> int:
        """The last line of a tensor program in the step's script, 0 if it is not there."""
        programs = text_of(self, s)["programs"]
        first = self._lines[s.id].get(id(s.module.functions.get(name)), 0)
        return next((end for body, end in programs if first and body > first), 0)

    # --- one step against another -----------------------------------------------------------

    def step(self, number: int, base: int | None = None) -> dict:
        """All that is shown of a step against `base` (its parent if not given)."""
        s = self.session.history.find(number)
        before = self.parent(s) if base is None else self.session.history.find(base)
        key = s.id, None if before is None else before.id
        if key not in self._views:
            text = text_of(self, s)
            self._views[key] = {
                "id": s.id, "base": key[1], "graph": picture(self, s, before), "text": text,
                "loops": {name: loop_rows(name, f, self._lines[s.id])
                          for name, f in s.module.prim_funcs.items()},
                **self.compared(s, before, text)}
        return {**self._views[key], "chosen": base is not None,
                "numbers": numbers_rows(self, s, before), "measures": measures(self, s)}

    def beside(self, number: int, base: int) -> list[dict]:
        """The graphs of two steps for pictures beside each other, with what was measured."""
        steps = [self.session.history.find(k) for k in (base, number)]
        return [{**graph, "measures": measures(self, s)}
                for graph, s in zip(sides(self, *steps), steps)]

    def count(self, number: int, base: int | None) -> None:
        """Counts a step and what it is compared with."""
        for k in (number, base):
            if k is not None:
                numbers_of(self, self.session.history.find(k))

    def compared(self, s: Step, before: Step | None, text: dict) -> dict:
        if before is None:
            return {"summary": ""}
        old = text_of(self, before)
        return {"before": old, "summary": self.session.diff(before.id, s.id).summary,
                **compare_lines(old["lines"], text["lines"])}

    def parent(self, s: Step) -> Step | None:
        return self.session.steps[s.parent] if s.parent is not None else None

    def find(self, s: Step, key: str) -> GraphNode:
        """The node of a key. Raises UnityLabError if the step has none."""
        if s.id not in self._by_key:
            keys = self.keys(s)
            self._by_key[s.id] = {keys[id(n.item)]: n for n in self.graph(s).nodes}
        if key not in self._by_key[s.id]:
            raise UnityLabError(f"step {s.id} has no such node", hint="select one that it has")
        return self._by_key[s.id][key]

    # --- one node ---------------------------------------------------------------------------

    def inspect(self, number: int, key: str) -> dict:
        """What a node is and where it comes from."""
        s = self.session.history.find(number)
        try:
            n = self.find(s, key)
        except UnityLabError:  # a ghost: what it was in the step before
            s = self.parent(s) or s
            n = self.find(s, key)
        rows = [["result", f"{getattr(n.item, 'name', 'result')}: {n.detail}"],
                ["in", n.function]]
        func = s.module.functions.get(n.callee) if n.callee else None
        if n.callee:
            rows.append(["calls", n.callee])
        if func is not None and "op_pattern" in func.attrs:
            rows.append(["pattern", PATTERNS.get(func.attrs["op_pattern"], "?")])
        return {"title": n.label, "rows": rows, "origins": self.origins(s, n)}

    def origins(self, s: Step, n: GraphNode) -> list[dict]:
        """From this step back to where the node's value was made, and to the line it was
        written on."""
        target = n.value if n.value is not None else n.item
        if s.id not in self._provenance:
            self._provenance[s.id] = Provenance(self.session.history.path(s))
        chain = self._provenance[s.id].origins(target)
        found = [{"step": o.step, "rule": o.rule, "label": label(o.node)} for o in chain]
        span = next((sp for o in reversed(chain) if (sp := getattr(o.node, "span", None))),
                    getattr(n.item, "span", None))
        if span is not None:
            found[-1] |= {"place": place_name(span), "source": source_line(span)}
        return found

    def rewrites(self, number: int) -> list[dict]:
        """The rewrites of a step: rule, place, time, and the keys of the nodes that they touch."""
        s = self.session.history.find(number)
        return rewrite_rows(self, s)

    def rewrite(self, number: int, k: int) -> dict:
        """One rewrite: the text before and after it."""
        r = self.session.history.find(number).rewrites[k]
        return compared_texts(_text(r.before), _text(r.after))

    # --- what can be done -------------------------------------------------------------------

    def actions(self, number: int, key: str) -> list[dict]:
        """What can be done at a node."""
        n = self.find(self.session.history.find(number), key)
        self._actions = {a.id: a for a in
                         self.session.actions(n.item, n.value, n.callee, step=number)}
        return [{"id": a.id, "name": a.name, "legal": a.legal, "reason": a.reason, "code": a.code}
                for a in self._actions.values()]

    def action(self, number: int, key: str, name: str) -> Action:
        if name not in self._actions:
            self.actions(number, key)
        if name not in self._actions:
            raise UnityLabError("this cannot be done here any more", hint="select the node again")
        return self._actions[name]

    def preview(self, number: int, key: str, action: str) -> dict:
        """What an action would change: text, counts, costs."""
        s = self.session.history.find(number)
        a = self.action(number, key, action)
        after = a.pass_(s.module, only=a.match)
        old, new = count(s.module, self.session.entry, self.session.inputs), \
            count(after, self.session.entry, self.session.inputs)
        return {**compared_texts(s.module.script(), after.script()),
                "summary": diff(s.module, after).summary, "numbers": pairs(old, new, None, None)}

    # --- code -------------------------------------------------------------------------------

    def source(self, number: int, kind: str, key: str | None = None) -> list[dict]:
        """The LLVM IR or assembly of a step, of the programs at a node if there are some."""
        return source(self, self.session.history.find(number), kind, key)


PATTERNS = {0: "kElemWise", 1: "kBroadcast", 2: "kInjective", 3: "kCommReduce",
            4: "kOutEWiseFusable", 7: "kTuple", 8: "kOpaque"}


def _name(n: GraphNode) -> tuple[str, str]:
    return n.label if n.kind in ("param", "output") else "", getattr(n.item, "name", n.label)


def _content(n: GraphNode) -> tuple[str, ...]:
    return n.label, n.detail, n.kind


def _text(nodes) -> str:
    """Some nodes as script, one below the other."""
    return "\n".join(n.script().rstrip() for n in nodes)
