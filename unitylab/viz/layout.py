"""Positions of a graph, by Graphviz. Drawing is ours; the layout engine is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import graphviz

from ..ir.errors import UnityLabError

POINTS = 72.0  # Graphviz's points an inch; one pixel of ours is one point


@dataclass(frozen=True)
class Box:
    """A node or group to place: width and height in pixels, the group it stands in."""

    id: str
    width: float = 0.0
    height: float = 0.0
    group: str = ""
    label: str = ""


@dataclass(frozen=True)
class Layout:
    """Centres of nodes, boxes of groups (x, y, width, height), points of edges (Bézier curves),
    all in pixels with y downward, and the size of the whole."""

    nodes: dict[str, tuple[float, float]]
    groups: dict[str, tuple[float, float, float, float]]
    edges: dict[tuple[str, str], list[tuple[float, float]]]
    width: float
    height: float


def place(nodes: Sequence[Box], edges: Sequence[tuple[str, str]],
          groups: Sequence[Box] = ()) -> Layout:
    """Lays out a graph from top to bottom. The same graph always gives the same layout."""
    return _place(tuple(nodes), tuple(dict.fromkeys(edges)), tuple(groups))


@lru_cache(maxsize=64)
def _place(nodes, edges, groups) -> Layout:
    if not nodes:
        return Layout({}, {}, {}, 0.0, 0.0)
    names = {b.id: f"n{i}" for i, b in enumerate(nodes)}
    clusters = {b.id: f"cluster_{i}" for i, b in enumerate(groups)}
    found = _graphviz(dot_source(nodes, edges, groups, names, clusters))
    return _read(found, {v: k for k, v in names.items()}, {v: k for k, v in clusters.items()})


def dot_source(nodes, edges, groups, names, clusters) -> str:
    """The graph in DOT: fixed boxes, edges from the bottom to the top."""
    g = graphviz.Digraph(graph_attr={"rankdir": "TB", "nodesep": "0.28", "ranksep": "0.34",
                                     "splines": "spline", "newrank": "true"},
                         node_attr={"shape": "box", "fixedsize": "true"},
                         edge_attr={"tailport": "s", "headport": "n", "arrowhead": "none"})

    def add(to, box: Box) -> None:
        to.node(names[box.id], label="", width=f"{box.width / POINTS:.3f}",
                height=f"{box.height / POINTS:.3f}")

    for group in groups:
        # the label holds the place where the group's title is drawn, with its sign and triangle
        with g.subgraph(name=clusters[group.id], graph_attr={
                "label": group.label + 6 * ".", "margin": "14",
                "fontname": "Courier", "fontsize": "13.2", "labelloc": "t"}) as inner:
            for box in nodes:
                if box.group == group.id:
                    add(inner, box)
    for box in nodes:
        if box.group not in clusters:
            add(g, box)
    for a, b in edges:
        g.edge(names[a], names[b])
    return g.source


def _read(found: dict, nodes: dict[str, str], groups: dict[str, str]) -> Layout:
    left, bottom, right, top = map(float, found["bb"].split(","))

    def flip(x: float, y: float) -> tuple[float, float]:
        return round(x - left, 1), round(top - y, 1)

    by_number = {o["_gvid"]: o for o in found.get("objects", ())}
    places, boxes, curves = {}, {}, {}
    for o in by_number.values():
        if o["name"] in nodes:
            places[nodes[o["name"]]] = flip(*map(float, o["pos"].split(",")))
        elif o["name"] in groups and "bb" in o:
            x0, y0, x1, y1 = map(float, o["bb"].split(","))
            boxes[groups[o["name"]]] = (*flip(x0, y1), round(x1 - x0, 1), round(y1 - y0, 1))
    for e in found.get("edges", ()):
        ends = nodes[by_number[e["tail"]]["name"]], nodes[by_number[e["head"]]["name"]]
        points = [p for p in e.get("pos", "").split() if p[0] not in "es"]
        curves[ends] = [flip(*map(float, p.split(","))) for p in points]
    return Layout(places, boxes, curves, round(right - left, 1), round(top - bottom, 1))


def _graphviz(dot: str) -> dict:
    """Graphviz's answer: from `dot` if it is installed, else from our worker process."""
    if shutil.which("dot"):
        done = subprocess.run(["dot", "-Tjson0"], input=dot, capture_output=True, text=True,
                              check=True)
        return json.loads(done.stdout)
    return _WORKER.ask(dot)


def prepare() -> None:
    """Starts what lays out graphs, so that the first picture need not wait for it."""
    if not shutil.which("dot"):
        _WORKER.start()


class _Worker:
    """The worker process: started when needed, started again if it died."""

    def __init__(self):
        self.process: subprocess.Popen | None = None
        self.lock = Lock()

    def start(self) -> None:
        with self.lock:
            self._start()

    def ask(self, dot: str) -> dict:
        with self.lock:
            for _ in range(2):
                self._start()
                try:
                    self.process.stdin.write(json.dumps(dot) + "\n")
                    self.process.stdin.flush()
                    line = self.process.stdout.readline()
                except (BrokenPipeError, OSError):
                    line = ""
                if line:
                    return json.loads(line)
                self.process.kill()
                self.process = None
        raise UnityLabError("the graph could not be laid out: Graphviz failed twice on it")

    def _start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        program = Path(__file__).with_name("layout_worker.py")
        self.process = subprocess.Popen([sys.executable, str(program)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)


_WORKER = _Worker()
