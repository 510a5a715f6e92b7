"""Elementary functions as vector code of our own, since LLVM calls the C library lane by lane."""

from __future__ import annotations

import struct

from llvmlite import ir

from ...ir.dtypes import dtype
from .arithmetic import intrinsic
from .types import FLOAT, I32, constant, lanes_of, splat, with_lanes

# coefficients of (exp(r) - 1 - r) / r^2 on [-ln 2 / 2, ln 2 / 2], from Cephes' expf
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
        5.0000001201e-1)
_LOG2_E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.693359375, -2.12194440e-4
_ROUND = 12582912.0  # 1.5 * 2**23: adding it rounds to an integer, which is then in the low bits


def exp_float32(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """exp of floats within 2 ulp, infinities and NaN included.

    x = n ln 2 + r; exp(x) = 2**n exp(r), the power of two in two halves for results that are
    subnormal or near the largest."""
    lanes = lanes_of(x)

    def number(value: float) -> ir.Value:
        return constant(value, dtype("float32").with_lanes(lanes))

    def fma(*args: ir.Value) -> ir.Value:
        return intrinsic(b, "llvm.fma", args)

    x = b.select(b.fcmp_ordered(">", x, number(90.0)), number(90.0), x)
    x = b.select(b.fcmp_ordered("<", x, number(-105.0)), number(-105.0), x)
    shifted = fma(x, number(_LOG2_E), number(_ROUND))
    n = b.fsub(shifted, number(_ROUND))
    r = fma(n, number(-_LN2_LOW), fma(n, number(-_LN2_HIGH), x))
    p = number(_EXP[0])
    for c in _EXP[1:]:
        p = fma(p, r, number(c))
    p = b.fadd(fma(p, b.fmul(r, r), r), number(1.0))
    return _scale(b, p, shifted, lanes)


def _scale(b: ir.IRBuilder, p: ir.Value, shifted: ir.Value, lanes: int) -> ir.Value:
    """`p * 2**n`, where the low bits of `shifted` hold n."""
    kind = with_lanes(I32, lanes)

    def integer(value: int) -> ir.Value:
        return splat(b, ir.Constant(I32, value), lanes)

    start = struct.unpack("<i", struct.pack("<f", _ROUND))[0]
    n = b.sub(b.bitcast(shifted, kind), integer(start))
    half = b.ashr(n, integer(1))
    for part in (half, b.sub(n, half)):
        bits = b.shl(b.add(part, integer(127)), integer(23))
        p = b.fmul(p, b.bitcast(bits, with_lanes(FLOAT, lanes)))
    return p
