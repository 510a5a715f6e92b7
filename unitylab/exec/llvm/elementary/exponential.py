"""exp and what is made of it: exp2, exp10, expm1, tanh, sigmoid."""

from __future__ import annotations

from llvmlite import ir

from .floats import Floats

# minimax of (b**r - 1) / r on the r that are left when a power of two is taken out
_EXP = {False: (1.3842706102877855e-3, 8.374964818358421e-3, 4.1668057441711426e-2,
                1.666642129421234e-1, 4.999999403953552e-1, 1.0),
        True: (2.499020333592238e-8, 2.763251155436825e-7, 2.7557639208959973e-6,
               2.480148672613373e-5, 1.9841269411892252e-4, 1.3888888949871753e-3,
               8.333333333567622e-3, 4.1666666666505564e-2, 1.666666666666617e-1,
               5.000000000000013e-1, 1.0)}
EXP2 = {False: (1.535334886284545e-4, 1.3398873852565885e-3, 9.618437848985195e-3,
                5.5503323674201965e-2, 2.4022647738456726e-1, 6.931471824645996e-1),
        True: (4.434769999352637e-10, 7.073783272373501e-9, 1.0178199579960242e-7,
               1.3215435282223443e-6, 1.5252733493111756e-5, 1.5403530457112162e-4,
               1.333355814677463e-3, 9.61812910759412e-3, 5.5504108664820084e-2,
               2.402265069591013e-1, 6.931471805599453e-1)}
_EXP10 = (2.063075602054596e-1, 5.420776009559631e-1, 1.1712942123413086, 2.0346486568450928,
          2.6509487628936768, 2.3025851249694824)
LOG2_E, LOG2_10 = 1.4426950408889634, 3.321928094887362
# ln 2 and log10 2 in two parts, the first with few bits so that integers times it are exact
_LN2 = {False: (0.693359375, -2.12194440e-4), True: (0.6931471803691238, 1.9082149292705877e-10)}
_LOG10_2 = (0.30078125, 2.4874566392119521e-4)
_EXP_RANGE = {False: (-105.0, 90.0), True: (-750.0, 711.0)}
_EXP2_RANGE = {False: (-152.0, 129.0), True: (-1080.0, 1025.0)}


def exp(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """x = n ln 2 + r; exp(x) = 2**n exp(r)."""
    f = Floats(b, x)
    r, n, whole = _reduced(f, _clamped(f, x, _EXP_RANGE))
    return f.scale(f.fma(r, f.polynomial(_EXP[f.double], r), 1.0), n, whole)


def _clamped(f: Floats, x, ranges) -> ir.Value:
    low, high = ranges[f.double]
    return f.at_least(f.at_most(x, high), low)


def _reduced(f: Floats, x) -> tuple[ir.Value, ir.Value, ir.Value]:
    """(r, n, n as a float)."""
    whole, n = f.rounded(x, LOG2_E)
    high, low = _LN2[f.double]
    return f.fma(whole, -low, f.fma(whole, -high, x)), n, whole


def exp2(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    f = Floats(b, x)
    x = _clamped(f, x, _EXP2_RANGE)
    whole, n = f.rounded(x)
    r = f.sub(x, whole)
    return f.scale(f.fma(r, f.polynomial(EXP2[f.double], r), 1.0), n, whole)


def exp10(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Of float32."""
    f = Floats(b, x)
    x = f.at_least(f.at_most(x, 39.0), -46.0)
    whole, n = f.rounded(x, LOG2_10)
    r = f.fma(whole, -_LOG10_2[1], f.fma(whole, -_LOG10_2[0], x))
    return f.scale(f.fma(r, f.polynomial(_EXP10, r), 1.0), n, whole)


def expm1(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """exp(x) - 1 = 2**n (exp(r) - 1) + (2**n - 1), with a factor 2 taken out against overflow."""
    f = Floats(b, x)
    y = f.at_least(f.at_most(x, 89.0 if not f.double else 710.0), -40.0)
    r, n, _ = _reduced(f, y)
    part = f.mul(r, f.polynomial(_EXP[f.double], r))
    half = f.power_of_two(b.sub(n, f.integer(1)))
    result = f.mul(f.fma(half, part, f.sub(half, 0.5)), 2.0)
    result = f.select(b.icmp_signed("==", n, f.integer(0)), part, result)
    return f.select(f.less(f.magnitude(x), 1e-17 if f.double else 1e-8), x, result)


def tanh(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """t / (t + 2) with t = exp(2 |x|) - 1."""
    f = Floats(b, x)
    size = f.magnitude(x)
    r, n, _ = _reduced(f, f.mul(f.at_most(size, 20.0 if f.double else 10.0), 2.0))
    power = f.power_of_two(n)
    t = f.fma(power, f.mul(r, f.polynomial(_EXP[f.double], r)), f.sub(power, 1.0))
    return f.signed_like(f.select(f.less(size, 1e-9 if f.double else 1e-5), size,
                                  f.div(t, f.add(t, 2.0))), x)


def sigmoid(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """1 / (1 + e) or e / (1 + e) with e = exp(-|x|), which does not overflow."""
    f = Floats(b, x)
    e = exp(b, b.fneg(f.magnitude(x)))
    return f.div(f.select(f.less(x, 0.0), e, 1.0), f.add(e, 1.0))
