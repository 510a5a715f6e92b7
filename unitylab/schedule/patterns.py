"""What kind of computation a block is, as far as the default rules ask."""

from __future__ import annotations

import math

from ..arith.analyzer import Analyzer
from ..ir.prim import Call, Var, as_int
from ..ir.tir import REDUCE, SPATIAL, Block, BufferLoad, BufferStore
from ..ir.structural import structural_equal
from ..ir.visitor import collect, free_vars, fold_substitute


def is_injective(block: Block) -> bool:
    """Each element of one output is computed once: a single store, spatial variables only."""
    return isinstance(block.body, BufferStore) and block.init is None and \
        all(it.kind == SPATIAL for it in block.iter_vars)


def is_elementwise(block: Block) -> bool:
    """Injective, and the store walks the iteration variables in order."""
    if not is_injective(block):
        return False
    order = [it.var for it in block.iter_vars]
    return [i for i in block.body.indices if isinstance(i, Var)] == order


def is_reduction(block: Block) -> bool:
    """A single-store update with an init."""
    return isinstance(block.body, BufferStore) and isinstance(block.init, BufferStore) and \
        any(it.kind == REDUCE for it in block.iter_vars)


def injective_chain(block: Block) -> bool:
    """Elementwise with every load at the element that is stored, and no costly intrinsic."""
    if not is_elementwise(block):
        return False
    store = block.body
    if collect(store.value, Call):
        return False
    return all(len(l.indices) == len(store.indices)
               and all(structural_equal(a, b) for a, b in zip(l.indices, store.indices))
               and all(structural_equal(a, b)
                       for a, b in zip(l.buffer.shape, store.buffer.shape))
               for l in collect(store.value, BufferLoad))


def strides_of(block: Block, var: Var) -> list[int | None]:
    """By how many elements each access of a block moves when `var` grows by one: 0, 1, or None for
    anything else."""
    accesses = [*collect(block.body, BufferLoad), *collect(block.body, BufferStore)]
    return [_stride(a.indices, var) for a in accesses]


def _stride(indices, var: Var) -> int | None:
    if not any(var in free_vars(i) for i in indices):
        return 0
    if any(var in free_vars(i) for i in indices[:-1]):
        return None
    last = indices[-1]
    moved = fold_substitute(last, {var: var + 1})
    return 1 if as_int(Analyzer().simplify(moved - last)) == 1 else None


def work_of(block: Block) -> int | None:
    """How many points a block has, None if symbolic."""
    extents = [as_int(it.dom.extent) for it in block.iter_vars]
    return None if None in extents else math.prod(extents)
