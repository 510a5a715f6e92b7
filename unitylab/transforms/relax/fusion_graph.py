"""The graph that operator fusion works on: values of one dataflow block, who reads them, and which
node each must pass through (the immediate post-dominator)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...ir.module import IRModule
from ...ir.op import Op
from ...ir.prim import GlobalVar
from ...ir.relax import (Binding, Call, Constant, DataflowBlock, DataflowVar, Expr, Tuple,
                         TupleGetItem, Var, VarBinding)
from ...ir.tir import PrimFunc
from ...ir.visitor import collect
from ..tir.op_pattern import OpPattern

FUSABLE_CALLS = ("relax.call_tir", "relax.call_tir_inplace")


@dataclass(eq=False)
class FusionNode:
    """A binding of the block. `outputs` are its readers, each with the reader's pattern."""

    index: int
    binding: Binding
    pattern: OpPattern
    is_output: bool
    outputs: list[tuple[FusionNode, OpPattern]] = field(default_factory=list)
    program: PrimFunc | None = None
    # the immediate post-dominator, its depth in that tree, the widest pattern on the way to it
    dominator: FusionNode | None = None
    depth: int = 1
    path: OpPattern = OpPattern.OPAQUE


def fusion_graph(block: DataflowBlock, mod: IRModule) -> list[FusionNode]:
    """A node for each binding, in order, with edges and post-dominators."""
    nodes: list[FusionNode] = []
    by_var: dict[Var, FusionNode] = {}
    for k, b in enumerate(block.bindings):
        node = FusionNode(k, b, binding_pattern(b, mod), not isinstance(b.var, DataflowVar),
                          program=called_program(b, mod))
        if isinstance(b.value, TupleGetItem) and b.value.tuple not in by_var:
            node.pattern = OpPattern.OPAQUE  # a field of a parameter costs nothing
        for var in operands(b.value):
            if var in by_var:
                by_var[var].outputs.append((node, node.pattern))
        by_var[b.var] = node
        nodes.append(node)
    for node in reversed(nodes):
        _set_dominator(node)
    return nodes


def binding_pattern(binding: Binding, mod: IRModule) -> OpPattern:
    """How the value of a binding may be fused: what the called tensor program says of itself."""
    if not isinstance(binding, VarBinding):
        return OpPattern.OPAQUE
    if isinstance(binding.value, TupleGetItem):
        return OpPattern.INJECTIVE
    program = called_program(binding, mod)
    return OpPattern.OPAQUE if program is None else \
        OpPattern(program.attrs.get("op_pattern", OpPattern.OPAQUE))


def called_program(binding: Binding, mod: IRModule) -> PrimFunc | None:
    """The tensor program that a binding calls by `call_tir`."""
    value = binding.value
    if isinstance(value, Call) and isinstance(value.op, Op) and value.op.name in FUSABLE_CALLS \
            and isinstance(value.args[0], GlobalVar):
        return mod[value.args[0]]
    return None


def operands(value: Expr) -> list[Var]:
    """The variables that a value reads, once each."""
    return list(dict.fromkeys(leaf for leaf in leaves(value) if isinstance(leaf, Var)))


def leaves(value: Expr) -> list[Expr]:
    """The variables and constants that a value reads, in order, repeated as they are."""
    if isinstance(value, (Var, Constant)):
        return [value]
    if isinstance(value, Tuple):
        return [leaf for f in value.fields for leaf in leaves(f)]
    if isinstance(value, TupleGetItem):
        return leaves(value.tuple)
    if isinstance(value, Call):
        parts = (*value.args,) if isinstance(value.op, (Op, GlobalVar)) else (value.op, *value.args)
        return [leaf for a in parts for leaf in leaves(a)]
    return collect(value, (Var, Constant))


def _set_dominator(node: FusionNode) -> None:
    """The node that every way from `node` meets first, by its readers' dominators."""
    if node.is_output or not node.outputs:
        return
    first, path = node.outputs[0]
    meet: FusionNode | None = first
    for reader, pattern in node.outputs[1:]:
        meet, path = _common_dominator(meet, reader, max(path, pattern))
    node.dominator, node.path = meet, path
    node.depth = meet.depth + 1 if meet else 1


def _common_dominator(a: FusionNode | None, b: FusionNode | None, path: OpPattern):
    """The nearest node that dominates both, with the widest pattern met on the way."""
    while a is not b:
        if a is None or b is None:
            return None, path
        up_a, up_b = a.depth >= b.depth, b.depth >= a.depth
        if up_a:
            path, a = max(path, a.path), a.dominator
        if up_b:
            path, b = max(path, b.path), b.dominator
    return a, path
