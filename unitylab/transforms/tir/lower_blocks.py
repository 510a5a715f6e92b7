"""LowerBlocks: blocks become plain statements inside of their loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...ir import prim
from ...ir.errors import TransformError
from ...ir.prim import PrimExpr, StringImm, Var
from ...ir.tir import AttrStmt, BlockRealize, IfThenElse, PrimFunc, Stmt
from ...ir.transform import PrimFuncPass, Recorder
from ...ir.visitor import Fold, collect

BLOCK_NAME = "block_name"


@dataclass(frozen=True)
class LowerBlocks(PrimFuncPass):
    """Replaces the variables of each block by their values and its predicate by an `if`.

    Needs LowerMatchBuffer, LowerInitBlock and LowerAllocBuffers before it. `keep_names` leaves the
    block's name around its statements as an attribute, which errors at run time mention."""

    keep_names: bool = False

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        if not collect(func.body, BlockRealize):
            return func
        return func.replace(body=_Blocks(self.keep_names, name, recorder, {}).visit(func.body))


class _Blocks(Fold):
    """Outer blocks first: the values of their variables reach the blocks inside."""

    def __init__(self, keep_names: bool, name: str, recorder: Recorder,
                 values: Mapping[Var, PrimExpr]):
        super().__init__(values)
        self.keep_names, self.name, self.recorder = keep_names, name, recorder
        self.values = values

    def visit_BlockRealize(self, n: BlockRealize) -> Stmt:
        block = n.block
        if block.init is not None or block.alloc_buffers or block.match_buffers:
            raise TransformError(f"block {block.name!r} has an init, allocations or views",
                                 span=block.span, hint="LowerInitBlock, LowerAllocBuffers and "
                                 "LowerMatchBuffer come before LowerBlocks")
        if not self.recorder.wants("block", n):
            return self.rebuild(n)
        predicate = self.visit(n.predicate)
        own = {it.var: prim.cast(self.visit(value), it.var.dtype)
               for it, value in zip(block.iter_vars, n.iter_values)}
        inner = _Blocks(self.keep_names, self.name, self.recorder, {**self.values, **own})
        body = inner.visit(block.body)
        if self.keep_names and block.name != "root":
            body = AttrStmt(None, BLOCK_NAME, StringImm(block.name), body, span=block.span)
        if not (prim.is_const(predicate) and predicate.value):
            body = IfThenElse(predicate, body, span=n.span)
        self.recorder.record("block", n, body, self.name)
        return body
