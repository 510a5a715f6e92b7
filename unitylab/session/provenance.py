"""Where a node comes from: follows the recorded rewrites back through the steps."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import relax
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.tir import BaseFunc
from ..ir.visitor import collect, walk
from .step import Step


@dataclass(frozen=True)
class Origin:
    """A node, the step at which it was made, and the rule that made it ("" for what was there at
    the start, "new inputs" for a value that reads other variables than before, "?" where it is
    not known)."""

    step: int
    node: Node
    rule: str = ""


def node_ids(mod: IRModule) -> set[int]:
    """The ids of all nodes of a module."""
    return {id(n) for f in mod.functions.values() for n in walk(f)}


class _Bound:
    """The bindings of a module by variable, and the variable of each binding and value."""

    def __init__(self, mod: IRModule):
        self.bindings: dict[int, relax.Binding] = {}
        self.owners: dict[int, relax.Var] = {}
        for func in mod.graph_funcs.values():
            for b in collect(func, relax.Binding):
                self.bindings[id(b.var)] = b
                self.owners[id(b)] = self.owners[id(b.value)] = b.var


class Provenance:
    """Answers for one path of steps. Knows only what was recorded; the rest is unknown."""

    def __init__(self, path: list[Step]):
        self.path = path
        self._bindings: dict[int, _Bound] = {}
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
                found = self._same_variable(step, before, node) or \
                    self._same_function(step, before, node)
                if found is None:
                    return [*chain, Origin(step.id, node, "?")]
                rule, source = found
                chain.append(Origin(step.id, node, rule))
                node = source
        return [*chain, Origin(self.path[0].id, node)]

    def _same_variable(self, step: Step, before: Step, node: Node) -> tuple[str, Node] | None:
        """What was bound to the variable that is bound to `node` now, or to the one that this was
        made from: a value is built anew when a variable that it reads is replaced."""
        var = self._bound(step).owners.get(id(node))
        if var is None:
            return None
        rule, source = self._makers(step).get(id(var), ("new inputs", var))
        bound = self._bound(before).bindings
        binding = source if isinstance(source, relax.Binding) else bound.get(id(source))
        while binding is not None and isinstance(binding.value, relax.Var):
            binding = bound.get(id(binding.value))
        if binding is None:
            return None
        return rule, binding if isinstance(node, relax.Binding) else binding.value

    @staticmethod
    def _same_function(step: Step, before: Step, node: Node) -> tuple[str, Node] | None:
        """What a function was before something inside of it was rewritten."""
        if not isinstance(node, BaseFunc):
            return None
        name = next((n for n, f in step.module.items() if f is node), None)
        rules = dict.fromkeys(r.rule for r in step.rewrites if r.function == name)
        old = before.module.functions.get(name)
        return (", ".join(rules), old) if rules and old is not None else None

    def _bound(self, step: Step) -> _Bound:
        if step.id not in self._bindings:
            self._bindings[step.id] = _Bound(step.module)
        return self._bindings[step.id]

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
