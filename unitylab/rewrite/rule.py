"""Rules: an equation with an optional condition, and sets of them indexed by head class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace

from ..ir.node import Node
from .compile_pattern import compile_build, compile_match
from .pattern import Op, Pattern


@dataclass(frozen=True, eq=False)
class Rule:
    """`left` becomes `right` where `where` holds. `name` is the equation, for people.

    `left` is a pattern or a node class. `right` is a pattern, a number, or a function of the match
    that gives a node, or None to refuse. A match has the pattern's variables as attributes
    (expressions; Python ints for constants), `e` (what matched) and `context` (what the driver was
    given, an analyzer for instance). `where` is a function of the match."""

    name: str
    left: Pattern | type
    right: Pattern | int | float | bool | Callable
    where: Callable | None = None
    tries: tuple[Callable, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if isinstance(self.left, Op):
            matchers = tuple(compile_match(v) for v in self.left.variants())
        elif isinstance(self.left, type):
            matchers = (lambda e, same: {},)
        else:
            raise TypeError(f"rule {self.name!r}: the left side must have a head")
        make = self.right
        by_pattern = isinstance(make, Pattern) or not callable(make)
        build = compile_build(make) if by_pattern else None
        object.__setattr__(self, "tries", tuple(self._firing(m, build) for m in matchers))

    @property
    def head(self) -> type:
        """The node class that the rule is about."""
        return self.left.kind if isinstance(self.left, Op) else self.left

    def _firing(self, matcher: Callable, build: Callable | None) -> Callable:
        where, right = self.where, self.right

        def fire(e, same, context):
            found = matcher(e, same)
            if found is None:
                return None
            if where is None and build is not None:
                return build(e, found)
            match = SimpleNamespace(e=e, context=context, **found)
            if where is not None and not where(match):
                return None
            return build(e, found) if build is not None else right(match)

        return fire

    def apply(self, e: Node, same: Callable, context=None) -> Node | None:
        """The result at `e`, or None if the rule does not fire there."""
        for fire in self.tries:
            new = fire(e, same, context)
            if new is not None and new is not e:
                return new
        return None


class RuleSet:
    """Rules by the class of the node at their head (subclasses of it too), in order."""

    def __init__(self, rules: Iterable[Rule]):
        self.rules = tuple(rules)
        self._by_kind: dict[type, tuple[Rule, ...]] = {}

    def __add__(self, other: RuleSet) -> RuleSet:
        return RuleSet(self.rules + other.rules)

    def for_kind(self, kind: type) -> tuple[Rule, ...]:
        """The rules that may fire at a node of a class."""
        found = self._by_kind.get(kind)
        if found is None:
            found = tuple(r for r in self.rules if issubclass(kind, r.head))
            self._by_kind[kind] = found
        return found
