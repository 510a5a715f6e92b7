"""Modules as JSON text and back: exact, versioned, derived from the fields of the nodes.

    {"format": "unitylab-ir", "version": 1, "root": 7,
     "sources": ["cell 3"],                             what spans point into
     "arrays": [{"dtype", "shape", "data"}],            little-endian bytes in base64
     "nodes": [["prim.Var", {"name": "n", ...}], ...]}  a node only names nodes before it

Fields that have their default are left out. A value is null, a bool, a number, a string, a list
(a tuple) or an object with one key that says what it is: `{"node": 3}`, `{"dtype": "int8"}`,
`{"dict": [[key, value], ...]}`, `{"array": 0}`, `{"scalar": 0}`, `{"span": [0, 3, 4, 3, 9]}`,
`{"op": "relax.add"}`, `{"float": "7ff8000000000001"}` (the bits, where JSON has no number) or
`{"int": "ff..."}` (hexadecimal, where the number is long). Nodes that are shared stay shared.
Reading only builds nodes: it imports, calls and evaluates nothing that the text names.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import struct
from collections.abc import Callable
from functools import cache

import numpy as np

from .dtypes import DataType, dtype
from .errors import ParseError, StructInfoError, UnityLabError
from .field_types import misfit
from .node import BY_KIND, FrozenDict, Node, Span, nodes_in
from .op import Op, get_op

FORMAT, VERSION = "unitylab-ir", 1
_LONG = 2**63
_HINT = "text that `to_json()` of this version wrote is what can be read"


def to_json(root: Node, *, indent: int | None = None) -> str:
    """`root` and all below it as JSON text, spans and constants included.

    Raises UnityLabError where a field holds what no text can say (a Python function)."""
    return json.dumps(_Writer().document(root), indent=indent, allow_nan=False,
                      separators=(",", ":") if indent is None else None)


def from_json(text: str | bytes, kind: type[Node] = Node) -> Node:
    """The node that `to_json` wrote. Raises ParseError that says what is wrong with the text:
    torn, foreign, of another version, with a root that is no `kind`."""
    try:
        document = json.loads(text)
    except (TypeError, ValueError, RecursionError) as e:
        raise ParseError(f"the text is torn or no JSON: {e}", hint=_HINT) from e
    root = _Reader(_checked(document)).root()
    if not isinstance(root, kind):
        raise ParseError(f"the text holds a {type(root).__name__}, not a {kind.__name__}",
                         hint=f"{type(root).__name__}.from_json(text)")
    return root


# --- writing --------------------------------------------------------------------------------

class _Writer:
    """Numbers nodes, arrays and sources in the order in which they are finished."""

    def __init__(self):
        self.nodes: list[list] = []
        self.arrays: list[dict] = []
        self.sources: dict[str, int] = {}
        self.number: dict[int, int] = {}
        self.array_number: dict[int, int] = {}
        self.keep: list[object] = []

    def document(self, root: Node) -> dict:
        self.all_below(root)
        return {"format": FORMAT, "version": VERSION, "root": self.number[id(root)],
                "sources": list(self.sources), "arrays": self.arrays, "nodes": self.nodes}

    def all_below(self, root: Node) -> None:
        """Writes every node once, what it holds before it. A stack of its own: expressions may
        be thousands deep."""
        stack = [(root, False)]
        while stack:
            n, ready = stack.pop()
            if id(n) in self.number:
                continue
            if ready:
                self.number[id(n)] = len(self.nodes)
                self.nodes.append([n.kind_name, self.fields(n)])
                self.keep.append(n)
                continue
            stack.append((n, True))
            for name in reversed(n.field_names):
                below = [c for c in nodes_in(getattr(n, name)) if not isinstance(c, Op)]
                stack.extend((c, False) for c in reversed(below))

    def fields(self, n: Node) -> dict:
        written = {}
        for name, (_, start) in _defaults(type(n)).items():
            value = getattr(n, name)
            if not (value is start or isinstance(start, (bool, int, str)) and value == start):
                written[name] = self.value(value, n, name)
        return written

    def value(self, v, n: Node, name: str):
        """A field's value; `n` and `name` say where it stands if it cannot be written."""
        if v is None or type(v) in (bool, str):
            return v
        if isinstance(v, Node):
            return {"op": v.name} if isinstance(v, Op) else {"node": self.number[id(v)]}
        if isinstance(v, tuple):
            return [self.value(x, n, name) for x in v]
        if isinstance(v, dict):
            return {"dict": [[self.value(k, n, name), self.value(x, n, name)]
                             for k, x in v.items()]}
        if isinstance(v, DataType):
            return {"dtype": str(v)}
        if isinstance(v, (int, float)) and not isinstance(v, np.generic):
            return _number(v)
        if isinstance(v, (np.ndarray, np.generic)):
            return {"array" if isinstance(v, np.ndarray) else "scalar": self.array(v)}
        if isinstance(v, Span):
            at = self.sources.setdefault(v.source, len(self.sources))
            return {"span": [at, v.line, v.column, v.end_line, v.end_column]}
        raise UnityLabError(f"{n.kind_name}.{name} holds a {type(v).__name__}, which no JSON can "
                            f"say", span=getattr(n, "span", None),
                            hint="keep plain values, arrays and nodes in attributes")

    def array(self, a: np.ndarray | np.generic) -> int:
        found = self.array_number.get(id(a))
        if found is None:
            found = self.array_number[id(a)] = len(self.arrays)
            self.keep.append(a)
            little = np.asarray(a)
            little = little.astype(little.dtype.newbyteorder("<"), copy=False)
            self.arrays.append({"dtype": str(dtype(little.dtype)), "shape": list(little.shape),
                                "data": base64.b64encode(little.tobytes()).decode()})
        return found


