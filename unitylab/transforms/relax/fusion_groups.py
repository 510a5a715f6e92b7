"""Which bindings of a dataflow block are fused: the rules of TVM's operator fusion.

| kind | is fused into |
|---|---|
| elementwise, broadcast | its post-dominator: injective, reduction, or a matmul's group |
| injective | an injective post-dominator, once matmuls have taken their epilogues |
| matmul, convolution, softmax (out-ewise-fusable) | elementwise consumers, as their epilogue |
| reduction | nothing: it ends its group |

With `copies`, what TVM does not do: attention, or any program with two products, takes in the
copies that arrange its operands, and the order of axes in which its result is wanted. It packs what
it reads, so that a copy before it would be made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..tir.op_pattern import OpPattern, is_copy, permutes_rows, products
from .fusion_graph import FusionNode


@dataclass(eq=False)
class Group:
    """A set of nodes (union-find); only the root's `pattern`, `size` and `anchored` count."""

    pattern: OpPattern
    size: int = 1
    anchored: bool = False
    parent: Group | None = None

    def root(self) -> Group:
        while self.parent is not None:
            self = self.parent
        return self

    def join(self, other: Group) -> None:
        """Puts this group into `other`, which keeps its pattern unless a matmul comes in."""
        child, parent = self.root(), other.root()
        if child is parent:
            return
        parent.size += child.size
        child.parent = parent
        if child.anchored:
            parent.anchored = True
            parent.pattern = max(child.pattern, parent.pattern)


class Partition:
    """Groups the nodes of a fusion graph; `max_size` bounds the nodes of a group."""

    def __init__(self, nodes: list[FusionNode], opt_level: int, max_size: int,
                 copies: bool = False):
        self.nodes, self.max_size = nodes, max_size
        self.groups = [Group(n.pattern, anchored=n.pattern is OpPattern.OUT_EWISE_FUSABLE)
                       for n in nodes]
        for phase in range(2 if opt_level >= 1 else 0):
            for node in nodes:
                self._try(node, phase)
        if copies and opt_level >= 1:
            for node in nodes:
                if node.program is not None and products(node.program) > 1:
                    self._take_copies(node)

    def members(self) -> list[list[FusionNode]]:
        """The groups with more than one node, each in program order."""
        found: dict[Group, list[FusionNode]] = {}
        for node, group in zip(self.nodes, self.groups):
            found.setdefault(group.root(), []).append(node)
        return [nodes for nodes in found.values() if len(nodes) > 1]

    def _try(self, node: FusionNode, phase: int) -> None:
        """Fuses `node` and all that lies between into its post-dominator, if the rules allow."""
        sink, group = node.dominator, self.groups[node.index]
        if node.pattern is OpPattern.OPAQUE or sink is None:
            return
        if group.root() is self.groups[sink.index].root():
            return
        allowed = _rule(group.pattern, node.path, phase)
        if allowed is None or not self._path_allows(node, sink, allowed):
            return
        between = list(self._between(node, sink))
        joined = {self.groups[n.index].root() for n in (*between, sink)}
        if sum(g.size for g in joined) > self.max_size:
            return
        for n in between:
            self.groups[n.index].join(self.groups[sink.index])

    def _take_copies(self, product: FusionNode) -> None:
        """Joins the group of a product with the copies before it, and with one after it."""
        members: dict[Group, list[FusionNode]] = {}
        for node in self.nodes:
            members.setdefault(self.groups[node.index].root(), []).append(node)
        own = self.groups[product.index].root()
        inside = set(members[own])
        for group, nodes in members.items():
            if group is own or group.size + own.size > self.max_size or not all(
                    n.program is not None and is_copy(n.program) for n in nodes):
                continue
            readers = {r for n in nodes for r, _ in n.outputs} - set(nodes)
            before = readers and readers <= inside and not any(n.is_output for n in nodes)
            after = inside == {product} and not product.is_output and \
                [r for r, _ in product.outputs] == nodes and permutes_rows(nodes[0].program)
            if before or after:
                group.join(own)

    def _path_allows(self, node: FusionNode, sink: FusionNode, allowed: Callable) -> bool:
        steps = [n for n in self._between(node, sink) if n is not node] + [sink]
        return all(allowed(self.groups[n.index].root().pattern, n is sink) for n in steps)

    def _between(self, node: FusionNode, sink: FusionNode) -> Iterator[FusionNode]:
        """`node` and every node on a way from it to `sink`."""
        seen, stack = {sink}, [node]
        while stack:
            n = stack.pop()
            if n not in seen:
                seen.add(n)
                yield n
                stack.extend(reader for reader, _ in n.outputs)


def _rule(pattern: OpPattern, path: OpPattern, phase: int) -> Callable | None:
    """What the groups on the way may be: a test of (pattern, is the sink), None: do not fuse."""
    if pattern is OpPattern.OUT_EWISE_FUSABLE:
        if phase == 0 and path is OpPattern.ELEMWISE:
            return lambda kind, sink: kind <= OpPattern.BROADCAST
    elif pattern <= OpPattern.BROADCAST:
        if path <= OpPattern.COMM_REDUCE:
            return lambda kind, sink: kind <= (OpPattern.OUT_EWISE_FUSABLE if sink
                                               else OpPattern.INJECTIVE)
    elif pattern is OpPattern.INJECTIVE and phase == 1:
        return lambda kind, sink: kind <= OpPattern.INJECTIVE
    return None
