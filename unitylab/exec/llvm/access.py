"""Loads and stores: addresses, bounds checks, vectors."""

from __future__ import annotations

from llvmlite import ir

from ...ir import prim
from ...ir.dtypes import DataType
from ...ir.errors import BuildError
from ...ir.prim import PrimExpr
from ...ir.tir import Buffer, BufferLoad, BufferStore
from . import unit as codes
from .arithmetic import convert, narrow_bfloat, widen_bfloat
from .axes import Axis, joined_axis
from .frame import Frame, Memory
from .lane_access import LaneAccess, Steps
from .types import I32, I64, PTR, i64, known, lanes_of, memory_type, splat, with_lanes

LINE = 64  # bytes of a cache line


class Access(LaneAccess):
    """Reads and writes the buffers of a frame; `expressions` evaluates the indices."""

    def __init__(self, frame: Frame, expressions):
        super().__init__(frame)
        self.expressions = expressions
        self.streaming = False  # whether stores of vectors go past the caches
        self.ahead = 0          # bytes from what is read to what is fetched for later

    # --- whole accesses ---------------------------------------------------------------------

    def load(self, n: BufferLoad, widen: bool = True) -> ir.Value:
        """The value of a load; `widen`: a bfloat16 as float."""
        t = n.dtype
        mask = None if n.predicate is None else self.expressions.visit(n.predicate)
        pointers = self._checked(n, mask)
        kind = memory_type(t)
        if isinstance(pointers, Steps) and mask is None and pointers.few and \
                n.buffer.dtype.lanes == 1:
            value = self._pick(pointers, memory_type(n.buffer.dtype), n.buffer)
        elif isinstance(pointers, list):
            value = self._gather(pointers, n.buffer.dtype, kind, mask)
        elif mask is not None:
            value = self._masked_load(pointers, kind, mask, t)
        else:
            value = self.b.load(pointers, typ=kind, align=self._align(n.buffer))
            size = t.itemsize * t.lanes
            if self.ahead and size >= LINE and n.buffer in self.frame.unit.arguments:
                self._fetch(pointers, size)
        return self._from_memory(value, t) if widen else value

    def store(self, n: BufferStore) -> None:
        buffer = n.buffer
        lanes = max(i.dtype.lanes for i in n.indices) if n.indices else 1
        t = buffer.dtype.element.with_lanes(lanes * buffer.dtype.lanes)
        value = splat(self.b, self.expressions.visit(n.value), t.lanes)
        value = self._to_memory(value, n.value.dtype, t)
        mask = None if n.predicate is None else self.expressions.visit(n.predicate)
        pointers = self._checked(n, mask)
        if isinstance(pointers, list):
            self._scatter(pointers, value, mask)
        elif mask is not None:
            self._masked_store(pointers, value, mask, t)
        elif self.streaming and t.itemsize * t.lanes % self.frame.unit.cpu.vector_bytes == 0:
            self._stream(pointers, value, self._align(buffer))
        else:
            self.b.store(value, pointers, align=self._align(buffer))

    def _fetch(self, pointer: ir.Value, size: int) -> None:
        """Fetches what lies ahead of a vector into the first-level cache. Nothing is read: beyond
        the end of a tensor it does no harm."""
        flags = [ir.Constant(I32, k) for k in (0, 3, 1)]  # for reading, to stay, data
        function = self.b.module.globals.get("llvm.prefetch.p0") or ir.Function(
            self.b.module, ir.FunctionType(ir.VoidType(), [PTR, I32, I32, I32]), "llvm.prefetch.p0")
        for k in range(0, size, LINE):
            place = self.b.gep(pointer, [i64(self.ahead + k)], source_etype=ir.IntType(8))
            self.b.call(function, [place, *flags])

    def _stream(self, pointer: ir.Value, value: ir.Value, align: int) -> None:
        """A store past the caches where the address is one that the instruction takes."""
        size = self.frame.unit.cpu.vector_bytes
        low = self.b.and_(self.b.ptrtoint(pointer, I64), i64(size - 1))
        with self.b.if_else(self.b.icmp_unsigned("==", low, i64(0))) as (fits, other):
            with fits:
                store = self.b.store(value, pointer, align=size)
                one = self.frame.unit.module.add_metadata([ir.Constant(I32, 1)])
                store.set_metadata("nontemporal", one)
            with other:
                self.b.store(value, pointer, align=align)

    def address(self, n: BufferLoad) -> ir.Value:
        """The address of an element."""
        pointers = self._checked(n, None)
        return pointers if not isinstance(pointers, list) else pointers[0]

    @staticmethod
    def _align(b: Buffer) -> int:
        return b.dtype.itemsize

    def _from_memory(self, value: ir.Value, t: DataType) -> ir.Value:
        if t.is_bool:
            return self.b.icmp_unsigned("!=", value, ir.Constant(value.type, None))
        return widen_bfloat(self.b, value) if t.element == "bfloat16" else value

    def _to_memory(self, value: ir.Value, source: DataType, t: DataType) -> ir.Value:
        value = convert(self.b, value, source, t)
        if t.is_bool:
            return self.b.zext(value, memory_type(t))
        return narrow_bfloat(self.b, value) if t.element == "bfloat16" else value

    # --- addresses --------------------------------------------------------------------------

    def _checked(self, n: BufferLoad | BufferStore, mask):
        """The address of the (first) element, or a list of addresses, one a lane."""
        buffer = n.buffer
        memory = self.frame.memory_of(buffer)
        if len(n.indices) != len(memory.shape):
            raise BuildError(f"{buffer.name} has {len(memory.shape)} dimensions, "
                             f"{len(n.indices)} indices given", span=n.span)
        lanes = max((i.dtype.lanes for i in n.indices), default=1)
        axes = self._axes(n, memory)
        parts = [self._index(a.index) for a in axes]
        if self.frame.unit.checked:
            for a, part in zip(axes, parts):
                if a.dim is not None:
                    self._check(n, memory, a.dim, a.index, part, mask)
        strides = [a.stride for a in axes]
        if lanes == 1 or all(p[1] is not None for p in parts):
            return self._regular(buffer, memory.pointer, strides, parts, lanes)
        return self._lane_addresses(buffer, memory.pointer, strides, parts, lanes)

    def _axes(self, n: BufferLoad | BufferStore, memory: Memory) -> list[Axis]:
        """The dimensions of an access; neighbours that are digits of one index (`f // 7`, `f % 7`)
        are one, where that index is proven to lie inside."""
        single = [Axis(e, extent, stride, d) for d, (e, extent, stride) in enumerate(
            zip(n.indices, n.buffer.shape, memory.strides))]
        groups: list[tuple[Axis, list[Axis]]] = []  # the first first: a joined one, its parts
        for axis in reversed(single):
            joined = joined_axis(axis, groups[0][0]) if groups else None
            if joined is None:
                groups.insert(0, (axis, [axis]))
            else:
                groups[0] = joined, [axis, *groups[0][1]]
        return [a for joined, parts in groups
                for a in ([joined] if len(parts) == 1 or self._proven(joined) else parts)]

    def _proven(self, axis: Axis) -> bool:
        return not self.frame.unit.checked or \
            all(self.frame.bounds.inside(axis.index, axis.extent))

    def _index(self, e: PrimExpr) -> tuple[ir.Value, ir.Value | None]:
        """(base, stride from lane to lane); (vector, None) if it is not regular."""
        if isinstance(e, prim.Ramp):
            return self.expressions.index(e.base), self.expressions.index(e.stride)
        if isinstance(e, prim.Broadcast) and e.value.dtype.lanes == 1:
            return self.expressions.index(e.value), i64(0)
        if e.dtype.lanes == 1:
            return self.expressions.index(e), i64(0)
        return self._wide_vector(self.expressions.visit(e), e.dtype), None

    def _wide_vector(self, value: ir.Value, t: DataType) -> ir.Value:
        if t.bits == 64:
            return value
        wide = with_lanes(I64, lanes_of(value))
        return (self.b.sext if t.kind == "int" else self.b.zext)(value, wide)

    def _regular(self, buffer: Buffer, pointer: ir.Value, strides, parts, lanes: int):
        offset = self._offset(strides, [p[0] for p in parts])
        first = self._element(buffer, pointer, offset)
        if lanes == 1:
            return first
        step = self._offset(strides, [p[1] for p in parts])
        if known(step) == 1:
            return first
        return Steps((self._element(buffer, pointer,
                                    self._add(offset, self._mul(step, i64(k))))
                      for k in range(lanes)), known(step))

    def _lane_addresses(self, buffer: Buffer, pointer: ir.Value, strides, parts,
                        lanes: int) -> list[ir.Value]:
        result = []
        for k in range(lanes):
            at = [self.b.extract_element(base, ir.Constant(I32, k)) if stride is None
                  else self._add(base, self._mul(stride, i64(k))) for base, stride in parts]
            result.append(self._element(buffer, pointer, self._offset(strides, at)))
        return result

    def _offset(self, strides, indices) -> ir.Value:
        total: ir.Value = i64(0)
        for index, stride in zip(indices, strides):
            total = self._add(total, self._mul(index, stride))
        return total

    def _element(self, buffer: Buffer, pointer: ir.Value, offset: ir.Value) -> ir.Value:
        if known(offset) == 0:
            return pointer
        return self.b.gep(pointer, [offset], source_etype=memory_type(buffer.dtype), inbounds=True)

    def _add(self, x: ir.Value, y: ir.Value) -> ir.Value:
        if known(x) is not None and known(y) is not None:
            return i64(known(x) + known(y))
        if known(x) == 0:
            return y
        return x if known(y) == 0 else self.b.add(x, y, flags=("nsw",))

    def _mul(self, x: ir.Value, y: ir.Value) -> ir.Value:
        if known(x) is not None and known(y) is not None:
            return i64(known(x) * known(y))
        if known(x) == 1 or known(y) == 0:
            return y
        return x if known(y) == 1 or known(x) == 0 else self.b.mul(x, y, flags=("nsw",))

    # --- checks -----------------------------------------------------------------------------

    def _check(self, n, memory: Memory, d: int, e: PrimExpr, part, mask) -> None:
        """Stops where index `d` may be outside of its dimension and cannot be proven inside."""
        low, high = self.frame.bounds.inside(e, n.buffer.shape[d])
        if low and high:
            return
        base, stride = part
        extent, lanes = memory.shape[d], e.dtype.lanes
        if mask is not None and lanes_of(mask) > 1 or stride is None:
            self._check_lanes(n, d, base, stride, extent, max(lanes, n_lanes(n)), mask)
            return
        ends = [base]
        if lanes > 1 and known(stride) != 0:
            ends.append(self._add(base, self._mul(stride, i64(lanes - 1))))
        for end in ends:
            inside = self.b.icmp_unsigned("<", end, extent)
            if mask is not None:
                inside = self.b.or_(inside, self.b.not_(mask))
            self.frame.require(inside, codes.OUT_OF_BOUNDS, self.frame.here(n.buffer, n.span),
                               (end, i64(d), extent))

    def _check_lanes(self, n, d, base, stride, extent, lanes: int, mask) -> None:
        """Checks each lane that is not masked out."""
        for k in range(lanes):
            at = ir.Constant(I32, k)
            if stride is not None:
                one = self._add(base, self._mul(stride, i64(k)))
            else:
                one = self.b.extract_element(base, at) if lanes_of(base) > 1 else base
            inside = self.b.icmp_unsigned("<", one, extent)
            if mask is not None:
                bit = mask if lanes_of(mask) == 1 else self.b.extract_element(mask, at)
                inside = self.b.or_(inside, self.b.not_(bit))
            self.frame.require(inside, codes.OUT_OF_BOUNDS, self.frame.here(n.buffer, n.span),
                               (one, i64(d), extent))


def n_lanes(n: BufferLoad | BufferStore) -> int:
    return max((i.dtype.lanes for i in n.indices), default=1)
