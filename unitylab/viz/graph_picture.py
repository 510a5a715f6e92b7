"""The graph of a step against another one as data: boxes with positions, edges, groups.

Small graphs get their positions from Graphviz, which lays out both steps as one. In large ones
groups start closed and the page lays out what is open."""

from __future__ import annotations

import math
import re
from collections import Counter

from ..ir.structural import structural_equal
from .graph_model import Graph, GraphNode
from .layout import Box, Layout, place

TOO_MANY = 100  # boxes; the page has the same number
CLOSED = 180.0  # width of a closed group
MANY_GROUPS = 48  # from here on they are gathered
CHUNK = 64  # nodes without a name path that make a group in a large graph
NUMBERED = re.compile(r"([A-Za-z]+[_.]?\d+)[_.]")


def picture(view, s, before) -> dict:
    """Nodes, edges and groups of a step; what `before` alone has stands there as ghosts."""
    keys, graph = view.keys(s), view.graph(s)
    status = statuses(view, s, before)
    shown = [(keys[id(n.item)], n) for n in graph.nodes]
    edges = edges_of(graph, keys)
    ghosts: list[tuple[str, GraphNode]] = []
    if before is not None:
        old, present = view.keys(before), {k for k, _ in shown}
        ghosts = [(old[id(n.item)], n) for n in view.graph(before).nodes
                  if old[id(n.item)] not in present]
        edges += edges_of(view.graph(before), old, only={k for k, _ in ghosts}, present=present)
    edges = list(dict.fromkeys(edges))
    if len(shown) + len(ghosts) > TOO_MANY:
        return large(shown, ghosts, edges, status, graph)
    boxes = [_box(k, n, n.group) for k, n in shown] + [_box(k, n, "") for k, n in ghosts]
    groups = [Box(g, label=label) for g, label in graph.groups]
    layout = place(boxes, [(a, b) for a, b, _ in edges], groups)
    nodes = [_node(k, n, status[k], layout) for k, n in shown]
    nodes += [{**_node(k, n, "removed", layout), "group": ""} for k, n in ghosts]
    return {"nodes": nodes,
            "edges": [[a, b, kind, layout.edges.get((a, b), [])] for a, b, kind in edges],
            "groups": groups_of(view, before, graph, layout),
            "width": layout.width, "height": layout.height}


def sides(view, a, b) -> list[dict]:
    """The graphs of two steps, for two pictures beside each other: what both have stands at the
    same place. In the first what the second lacks is `removed`, in the second it is `added`."""
    pair = [{view.keys(s)[id(n.item)]: n for n in view.graph(s).nodes} for s in (a, b)]
    others = [statuses(view, a, b), statuses(view, b, a)]
    marks = [{k: "removed" if v == "added" else v for k, v in others[0].items()}, others[1]]
    edges = [edges_of(view.graph(s), view.keys(s)) for s in (a, b)]
    both = {**pair[0], **pair[1]}
    layout = None
    if len(both) <= TOO_MANY:
        names = {**dict(view.graph(a).groups), **dict(view.graph(b).groups)}
        layout = place([_box(k, n, n.group) for k, n in both.items()],
                       [(x, y) for e in edges for x, y, _ in e],
                       [Box(g, label=label) for g, label in names.items()])
    return [_side(view, s, other, nodes, e, status, layout) for s, other, nodes, e, status in
            zip((a, b), (b, a), pair, edges, marks)]


def _side(view, s, other, nodes, edges, status, layout: Layout | None) -> dict:
    if layout is None:
        return large(list(nodes.items()), [], list(dict.fromkeys(edges)), status, view.graph(s))
    return {"nodes": [_node(k, n, status[k], layout) for k, n in nodes.items()],
            "edges": [[x, y, kind, layout.edges.get((x, y), [])]
                      for x, y, kind in dict.fromkeys(edges)],
            "groups": groups_of(view, other, view.graph(s), layout),
            "width": layout.width, "height": layout.height}


def large(shown, ghosts, edges, status, graph: Graph) -> dict:
    """Without positions, nodes in groups: of their called function, of their name path, or of
    their neighbours in the program. Called functions stand in the group of the name path of their
    results. Many groups stand in groups of groups."""
    labels = dict(graph.groups)
    around = {g: g.rpartition("/")[0] or name_path(graph.calls[g]) for g in labels}
    homes = _homes([n for _, n in [*shown, *ghosts]], around)
    groups: dict[str, dict] = {}
    for home in homes:
        while home and home not in groups:
            groups[home] = _group(home, labels.get(home, home), around.get(home, ""))
            home = around.get(home, "")
    _gather([g for g in groups.values() if not g["parent"]], groups)
    nodes = [{**_node(key, n, status.get(key, "removed"), None), "group": home}
             for (key, n), home in zip([*shown, *ghosts], homes)]
    return {"nodes": nodes, "edges": [[a, b, kind, []] for a, b, kind in edges],
            "groups": list(groups.values()), "width": 0, "height": 0}


