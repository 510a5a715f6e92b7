"""Loops replaced by an instruction or a kernel that computes the same: tensorize."""

from __future__ import annotations

from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.node import FrozenDict
from ...ir.prim import PrimExpr, Var, as_int
from ...ir.tir import (Block, Buffer, BufferRegion, BufferStore, For, IterVar, MatchBufferRegion,
                       PrimFunc, Range)
from ...ir.visitor import BUILD, Mutator, fresh_copy
from ..intrin_match import Bound, match
from ..nest import Nest
from ..signature import BLOCK_OR_LOOP, BOOL, INTRIN, primitive
from ..tensor_intrin import TensorIntrin
from .blockize import blockize_loop


@primitive(block_or_loop=BLOCK_OR_LOOP, tensor_intrin=INTRIN, preserve_unit_iters=BOOL)
def tensorize(nest: Nest, block_or_loop: Block | For, tensor_intrin: TensorIntrin,
              preserve_unit_iters: bool = True) -> None:
    """Replaces a block, or all that a loop holds, by an intrinsic that computes the same.

        for i_1 in range(4):                     with T.block("C_o"):
            C[i, j] += A[i, i_1] * B[...]    ->      a = T.match_buffer(A[...], (4,))
                                                     T.evaluate(T.dot4(a.data, ...))

    `tensor_intrin`: a `TensorIntrin` or the name of one. A loop is blockized first. The block must
    be what `desc` says up to names and places in the buffers. TVM: same name; Exo: `replace`."""
    is_loop = isinstance(block_or_loop, For)
    block = blockize_loop(nest, block_or_loop, preserve_unit_iters) if is_loop else block_or_loop
    if block is nest.root:
        raise ScheduleError("the root block cannot be tensorized")
    bound = match(block, tensor_intrin.desc, nest.analyzer(block))
    impl = _written_for(block, tensor_intrin.impl)
    views = tuple(_view(p, d, bound, impl) for p, d in
                  zip(impl.params, tensor_intrin.desc.params))
    root = impl.root
    notes = FrozenDict({**root.annotations, **block.annotations})
    nest.edit(block, body=root.body, annotations=notes,
              alloc_buffers=(*block.alloc_buffers, *root.alloc_buffers),
              match_buffers=(*block.match_buffers, *views, *root.match_buffers))


def _written_for(block: Block, impl: PrimFunc) -> PrimFunc:
    """A copy of the implementation, its indices as wide as those of the block."""
    impl = fresh_copy(impl)
    wide = [r.min.dtype for region in (*block.reads, *block.writes) for r in region.region]
    dtype = max(wide, key=lambda t: t.bits)
    return _Widen(dtype).visit(impl) if dtype.bits > 32 else impl


def _view(param: Buffer, desc: Buffer, bound: dict[Buffer, Bound],
          impl: PrimFunc) -> MatchBufferRegion:
    """The part of the program's buffer that a parameter of the implementation is."""
    b = bound[desc]
    declared = {r.buffer: r for r in (*impl.root.reads, *impl.root.writes)}[param]
    sizes = [prim.literal(1, c.dtype) for c in b.corner[:b.lead]]
    sizes += [prim.cast(r.extent, c.dtype)
              for r, c in zip(declared.region, b.corner[b.lead:])]
    region = tuple(Range(c, s) for c, s in zip(b.corner, sizes))
    return MatchBufferRegion(param, BufferRegion(b.buffer, region))


class _Widen(Mutator):
    """Loops, iteration variables and shapes in a wider integer type."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def _wide(self, e: PrimExpr) -> PrimExpr:
        return prim.cast(e, self.dtype) if e.dtype.is_int else e

    def _variable(self, v: Var) -> Var:
        new = v.replace(dtype=self.dtype)
        self._memo[id(v)] = (v, new)
        return new

    def visit_For(self, n: For) -> For:
        self._variable(n.loop_var)
        new = self.rebuild(n)
        return new.replace(min=self._wide(new.min), extent=self._wide(new.extent))

    def visit_IterVar(self, n: IterVar) -> IterVar:
        if n.dom is not None:
            self._variable(n.var)
        return self.rebuild(n)

    def visit_Range(self, n: Range) -> Range:
        new = self.rebuild(n)
        return new.replace(min=self._wide(new.min), extent=self._wide(new.extent))

    def visit_Buffer(self, n: Buffer) -> Buffer:
        new = self.rebuild(n)
        return new.replace(shape=tuple(map(self._literal, new.shape)),
                           strides=tuple(map(self._literal, new.strides)))

    def _literal(self, e: PrimExpr) -> PrimExpr:
        return self._wide(e) if as_int(e) is not None else e

    def _accessed(self, n):
        new = self.rebuild(n)
        new = new.replace(indices=tuple(map(self._wide, new.indices)))
        if isinstance(new, BufferStore) and new.value.dtype != n.value.dtype:
            new = new.replace(value=prim.cast(new.value, n.value.dtype))
        return new

    visit_BufferLoad = visit_BufferStore = _accessed

    def visit_BinaryExpr(self, n):
        a, b = self.visit(n.a), self.visit(n.b)
        if a is n.a and b is n.b:
            return n
        if a.dtype != b.dtype and a.dtype.is_int and b.dtype.is_int:
            a, b = self._wide(a), self._wide(b)
        return BUILD[type(n)](a, b) if type(n) in BUILD else n.replace(a=a, b=b)
