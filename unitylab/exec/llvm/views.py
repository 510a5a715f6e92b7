"""Views: buffers that see the memory of others. What a view reaches lies inside of that memory."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from ...ir import prim, tir
from ...ir.prim import PrimExpr
from . import unit as codes
from .frame import Frame, Memory
from .types import I64, i64, known, memory_type


FAR = 2**56  # elements: farther than any memory; sums of a few such numbers are still int64


@dataclass(frozen=True)
class Room:
    """The memory behind a pointer: where it starts, and how many bytes it has."""

    start: ir.Value
    size: ir.Value


class Views:
    """Declares views in a frame. `strides(buffer, shape)` and `product(a, b)` are those of the
    statements."""

    def __init__(self, frame: Frame, expressions, strides, product):
        self.frame, self.expressions = frame, expressions
        self.strides, self.product = strides, product

    def declare(self, buffer: tir.Buffer) -> None:
        """The address of its data, moved by the offset."""
        frame = self.frame
        frame.has_views = True
        base = self.expressions.visit(buffer.data)
        room = self._room(buffer.data)
        offset = self.expressions.index(buffer.elem_offset)
        shape = [self.expressions.index(s) for s in buffer.shape]
        strides = self.strides(buffer, shape)
        if room is not None and frame.unit.checked:
            self._check(buffer, base, room, offset, shape, strides)
        if known(offset) != 0:
            base = frame.builder.gep(base, [offset], source_etype=memory_type(buffer.dtype))
        data = frame.pointers.get(id(buffer.data))
        frame.set_memory(buffer, Memory(base, tuple(shape), tuple(strides)))
        if data is not None:
            frame.pointers[id(buffer.data)] = data

    def alias(self, var: prim.Var, value: PrimExpr) -> None:
        """A variable that holds an address: what it reaches is what the address reaches."""
        if isinstance(value, prim.Call) and value.op == "address_of" \
                and isinstance(value.args[0], tir.BufferLoad):
            value = value.args[0].buffer.data
        owner = self.frame.owners.get(id(value))
        if owner is not None:
            self.frame.own(var, owner)

    def _room(self, data: PrimExpr) -> Room | None:
        owner = self.frame.owners.get(id(data))
        if owner is None:
            return None
        buffer, memory = owner
        size = i64(buffer.dtype.itemsize * buffer.dtype.lanes)
        if buffer.strides:
            return Room(memory.pointer, self.product(size, self._reach(memory)[1]))
        for s in memory.shape:
            size = self.product(size, s)
        return Room(memory.pointer, size)

    def _check(self, buffer, base, room: Room, offset, shape, strides) -> None:
        b = self.frame.builder
        item = buffer.dtype.itemsize * buffer.dtype.lanes
        start = offset
        if base is not room.start:
            moved = b.sub(b.ptrtoint(base, I64), b.ptrtoint(room.start, I64))
            start = b.add(start, b.sdiv(moved, i64(item)))
        low, high = self._reach(Memory(base, tuple(shape), tuple(strides)))
        size = b.udiv(room.size, i64(item))
        inside = b.icmp_unsigned("<=", start, size)  # so that no sum below wraps around
        for holds in (b.icmp_signed(">=", b.add(start, low), i64(0)),
                      b.icmp_signed("<=", b.add(start, high), size)):
            inside = b.and_(inside, holds)
        self.frame.require(inside, codes.OUTSIDE, self.frame.here(buffer, buffer.span),
                           (b.add(start, low), b.sub(b.add(start, high), i64(1)), size))

    def _reach(self, memory: Memory) -> tuple[ir.Value, ir.Value]:
        """The first element that a buffer reaches and the one behind the last, from where it
        starts; a buffer without elements reaches none."""
        b = self.frame.builder
        low, high = i64(0), i64(1)
        empty = ir.Constant(ir.IntType(1), 0)
        for n, s in zip(memory.shape, memory.strides):
            empty = b.or_(empty, b.icmp_signed("<=", n, i64(0)))
            steps = b.sub(n, i64(1))
            if (known(s) or 0) < 0:
                low = b.sub(low, self._far(self.product(steps, i64(-known(s)))))
            else:
                high = b.add(high, self._far(self.product(steps, s)))
        return b.select(empty, i64(0), low), b.select(empty, i64(0), high)

    def _far(self, distance: ir.Value) -> ir.Value:
        return self.frame.builder.select(
            self.frame.builder.icmp_unsigned("<", distance, i64(FAR)), distance, i64(FAR))
