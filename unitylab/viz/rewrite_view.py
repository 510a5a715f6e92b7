"""The rewrites of a step: what each changed and which nodes of the graph it touches."""

from __future__ import annotations

from ..ir import relax
from ..ir.node import Node


def rewrite_rows(view, s) -> list[dict]:
    """One row a rewrite: rule, function, place in a few words, seconds, keys of touched nodes."""
    keys = dict(view.keys(s))
    callers: dict[str, list[str]] = {}
    before = view.parent(s)
    for step in (before, s):
        if step is None:
            continue
        own = view.keys(step)
        keys |= own
        for n in view.graph(step).nodes:
            for part in (n.value, step.module.functions.get(n.callee)):
                if part is not None:
                    keys.setdefault(id(part), own[id(n.item)])
            if n.callee:
                callers.setdefault(n.callee, []).append(own[id(n.item)])
    return [{"k": k, "rule": r.rule, "function": r.function, "label": label(r.place),
             "seconds": r.seconds, "nodes": _touched(r, keys, callers)}
            for k, r in enumerate(s.rewrites)]


def _touched(r, keys: dict[int, str], callers: dict[str, list[str]]) -> list[str]:
    nodes = [*r.before, *r.after]
    found = [k for n in nodes for m in (n, getattr(n, "var", None), getattr(n, "value", None))
             if m is not None and (k := keys.get(id(m)))]
    return list(dict.fromkeys([*found, *callers.get(r.function, ())]))


def label(n: Node) -> str:
    """A node in a few words."""
    if isinstance(n, relax.Binding):
        return f"{n.var.name} = {label(n.value)}"
    if isinstance(n, relax.Call):
        callee = n.args[0] if n.args and hasattr(n.args[0], "name") and not isinstance(
            n.args[0], relax.Var) else n.op
        return getattr(callee, "short", getattr(callee, "name", "call"))
    if isinstance(n, relax.Var):
        return n.name
    text = " ".join(n.script().split())
    return text if len(text) < 60 else text[:57] + "..."
