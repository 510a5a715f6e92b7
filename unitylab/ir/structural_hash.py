"""Structural hash, and which functions of two modules stand for each other without their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from . import module, prim, relax, tir
from .deep import deep
from .errors import UnityLabError
from .node import FrozenDict, Node
from .op import Op

_BINDERS = (prim.Var, relax.Var, tir.Buffer)
ALWAYS = -1


class _Hasher:
    """Hashes a tree; a bound variable counts as the number of its definition.

    `known` has the hashes of nodes that were met; one that has free variables holds until another
    variable is bound. `functions` gives what stands for the name of a function."""

    def __init__(self, names: bool, functions: Mapping[str, int] | None = None):
        self.names, self.functions = names, functions or {}
        self.bound: dict[int, int] = {}
        self.known: dict[tuple[int, bool], tuple[int, int]] = {}
        self.free = 0  # how often a variable was met that nothing had bound

    def value(self, v, defining: bool) -> int:
        if isinstance(v, Node):
            return self.node(v, defining)
        if isinstance(v, tuple):
            return hash(tuple([self.value(x, defining) for x in v]))
        if isinstance(v, FrozenDict):
            return hash(tuple([(k, self.value(v[k], defining)) for k in sorted(v, key=str)
                               if self.names or k != "global_symbol"]))
        if isinstance(v, np.ndarray):
            return hash((v.dtype.str, v.shape, v.tobytes()))
        if callable(v):
            return hash(getattr(v, "__qualname__", ""))
        return hash((type(v).__name__, v)) if v == v else hash("nan")

    def node(self, n: Node, defining: bool) -> int:
        if isinstance(n, _BINDERS):
            return self.binder(n, defining)
        if isinstance(n, prim.GlobalVar):
            return hash(("global", n.name if self.names else self.functions.get(n.name, 0)))
        if isinstance(n, Op):
            return hash(n.name)
        if isinstance(n, module.IRModule):
            return self.module(n)
        return self.shared(n, defining)

    def module(self, n: module.IRModule) -> int:
        """Each function by itself: a variable that two of them bind is bound anew in each."""
        functions = [(k, _Hasher(True).node(n[k], False)) for k in sorted(n)] if self.names else \
            sorted(function_hashes(n).values())
        return hash((tuple(functions), self.value(n.attrs, False),
                     self.value(n.global_infos, False)))

    def binder(self, n: Node, defining: bool) -> int:
        number = self.bound.get(id(n))
        if number is not None:
            return hash(("bound", number))
        if not defining:
            self.free += 1
            return hash(("free", getattr(n, "name", "")))
        self.bound[id(n)] = len(self.bound)
        return self.fields(n, True)

    def shared(self, n: Node, defining: bool) -> int:
        """The hash of a node, computed once where that is the same at every place."""
        key, bound, free = (id(n), defining), len(self.bound), self.free
        found = self.known.get(key)
        if found is not None and found[1] in (bound, ALWAYS):
            self.free += found[1] != ALWAYS
            return found[0]
        value = self.fields(n, defining)
        if len(self.bound) == bound:
            self.known[key] = value, (ALWAYS if self.free == free else bound)
        return value

    def fields(self, n: Node, defining: bool) -> int:
        parts = [n.kind_name]
        for name, role in n.compared_fields:
            v, inside = getattr(n, name), defining or role == "definition"
            parts.append(self.node(v, inside) if isinstance(v, Node) else self.value(v, inside))
        return hash(tuple(parts))


@deep
def structural_hash(a: Node, *, names: bool = True) -> int:
    """A hash that structurally equal programs share (within one process). `names=False`: names of
    functions do not count. Raises UnityLabError for what is no program."""
    if not isinstance(a, Node):
        raise UnityLabError(f"a program is expected, not {type(a).__name__}",
                            hint="ul.parse(text) makes a module of text")
    return _Hasher(names).node(a, False)


def function_hashes(mod: module.IRModule) -> dict[str, int]:
    """Hashes of the functions without their names: by structure, then by what they call and who
    calls them, until that tells no more functions apart."""
    callers: dict[str, list[str]] = {n: [] for n in mod}
    for name, func in mod.items():
        for callee in called(func):
            callers.get(callee, []).append(name)
    hashes: dict[str, int] = dict.fromkeys(mod, 0)
    while True:
        new = {n: hash((_Hasher(False, hashes).node(f, False),
                        tuple(sorted(hashes[c] for c in callers[n])))) for n, f in mod.items()}
        if len(set(new.values())) <= len(set(hashes.values())):
            return new
        hashes = new


def called(func: Node) -> Iterator[str]:
    """The names of functions in the order in which a function mentions them."""
    stack, seen = [func], set()
    while stack:
        n = stack.pop()
        if isinstance(n, prim.GlobalVar):
            yield n.name
        elif id(n) not in seen:
            seen.add(id(n))
            stack += reversed(list(n.children()))


def pair_functions(a: module.IRModule, b: module.IRModule) -> list[tuple[str, str]]:
    """The functions of two modules that stand for each other: first by equal hashes, callers
    before what they call; then those left over by name, and in order."""
    mine, others = function_hashes(a), function_hashes(b)
    found: dict[str, str] = {}
    free = dict.fromkeys(b)

    def pair(x: str, y: str) -> None:
        if x in found or y not in free or mine.get(x) != others[y]:
            return
        found[x] = y
        del free[y]
        for p, q in zip(called(a[x]), called(b[y])):
            pair(p, q)

    inner = {c for f in a.functions.values() for c in called(f)}
    for x in sorted(a, key=lambda n: n in inner):
        for y in sorted(free, key=lambda n: n != x):
            pair(x, y)
    for x in a:
        if x not in found and free:
            found[x] = x if x in free else next(iter(free))
            del free[found[x]]
    return list(found.items())
