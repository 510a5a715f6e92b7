"""Arithmetic on float32 or float64 of any number of lanes, as elementary functions use it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from llvmlite import ir

from ....ir.dtypes import FLOAT32, DataType
from ....target import Cpu
from ..arithmetic import intrinsic
from ..types import I32, I64, constant, lanes_of, splat, with_lanes


class Floats:
    """Builds code on values of the type of `like`; numbers are Python's."""

    def __init__(self, b: ir.IRBuilder, like: ir.Value):
        self.b, self.type, self.lanes = b, like.type, lanes_of(like)
        element = like.type.element if self.lanes > 1 else like.type
        self.double = isinstance(element, ir.DoubleType)
        self.dtype = DataType("float64" if self.double else "float32").with_lanes(self.lanes)
        self.word = I64 if self.double else I32
        self.mantissa, self.bias = (52, 1023) if self.double else (23, 127)
        # adding it rounds to an integer, which is then in the low bits
        self.round = 1.5 * 2.0**self.mantissa
        self.integers = with_lanes(self.word, self.lanes)

    def number(self, value) -> ir.Value:
        return value if isinstance(value, ir.Value) else constant(value, self.dtype)

    def integer(self, value: int) -> ir.Value:
        return splat(self.b, ir.Constant(self.word, value), self.lanes)

    def fma(self, x, y, z) -> ir.Value:
        """`x * y + z`, in one instruction where the machine has it."""
        return intrinsic(self.b, "llvm.fmuladd", [self.number(v) for v in (x, y, z)])

    def add(self, x, y) -> ir.Value:
        return self.b.fadd(self.number(x), self.number(y))

    def sub(self, x, y) -> ir.Value:
        return self.b.fsub(self.number(x), self.number(y))

    def mul(self, x, y) -> ir.Value:
        return self.b.fmul(self.number(x), self.number(y))

    def div(self, x, y) -> ir.Value:
        return self.b.fdiv(self.number(x), self.number(y))

    def less(self, x, y) -> ir.Value:
        return self.b.fcmp_ordered("<", self.number(x), self.number(y))

    def equal(self, x, y) -> ir.Value:
        return self.b.fcmp_ordered("==", self.number(x), self.number(y))

    def select(self, condition, x, y) -> ir.Value:
        return self.b.select(condition, self.number(x), self.number(y))

    def at_most(self, x, limit) -> ir.Value:
        """The smaller one; NaN stays NaN."""
        return self.select(self.less(limit, x), limit, x)

    def at_least(self, x, limit) -> ir.Value:
        return self.select(self.less(x, limit), limit, x)

    def magnitude(self, x) -> ir.Value:
        return intrinsic(self.b, "llvm.fabs", [x])

    def signed_like(self, x, sign) -> ir.Value:
        return intrinsic(self.b, "llvm.copysign", [self.number(x), sign])

    def polynomial(self, coefficients: Sequence[float], x) -> ir.Value:
        """The highest power first."""
        result = self.number(coefficients[0])
        for c in coefficients[1:]:
            result = self.fma(result, x, c)
        return result

    def bits(self, x) -> ir.Value:
        return self.b.bitcast(x, self.integers)

    def from_bits(self, n) -> ir.Value:
        return self.b.bitcast(n, self.type)

    def rounded(self, x, scale=1.0) -> tuple[ir.Value, ir.Value]:
        """`x * scale` rounded to the nearest integer, as (float, integer)."""
        shifted = self.fma(x, scale, self.round)
        code = "<q" if self.double else "<i"
        start = struct.unpack(code, struct.pack("<d" if self.double else "<f", self.round))[0]
        return self.sub(shifted, self.round), self.b.sub(self.bits(shifted), self.integer(start))

    def power_of_two(self, n: ir.Value) -> ir.Value:
        """2**n for an integer n within the exponents of normal numbers."""
        return self.from_bits(self.b.shl(self.b.add(n, self.integer(self.bias)),
                                         self.integer(self.mantissa)))

    @property
    def scales(self) -> bool:
        """Whether vectors are whole registers of AVX-512."""
        cpu = getattr(self.b.module, "cpu", Cpu())
        registers = self.lanes * self.dtype.element.bits // 512
        return bool(cpu.x86 and cpu.vector_bytes == 64 and registers and
                    self.lanes.bit_count() == 1)

    def scale(self, x, n: ir.Value, whole: ir.Value) -> ir.Value:
        """`x * 2**n`, also for results that are subnormal or near the largest; `whole` is n as a
        float, rounded down where `scales`. In one instruction there, else in two halves."""
        if self.scales:
            return self._by_registers(self._scaled, x, whole)
        half = self.b.ashr(n, self.integer(1))
        return self.mul(self.mul(x, self.power_of_two(half)),
                        self.power_of_two(self.b.sub(n, half)))

    def _scaled(self, x: ir.Value, whole: ir.Value) -> ir.Value:
        mask = ir.IntType(lanes_of(x))
        function = self._avx512(f"mask.scalef.p{'d' if self.double else 's'}", x.type,
                                [x.type] * 3 + [mask, I32])
        return self.b.call(function, [x, whole, x, ir.Constant(mask, -1), ir.Constant(I32, 4)])

    def looked_up(self, table: Sequence[float], index: ir.Value) -> ir.Value:
        """A float32 of 16 for each lane, by the low bits of `index`, where `scales`."""
        values = ir.Constant(with_lanes(ir.FloatType(), len(table)),
                             [constant(v, FLOAT32) for v in table])

        def one(places: ir.Value) -> ir.Value:
            function = self._avx512("permvar.sf", values.type, [values.type, places.type])
            return self.b.call(function, [values, places])
        return self._by_registers(one, index)

    def _avx512(self, name: str, result: ir.Type, operands: list[ir.Type]) -> ir.Function:
        full = f"llvm.x86.avx512.{name}.512"
        return self.b.module.globals.get(full) or ir.Function(
            self.b.module, ir.FunctionType(result, operands), full)

    def _by_registers(self, apply, *values: ir.Value) -> ir.Value:
        """`apply` to registers of vectors that are several."""
        lanes = lanes_of(values[0])
        if lanes * self.dtype.element.bits <= 512:
            return apply(*values)
        low, high = (self._by_registers(apply, *(self._half(v, k) for v in values))
                     for k in (0, 1))
        return self._lanes(low, high, range(lanes))

    def _half(self, x: ir.Value, which: int) -> ir.Value:
        count = lanes_of(x) // 2
        return self._lanes(x, ir.Constant(x.type, ir.Undefined),
                           range(which * count, which * count + count))

    def _lanes(self, x: ir.Value, y: ir.Value, places: Sequence[int]) -> ir.Value:
        """Lanes of two vectors, those of the second counted behind those of the first."""
        return self.b.shuffle_vector(x, y, ir.Constant(
            ir.VectorType(I32, len(places)), [ir.Constant(I32, k) for k in places]))
