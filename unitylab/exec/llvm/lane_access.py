"""Vectors from elements that do not lie side by side, or of which only some count."""

from __future__ import annotations

from llvmlite import ir

from ...ir.dtypes import DataType
from ...ir.errors import BuildError
from ...ir.tir import Buffer
from .arithmetic import type_suffix
from .frame import Frame
from .types import I32, PTR, i64, lanes_of, memory_type, splat, with_lanes

FEW_STEPS = 4  # elements from lane to lane for which all that lies between is loaded


class Steps(list):
    """Addresses, one a lane, that lie `step` elements apart (None: not known)."""

    def __init__(self, addresses, step: int | None):
        super().__init__(addresses)
        self.step = step

    @property
    def few(self) -> bool:
        return self.step is not None and 1 < self.step <= FEW_STEPS and len(self) >= 4


class LaneAccess:
    """Loads and stores by lanes, as code of a frame."""

    def __init__(self, frame: Frame):
        self.frame = frame

    @property
    def b(self) -> ir.IRBuilder:
        return self.frame.builder

    def _gather(self, pointers: list, element: DataType, kind: ir.Type, mask) -> ir.Value:
        """Loads lane by lane; lanes that are masked out are zero."""
        each = memory_type(element)
        if element.lanes > 1:
            raise BuildError(f"a vector index into a buffer of {element} has no code generation")
        result: ir.Value = ir.Constant(kind, None if mask is not None else ir.Undefined)
        for k, p in enumerate(pointers):
            at = ir.Constant(I32, k)
            if mask is None:
                one = self.b.load(p, typ=each, align=element.itemsize)
            else:
                one = self._guarded_load(p, each, self._bit(mask, at))
            result = self.b.insert_element(result, one, at)
        return result

    def _pick(self, pointers: Steps, element: ir.Type, buffer: Buffer) -> ir.Value:
        """Every second (third, fourth) element of what lies between the first and the last one,
        which is loaded as a whole."""
        lanes, step = len(pointers), pointers.step
        last = (lanes - 1) * (step - 1)  # where the last load begins, so that it ends in time
        starts = [*range(0, last, lanes), last]
        parts = [self.b.load(self.b.gep(pointers[0], [i64(k)], source_etype=element),
                             typ=with_lanes(element, lanes), align=buffer.dtype.itemsize)
                 for k in starts]
        owner = [max(p for p, start in enumerate(starts) if start <= k * step)
                 for k in range(lanes)]
        value = parts[0]
        for p, (part, start) in enumerate(zip(parts, starts)):
            places = [k if owner[k] < p else lanes + k * step - start if owner[k] == p else 0
                      for k in range(lanes)]
            if p == 0:
                places = [k * step if owner[k] == 0 else 0 for k in range(lanes)]
            value = self.b.shuffle_vector(value, part, ir.Constant(
                ir.VectorType(I32, lanes), [ir.Constant(I32, k) for k in places]))
        return value

    def _bit(self, mask: ir.Value, at: ir.Constant) -> ir.Value:
        return mask if lanes_of(mask) == 1 else self.b.extract_element(mask, at)

    def _guarded_load(self, pointer: ir.Value, kind: ir.Type, bit: ir.Value) -> ir.Value:
        before = self.b.block
        with self.b.if_then(bit):
            value = self.b.load(pointer, typ=kind)
            inside = self.b.block
        phi = self.b.phi(kind)
        phi.add_incoming(ir.Constant(kind, None), before)
        phi.add_incoming(value, inside)
        return phi

    def _scatter(self, pointers: list, value: ir.Value, mask) -> None:
        for k, p in enumerate(pointers):
            at = ir.Constant(I32, k)
            if mask is None:
                self.b.store(self.b.extract_element(value, at), p)
            else:
                with self.b.if_then(self._bit(mask, at)):
                    self.b.store(self.b.extract_element(value, at), p)

    def _masked_load(self, pointer, kind: ir.Type, mask, t: DataType) -> ir.Value:
        if t.lanes == 1:
            return self._guarded_load(pointer, kind, mask)
        mask = splat(self.b, mask, t.lanes)
        function = self._masked("load", kind, kind, [PTR, I32, mask.type, kind])
        return self.b.call(function, [pointer, ir.Constant(I32, t.itemsize), mask,
                                      ir.Constant(kind, None)])

    def _masked_store(self, pointer, value, mask, t: DataType) -> None:
        if t.lanes == 1:
            with self.b.if_then(mask):
                self.b.store(value, pointer)
            return
        mask = splat(self.b, mask, t.lanes)
        function = self._masked("store", value.type, ir.VoidType(),
                                [value.type, PTR, I32, mask.type])
        self.b.call(function, [value, pointer, ir.Constant(I32, t.itemsize), mask])

    def _masked(self, name: str, kind: ir.Type, result: ir.Type, args) -> ir.Function:
        full = f"llvm.masked.{name}.{type_suffix(kind)}.p0"
        found = self.frame.unit.module.globals.get(full)
        return found or ir.Function(self.frame.unit.module, ir.FunctionType(result, args), full)
