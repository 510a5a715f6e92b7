"""What the loop lab shows: rows of the tree, edits, speeds along the history, the iteration order
on pictures of the buffers, cache traffic. From a session to plain data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..exec import Timing
from ..exec.timing import CACHED
from ..ir.node import EMPTY
from ..ir.tir import PrimFunc
from ..session.loop_tree import LoopRow, loop_tree
from ..session.session import Session
from ..simulate import IterationOrder, Traffic
from .text_view import place_name, source_line

MOST_CELLS = 64  # rows or columns of a buffer's picture


def loop_rows(name: str, func: PrimFunc, lines: Mapping[int, int] = EMPTY) -> list[dict]:
    """The rows of a program's loop tree, with their lines in the module's script (`lines` by the
    ids of nodes)."""
    return [{**_row(r), "line": lines.get(id(r.node), 0)} for r in loop_tree(name, func)]


def _row(r: LoopRow) -> dict:
    row = {"what": r.what, "depth": r.depth, "name": r.name, "key": r.key, "kind": r.kind,
           "extent": r.extent}
    if r.what == "block":
        row |= {"axes": [list(a) for a in r.axes], "reads": list(r.reads),
                "writes": list(r.writes)}
    if r.trips is not None:
        row["trips"] = r.trips
    if r.key and r.node.span is not None:
        row |= {"place": place_name(r.node.span), "source": source_line(r.node.span)}
    return row


def loop_edits(session: Session, step: int, function: str, key: str) -> list[dict]:
    """The edits at a loop or block with their choices."""
    return [{"op": e.name, "letter": e.letter, "title": e.title, "legal": e.legal,
             "reason": e.reason,
             "choices": [{"label": c.label, "args": c.args, "legal": c.legal, "reason": c.reason}
                         for c in e.choices]}
            for e in session.loop_edits(key, function, step)]


def make_edit(session: Session, function: str, op: str, key: str, **args) -> str:
    """Makes an edit; returns the key of the loop or block to go on with."""
    before = {r.key for r in session.loop_tree(function)}
    session.edit_loops(op, key, function, **args)
    after = [r.key for r in session.loop_tree(function) if r.key]
    fresh = [k for k in after if k not in before]
    return key if key in after else next(iter(fresh or after), "")


def speeds(session: Session, step: int, function: str, measure: bool = False) -> dict:
    """Speeds of a program along the way to a step: those that were measured, by step; `here` is
    the step's own, `before` that of the last step with another program."""
    if measure:
        session.speed(function, step)
    at = session.history.find(step)
    rows, last = [], None
    for s in session.history.path(at):
        program = s.module.functions.get(function)
        if not isinstance(program, PrimFunc) or program is last:
            continue
        last = program
        speed = session.known_speed(function, s.id)
        if speed is not None or s is at:
            rows.append({"step": s.id, "name": s.label or s.name,
                         **(_speed(speed) if speed else {})})
    measured = [r for r in rows if "time" in r]
    here = session.known_speed(function, step)
    before = measured[-2 if here else -1] if len(measured) > bool(here) else None
    return {"rows": rows, "here": _speed(here) if here else None, "before": before}


def _speed(t: Timing) -> dict:
    """Seconds, rates, and their shares of the machine's limits; data that caches hold is not
    measured by that of the memory."""
    flops = t.flops / t.median if t.flops else None
    rate = t.bytes / t.median if t.bytes else None
    peak = flops / t.peak if flops and t.peak else None
    in_memory = t.bytes is not None and t.bytes > CACHED
    copy = rate / t.copy if rate and t.copy and in_memory else None
    return {"time": t.median, "low": t.p10, "high": t.p90, "flops": flops, "bytes": rate,
            "peak": peak, "copy": copy}


def loop_order(order: IterationOrder) -> dict:
    """The steps for an animation. `starts[k]` is where step k's touches begin in `cells` (the cell
    of the buffer's picture) and `which` (2 * buffer + 1 if it is written)."""
    pictures = [_Picture(order, k) for k in range(len(order.buffers))]
    keep = [k for k, p in enumerate(pictures) if p.size]
    place = {k: i for i, k in enumerate(keep)}
    cells = np.zeros(len(order.step), np.int64)
    for p in pictures:
        cells[p.mine] = p.cells
    starts = np.searchsorted(order.step, np.arange(len(order) + 1))
    which = np.array([place.get(b, 0) for b in range(len(pictures))] or [0])[order.buffer]
    return {"steps": len(order), "guessed": order.guessed,
            "loops": [{"name": n, "kind": k, "shown": s, "of": o} for n, k, s, o in order.loops],
            "values": order.values.T.tolist(), "starts": starts.tolist(), "cells": cells.tolist(),
            "which": (2 * which + order.write).tolist(),
            "buffers": [pictures[k].data() for k in keep]}


class _Picture:
    """A buffer as a grid of the coordinates that are touched: columns are the last dimension, rows
    the others. Where that gives too many rows, the outer dimensions are laid over each other."""

    def __init__(self, order: IterationOrder, k: int):
        self.mine = order.buffer == k
        self.buffer, self.shape = order.buffers[k], order.dims[k]
        index = order.index[self.mine][:, :len(self.shape)]
        if not self.shape:
            index = np.zeros((len(index), 1), np.int64)
        self.columns, column = np.unique(index[:, -1], return_inverse=True)
        first = 0
        while True:
            self.rows, row = np.unique(index[:, first:-1], axis=0, return_inverse=True)
            if len(self.rows) <= MOST_CELLS or first >= index.shape[1] - 2:
                break
            first += 1
        self.hidden = first
        self.size = len(self.columns) * len(self.rows) if len(index) else 0
        self.cells = row.reshape(-1) * len(self.columns) + column.reshape(-1)

    def data(self) -> dict:
        rows = [",".join(map(str, r)) for r in self.rows.tolist()]
        return {"name": self.buffer.name, "scope": self.buffer.scope,
                "shape": list(self.shape), "rows": rows, "columns": self.columns.tolist(),
                "hidden": self.hidden}


def loop_traffic(found: Traffic) -> dict:
    """Misses and reuse by buffer, and how much of the run was simulated."""
    return {"scale": found.scale(), "simulated": found.simulated, "total": found.total,
            "levels": [{"name": c.name, "size": c.size, "lines": c.size // c.line,
                        "text": str(c)} for c in found.levels],
            "buffers": [{"name": b.name, "scope": b.scope, "accesses": b.accesses,
                         "lines": b.lines, "misses": list(b.misses),
                         "reuse": list(np.trim_zeros(b.reuse, "b"))} for b in found.buffers]}
