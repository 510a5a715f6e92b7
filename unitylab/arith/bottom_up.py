"""Computing something for every part of an expression, leaves first, without recursion."""

from __future__ import annotations

from ..ir import prim
from ..ir.node import Node


class BottomUp:
    """`self(e)` is `self.compute(e, values of self.parts(e))`, remembered by identity."""

    def __init__(self):
        self._memo: dict[int, tuple[Node, object]] = {}

    def parts(self, e: Node) -> tuple[Node, ...]:
        """What must be known before `e`."""
        return tuple(e.children())

    def compute(self, e: Node, values: list):
        raise NotImplementedError

    def __call__(self, root: Node):
        memo, stack = self._memo, [root]
        while stack:
            e = stack[-1]
            if id(e) in memo:
                stack.pop()
                continue
            parts = self.parts(e)
            missing = [p for p in parts if id(p) not in memo]
            if missing:
                stack += reversed(missing)
                continue
            stack.pop()
            memo[id(e)] = e, self.compute(e, [memo[id(p)][1] for p in parts])
        return memo[id(root)][1]


class VariableSets(BottomUp):
    """Which variables an expression mentions, as the bits of an int."""

    def __init__(self):
        super().__init__()
        self._bits: dict[prim.Var, int] = {}

    def compute(self, e: Node, values: list[int]) -> int:
        if isinstance(e, prim.Var):
            return self._bits.setdefault(e, 1 << len(self._bits))
        result = 0
        for v in values:
            result |= v
        return result
