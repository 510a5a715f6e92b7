"""Nodes as JSON and back. Nodes that are shared stay shared: modules of many steps together take
little more than one, and what was recorded of a node still fits it."""

from __future__ import annotations

import base64
from dataclasses import astuple

import numpy as np

from ..ir.dtypes import DataType, dtype
from ..ir.errors import Span, UnityLabError
from ..ir.node import BY_KIND, FrozenDict, Node
from ..ir.op import Op, get_op


class NodeWriter:
    """Collects nodes into `rows`; `add` gives the number of a node."""

    def __init__(self):
        self.rows: list = []
        self._numbers: dict[int, int] = {}
        self._keep: list[Node] = []

    def add(self, n: Node) -> int:
        if id(n) not in self._numbers:
            fields = {f: self.value(v) for f in n.field_names
                      if (v := getattr(n, f)) is not None
                      and (isinstance(v, Node) or not callable(v))}
            self._numbers[id(n)] = len(self.rows)
            self._keep.append(n)
            self.rows.append([n.kind_name, fields])
        return self._numbers[id(n)]

    def value(self, v):
        """A field's value: plain JSON, or a list whose first item tells what it is."""
        if isinstance(v, Op):
            return ["op", v.name]
        if isinstance(v, Node):
            return ["n", self.add(v)]
        if isinstance(v, DataType):
            return ["t", str(v)]
        if isinstance(v, (tuple, list)):
            return ["l" if isinstance(v, list) else "u", [self.value(x) for x in v]]
        if isinstance(v, dict):
            return ["d", [[k, self.value(x)] for k, x in v.items()]]
        if isinstance(v, Span):
            return ["s", list(astuple(v))]
        if isinstance(v, (np.ndarray, np.generic)):
            a = np.asarray(v)
            return ["a", a.dtype.name, list(a.shape), base64.b64encode(a.tobytes()).decode()]
        if isinstance(v, float) and v != v or v in (float("inf"), float("-inf")):
            return ["f", repr(v)]
        if v is None or isinstance(v, (str, int, float, bool)):
            return v
        raise UnityLabError(f"a {type(v).__name__} cannot be saved")


class NodeReader:
    """Makes the nodes of rows that a `NodeWriter` collected. Runs nothing that the rows hold."""

    def __init__(self, rows: list):
        self.nodes: list[Node] = []
        for kind, fields in rows:
            if kind not in BY_KIND:
                raise UnityLabError(f"the file holds a node of unknown kind {kind!r}",
                                    hint="it was written by another version of unitylab")
            known = BY_KIND[kind].field_names
            self.nodes.append(BY_KIND[kind](**{**dict.fromkeys(known), **{
                k: self.value(v) for k, v in fields.items() if k in known}}))

    def value(self, v):
        if not isinstance(v, list):
            return v
        kind, *rest = v
        make = {"op": get_op, "n": lambda k: self.nodes[k], "t": dtype, "f": float,
                "u": lambda xs: tuple(self.value(x) for x in xs),
                "l": lambda xs: [self.value(x) for x in xs],
                "d": lambda xs: FrozenDict({k: self.value(x) for k, x in xs}),
                "s": lambda xs: Span(*xs), "a": _array}
        if kind not in make:
            raise UnityLabError(f"the file holds a value of unknown kind {kind!r}")
        return make[kind](*rest)


def _array(name: str, shape: list[int], text: str) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(text), dtype(name).numpy)
    return data.reshape(shape).copy()