def _homes(nodes: list[GraphNode], around: dict[str, str]) -> list[str]:
    """The group of each node, "" for ends and for those that would be alone in it."""
    paths = [n.group or name_path(getattr(n.item, "name", "")) for n in nodes]
    members = Counter([*paths, *around.values()])
    homes = ["" if n.kind in ("param", "output") else path
             if n.group in around or members[path] > 1 and path else f"part {k // CHUNK}"
             for k, (n, path) in enumerate(zip(nodes, paths))]
    members = Counter([*homes, *around.values()])
    return [h if members[h] > 1 or h in around else "" for h in homes]


def _gather(top: list[dict], groups: dict[str, dict]) -> None:
    """Where there are many groups, puts each few that follow each other into one of their own."""
    if len(top) <= MANY_GROUPS:
        return
    few = math.isqrt(len(top)) + 1
    for k in range(0, len(top), few):
        part = top[k:k + few]
        key, label = f"many {k}", f"{part[0]['label']} … {part[-1]['label']}"
        groups[key] = _group(key, label)
        for g in part:
            g["parent"] = key


def _group(key: str, label: str, parent: str = "") -> dict:
    return {"id": key, "label": label, "status": "same", "parent": parent, "kind": "group"}


def name_path(name: str) -> str:
    """`layer3` of `layer3_attention_scores`: the part of a name up to its first number."""
    found = NUMBERED.match(name)
    return found[1] if found else ""


def edges_of(graph: Graph, keys, only: set[str] | None = None, present=frozenset()):
    """(source, target, status); `only`: those that touch one of these keys (ghosts)."""
    found = []
    for n in graph.nodes:
        for m in n.inputs:
            a, b = keys.get(id(m)), keys[id(n.item)]
            if a is None or a == b:
                continue
            if only is None or (a in only or b in only) and {a, b} <= only | set(present):
                found.append((a, b, "same" if only is None else "removed"))
    return found


def groups_of(view, before, graph: Graph, layout: Layout) -> list[dict]:
    old = {label for _, label in view.graph(before).groups} if before is not None else None
    return [{**_group(g, label), "x": b[0], "y": b[1], "w": b[2], "h": b[3],
             "parent": g.rpartition("/")[0],
             "status": "added" if old is not None and label not in old else "same"}
            for g, label in graph.groups if (b := layout.groups.get(g))]


def statuses(view, s, before) -> dict[str, str]:
    """added, changed or same for each node of a step."""
    keys = view.keys(s)
    if before is None:
        return {k: "same" for k in keys.values()}
    old_keys = view.keys(before)
    old = {old_keys[id(n.item)]: n for n in view.graph(before).nodes}
    return {keys[id(n.item)]: _status(old.get(keys[id(n.item)]), n) for n in view.graph(s).nodes}


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


def _node(key: str, n: GraphNode, status: str, layout: Layout | None) -> dict:
    box = _box(key, n, n.group)
    x, y = layout.nodes[key] if layout is not None else (0, 0)
    return {"id": key, "label": n.label, "detail": n.detail, "kind": n.kind, "status": status,
            "x": x, "y": y, "w": box.width, "h": box.height, "callee": n.callee,
            "group": n.group, "name": getattr(n.item, "name", ""), "fn": n.function}


def closed(graph: dict) -> dict:
    """A large graph with every group as one box, laid out by Graphviz; a small one as it is."""
    if graph["width"] or not graph["nodes"]:
        return graph
    parents = {g["id"]: g["parent"] for g in graph["groups"]}

    def outermost(group: str) -> str:
        while parents.get(group):
            group = parents[group]
        return group
    home = {n["id"]: outermost(n["group"]) or n["id"] for n in graph["nodes"]}
    inside: dict[str, list[dict]] = {}
    for n in graph["nodes"]:
        inside.setdefault(home[n["id"]], []).append(n)
    edges = list(dict.fromkeys((home[a], home[b]) for a, b, *_ in graph["edges"]
                               if home[a] != home[b]))
    layout = place([Box(k, CLOSED, 40.0) for k in inside], edges)
    labels = {g["id"]: g["label"] for g in graph["groups"]}
    nodes = [{**members[0], "id": k, "label": labels.get(k, members[0]["label"]),
              "detail": f"{len(members)} nodes" if k in labels else members[0]["detail"],
              "status": members[0]["status"] if len({m["status"] for m in members}) == 1
              else "changed", "x": layout.nodes[k][0], "y": layout.nodes[k][1], "w": CLOSED,
              "h": 40.0} for k, members in inside.items()]
    return {"nodes": nodes, "edges": [[a, b, "same", layout.edges.get((a, b), [])]
                                      for a, b in edges],
            "groups": [], "width": layout.width, "height": layout.height}
