"""pow of float32, by way of float64."""

from __future__ import annotations

from llvmlite import ir

from ..arithmetic import intrinsic
from ..types import with_lanes
from .exponential import exp2
from .floats import Floats
from .logarithm import log

_LOG2_E = 1.4426950408889634


def pow(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """2**(y log2 |x|), then signs and the special cases of C's pow."""
    f = Floats(b, x)
    wide = with_lanes(ir.DoubleType(), f.lanes)
    size = f.magnitude(x)
    exponent = b.fmul(log(b, b.fpext(size, wide)), Floats(b, b.fpext(x, wide)).number(_LOG2_E))
    result = b.fptrunc(exp2(b, b.fmul(b.fpext(y, wide), exponent)), x.type)
    half = f.mul(y, 0.5)
    whole = b.fcmp_ordered("==", intrinsic(b, "llvm.trunc", [y]), y)
    odd = b.and_(whole, b.fcmp_ordered("!=", intrinsic(b, "llvm.trunc", [half]), half))
    negative = f.equal(f.signed_like(1.0, x), -1.0)
    result = f.select(b.and_(negative, odd), b.fneg(result), result)
    finite = b.and_(f.less(x, 0.0), f.less(size, float("inf")))
    result = f.select(b.and_(finite, b.not_(whole)), float("nan"), result)
    unit = b.and_(f.equal(size, 1.0), f.equal(f.magnitude(y), float("inf")))
    result = f.select(b.or_(unit, b.or_(f.equal(x, 1.0), f.equal(y, 0.0))), 1.0, result)
    return result
