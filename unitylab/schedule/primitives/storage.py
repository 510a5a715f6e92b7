"""How buffers are stored: set_scope, storage_align, unsafe_set_dtype, hidden accesses."""

from __future__ import annotations

from ...ir import prim
from ...ir.errors import ScheduleError
from ...ir.node import FrozenDict
from ...ir.prim import PointerType, Var
from ...ir.tir import Block, Buffer, BufferLoad, BufferRegion, BufferStore, MatchBufferRegion
from ...ir.visitor import Mutator
from ..nest import Nest
from ..signature import BLOCK, INT, STR, list_of, primitive


@primitive(block=BLOCK, buffer_index=INT, storage_scope=STR)
def set_scope(nest: Nest, block: Block, buffer_index: int, storage_scope: str) -> None:
    """Keeps a buffer that a block writes in another storage scope ("local", "shared", ...). It must
    be allocated in the function. Exo: `set_memory`."""
    buffer = _allocated(nest, block, buffer_index)
    if buffer.scope == storage_scope:
        return
    data = Var(buffer.data.name, buffer.data.dtype, PointerType(buffer.dtype, storage_scope))
    _swap(nest, buffer, buffer.replace(data=data, scope=storage_scope), convert=False)


@primitive(block=BLOCK, buffer_index=INT, dtype=STR)
def unsafe_set_dtype(nest: Nest, block: Block, buffer_index: int, dtype: str) -> None:
    """Keeps a buffer that a block writes in another dtype; values are converted at each access.
    Unsafe: results are rounded to that dtype. Exo: `set_precision`."""
    from ...ir.dtypes import dtype as as_dtype  # noqa: PLC0415 - the argument has its name
    buffer = _allocated(nest, block, buffer_index)
    if buffer.dtype == dtype:
        return
    t = as_dtype(dtype)
    data = Var(buffer.data.name, buffer.data.dtype, PointerType(t, buffer.scope))
    _swap(nest, buffer, buffer.replace(data=data, dtype=t), convert=True)


@primitive(block=BLOCK, buffer_index=INT, axis=INT, factor=INT, offset=INT)
def storage_align(nest: Nest, block: Block, buffer_index: int, axis: int, factor: int,
                  offset: int) -> None:
    """Asks that the stride of a dimension be `factor * n + offset`, against bank conflicts. It is
    an annotation, and changes no result."""
    buffer = _allocated(nest, block, buffer_index)
    axis = axis + buffer.ndim if axis < 0 else axis
    if not 0 <= axis < buffer.ndim:
        raise ScheduleError(f"{buffer.name} has {buffer.ndim} dimensions, there is no axis {axis}")
    if factor <= 0:
        raise ScheduleError(f"the factor is {factor}", hint="factors are positive")
    key, entry = "buffer_dim_align", (buffer_index, axis, factor, offset)
    old = [e for e in block.annotations.get(key, ()) if tuple(map(_number, e[:2])) != entry[:2]]
    nest.edit(block, annotations=FrozenDict({**block.annotations, key: (*old, entry)}))


@primitive(block=BLOCK, buf_type=STR, buf_index_array=list_of(INT))
def unsafe_hide_buffer_access(nest: Nest, block: Block, buf_type: str,
                              buf_index_array: list[int]) -> None:
    """Leaves regions out of what a block declares to read or write. Unsafe: dependences through
    them are no longer seen."""
    if buf_type not in ("read", "write"):
        raise ScheduleError(f"the kind of access is {buf_type!r}", hint='"read" or "write"')
    name = f"{buf_type}s"
    regions = getattr(block, name)
    bad = [k for k in buf_index_array if not 0 <= k < len(regions)]
    if bad:
        raise ScheduleError(f"block {block.name} {name} {len(regions)} buffers, there is no number "
                            f"{bad[0]}", span=block.span)
    gone = set(buf_index_array)
    nest.edit(block, **{name: tuple(r for k, r in enumerate(regions) if k not in gone)})


def _number(e) -> int:
    return prim.as_int(e)


def _allocated(nest: Nest, block: Block, index: int) -> Buffer:
    if not 0 <= index < len(block.writes):
        raise ScheduleError(f"block {block.name} writes {len(block.writes)} buffers, there is no "
                            f"number {index}", span=block.span)
    buffer = block.writes[index].buffer
    if not any(buffer in b.alloc_buffers for b in nest.blocks()):
        raise ScheduleError(f"{buffer.name} is not allocated in the function: its storage is the "
                            f"caller's", span=block.span, hint="cache_write it first")
    return buffer


def _swap(nest: Nest, old: Buffer, new: Buffer, convert: bool) -> None:
    """Puts a buffer in the place of another, in the whole function, views of it too."""
    body = nest.rewritten(_Swap(old, new, convert), nest.func.body)
    nest.set_func(nest.func.replace(body=body))


class _Swap(Mutator):
    """Replaces a buffer; `convert`: its elements have another dtype."""

    def __init__(self, old: Buffer, new: Buffer, convert: bool):
        super().__init__()
        self.new, self.convert = {old: new}, convert

    def visit_Buffer(self, n: Buffer) -> Buffer:
        return self.new.get(n, n)

    def visit_Block(self, n: Block) -> Block:
        for m in n.match_buffers:
            self._view(m)
        return self.rebuild(n)

    def _view(self, m: MatchBufferRegion) -> None:
        source = self.new.get(m.source.buffer)
        if source is not None and m.buffer not in self.new:
            data = Var(m.buffer.data.name, m.buffer.data.dtype,
                       PointerType(source.dtype, source.scope))
            self.new[m.buffer] = m.buffer.replace(data=data, scope=source.scope,
                                                  dtype=source.dtype)

    def visit_BufferRegion(self, n: BufferRegion) -> BufferRegion:
        return self.rebuild(n)

    def visit_BufferLoad(self, n: BufferLoad):
        new = self.rebuild(n)
        return prim.cast(new, n.dtype) if self.convert and n.buffer in self.new else new

    def visit_BufferStore(self, n: BufferStore) -> BufferStore:
        new = self.rebuild(n)
        if not (self.convert and n.buffer in self.new):
            return new
        return new.replace(value=prim.Cast(new.buffer.dtype, new.value))
