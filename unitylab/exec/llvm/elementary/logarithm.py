"""log, log2, log10 and log1p."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from .floats import Floats

# minimax of log_b(1 + m) / m on sqrt(1/2) - 1 .. sqrt(2) - 1
_LOG = (0.08734843879938126, -0.14307525753974915, 0.14917977154254913, -0.16570508480072021,
        0.19962072372436523, -0.25001755356788635, 0.33333951234817505, -0.49999991059303284, 1.0)
_LOG2 = (0.12583716213703156, -0.20726986229419708, 0.21571557223796844, -0.23894478380680084,
         0.28791624307632446, -0.3607036769390106, 0.48091062903404236, -0.7213473320007324,
         1.4426950216293335)
_LOG10 = (0.03788075968623161, -0.06239444762468338, 0.06493686139583588, -0.07192955166101456,
          0.08667142689228058, -0.10858263075351715, 0.14476853609085083, -0.21714718639850616,
          0.4342944622039795)
# minimax of (log((1 + s) / (1 - s)) - 2 s) / s**3 as a function of s**2
_ATANH = (0.1482730747422349, 0.1531105740234761, 0.18183675384800496, 0.22222196560001117,
          0.28571428760687284, 0.3999999999933896, 0.6666666666666745)
_LN2 = {False: (0.693359375, -2.12194440e-4), True: (0.6931471803691238, 1.9082149292705877e-10)}
_LOG10_2 = (0.30078125, 2.4874566392119521e-4)
_SQRT_HALF = {False: 0x3F3504F3, True: 0x3FE6A09E667F3BCD}


def _split(f: Floats, x) -> tuple[ir.Value, ir.Value, ir.Value]:
    """(m, e, n) of a positive number: x = m 2**n with m near 1, and e is n as a float."""
    b, start = f.b, f.integer(_SQRT_HALF[f.double])
    offset = b.sub(f.bits(x), start)
    n = b.ashr(offset, f.integer(f.mantissa))
    m = f.from_bits(b.add(b.and_(offset, f.integer(2**f.mantissa - 1)), start))
    return m, b.sitofp(n, f.type), n


def _normal(f: Floats, x) -> tuple[ir.Value, ir.Value]:
    """A number without subnormals, and the power of two by which it is larger than x."""
    tiny = f.less(x, 2.0 ** (1 - f.bias))
    shift = 2.0 ** (f.mantissa + 1)
    return f.select(tiny, f.mul(x, shift), x), f.select(tiny, float(f.mantissa + 1), 0.0)


def _special(f: Floats, x, result) -> ir.Value:
    """What logarithms give outside of the positive finite numbers."""
    infinity = float("inf")
    result = f.select(f.less(x, infinity), result, x)  # infinity and NaN stay
    result = f.select(f.equal(x, 0.0), -infinity, result)
    return f.select(f.less(x, 0.0), float("nan"), result)


def _natural(f: Floats, m, e) -> ir.Value:
    """log(1 + m) + e ln 2."""
    high, low = _LN2[f.double]
    if not f.double:
        square = f.mul(m, m)
        rest = f.fma(square, f.polynomial(_LOG[:-1], m), f.mul(e, low))
        return f.fma(e, high, f.add(m, rest))
    s = f.div(m, f.add(m, 2.0))
    z = f.mul(s, s)
    half = f.mul(f.mul(m, m), 0.5)
    rest = f.fma(s, f.fma(z, f.polynomial(_ATANH, z), half), f.mul(e, low))
    return f.fma(e, high, f.sub(m, f.sub(half, rest)))


def log(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    f = Floats(b, x)
    y, extra = _normal(f, x)
    m, e, _ = _split(f, y)
    return _special(f, x, _natural(f, f.sub(m, 1.0), f.sub(e, extra)))


def _of_base(table: tuple[float, ...], high: float, low: float) -> Callable:
    """The logarithm of float32 to a base b; log_b(2) in two parts."""
    def row(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
        f = Floats(b, x)
        y, extra = _normal(f, x)
        m, e, _ = _split(f, y)
        e, m = f.sub(e, extra), f.sub(m, 1.0)
        small = f.fma(m, f.polynomial(table, m), f.mul(e, low)) if low else \
            f.mul(m, f.polynomial(table, m))
        return _special(f, x, f.fma(e, high, small))
    return row


log2 = _of_base(_LOG2, 1.0, 0.0)
log10 = _of_base(_LOG10, *_LOG10_2)


def log1p(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """log of u = 1 + x, where what rounding u lost is added to the reduced argument."""
    f = Floats(b, x)
    u = f.add(x, 1.0)
    lost = f.sub(x, f.sub(u, 1.0))
    m, e, n = _split(f, u)
    few = b.select(b.icmp_signed(">", n, f.integer(64)), f.integer(64), n)  # nothing is lost there
    back = f.power_of_two(b.sub(f.integer(0), few))
    result = _special(f, u, _natural(f, f.fma(lost, back, f.sub(m, 1.0)), e))
    return f.select(f.less(f.magnitude(x), 1e-17 if f.double else 1e-8), x, result)
