"""A tensor program with those that it calls: what is compiled together, and when two are equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from ..ir import prim
from ..ir.errors import BuildError
from ..ir.module import IRModule
from ..ir.node import FrozenDict
from ..ir.structural import structural_equal, structural_hash
from ..ir.tir import PrimFunc
from ..ir.visitor import collect

T = TypeVar("T")


@dataclass(frozen=True)
class Family:
    """A tensor program and those that it calls, itself first."""

    name: str
    functions: FrozenDict

    @property
    def func(self) -> PrimFunc:
        return self.functions[self.name]

    @property
    def key(self) -> int:
        """Equal families have the same."""
        return _hash(self.func)

    def same(self, other: Family) -> bool:
        """Whether the machine code of one is that of the other. Its own name does not count."""
        if len(self.functions) != len(other.functions):
            return False
        pairs = list(zip(self.functions.values(), other.functions.values()))
        if all(a is b for a, b in pairs):
            return True
        (a, b), *callees = pairs
        return structural_equal(_anonymous(a), _anonymous(b)) and \
            all(structural_equal(f, g) for f, g in callees)


def family_of(mod: IRModule, name: str) -> Family:
    """The family of a tensor program. Raises BuildError for programs that call themselves:
    nothing bounds the stack they need."""
    found: dict[str, PrimFunc] = {}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise BuildError(f"{name} calls itself ({' -> '.join((*path, name))})",
                             span=found[name].span, hint="write the repetition as a loop")
        func = mod.functions.get(name)
        if name in done or not isinstance(func, PrimFunc):
            return
        found[name] = func
        for callee in _callees(func):
            visit(callee, (*path, name))
        done.add(name)
    visit(name, ())
    return Family(name, FrozenDict(found))


def _once_a_program(find: Callable[[PrimFunc], T]) -> Callable[[PrimFunc], T]:
    """Programs are values: what was found out about one is remembered as long as it lives."""
    known: WeakKeyDictionary[PrimFunc, T] = WeakKeyDictionary()

    @wraps(find)
    def remembered(func: PrimFunc) -> T:
        found = known.get(func)
        if found is None:
            found = known[func] = find(func)
        return found
    return remembered


@_once_a_program
def _callees(func: PrimFunc) -> tuple[str, ...]:
    return tuple(c.op.name for c in collect(func.body, prim.Call)
                 if isinstance(c.op, prim.GlobalVar))


@_once_a_program
def _hash(func: PrimFunc) -> int:
    return structural_hash(_anonymous(func))


def _anonymous(func: PrimFunc) -> PrimFunc:
    return func.replace(attrs=FrozenDict())
