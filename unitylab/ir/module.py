"""`IRModule`: functions by name. A module is a value: every change makes a new one that shares
all that stayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .errors import Span, UnityLabError, did_you_mean
from .node import EMPTY, FrozenDict, Node, child, node, span_field
from .prim import GlobalVar
from .relax import Function
from .tir import BaseFunc, PrimFunc


@node
class IRModule(Node):
    """Graph functions and tensor programs by name, with attributes and global infos.

    `IRModule({"main": func})`; `mod["main"]`, `mod.prim_funcs`, `mod.graph_funcs`. A function that
    is missing raises UnityLabError with near names."""

    functions: FrozenDict = child(EMPTY)
    attrs: FrozenDict = child(EMPTY)
    global_infos: FrozenDict = child(EMPTY)
    span: Span | None = span_field()

    def __post_init__(self):
        if not isinstance(self.functions, Mapping):
            raise UnityLabError("the functions of a module are given by name, not as "
                                f"{type(self.functions).__name__}",
                                hint='IRModule({"main": func})')
        if not isinstance(self.functions, FrozenDict):
            object.__setattr__(self, "functions", FrozenDict(self.functions))

    def __getitem__(self, name: str | GlobalVar) -> BaseFunc:
        name = name.name if isinstance(name, GlobalVar) else name
        if name not in self.functions:
            known = ", ".join(self.functions) or "none"
            raise UnityLabError(f"the module has no function {name!r}", hint=did_you_mean(
                str(name), self.functions, f"it has: {known}"))
        return self.functions[name]

    def __contains__(self, name) -> bool:
        return (name.name if isinstance(name, GlobalVar) else name) in self.functions

    def __iter__(self) -> Iterator[str]:
        return iter(self.functions)

    def __len__(self) -> int:
        return len(self.functions)

    def items(self):
        return self.functions.items()

    @property
    def prim_funcs(self) -> dict[str, PrimFunc]:
        """The tensor programs by name."""
        return {n: f for n, f in self.items() if isinstance(f, PrimFunc)}

    @property
    def graph_funcs(self) -> dict[str, Function]:
        """The graph functions by name."""
        return {n: f for n, f in self.items() if isinstance(f, Function)}

    def with_functions(self, changes: Mapping[str, BaseFunc | None]) -> IRModule:
        """The module with functions added or replaced (None removes); itself if nothing changes."""
        if all(self.functions.get(n) is f for n, f in changes.items()):
            return self
        return self.replace(functions=self.functions.updated(changes))

    def map_functions(self, f, kind: type = BaseFunc) -> IRModule:
        """The module with `f(name, func)` applied to each function of a kind."""
        return self.with_functions({n: f(n, g) for n, g in self.items() if isinstance(g, kind)})

    def fresh_name(self, hint: str) -> str:
        """A function name that is not taken: `hint`, `hint1`, `hint2`, ..."""
        return fresh_name(hint, self.functions)


def fresh_name(hint: str, taken) -> str:
    """`hint` if it is free, else with the smallest number behind it that is."""
    if hint not in taken:
        return hint
    k = 1
    while f"{hint}{k}" in taken:
        k += 1
    return f"{hint}{k}"


def as_module(x: IRModule | BaseFunc, name: str | None = None) -> IRModule:
    """A module as it is, a single function as a module of one, called `name`, its
    global_symbol or "main". Raises UnityLabError for anything else."""
    if isinstance(x, IRModule):
        return x
    if not isinstance(x, BaseFunc):
        raise UnityLabError(f"a module or a function is expected, not {type(x).__name__}",
                            hint="ul.parse(text) makes a module of text")
    return IRModule(FrozenDict({name or x.attrs.get("global_symbol") or "main": x}))
