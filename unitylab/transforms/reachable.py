"""Which functions of a module are called from outside, directly or not."""

from __future__ import annotations

from collections.abc import Iterable

from ..ir.module import IRModule
from ..ir.prim import GlobalVar
from ..ir.visitor import collect
from .private_functions import is_private


def reachable(mod: IRModule, entries: Iterable[str] = ()) -> set[str]:
    """The names of the functions that other modules may call, those of `entries`, and all that
    these call."""
    todo = [n for n, f in mod.items() if not is_private(f) or n in entries]
    if not todo:  # a module of private functions alone: nothing says what is its entry
        return set(mod)
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name in found or name not in mod:
            continue
        found.add(name)
        todo += [g.name for g in collect(mod[name], GlobalVar)]
    return found


def without_unreachable(mod: IRModule, candidates: Iterable[str]) -> IRModule:
    """The module without those of `candidates` that nothing calls any more."""
    live = reachable(mod)
    return mod.with_functions({n: None for n in candidates if n in mod and n not in live})
