"""The calling convention of kernels: one array of 64-bit words.

A kernel is `int32 f(int64 *words)`. The words are the parameters in order (the address of a
tensor's first element, or the bits of a scalar), then the symbolic sizes and strides, then the
address of the error record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...ir import prim
from ...ir.errors import BuildError
from ...ir.prim import Var
from ...ir.tir import Buffer, BufferLoad, BufferStore, MatchBufferRegion, PrimFunc
from ...ir.visitor import walk


@dataclass(frozen=True)
class Source:
    """Where the value of a symbolic variable comes from: dimension `axis` of parameter `param`,
    of its `shape`, `strides` or `elem_offset` (which is zero for an argument)."""

    var: Var
    param: int
    axis: int
    what: str = "shape"


@dataclass(frozen=True)
class Signature:
    """The parameters of a tensor program and the sizes that come along."""

    params: tuple[Var | Buffer, ...]
    sizes: tuple[Source, ...]

    @property
    def words(self) -> int:
        """Length of the array of words, the record included."""
        return len(self.params) + len(self.sizes) + 1


def signature_of(func: PrimFunc) -> Signature:
    """The signature of a tensor program. Raises BuildError where a size cannot be known."""
    known = {p for p in func.params if isinstance(p, Var)}
    sizes: list[Source] = []
    for source in _candidates(func):
        if source.var not in known:
            known.add(source.var)
            sizes.append(source)
    for b in func.buffers:
        if b.dtype.scalable:
            raise BuildError(f"parameter {b.name!r} has a dtype of scalable length", span=b.span)
    return Signature(func.params, tuple(sizes))


def _candidates(func: PrimFunc) -> Iterator[Source]:
    for k, p in enumerate(func.params):
        if isinstance(p, Buffer):
            for what in ("shape", "strides"):
                for axis, e in enumerate(getattr(p, what)):
                    if isinstance(e, Var):
                        yield Source(e, k, axis, what)
            if isinstance(p.elem_offset, Var):
                yield Source(p.elem_offset, k, 0, "elem_offset")


def written_buffers(func: PrimFunc) -> frozenset[int]:
    """The positions of the parameters that a program may write to (all that are not only read)."""
    sources: dict[int, Buffer] = {}
    touched: set[int] = set()
    for n in walk(func.body):
        if isinstance(n, MatchBufferRegion):
            sources[id(n.buffer)] = n.source.buffer
        if isinstance(n, BufferStore):
            touched.add(id(n.buffer.data))
            source = sources.get(id(n.buffer))
            while source is not None:
                touched.add(id(source.data))
                source = sources.get(id(source))
    escaped = _escaped(func)
    return frozenset(k for k, p in enumerate(func.params) if isinstance(p, Buffer)
                     and (id(p.data) in touched or id(p.data) in escaped))


def _escaped(func: PrimFunc) -> set[int]:
    """Data pointers that are handed to other functions."""
    found: set[int] = set()
    for n in walk(func.body):
        if isinstance(n, prim.Call):
            found |= {id(a) for a in n.args if isinstance(a, Var) and a.dtype == "handle"}
            found |= {id(a.buffer.data) for a in n.args
                      if n.op == "address_of" and isinstance(a, BufferLoad)}
    return found
