"""erf of float32."""

from __future__ import annotations

from llvmlite import ir

from .floats import Floats

# erf(a) / a of a**2 up to 0.9; log2(1 - erf(a)) of a from 0.9 to 4; (2**r - 1) / r
_NEAR = (-6.090359529480338e-4, 5.011962726712227e-3, -2.677890844643116e-2,
         1.1282140761613846e-1, -3.761252462863922e-1, 1.1283791065216064)
_FAR = (-1.8197647295892239e-3, 2.2581687197089195e-2, -1.317504197359085e-1,
        -9.384071230888367e-1, -1.616391897201538, -2.6290761306881905e-3)
_EXP2 = (1.326472731307149e-3, 9.671512991189957e-3, 5.550733581185341e-2,
         2.4022242426872253e-1, 6.931470036506653e-1)


def erf(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """a P(a**2) near zero, 1 - 2**Q(a) further out."""
    f = Floats(b, x)
    a = f.at_most(f.magnitude(x), 4.0)
    near = f.mul(a, f.polynomial(_NEAR, f.mul(a, a)))
    q = f.polynomial(_FAR, a)
    whole, n = f.rounded(q)
    r = f.sub(q, whole)
    power = f.power_of_two(n)
    rest = f.mul(power, f.fma(r, f.polynomial(_EXP2, r), 1.0))
    return f.signed_like(f.select(f.less(a, 0.9), near, f.sub(1.0, rest)), x)
