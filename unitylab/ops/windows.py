"""What convolutions and pooling share: windows that move over an image, and its padding."""

from __future__ import annotations

from ..ir import prim, te
from ..ir.prim import PrimExpr

SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


def spread(value, n: int) -> tuple[int, ...]:
    """One number for each of `n` dimensions."""
    value = (value,) if isinstance(value, int) else tuple(value)
    return value * n if len(value) == 1 else value


def pads(padding, n: int) -> tuple[tuple[int, int], ...]:
    """(before, after) for each of `n` dimensions from 1, n or 2n numbers."""
    p = spread(padding, n) if isinstance(padding, int) or len(padding) <= n else tuple(padding)
    return tuple(zip(p, p)) if len(p) == n else tuple(zip(p[:n], p[n:]))


def out_size(size: PrimExpr, kernel: PrimExpr, stride: int, pad, dilation: int,
             ceil: bool = False) -> PrimExpr:
    """The number of windows along a dimension."""
    span = (kernel - 1) * dilation + 1
    room = size + (pad[0] + pad[1]) - span
    return (room + (stride - 1 if ceil else 0)) // stride + 1


def padded(x, pad, value: PrimExpr, name: str = "pad_temp"):
    """x with `value` around it, (before, after) for each dimension; x itself where there is nothing
    to add."""
    if not any(a or b for a, b in pad):
        return x
    shape = tuple(s + (a + b) for s, (a, b) in zip(x.shape, pad))

    def rule(*i):
        inside, at = [], []
        for v, s, (a, b) in zip(i, x.shape, pad):
            inside += [v >= a] if a else []
            inside += [v < s + a] if b else []
            at.append(v - a if a else v)
        return prim.Call(x.dtype, "if_then_else", (prim.logical_and(*inside), x[tuple(at)], value))

    return te.compute(shape, rule, name=name)
