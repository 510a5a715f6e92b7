"""Structural equality and hash, derived from the fields.

Two programs are equal when they have the same structure and one renaming of bound variables and
buffers turns one into the other. Names of variables never count; names of functions count unless
`names=False`.
"""

from __future__ import annotations

import math

import numpy as np

from . import module, prim, relax, tir
from .errors import StructuralMismatch
from .node import FrozenDict, Node
from .op import Op

_BINDERS = (prim.Var, relax.Var, tir.Buffer)


class _Compare:
    """Compares two trees; remembers the renaming; `path` is where the first difference lies."""

    def __init__(self, map_free: bool, names: bool):
        self.map_free, self.names = map_free, names
        self.left: dict[int, Node] = {}
        self.right: dict[int, Node] = {}
        self.functions: dict[str, str] = {}
        self.keep: list[Node] = []
        self.path: list[str] = []
        self.where: tuple[str, object, object] | None = None

    def differ(self, a, b) -> bool:
        if self.where is None:
            self.where = ("".join(self.path), a, b)
        return False

    def value(self, a, b, defining: bool) -> bool:
        if isinstance(a, Node):
            return isinstance(b, Node) and self.node(a, b, defining) or self.differ(a, b)
        if isinstance(a, tuple):
            return self.sequence(a, b, defining)
        if isinstance(a, FrozenDict):
            return self.mapping(a, b, defining)
        return plain_equal(a, b) or self.differ(a, b)

    def sequence(self, a: tuple, b, defining: bool) -> bool:
        if not isinstance(b, tuple) or len(a) != len(b):
            return self.differ(a, b)
        for i, (x, y) in enumerate(zip(a, b)):
            self.path.append(f"[{i}]")
            if not self.value(x, y, defining):
                return False
            self.path.pop()
        return True

    def mapping(self, a: FrozenDict, b, defining: bool) -> bool:
        if not isinstance(b, FrozenDict) or a.keys() != b.keys():
            return self.differ(a, b)
        for key in sorted(a, key=str):
            self.path.append(f"[{key!r}]")
            if not self.value(a[key], b[key], defining):
                return False
            self.path.pop()
        return True

    def node(self, a: Node, b: Node, defining: bool) -> bool:
        if isinstance(a, _BINDERS):
            return self.binder(a, b, defining)
        if a is b and not self.left and not self.map_free and not defining:
            return True
        if type(a) is not type(b):
            return self.differ(a, b)
        if isinstance(a, prim.GlobalVar):
            return self.global_name(a, b)
        if isinstance(a, Op):
            return a.name == b.name or self.differ(a, b)
        return self.fields(a, b, defining)

    def fields(self, a: Node, b: Node, defining: bool) -> bool:
        for name, role in a.compared_fields:
            self.path.append(f".{name}")
            if not self.value(getattr(a, name), getattr(b, name),
                              defining or role == "definition"):
                return False
            self.path.pop()
        return True

    def binder(self, a: Node, b: Node, defining: bool) -> bool:
        known = self.left.get(id(a))
        if known is not None or id(b) in self.right:
            return known is b or self.differ(a, b)
        if not (defining or self.map_free):
            return a is b or self.differ(a, b)
        if type(a) is not type(b):
            return self.differ(a, b)
        self.left[id(a)], self.right[id(b)] = b, a
        self.keep += (a, b)
        return self.fields(a, b, True)

    def global_name(self, a: prim.GlobalVar, b: prim.GlobalVar) -> bool:
        if self.names:
            return a.name == b.name or self.differ(a, b)
        return self.functions.setdefault(a.name, b.name) == b.name or self.differ(a, b)

    def modules(self, a: module.IRModule, b: module.IRModule) -> bool:
        if self.names:
            return self.fields(a, b, False)
        if len(a) != len(b):
            return self.differ(tuple(a), tuple(b))
        pairs = zip(a.items(), b.items())
        self.functions = {x: y for (x, _), (y, _) in pairs}
        return all(self.value(f, g, False) for f, g in zip(a.functions.values(),
                                                           b.functions.values()))


