"""What was measured and counted of a step, by node; and the numbers of two steps side by side."""

from __future__ import annotations

from dataclasses import replace

from ..exec.machine import Machine, machine
from ..session.numbers import Numbers
from ..target import parse_target

LARGE = 600  # nodes from which on a step is counted when somebody asks


def numbers_of(view, s) -> Numbers:
    """Counted once for a step and sizes."""
    key = s.id, tuple(sorted(view.session.sizes.items()))
    if key not in view._numbers:
        view._numbers[key] = view.session.numbers(s.id)
    return view._numbers[key]


def counted(view, s) -> bool:
    """Whether the numbers of a step are there."""
    return (s.id, tuple(sorted(view.session.sizes.items()))) in view._numbers


def numbers_rows(view, s, before) -> list[dict] | None:
    """name, unit, before, after: what the diff pane and the comparison show. None where counting
    takes long and nobody asked for it yet."""
    if any(len(view.graph(x).nodes) > LARGE and not counted(view, x)
           for x in (s, before) if x is not None):
        return None
    old = numbers_of(view, before) if before is not None else None
    return pairs(old, numbers_of(view, s), before.time if before is not None else None, s.time)


def pairs(old: Numbers | None, new: Numbers, old_time, time) -> list[dict]:
    """The rows of two countings."""
    names = (("functions", ""), ("calls", ""), ("flops", "flops"), ("bytes", "bytes"),
             ("peak", "bytes"))
    rows = [{"name": {"bytes": "moved", "flops": "work"}.get(n, n), "unit": unit,
             "before": getattr(old, n) if old is not None else None, "after": getattr(new, n)}
            for n, unit in names]
    if time or old_time:
        rows.append({"name": "time", "unit": "time", "before": old_time, "after": time})
    return rows


def measures(view, s) -> dict | None:
    """Time, work, bytes and share of the roofline for each node by key; memory over time."""
    if not s.profile:
        return None
    numbers, top = numbers_of(view, s), roof(view)
    keys, nodes = view.keys(s), {}
    graph = view.graph(s)
    for n in graph.nodes:
        name = getattr(n.item, "name", n.label)
        if n.kind in ("param", "output") or name not in s.profile or n.group:
            continue
        nodes[keys[id(n.item)]] = _one(n.label, s.profile[name], numbers, name, top)
    for name, seconds in s.profile.items():  # what stands for a whole group
        if name in graph.ends:
            key = keys.get(id(graph.ends[name]))
            if key and key not in nodes:
                nodes[key] = _one(graph.titles[name], seconds, numbers, name, top)
    return {"nodes": nodes, "total": sum(s.profile.values()), "bytes": numbers.bytes,
            "memory": [{"name": n, "bytes": b, "live": list(live)} for n, b, live in
                       numbers.memory],
            "machine": {"peak": top.flops, "bandwidth": top.read}}


def roof(view) -> Machine:
    """The machine's limits for the cores that the session's target may use."""
    one = machine()
    return replace(one, flops=one.flops * parse_target(view.session.target).threads)


def _one(label: str, seconds: float, numbers: Numbers, name: str, top) -> dict:
    work = numbers.work.get(name)
    if work is None:
        return {"label": label, "time": seconds}
    limit = top.bound(work.flops, work.bytes)
    return {"label": label, "time": seconds, "flops": work.flops, "bytes": work.bytes,
            "roof": min(1.0, limit / seconds) if seconds else 0.0}
