"""Structural equality and hash, derived from the fields.

Two programs are equal when they have the same structure and one renaming of bound variables and
buffers turns one into the other. Names of variables never count; names of functions count unless
`names=False`: then neither they nor the order of functions count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from . import module, prim, relax, tir
from .deep import deep
from .errors import StructuralMismatch
from .node import FrozenDict, Node
from .op import Op
from .structural_hash import pair_functions, structural_hash

_BINDERS = (prim.Var, relax.Var, tir.Buffer)
PLACES = 8  # that a mismatch lists


@dataclass(frozen=True)
class Difference:
    """What differs, where it lies (the fields from the top), and the nodes around it on each side,
    from the outside in."""

    path: str
    left: object
    right: object
    around_left: tuple[Node, ...]
    around_right: tuple[Node, ...]

    def places(self) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        """The ways to the differing nodes."""
        return _way(self.around_left, self.left), _way(self.around_right, self.right)


def _way(around: tuple[Node, ...], end) -> tuple[Node, ...]:
    return (*around, end) if isinstance(end, Node) else around


MISSING = type("Missing", (), {"__repr__": lambda self: "nothing"})()  # one side has no such item


class Compare:
    """Compares two trees; remembers the renaming.

    It stops at the first difference unless more are asked for: then it goes on beside it. The
    renaming only grows, so that a pair that was found equal stays so; `equal` remembers such pairs,
    and an expression that is shared is compared once."""

    def __init__(self, map_free: bool, names: bool, most: int = 1):
        self.map_free, self.names, self.most = map_free, names, most
        self.left: dict[int, Node] = {}
        self.right: dict[int, Node] = {}
        self.functions: dict[str, str] = {}
        self.functions_back: dict[str, str] = {}
        self.equal: set[tuple[int, int, bool]] = set()
        self.path: list[str] = []
        self.around: list[tuple[Node, Node]] = []
        self.found: list[Difference] = []

    def differ(self, a, b) -> bool:
        """Notes a difference; True where the comparison shall go on."""
        left, right = zip(*self.around) if self.around else ((), ())
        self.found.append(Difference("".join(self.path).lstrip("."), a, b, left, right))
        return len(self.found) < self.most

    def value(self, a, b, defining: bool) -> bool:
        if isinstance(a, Node):
            return self.node(a, b, defining) if isinstance(b, Node) else self.differ(a, b)
        if isinstance(a, tuple):
            return self.sequence(a, b, defining)
        if isinstance(a, FrozenDict):
            return self.mapping(a, b, defining)
        return plain_equal(a, b) or self.differ(a, b)

    def step(self, name: str, a, b, defining: bool) -> bool:
        """Compares what lies one step further along the path."""
        self.path.append(name)
        go_on = self.value(a, b, defining)
        self.path.pop()
        return go_on

    def sequence(self, a: tuple, b, defining: bool) -> bool:
        if not isinstance(b, tuple):
            return self.differ(a, b)
        if len(a) != len(b):
            return self.lengths(a, b, defining)
        for i, (x, y) in enumerate(zip(a, b)):
            self.path.append(f"[{i}]")
            if not self.value(x, y, defining):
                return False
            self.path.pop()
        return True

    def lengths(self, a: tuple, b: tuple, defining: bool) -> bool:
        """Tuples of different length differ where the first item does, or else is missing."""
        before, i = len(self.found), 0
        for i, (x, y) in enumerate(zip(a, b)):
            if not self.step(f"[{i}]", x, y, defining):
                return False
            if len(self.found) > before:
                return True  # what follows is shifted
        i = min(len(a), len(b))
        self.path.append(f"[{i}]")
        go_on = self.differ(a[i] if i < len(a) else MISSING, b[i] if i < len(b) else MISSING)
        self.path.pop()
        return go_on

    def mapping(self, a: FrozenDict, b, defining: bool) -> bool:
        if not isinstance(b, FrozenDict):
            return self.differ(a, b)
        for key in sorted({*a, *b}, key=str):
            x, y = a.get(key, MISSING), b.get(key, MISSING)
            if not self.names and key == "global_symbol" and MISSING not in (x, y):
                continue
            if not self.step(f"[{key!r}]", x, y, defining):
                return False
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
        if isinstance(a, module.IRModule) and not self.names:
            return self.modules(a, b)
        return self.fields(a, b, defining)

    def fields(self, a: Node, b: Node, defining: bool) -> bool:
        pair = (id(a), id(b), defining)
        if pair in self.equal:
            return True
        if isinstance(a, tir.BaseFunc) and self.around and \
                isinstance(self.around[-1][0], module.IRModule):
            # functions of a module are closed: a variable that two of them bind is bound anew
            self.left, self.right, self.equal = {}, {}, set()
        before = len(self.found)
        self.around.append((a, b))
        for name, role in a.compared_fields:
            self.path.append(f".{name}")
            x, y, inside = getattr(a, name), getattr(b, name), defining or role == "definition"
            if not (self.node(x, y, inside) if isinstance(x, Node) and isinstance(y, Node)
                    else self.value(x, y, inside)):
                return False
            self.path.pop()
        self.around.pop()
        if len(self.found) == before:
            self.equal.add(pair)
        return True

    def binder(self, a: Node, b: Node, defining: bool) -> bool:
        known = self.left.get(id(a))
        if known is not None or id(b) in self.right:
            return known is b or self.differ(a, b)
        if not (defining or self.map_free) and not self.found:  # what differs may have bound it
            return a is b or self.differ(a, b)
        if type(a) is not type(b):
            return self.differ(a, b)
        self.left[id(a)], self.right[id(b)] = b, a
        return self.fields(a, b, True)

    def global_name(self, a: prim.GlobalVar, b: prim.GlobalVar) -> bool:
        same = a.name == b.name if self.names else self.same_function(a.name, b.name)
        return same or self.differ(a, b)

    def same_function(self, a: str, b: str) -> bool:
        """Whether two names stand for one function; a name that was not met yet may."""
        return self.functions.setdefault(a, b) == b and self.functions_back.setdefault(b, a) == a

    def modules(self, a: module.IRModule, b: module.IRModule) -> bool:
        """Modules whose functions may have other names and another order."""
        pairs = pair_functions(a, b)
        for x, y in pairs:
            self.same_function(x, y)
        whole = [(f"[{x!r}]", a[x], b[y]) for x, y in pairs]
        left = {x for x, _ in pairs}
        whole += [(f"[{x!r}]", f, MISSING) for x, f in a.items() if x not in left]
        right = {y for _, y in pairs}
        whole += [(f"[{y!r}]", MISSING, f) for y, f in b.items() if y not in right]
        self.around.append((a, b))
        for path, f, g in whole:
            if not self.step(f".functions{path}", f, g, False):
                return False
        go_on = self.step(".attrs", a.attrs, b.attrs, False) and \
            self.step(".global_infos", a.global_infos, b.global_infos, False)
        self.around.pop()
        return go_on


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


def differences(a: Node, b: Node, *, map_free_vars: bool = False, names: bool = True,
                most: int = 1) -> list[Difference]:
    """Where two programs differ, at most so many places; empty if they are equal.

    What lies behind a difference is compared as far as it can be: the first is sure, later ones
    may follow from it."""
    def found() -> list[Difference]:
        compare = Compare(map_free_vars, names, most)
        if a is not b:
            compare.value(a, b, False)
        return compare.found
    return deep(found)()


def structural_equal(a: Node, b: Node, *, map_free_vars: bool = False, names: bool = True) -> bool:
    """Whether two programs are the same up to renaming of what they bind.

    `map_free_vars`: variables that are bound outside may be renamed too. `names=False`: names and
    order of functions do not count either."""
    return not differences(a, b, map_free_vars=map_free_vars, names=names)


def assert_structural_equal(a: Node, b: Node, *, map_free_vars: bool = False,
                            names: bool = True) -> None:
    """Raises StructuralMismatch with both programs around the places that differ."""
    found = differences(a, b, map_free_vars=map_free_vars, names=names, most=PLACES)
    if not found:
        return
    first, more = found[0], len(found) - 1
    raise StructuralMismatch(
        f"the programs differ at {first.path or 'the top'}:\n"
        f"  left:  {show(first.left)}\n  right: {show(first.right)}"
        + (f"\n  and at {'; '.join(d.path for d in found[1:])}" if more else ""),
        left=a, right=b, places=[d.places() for d in found])


def show(value, limit: int = 200) -> str:
    """A node or a value in a line."""
    try:
        text = value.script() if isinstance(value, Node) else repr(value)
    except Exception:  # what cannot be printed differs all the same
        return f"a {type(value).__name__}"
    first = next((line for line in text.splitlines() if not line.startswith(("#", "@"))), "")
    return text if text == first and len(text) <= limit else first[:limit] + " ..."


__all__ = ["Compare", "Difference", "assert_structural_equal", "differences", "plain_equal",
           "show", "structural_equal", "structural_hash"]
