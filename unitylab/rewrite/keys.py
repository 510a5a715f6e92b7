"""Numbers for expressions: two have the same number when they are the same up to the order of
operands that commute. Comparing numbers is how rules and sums find equal terms quickly."""

from __future__ import annotations

from collections.abc import Iterator

from ..ir import prim, relax, tir
from ..ir.node import FrozenDict, Node

_IDENTITY = (prim.Var, relax.Var, tir.Buffer, relax.Constant)
_COMMUTE = {prim.Add, prim.Mul, prim.Min, prim.Max, prim.And, prim.Or, prim.EQ, prim.NE}
_MIRROR = {prim.GT: prim.LT, prim.GE: prim.LE}


class Keys:
    """Hands out the numbers; remembers the nodes it saw, so that ids stay valid."""

    def __init__(self):
        self._numbers: dict[tuple, int] = {}
        self._known: dict[int, tuple[Node, int]] = {}

    def __call__(self, e: Node) -> int:
        """The number of `e`."""
        found = self._known.get(id(e))
        return self._compute(e) if found is None else found[1]

    def same(self, a: Node, b: Node) -> bool:
        """Whether two expressions are the same."""
        return a is b or type(a) is type(b) and self(a) == self(b)

    def _compute(self, root: Node) -> int:
        known, stack = self._known, [root]
        while stack:
            node = stack[-1]
            if id(node) in known:
                stack.pop()
                continue
            parts = list(_parts(node))
            missing = [p for _, p in parts if id(p) not in known]
            if missing:
                stack += missing
                continue
            stack.pop()
            key = self._key(node, [(sign, known[id(p)][1]) for sign, p in parts])
            known[id(node)] = node, self._numbers.setdefault(key, len(self._numbers))
        return known[id(root)][1]

    def _key(self, node: Node, parts: list[tuple[int, int]]) -> tuple:
        kind = type(node)
        if isinstance(node, _IDENTITY) or _acts(node):
            return ("itself", id(node))
        if kind is prim.IntImm or kind is prim.FloatImm:
            return (kind, node.value, node.dtype, str(node.value))
        if _is_sum(node):
            return ("sum", *sorted(parts))
        if kind in _COMMUTE:
            return (kind, *sorted(parts))
        if kind in _MIRROR:
            return (_MIRROR[kind], *reversed(parts))
        numbers = iter(parts)
        return (kind, *[_shape(getattr(node, f), numbers) for f, _ in node.compared_fields])


def _acts(node: Node) -> bool:
    """Calls that may do something are equal to themselves only."""
    if type(node) is prim.Call:
        return not isinstance(node.op, str) or node.op.startswith(("call_", "tvm_"))
    return type(node) is relax.Call


def _is_sum(node: Node) -> bool:
    return type(node) in (prim.Add, prim.Sub) and node.dtype.is_int


def _parts(node: Node) -> Iterator[tuple[int, Node]]:
    """The operands with their sign: of a whole chain where the operator is associative."""
    if isinstance(node, _IDENTITY) or _acts(node):
        return
    kind = type(node)
    if _is_sum(node):
        yield from signed_terms(node)
    elif kind in (prim.Mul, prim.Min, prim.Max, prim.And, prim.Or) and not node.dtype.is_float:
        for leaf in chain(node, kind):
            yield 1, leaf
    else:
        for name, role in node.compared_fields:
            if role != "plain":
                yield from ((1, c) for c in _nodes(getattr(node, name)))


def signed_terms(node: Node) -> Iterator[tuple[int, Node]]:
    """The terms of a chain of additions and subtractions, left to right, with their signs."""
    stack = [(1, node)]
    while stack:
        sign, e = stack.pop()
        if type(e) is prim.Add:
            stack += ((sign, e.b), (sign, e.a))
        elif type(e) is prim.Sub:
            stack += ((-sign, e.b), (sign, e.a))
        else:
            yield sign, e


def chain(node: Node, kind: type) -> Iterator[Node]:
    """The operands of a chain of one associative operator, left to right."""
    stack = [node]
    while stack:
        e = stack.pop()
        if type(e) is kind:
            stack += (e.b, e.a)
        else:
            yield e


def _nodes(value) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for v in value:
            yield from _nodes(v)
    elif isinstance(value, FrozenDict):
        for k in sorted(value, key=str):
            yield from _nodes(value[k])


def _shape(value, numbers: Iterator[tuple[int, int]]):
    """A field's value with each node replaced by its number."""
    if isinstance(value, Node):
        return next(numbers)
    if isinstance(value, tuple):
        return tuple([_shape(v, numbers) for v in value])
    if isinstance(value, FrozenDict):
        return tuple([(k, _shape(value[k], numbers)) for k in sorted(value, key=str)])
    return value if value.__hash__ else id(value)