def plain_equal(a, b) -> bool:
    """Equality of plain field values: NaN equals NaN, arrays by dtype, shape and content."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return a is b or (isinstance(b, np.ndarray) and isinstance(a, np.ndarray)
                          and a.dtype == b.dtype and a.shape == b.shape
                          and a.tobytes() == b.tobytes())
    if type(a) is float and type(b) is float:
        return a == b and math.copysign(1, a) == math.copysign(1, b) or (a != a and b != b)
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    return a == b


def _compare(a: Node, b: Node, map_free_vars: bool, names: bool) -> _Compare | None:
    c = _Compare(map_free_vars, names)
    if isinstance(a, module.IRModule) and isinstance(b, module.IRModule):
        same = c.modules(a, b)
    else:
        same = c.value(a, b, False)
    return None if same else c


def structural_equal(a: Node, b: Node, *, map_free_vars: bool = False, names: bool = True) -> bool:
    """Whether two programs are the same up to renaming of what they bind.

    `map_free_vars`: variables that are bound outside may be renamed too. `names=False`: names of
    functions do not count either."""
    return a is b or _compare(a, b, map_free_vars, names) is None


def assert_structural_equal(a: Node, b: Node, *, map_free_vars: bool = False,
                            names: bool = True) -> None:
    """Raises StructuralMismatch with both programs and the first difference."""
    found = None if a is b else _compare(a, b, map_free_vars, names)
    if found is None:
        return
    path, x, y = found.where or ("", a, b)
    raise StructuralMismatch(
        f"the programs differ at {path or 'the top'}:\n  left:  {_show(x)}\n  right: {_show(y)}\n"
        f"--- left\n{_show(a, 4000)}\n--- right\n{_show(b, 4000)}")


def _show(value, limit: int = 300) -> str:
    text = value.script() if isinstance(value, Node) else repr(value)
    return text if len(text) <= limit else text[:limit] + " ..."


class _Hasher:
    """Hashes a tree; a bound variable counts as the number of its definition."""

    def __init__(self, names: bool):
        self.names = names
        self.bound: dict[int, int] = {}
        self.keep: list[Node] = []

    def value(self, v, defining: bool) -> int:
        if isinstance(v, Node):
            return self.node(v, defining)
        if isinstance(v, tuple):
            return hash(tuple([self.value(x, defining) for x in v]))
        if isinstance(v, FrozenDict):
            return hash(tuple([(k, self.value(v[k], defining)) for k in sorted(v, key=str)]))
        if isinstance(v, np.ndarray):
            return hash((v.dtype.str, v.shape, v.tobytes()))
        if callable(v):
            return hash(getattr(v, "__qualname__", ""))
        return hash((type(v).__name__, v)) if v == v else hash("nan")

    def node(self, n: Node, defining: bool) -> int:
        if isinstance(n, _BINDERS):
            number = self.bound.get(id(n))
            if number is not None:
                return hash(("bound", number))
            if not defining:
                return hash(("free", getattr(n, "name", "")))
            self.bound[id(n)] = len(self.bound)
            self.keep.append(n)
        elif isinstance(n, prim.GlobalVar):
            return hash(("global", n.name)) if self.names else hash("global")
        elif isinstance(n, Op):
            return hash(n.name)
        elif isinstance(n, module.IRModule) and not self.names:
            return hash(tuple(self.value(f, False) for f in n.functions.values()))
        inside = defining and isinstance(n, _BINDERS) or defining
        return hash((n.kind_name, *[self.value(getattr(n, f), inside or r == "definition")
                                    for f, r in n.compared_fields]))


def structural_hash(a: Node, *, names: bool = True) -> int:
    """A hash that structurally equal programs share (within one process)."""
    return _Hasher(names).node(a, False)
