"""Arithmetic on float32 or float64 of any number of lanes, as elementary functions use it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from llvmlite import ir

from ....ir.dtypes import DataType
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

    def scale(self, x, n: ir.Value, whole: ir.Value) -> ir.Value:
        """`x * 2**n`, also for results that are subnormal or near the largest; `whole` is n as a
        float. In one instruction for whole registers of AVX-512, else in two halves."""
        cpu = getattr(self.b.module, "cpu", Cpu())
        registers = self.lanes * self.dtype.element.bits // 512
        if cpu.x86 and cpu.vector_bytes == 64 and registers and self.lanes.bit_count() == 1:
            return self._scaled(x, whole, self.lanes)
        half = self.b.ashr(n, self.integer(1))
        return self.mul(self.mul(x, self.power_of_two(half)),
                        self.power_of_two(self.b.sub(n, half)))

    def _scaled(self, x: ir.Value, whole: ir.Value, lanes: int) -> ir.Value:
        bits = self.dtype.element.bits
        if lanes * bits > 512:
            low, high = (self._scaled(self._half(x, k), self._half(whole, k), lanes // 2)
                         for k in (0, 1))
            return self._lanes(low, high, range(lanes))
        name = f"llvm.x86.avx512.mask.scalef.p{'d' if self.double else 's'}.512"
        mask = ir.IntType(lanes)
        function = self.b.module.globals.get(name) or ir.Function(
            self.b.module, ir.FunctionType(x.type, [x.type] * 3 + [mask, I32]), name)
        return self.b.call(function, [x, whole, x, ir.Constant(mask, -1), ir.Constant(I32, 4)])

    def _half(self, x: ir.Value, which: int) -> ir.Value:
        count = lanes_of(x) // 2
        return self._lanes(x, ir.Constant(x.type, ir.Undefined),
                           range(which * count, which * count + count))

    def _lanes(self, x: ir.Value, y: ir.Value, places: Sequence[int]) -> ir.Value:
        """Lanes of two vectors, those of the second counted behind those of the first."""
        return self.b.shuffle_vector(x, y, ir.Constant(
            ir.VectorType(I32, len(places)), [ir.Constant(I32, k) for k in places]))
