"""What kind of computation a tensor program is, from how its blocks index their buffers."""

from __future__ import annotations

from enum import IntEnum

from ...ir.prim import Add, Cast, Mul, PrimExpr, Var, is_const
from ...ir.structural import structural_equal
from ...ir.tir import (REDUCE, Block, BlockRealize, BufferLoad, BufferStore, PrimFunc, Stmt)
from ...ir.visitor import collect, walk


class OpPattern(IntEnum):
    """The pattern kinds of TVM, from the most to the least fusable."""

    ELEMWISE = 0
    BROADCAST = 1
    INJECTIVE = 2
    COMM_REDUCE = 3
    OUT_EWISE_FUSABLE = 4
    TUPLE = 7
    OPAQUE = 8


def op_pattern(func: PrimFunc) -> OpPattern:
    """The pattern of a tensor program: of its blocks one after the other. A reduction followed by
    something elementwise (softmax), like a matmul or a convolution, lets only what consumes it
    elementwise in."""
    root = func.root
    if root is None or not _is_plain(root.body):
        return OpPattern.OPAQUE
    kind = OpPattern.ELEMWISE
    for block in _blocks(root.body):
        stores = _stores(block.body)
        if len(stores) != 1:
            return OpPattern.OPAQUE
        kind = _after(kind, block, stores[0])
    return kind


def is_copy(func: PrimFunc) -> bool:
    """Whether a program only moves elements: one block, which stores what it loads."""
    blocks = _blocks(func.root.body) if func.root is not None else []
    return len(blocks) == 1 and isinstance(blocks[0].body, BufferStore) and \
        isinstance(blocks[0].body.value, BufferLoad)


def permutes_rows(func: PrimFunc) -> bool:
    """Whether a program is a copy that moves whole rows: axes in another order, the last one in
    its place; axes of size 1 do not count."""
    if not is_copy(func):
        return False
    store = _blocks(func.root.body)[0].body
    places = [[i for i in indices if not is_const(i, 0)]
              for indices in (store.indices, store.value.indices)]
    return all(isinstance(i, Var) for p in places for i in p) and \
        set(places[0]) >= set(places[1]) and places[0][-1:] == places[1][-1:] != []


def products(func: PrimFunc) -> int:
    """How many blocks of a program are sums of products."""
    blocks = _blocks(func.root.body) if func.root is not None else []
    return sum(any(v.kind == REDUCE for v in b.iter_vars) and isinstance(b.body, BufferStore)
               and _is_multiply_add(b.body) for b in blocks)


def _after(kind: OpPattern, block: Block, store: BufferStore) -> OpPattern:
    """The pattern of what came before (`kind`) together with `block`."""
    loads = [n for n in walk(store.value) if isinstance(n, BufferLoad)]
    if any(v.kind == REDUCE for v in block.iter_vars):
        return max(kind, _reduction_pattern(block, store, loads))
    access = _access_pattern(block, store, loads)
    if access is OpPattern.OPAQUE:
        return OpPattern.OPAQUE
    if kind is OpPattern.COMM_REDUCE:
        return OpPattern.OUT_EWISE_FUSABLE
    return max(kind, access)


def _access_pattern(block: Block, store: BufferStore, loads: list[BufferLoad]) -> OpPattern:
    """How the loads are indexed, compared with the store. One elementwise load makes broadcasts
    of others elementwise: `A[i, j] = B[i, j] + C[i]`."""
    kinds = [_load_pattern(block, store, x) for x in loads]
    kind = max(kinds, default=OpPattern.ELEMWISE)
    if kind is OpPattern.BROADCAST and OpPattern.ELEMWISE in kinds:
        return OpPattern.ELEMWISE
    return kind


def _load_pattern(block: Block, store: BufferStore, load: BufferLoad) -> OpPattern:
    if _same_indices(store, load):
        return OpPattern.ELEMWISE
    if _is_broadcast(store, load):
        return OpPattern.BROADCAST
    return OpPattern.INJECTIVE if _is_injective(block, store, load) else OpPattern.OPAQUE


def _same_indices(store: BufferStore, load: BufferLoad) -> bool:
    return len(store.indices) == len(load.indices) and \
        all(a is b or structural_equal(a, b) for a, b in zip(store.indices, load.indices))


def _is_broadcast(store: BufferStore, load: BufferLoad) -> bool:
    """The load's indices are some of the store's, in order; dimensions of size 1 do not count."""
    j = 0
    for size, index in zip(load.buffer.shape, load.indices):
        if is_const(size, 1) and is_const(index, 0):
            continue
        while j < len(store.indices) and store.indices[j] is not index:
            j += 1
    return j < len(store.indices) or not store.indices


def _is_injective(block: Block, store: BufferStore, load: BufferLoad) -> bool:
    """The store's indices are variables, and the load uses no other of the block's."""
    if not all(isinstance(i, Var) for i in store.indices):
        return False
    others = {v.var for v in block.iter_vars} - set(store.indices)
    return not any(v in others for i in load.indices for v in collect(i, Var))


def _reduction_pattern(block: Block, store: BufferStore, loads: list[BufferLoad]) -> OpPattern:
    """A multiply-accumulate (matmul, convolution) or a window (pooling) lets its elementwise
    consumers in; a pure reduction reads with its reduction variables as they are."""
    if _is_multiply_add(store):
        return OpPattern.OUT_EWISE_FUSABLE
    axes = {v.var for v in block.iter_vars if v.kind == REDUCE}
    pure = all(isinstance(i, Var) or not axes & set(collect(i, Var))
               for x in loads for i in x.indices)
    return OpPattern.COMM_REDUCE if pure else OpPattern.OUT_EWISE_FUSABLE


def _is_multiply_add(store: BufferStore) -> bool:
    """C[i] = C[i] + A[...] * B[...], up to casts."""
    total = _uncast(store.value)
    if not isinstance(total, Add):
        return False
    here, product = _uncast(total.a), _uncast(total.b)
    return (isinstance(here, BufferLoad) and here.buffer is store.buffer
            and _same_indices(store, here) and isinstance(product, Mul)
            and isinstance(_uncast(product.a), BufferLoad)
            and isinstance(_uncast(product.b), BufferLoad))


def _uncast(e: PrimExpr) -> PrimExpr:
    while isinstance(e, Cast):
        e = e.value
    return e


def _stores(body: Stmt) -> list[BufferStore]:
    return [n for n in walk(body) if isinstance(n, BufferStore)]


def _blocks(body: Stmt) -> list[Block]:
    return [n.block for n in walk(body) if isinstance(n, BlockRealize)]


_LOOPS_AND_BLOCKS = ("For", "SeqStmt", "BlockRealize", "Block", "BufferStore")


def _is_plain(stmt: Stmt, inside: bool = False) -> bool:
    """Only loops around blocks around stores; no block inside of another."""
    if type(stmt).__name__ not in _LOOPS_AND_BLOCKS:
        return False
    if isinstance(stmt, BufferStore):
        return inside
    if isinstance(stmt, BlockRealize):
        return not inside and _is_plain(stmt.block.body, inside=True)
    children = stmt.stmts if hasattr(stmt, "stmts") else (stmt.body,)
    return all(_is_plain(c, inside) for c in children)