def _number(v: float):
    if isinstance(v, float):
        return v if math.isfinite(v) else {"float": struct.pack(">d", v).hex()}
    return int(v) if -_LONG <= v < _LONG else {"int": f"{int(v):x}"}


@cache
def _defaults(kind: type) -> dict[str, tuple[bool, object]]:
    """For each field whether it has a default, and which."""
    return {f.name: (f.default is not dataclasses.MISSING, f.default)
            for f in dataclasses.fields(kind)}


# --- reading --------------------------------------------------------------------------------

_PARTS = {"root": int, "sources": list, "arrays": list, "nodes": list}


def _checked(document) -> dict:
    """The document, if it is one of ours and of this version."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ParseError(f'this JSON is no module: "format" is not "{FORMAT}"', hint=_HINT)
    version = document.get("version")
    if type(version) is not int or version != VERSION:
        raise ParseError(f"the text has version {version!r}, this unitylab reads {VERSION}",
                         hint="write it again with this version, or read it with the one that "
                              "wrote it")
    for part, kind in _PARTS.items():
        if type(document.get(part)) is not kind:
            raise ParseError(f'the text is torn: "{part}" is missing or no {kind.__name__}',
                             hint=_HINT)
    return document


class _Torn(Exception):
    """Why a value cannot be read; the reader adds the place."""


class _Reader:
    """Builds the nodes in order."""

    def __init__(self, document: dict):
        self.document = document
        self.nodes: list[Node] = []
        self.arrays = [self.at(f"arrays[{k}]", _array, a)
                       for k, a in enumerate(document["arrays"])]

    def root(self) -> Node:
        for k, entry in enumerate(self.document["nodes"]):
            self.nodes.append(self.at(f"nodes[{k}]", self.node, entry))
        return self.at("root", self.earlier, self.document["root"])

    def at(self, place: str, read: Callable, value):
        try:
            return read(value)
        except (_Torn, StructInfoError, ValueError, TypeError, OverflowError, RecursionError) as e:
            raise ParseError(f"the text is no module, at {place}: {e}", hint=_HINT) from e

    def node(self, entry) -> Node:
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], dict)):
            raise _Torn("a node is a list of its kind and its fields")
        kind = BY_KIND.get(entry[0]) if isinstance(entry[0], str) else None
        if kind is None or kind is Op:
            raise _Torn(f"no kind of node is called {entry[0]!r}")
        known = _defaults(kind)
        values = {name: self.value(v) for name, v in entry[1].items()}
        for name in values.keys() - known.keys():
            raise _Torn(f"{entry[0]} has no field {name!r}")
        for name, (optional, _) in known.items():
            if name not in values and not optional:
                raise _Torn(f"{entry[0]} lacks its field {name!r}")
        why = misfit(kind, values)
        if why:
            raise _Torn(f"{entry[0]}{why}")
        return kind(**values)

    def value(self, v):
        if isinstance(v, list):
            return tuple(self.value(x) for x in v)
        if not isinstance(v, dict):
            return v
        if len(v) != 1:
            raise _Torn(f"an object with one key is expected, not {sorted(v)}")
        (key, inside), = v.items()
        read = getattr(self, f"read_{key}", None)
        if read is None:
            raise _Torn(f"a value of kind {key!r} is not known")
        return read(inside)

    def earlier(self, k) -> Node:
        if type(k) is not int or not 0 <= k < len(self.nodes):
            raise _Torn(f"node {k!r} is not among the {len(self.nodes)} before it")
        return self.nodes[k]

    read_node = earlier

    def read_op(self, name) -> Op:
        return get_op(_text(name))

    def read_dtype(self, name) -> DataType:
        return dtype(_text(name))

    def read_dict(self, pairs) -> FrozenDict:
        return FrozenDict({self.value(k): self.value(v) for k, v in pairs})

    def read_array(self, k) -> np.ndarray:
        if type(k) is not int or not 0 <= k < len(self.arrays):
            raise _Torn(f"array {k!r} is not among the {len(self.arrays)} of the text")
        return self.arrays[k]

    def read_scalar(self, k) -> np.generic:
        array = self.read_array(k)
        if array.shape:
            raise _Torn(f"a scalar of shape {array.shape}")
        return array[()]

    def read_float(self, bits) -> float:
        if len(_text(bits)) != 16:
            raise _Torn(f"the bits of a float are 16 hexadecimal digits, not {bits!r}")
        return struct.unpack(">d", bytes.fromhex(bits))[0]

    def read_int(self, digits) -> int:
        return int(_text(digits), 16)

    def read_span(self, parts) -> Span:
        source, *rest = parts
        if len(rest) != 4 or not all(type(r) is int for r in (source, *rest)):
            raise _Torn("a span is five whole numbers")
        if not 0 <= source < len(self.document["sources"]):
            raise _Torn(f"source {source} is not in the text")
        return Span(_text(self.document["sources"][source]), *rest)


def _text(v) -> str:
    if not isinstance(v, str):
        raise _Torn(f"a string is expected, not {v!r}")
    return v


def _array(entry) -> np.ndarray:
    """A read-only array of exactly the bytes that were written."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data"}:
        raise _Torn("an array is an object of dtype, shape and data")
    kind, shape = dtype(_text(entry["dtype"])).numpy, entry["shape"]
    if not isinstance(shape, list) or not all(type(s) is int and s >= 0 for s in shape):
        raise _Torn(f"a shape is a list of sizes, not {shape!r}")
    data = base64.b64decode(_text(entry["data"]), validate=True)
    if len(data) != math.prod(shape) * kind.itemsize:
        raise _Torn(f"{len(data)} bytes for shape {tuple(shape)} of {kind}, "
                    f"{math.prod(shape) * kind.itemsize} expected")
    array = np.frombuffer(data, kind.newbyteorder("<")).reshape(shape)
    array = array.astype(kind, copy=False)
    array.flags.writeable = False
    return array
