"""Angles so large that their float32 neighbours are many turns apart, brought near zero.

x = m 2**s with an integer m of 24 bits. Of 2**s 2/pi only the part below four quarter turns counts;
it is kept in three pieces for each s, the first two so short that their products with m are exact.
"""

from __future__ import annotations

import math
from functools import cache

from llvmlite import ir

from ..types import I32, I64, i64, with_lanes
from .floats import Floats

_NAME = "unitylab.two_over_pi"
_SHIFTS = 105  # of float32: 2**104 times 24 bits are the largest numbers
_PIECE = 29    # bits; 53 - 24
_BITS = 400


@cache
def _pi(bits: int) -> int:
    """pi 2**bits, by Machin's formula."""
    def arctan_of_inverse(n: int) -> int:
        total = term = (1 << bits + 20) // n
        k = 1
        while term:
            term //= n * n
            k += 2
            total += term // k if k % 4 == 1 else -(term // k)
        return total
    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)) >> 20


@cache
def pieces() -> tuple[float, ...]:
    """Three numbers for each shift s: their sum is 2**s 2/pi without multiples of four."""
    ratio = (1 << 2 * _BITS + 1) // _pi(_BITS)  # 2/pi 2**_BITS
    found = []
    for shift in range(_SHIFTS):
        rest, unit = (ratio << shift) % (4 << _BITS), _BITS + 2
        for _ in range(2):
            unit -= _PIECE
            piece = rest >> unit
            rest -= piece << unit
            found.append(math.ldexp(piece, unit - _BITS))
        found.append(math.ldexp(rest, -_BITS))
    return tuple(found)


def far_angle(f: Floats, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """(r, n): x = n pi / 2 + r, where multiples of four are missing in n; |x| >= 2**23, finite."""
    b, bits = f.b, f.bits(x)
    shift = b.sub(b.and_(b.lshr(bits, f.integer(23)), f.integer(255)), f.integer(150))
    low, high = f.integer(0), f.integer(_SHIFTS - 1)
    shift = b.select(b.icmp_signed("<", shift, low), low, shift)
    shift = b.select(b.icmp_signed(">", shift, high), high, shift)
    digits = b.or_(b.and_(bits, f.integer(2**23 - 1)), f.integer(2**23))
    digits = b.select(b.icmp_signed("<", bits, f.integer(0)), b.neg(digits), digits)
    wide = Floats(b, b.sitofp(digits, with_lanes(ir.DoubleType(), f.lanes)))
    m = b.sitofp(digits, wide.type)
    first, second, third = (wide.mul(m, _look_up(f, shift, k, wide.type)) for k in range(3))
    turns, _ = wide.rounded(wide.mul(first, 0.25))
    first = wide.fma(turns, -4.0, first)
    whole, n = wide.rounded(wide.add(first, second))
    rest = wide.add(wide.add(wide.sub(first, whole), second), third)
    return b.fptrunc(wide.mul(rest, math.pi / 2), x.type), b.trunc(n, f.integers)


def _look_up(f: Floats, shift: ir.Value, k: int, kind: ir.Type) -> ir.Value:
    """Piece k for each lane's shift."""
    table = _table(f.b.module)
    if f.lanes == 1:
        return _element(f.b, table, shift, k)
    result: ir.Value = ir.Constant(kind, ir.Undefined)
    for lane in range(f.lanes):
        at = ir.Constant(I32, lane)
        one = _element(f.b, table, f.b.extract_element(shift, at), k)
        result = f.b.insert_element(result, one, at)
    return result


def _element(b: ir.IRBuilder, table: ir.Value, shift: ir.Value, k: int) -> ir.Value:
    place = b.add(b.mul(b.zext(shift, I64), i64(3)), i64(k))
    return b.load(b.gep(table, [place], source_etype=ir.DoubleType(), inbounds=True),
                  typ=ir.DoubleType(), align=8)


def _table(module: ir.Module) -> ir.Value:
    found = module.globals.get(_NAME)
    if found is None:
        kind = ir.ArrayType(ir.DoubleType(), 3 * _SHIFTS)
        found = ir.GlobalVariable(module, kind, _NAME)
        found.global_constant, found.linkage = True, "internal"
        found.initializer = ir.Constant(kind, pieces())
    return found
