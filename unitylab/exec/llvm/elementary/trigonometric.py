"""sin, cos, tan and atan of float32.

The argument is brought near zero in float64, whose 53 bits are enough to 2**50. Beyond it goes by
a table of 2/pi: a vector only where a lane needs it, a scalar always, so that loops of scalars have
no branch.
"""

from __future__ import annotations

import math
from llvmlite import ir

from ..types import with_lanes
from .far_angles import far_angle
from .floats import Floats

# minimax of (sin(r) / r - 1) / r**2 and (cos(r) - 1 + r**2 / 2) / r**4 of r**2, |r| <= pi / 4
_SIN = (-1.951521808208164e-4, 8.332160291602707e-3, -1.6666654602271208e-1)
_COS = (2.4433082660119317e-5, -1.3887315616215622e-3, 4.166664567014839e-2)
# of (atan(a) / a - 1) / a**2 of a**2, a <= tan(pi / 8)
_ATAN = (-6.075916560966597e-2, 1.0592946650207453e-1, -1.4243422314593057e-1,
         1.9998466001881143e-1, -3.333331510529442e-1)
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17)  # its float64, and the rest
FARTHEST = 2.0**50


def sin(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _quadrants(b, x, 0)


def cos(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _quadrants(b, x, 1)


def tan(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    f = Floats(b, x)
    r, n = _reduced(f, x)
    s, c = _near_zero(f, r)
    odd = _bit(f, n, 1)
    t = f.div(f.select(odd, c, s), f.select(odd, s, c))
    return f.select(odd, b.fneg(t), t)


def atan(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """atan(a) of a <= tan(pi / 8) by a polynomial; further out through
    pi / 4 + atan((a - 1) / (a + 1)) and pi / 2 - atan(1 / a)."""
    f = Floats(b, x)
    a = f.magnitude(x)
    far, middle = f.less(math.tan(3 * math.pi / 8), a), f.less(math.tan(math.pi / 8), a)
    above = f.select(far, -1.0, f.select(middle, f.sub(a, 1.0), a))
    below = f.select(far, a, f.select(middle, f.add(a, 1.0), 1.0))
    t = f.div(above, below)
    z = f.mul(t, t)
    start = f.select(far, math.pi / 2, f.select(middle, math.pi / 4, 0.0))
    rest = f.select(far, -4.371139e-8, f.select(middle, -2.1855695e-8, 0.0))  # of the start
    result = f.add(start, f.add(f.fma(f.mul(t, z), f.polynomial(_ATAN, z), rest), t))
    return f.signed_like(f.select(f.less(a, 1e-4), a, result), x)


def _reduced(f: Floats, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """(r, n): x = n pi / 2 + r; of n only the low bits."""
    b = f.b
    size = f.magnitude(x)
    beyond = b.and_(f.less(FARTHEST, size), f.less(size, math.inf))
    near = _near(f, x)
    if f.lanes == 1:
        return tuple(b.select(beyond, v, w) for v, w in zip(far_angle(f, x), near))
    word = ir.IntType(f.lanes)
    some = b.icmp_unsigned("!=", b.bitcast(beyond, word), ir.Constant(word, 0))
    before = b.block
    with b.if_then(some, likely=False):
        far = tuple(b.select(beyond, v, w) for v, w in zip(far_angle(f, x), near))
        inside = b.block
    results = []
    for v, w in zip(far, near):
        phi = b.phi(v.type)
        phi.add_incoming(w, before)
        phi.add_incoming(v, inside)
        results.append(phi)
    return results[0], results[1]


def _near(f: Floats, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Up to `FARTHEST`; NaN for what is not finite."""
    b = f.b
    wide = Floats(b, b.fpext(x, with_lanes(ir.DoubleType(), f.lanes)))
    y = b.fpext(x, wide.type)
    whole, n = wide.rounded(y, 2 / math.pi)
    r = wide.fma(whole, -_HALF_PI[1], wide.fma(whole, -_HALF_PI[0], y))
    return b.fptrunc(r, x.type), b.trunc(n, f.integers)


def _near_zero(f: Floats, r: ir.Value) -> tuple[ir.Value, ir.Value]:
    """sin(r) and cos(r)."""
    z = f.mul(r, r)
    sine = f.signed_like(f.fma(f.mul(r, z), f.polynomial(_SIN, z), r), r)  # also zeros
    cosine = f.fma(f.mul(z, z), f.polynomial(_COS, z), f.fma(z, -0.5, 1.0))
    return sine, cosine


def _quadrants(b: ir.IRBuilder, x: ir.Value, ahead: int) -> ir.Value:
    """sin(x + ahead pi / 2)."""
    f = Floats(b, x)
    r, n = _reduced(f, x)
    n = b.add(n, f.integer(ahead)) if ahead else n
    s, c = _near_zero(f, r)
    result = f.select(_bit(f, n, 1), c, s)
    return f.select(_bit(f, n, 2), b.fneg(result), result)


def _bit(f: Floats, n: ir.Value, which: int) -> ir.Value:
    return f.b.icmp_signed("!=", f.b.and_(n, f.integer(which)), f.integer(0))
