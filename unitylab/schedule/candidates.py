"""What can be done at a block or loop: every primitive, tried with arguments that make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..arith.index_map import IndexMap
from ..ir.errors import ScheduleError
from ..ir.node import Node
from ..ir.prim import as_int
from ..ir.tir import REDUCE, Block, Buffer, For
from .dependence import bound_by, consumers, producers
from .handles import Handle
from .nest import Nest, child_realizes
from .signature import PRIMITIVES

MOST_FACTORS = 6         # of a split that are offered
SCOPES = ("local", "global")
AXES = ("blockIdx.x", "threadIdx.x")
TILE = 16                # of a layout that is offered

Request = tuple[str, tuple]


@dataclass(frozen=True)
class Candidate:
    """One request: `sch.<name>(*args)`, in words `text`; `reason` says why it would be refused."""

    name: str
    args: tuple
    legal: bool
    reason: str = ""
    text: str = ""


def candidates(sch, handle: Handle) -> list[Candidate]:
    """The primitives tried at a handle; the schedule stays as it is."""
    node = sch.get(handle)
    nest = Nest(sch.func_of(handle))
    if node is nest.root:
        return []
    offers = BLOCK_OFFERS if isinstance(node, Block) else LOOP_OFFERS
    here = Place(sch, handle, node, nest)
    return [_tried(here, name, args) for offer in offers for name, args in offer(here)
            if name in PRIMITIVES]


@dataclass(frozen=True)
class Place:
    """A block or loop of a schedule, with what the offers ask."""

    sch: object
    handle: Handle
    node: Node
    nest: Nest

    def handles(self, nodes) -> list[Handle]:
        return [self.sch.handle_of(n) for n in nodes]

    def word(self, value) -> str:
        """An argument in words: blocks and loops by their names."""
        if isinstance(value, Handle):
            node = self.sch.get(value)
            return node.loop_var.name if isinstance(node, For) else node.name
        if isinstance(value, (list, tuple)):
            inner = ", ".join(map(self.word, value))
            return f"[{inner}]" if isinstance(value, list) else f"({inner})"
        return repr(value)


def _tried(here: Place, name: str, args: tuple) -> Candidate:
    refusal = here.sch.refusal(name, *args)
    text = f"{name} {', '.join(map(here.word, args))}"
    return Candidate(name, args, refusal is None, refusal.brief() if refusal else "", text)


# --- at a loop ------------------------------------------------------------------------------

def _kinds(here: Place) -> Iterator[Request]:
    for name in ("parallel", "vectorize", "unroll"):
        yield name, (here.handle,)
    for axis in AXES:
        yield "bind", (here.handle, axis)


def _splits(here: Place) -> Iterator[Request]:
    for f in factors(as_int(here.node.extent)):
        yield "split", (here.handle, [None, f])


def factors(extent: int | None) -> list[int]:
    """Inner sizes for a loop: divisors, those first that fill vectors; where there are none, a
    size that needs a predicate."""
    usual = (16, 8, 4, 32, 2, 64)
    if extent is None:
        return list(usual[:3])
    found = [f for f in usual if f < extent and extent % f == 0]
    found += [f for f in range(3, min(extent, 129)) if extent % f == 0 and f not in found]
    return found[:MOST_FACTORS] or [f for f in usual[:1] if f < extent] or [1]


def _chain(loop: For) -> list[For]:
    """The loop and those directly nested below it."""
    found = [loop]
    while isinstance(found[-1].body, For):
        found.append(found[-1].body)
    return found


def _fusions(here: Place) -> Iterator[Request]:
    chain = here.handles(_chain(here.node)[:3])
    for count in range(2, len(chain) + 1):
        yield "fuse", tuple(chain[:count])


def _orders(here: Place) -> Iterator[Request]:
    """The loop one deeper, two deeper, innermost, and outside of its neighbour."""
    chain = here.handles(_chain(here.node))
    for count in dict.fromkeys((2, 3, len(chain))):
        if 1 < count <= len(chain):
            yield "reorder", (*chain[1:count], chain[0])
    outer = here.nest.parent(here.node)
    if isinstance(outer, For):
        yield "reorder", (here.handle, here.sch.handle_of(outer))


def _reductions(here: Place) -> Iterator[Request]:
    for realize in child_realizes(here.node.body):
        block = realize.block
        if block.init is not None:
            yield "decompose_reduction", (here.sch.handle_of(block), here.handle)
    inside = child_realizes(here.node.body)
    fed = [it for r in inside for it in bound_by(r, here.node.loop_var)]
    if any(it.kind == REDUCE for it in fed):
        for axis in range(max(w.buffer.ndim for r in inside for w in r.block.writes) + 1):
            yield "rfactor", (here.handle, axis)


def _of_loop(here: Place) -> Iterator[Request]:
    extent = as_int(here.node.extent)
    if extent and extent > 2:
        yield "loop_partition", (here.handle, [extent // 2, None])
    yield "blockize", (here.handle,)
    yield "add_unit_loop", (here.handle,)
    yield "sample_perfect_tile", (here.handle, 2)


LOOP_OFFERS: tuple[Callable[[Place], Iterator[Request]], ...] = (
    _splits, _kinds, _fusions, _orders, _reductions, _of_loop)


# --- at a block -----------------------------------------------------------------------------

def _inlines(here: Place) -> Iterator[Request]:
    yield "compute_inline", (here.handle,)
    yield "reverse_compute_inline", (here.handle,)
    for user in consumers(here.nest, here.node):
        if here.node.init is not None:
            yield "fuse_reduction_epilogue", (here.handle, here.sch.handle_of(user))


def _moves(here: Place) -> Iterator[Request]:
    nest, block = here.nest, here.node
    for name, others in (("compute_at", consumers(nest, block)),
                         ("reverse_compute_at", producers(nest, block))):
        for l in dict.fromkeys(l for b in others for l in nest.loops(b)):
            yield name, (here.handle, here.sch.handle_of(l))


def _block_loops(here: Place) -> Iterator[Request]:
    nest, block = here.nest, here.node
    loops = nest.loops(block)
    if block.init is not None:
        for l in loops:
            yield "decompose_reduction", (here.handle, here.sch.handle_of(l))
    for l in loops:
        if any(it.kind == REDUCE for it in bound_by(nest.realize(block), l.loop_var)):
            yield "rfactor", (here.sch.handle_of(l), 0)
    for l in loops:
        yield "decompose_padding", (here.handle, here.sch.handle_of(l))


def _caches(here: Place) -> Iterator[Request]:
    for name, regions in (("cache_read", here.node.reads), ("cache_write", here.node.writes)):
        for k in range(len(regions)):
            for scope in SCOPES:
                yield name, (here.handle, k, scope)
    for kind, regions in (("read", here.node.reads), ("write", here.node.writes)):
        for k in range(len(regions)):
            yield "reindex", (here.handle, (kind, k))


def _storage(here: Place) -> Iterator[Request]:
    for k, w in enumerate(here.node.writes):
        for scope in SCOPES:
            if w.buffer.scope != scope:
                yield "set_scope", (here.handle, k, scope)
        if w.buffer.ndim > 1:
            yield "storage_align", (here.handle, k, -2, 32, 8)


def _layouts(here: Place) -> Iterator[Request]:
    for kind, regions in (("read", here.node.reads), ("write", here.node.writes)):
        for k, r in enumerate(regions):
            for index_map in _maps(r.buffer):
                yield "transform_layout", (here.handle, (kind, k), index_map)


def _maps(buffer: Buffer) -> Iterator[IndexMap]:
    """The last two dimensions exchanged; the last one in tiles."""
    dtypes = [s.dtype for s in buffer.shape]
    if buffer.ndim > 1:
        yield IndexMap.of(lambda *i: (*i[:-2], i[-1], i[-2]), buffer.ndim, dtypes)
    size = as_int(buffer.shape[-1]) if buffer.ndim else None
    if size and size > TILE and size % TILE == 0:
        yield IndexMap.of(lambda *i: (*i[:-1], i[-1] // TILE, i[-1] % TILE), buffer.ndim, dtypes)


def _iterations(here: Place) -> Iterator[Request]:
    count = len(here.node.iter_vars)
    if count > 1:
        yield "reorder_block_iter_var", (here.handle, list(range(count))[::-1])
        dtypes = [it.var.dtype for it in here.node.iter_vars]
        turned = IndexMap.of(lambda *i: (i[1], i[0], *i[2:]), count, dtypes)
        yield "transform_block_layout", (here.handle, turned)
    if here.node.init is not None:
        yield "pad_einsum", (here.handle, [TILE] * count)
    yield "blockize", (here.handle,)
    yield "add_unit_loop", (here.handle,)


BLOCK_OFFERS: tuple[Callable[[Place], Iterator[Request]], ...] = (
    _inlines, _moves, _block_loops, _caches, _storage, _layouts, _iterations)
