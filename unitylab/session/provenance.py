"""Where a node comes from: follows the recorded rewrites back through the steps."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.visitor import walk
from .step import Step


@dataclass(frozen=True)
class Origin:
    """A node, the step at which it was made, and the rule that made it ("" for what was there at
    the start, "?" where it is not known)."""

    step: int
    node: Node
    rule: str = ""


def node_ids(mod: IRModule) -> set[int]:
    """The ids of all nodes of a module."""
    return {id(n) for f in mod.functions.values() for n in walk(f)}


class Provenance:
    """Answers for one path of steps. Knows only what was recorded; the rest is unknown."""

    def __init__(self, path: list[Step]):
        self.path = path
        self._ids: dict[int, set[int]] = {}
        self._made: dict[int, dict[int, tuple[str, Node]]] = {}

    def origins(self, node: Node) -> list[Origin]:
        """The node, what it was made from, what that was made from, ...; the last one was there at
        step 0, or has the rule "?"."""
        chain: list[Origin] = []
        for step, before in zip(self.path[::-1], self.path[-2::-1]):
            made = self._makers(step)
            # within a step a node may be made from one that was made a moment before
            for _ in range(len(step.rewrites) + 1):
                if id(node) not in made or made[id(node)][1] is node:
                    break
                rule, source = made[id(node)]
                chain.append(Origin(step.id, node, rule))
                node = source
            if id(node) not in self._known(before):
                return [*chain, Origin(step.id, node, "?")]
        return [*chain, Origin(self.path[0].id, node)]

    def _makers(self, step: Step) -> dict[int, tuple[str, Node]]:
        """For each node that a step made: the rule and what it was made from."""
        if step.id not in self._made:
            self._made[step.id] = {
                id(n): (r.rule, r.source_of(n)) for r in step.rewrites for n in r.after}
        return self._made[step.id]

    def _known(self, step: Step) -> set[int]:
        if step.id not in self._ids:
            self._ids[step.id] = node_ids(step.module)
        return self._ids[step.id]
