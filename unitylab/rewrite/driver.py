"""The one driver: applies rules from the leaves up until none fires, and records every firing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ..ir.errors import TransformError
from ..ir.node import Node
from ..ir.transform import SILENT, Recorder
from .keys import Keys
from .rule import Rule, RuleSet


class Driver:
    """Rewrites trees with a set of rules. What was rewritten is remembered by identity, so that
    shared parts cost once, within a call and between calls.

    `context` is what rules see as `match.context`; `function` is named in the records. `limit`
    bounds the firings of one call: rules that undo each other raise TransformError, by name.
    Works with a stack of its own, so that programs may be thousands of levels deep."""

    def __init__(self, rules: RuleSet | Iterable[Rule], recorder: Recorder = SILENT,
                 function: str = "", context=None, keys: Keys | None = None,
                 limit: int = 100_000):
        self.rules = rules if isinstance(rules, RuleSet) else RuleSet(rules)
        self.recorder, self.function, self.context = recorder, function, context
        self.keys = keys or Keys()
        self.limit = limit
        self._memo: dict[int, tuple[Node, Node]] = {}
        self._fired: Counter[str] = Counter()

    def __call__(self, root: Node) -> Node:
        """`root` rewritten; `root` itself if no rule fires in it."""
        self._fired.clear()
        memo, stack = self._memo, [(root, root, False)]
        while stack:
            origin, now, ready = stack.pop()
            if id(origin) in memo:
                continue
            if not ready:
                stack.append((origin, now, True))
                stack.extend([(p, p, False) for p in reversed(self.parts(now))
                              if id(p) not in memo])
                continue
            rebuilt = self.rebuild(now, self.known)
            known = memo.get(id(rebuilt))
            new = known[1] if known else self.step(rebuilt)
            if new is rebuilt or known:
                self._remember(origin, now, rebuilt, new)
            elif id(new) in memo:
                self._remember(origin, now, rebuilt, memo[id(new)][1])
            else:
                stack.append((origin, new, False))
        return memo[id(root)][1]

    def _remember(self, *nodes: Node) -> None:
        for n in nodes:
            self._memo[id(n)] = n, nodes[-1]

    def known(self, part: Node) -> Node:
        """What a part was rewritten to."""
        return self._memo[id(part)][1]

    def parts(self, node: Node) -> list[Node]:
        """What is rewritten before `node`: its children. Subclasses may look deeper."""
        return list(node.children())

    def rebuild(self, node: Node, new: Callable[[Node], Node]) -> Node:
        """`node` with its parts replaced by `new(part)`."""
        return node.map_children(new)

    def step(self, node: Node) -> Node:
        """The result of the first rule that fires at `node`, or `node`."""
        for rule in self.rules.for_kind(type(node)):
            new = rule.apply(node, self.keys.same, self.context)
            if new is not None and self.recorder.wants(rule.name, node):
                self.fired(rule.name, node, new)
                return new
        return node

    def fired(self, name: str, before: Node, after: Node) -> None:
        """Records a firing. Raises TransformError when there are too many."""
        self.recorder.record(name, before, after, self.function)
        self._fired[name] += 1
        if self._fired.total() > self.limit:
            loop = ", ".join(repr(n) for n, k in self._fired.most_common(5)
                             if k > self.limit // 100)
            raise TransformError(f"the rewriting does not end: these rules fire again and again: "
                                 f"{loop}", hint="a rule must make an expression simpler")


def rewrite(root: Node, rules: RuleSet | Iterable[Rule], recorder: Recorder = SILENT,
            function: str = "", context=None) -> Node:
    """`root` with the rules applied everywhere until none fires."""
    return Driver(rules, recorder, function, context)(root)
