"""`FuseOps`: groups of bindings become functions that will be one kernel each."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.module import IRModule
from ...ir.node import Node
from ...ir.prim import GlobalVar
from ...ir.relax import Binding, Call, DataflowBlock, Function
from ...ir.transform import Pass, Recorder
from ..private_functions import PrivateFunctions
from .fusion_graph import FusionNode, fusion_graph
from .fusion_groups import Partition
from .outline import outline


@dataclass(frozen=True)
class FuseOps(Pass):
    """Fuses the bindings of each dataflow block by their operator patterns (see
    `fusion_groups`). A group becomes a private function with the attribute `Primitive`, named
    after what it holds: `fused_matmul_add_relu`. Run `AnnotateTIROpPattern` before,
    `FuseTIR` after. Source: Chen et al., TVM (OSDI 2018), section 3.

    fuse_opt_level: 0 fuses nothing.
    max_depth: the largest number of bindings in a group.
    copies: attention takes in the copies that arrange its operands and its result."""

    fuse_opt_level: int = 2
    max_depth: int = 256
    copies: bool = False

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        functions = PrivateFunctions(mod)
        for name, func in mod.graph_funcs.items():
            if "Primitive" not in func.attrs and "Codegen" not in func.attrs:
                new = self._fuse_function(name, func, functions, recorder)
                functions.mod = functions.mod.with_functions({name: new})
        return functions.mod

    def _fuse_function(self, name: str, func: Function, functions: PrivateFunctions,
                       recorder: Recorder) -> Function:
        blocks = tuple(self._fuse_block(name, b, functions, recorder)
                       if isinstance(b, DataflowBlock) else b for b in func.body.blocks)
        if all(a is b for a, b in zip(blocks, func.body.blocks)):
            return func
        return func.replace(body=func.body.replace(blocks=blocks))

    def _fuse_block(self, name: str, block: DataflowBlock, functions: PrivateFunctions,
                    recorder: Recorder) -> DataflowBlock:
        nodes = fusion_graph(block, functions.mod)
        groups = Partition(nodes, self.fuse_opt_level, self.max_depth,
                           self.copies).members()
        fused: dict[int, Binding | None] = {}
        for group in groups:
            bindings = [n.binding for n in group]
            sink = bindings[-1]
            if not is_closed(group) or not recorder.wants("fuse", sink):
                continue
            made = outline(bindings, functions, group_name(bindings), {"Primitive": True})
            fused |= {n.index: None for n in group} | {group[-1].index: made}
            func = functions.mod[made.value.op.name]
            recorder.record("fuse", (sink, sink.value, sink, *_with_values(bindings)),
                            (made, made.value, func, *_with_values(func.body.bindings)), name)
        if not fused:
            return block
        kept = [fused.get(n.index, n.binding) for n in nodes]
        return block.replace(bindings=tuple(b for b in kept if b is not None))


def _with_values(bindings) -> list[Node]:
    return [*bindings, *[b.value for b in bindings]]


def is_closed(group: list[FusionNode]) -> bool:
    """Whether only the last node of the group is read outside of it."""
    inside = set(group)
    return all(not n.is_output and all(reader in inside for reader, _ in n.outputs)
               for n in group[:-1])


def group_name(bindings: list[Binding], prefix: str = "fused") -> str:
    """`fused_matmul_add` from the programs and operators that are called."""
    names = [callee_name(b.value) for b in bindings if isinstance(b.value, Call)]
    return "_".join([prefix, *names])[:120]


def callee_name(call: Call) -> str:
    """What a call calls, as part of a function name."""
    first = call.args[0] if call.args else None
    callee = first if isinstance(first, GlobalVar) else call.op
    return callee.name.removeprefix("relax.").replace(".", "_")
