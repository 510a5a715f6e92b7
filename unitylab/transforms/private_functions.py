"""Adding functions to a module while a pass runs; equal ones are shared."""

from __future__ import annotations

from ..ir.module import IRModule
from ..ir.node import FrozenDict
from ..ir.prim import GlobalVar
from ..ir.structural import structural_equal, structural_hash
from ..ir.tir import BaseFunc
from ..ir.visitor import fresh_copy


def is_private(func: BaseFunc) -> bool:
    """Whether only the module itself calls the function."""
    return "global_symbol" not in func.attrs


class PrivateFunctions:
    """The module that a pass builds. `add` gives an equal private function that is there already,
    or puts the new one under a free name."""

    def __init__(self, mod: IRModule):
        self.mod = mod
        self._by_hash: dict[int, list[str]] | None = None

    def add(self, func: BaseFunc, hint: str) -> GlobalVar:
        """The name of `func` in the module, as a private function. What enters the module is a
        copy: variables and buffers of its own."""
        func = func.replace(attrs=FrozenDict({k: v for k, v in func.attrs.items()
                                              if k != "global_symbol"}))
        same = self._index().setdefault(structural_hash(func), [])
        for name in same:
            if structural_equal(self.mod[name], func):
                return GlobalVar(name)
        name = self.mod.fresh_name(hint)
        self.mod = self.mod.with_functions({name: fresh_copy(func)})
        same.append(name)
        return GlobalVar(name)

    def _index(self) -> dict[int, list[str]]:
        if self._by_hash is None:
            self._by_hash = {}
            for name, func in self.mod.items():
                if is_private(func):
                    self._by_hash.setdefault(structural_hash(func), []).append(name)
        return self._by_hash
