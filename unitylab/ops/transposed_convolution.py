"""Transposed convolutions: each input element spreads over a window of the output."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..ir import prim, te
from ..ir.dtypes import dtype
from ..ir.errors import StructInfoError
from ..ir.prim import as_int, cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from .broadcasting import binary_dtype, equal_sizes
from .declare import arg, attr, declare, known, show, tensor_of
from .windows import pads, spread

LAYOUTS = {1: ("NCW", "IOW"), 2: ("NCHW", "IOHW"), 3: ("NCDHW", "IODHW")}


def _sizes(x_sizes, w_sizes, strides, pad, extra, dilation):
    """(size - 1) * stride + dilated kernel - padding + output padding, for each dimension."""
    return tuple((s - 1) * step + ((k - 1) * d + 1) - (a + b) + e for s, k, step, (a, b), e, d in
                 zip(x_sizes, w_sizes, strides, pad, extra, dilation))


def _infer(n: int) -> Callable:
    def infer(call: Call) -> StructInfo:
        x, w = tensor_of(call, 0), tensor_of(call, 1)
        get = lambda name: call.op.attr(call, name)
        kind = dtype(get("out_dtype")) if get("out_dtype") else binary_dtype(call, x, w)
        if (get("data_layout"), get("kernel_layout")) != LAYOUTS[n] or not known(x, w):
            return TensorStructInfo(None, kind, n + 2)
        for info, what in ((x, "data"), (w, "weight")):
            if info.ndim != n + 2:
                raise StructInfoError(f"{call.op.short}: the {what} has {info.ndim} dimensions, "
                                      f"{n + 2} expected", span=call.span)
        if equal_sizes(x.dims[1], w.dims[0]) is False:
            raise StructInfoError(
                f"{call.op.short}: data {show(x.dims)} has {as_int(x.dims[1])} channels, weight "
                f"{show(w.dims)} takes {as_int(w.dims[0])}", span=call.span,
                hint="the weight is (in_channels, out_channels / groups, sizes...)")
        steps, dilation = spread(get("strides"), n), spread(get("dilation"), n)
        extra = spread(get("output_padding"), n)
        if any(e >= max(s, d) for e, s, d in zip(extra, steps, dilation)):
            raise StructInfoError(f"{call.op.short}: output_padding {extra} must be smaller than "
                                  f"the strides {steps}", span=call.span)
        sizes = _sizes(x.dims[2:], w.dims[2:], steps, pads(get("padding"), n), extra, dilation)
        return TensorStructInfo((x.dims[0], w.dims[1] * get("groups"), *sizes), kind, n + 2)
    return infer


def _te(n: int) -> Callable:
    def compute(x, w, strides=1, padding=0, output_padding=0, dilation=1, groups=1,
                data_layout=None, kernel_layout=None, out_layout=None, out_dtype=None):
        kind = dtype(out_dtype) if out_dtype else x.dtype
        steps, dilation, pad = spread(strides, n), spread(dilation, n), pads(padding, n)
        sizes = _sizes(x.shape[2:], w.shape[2:], steps, pad, spread(output_padding, n), dilation)
        inside, outside = x.shape[1] // groups, w.shape[1]
        rc = te.reduce_axis((0, inside), name="dc")
        rs = [te.reduce_axis((0, s), name=r) for s, r in zip(w.shape[2:], ("dh", "dw", "dd"))]

        def rule(b, c, *o):
            channel = c // outside * inside + rc.var
            hit, at = [], []
            for v, r, s, d, (a, _), size in zip(o, rs, steps, dilation, pad, x.shape[2:]):
                place = v + a - r.var * d
                hit += [place >= 0, place < size * s]
                hit += [prim.equal(place % s, 0)] if s > 1 else []
                at.append(place // s)
            value = prim.Call(x.dtype, "if_then_else", (
                prim.logical_and(*hit), x[(b, channel, *at)], literal(0, x.dtype)))
            tap = w[(channel, c % outside, *[r.var for r in rs])]
            return te.sum(cast(value, kind) * cast(tap, kind), axis=[rc, *rs])

        return te.compute((x.shape[0], outside * groups, *sizes), rule, name="compute")
    return compute


def _numpy(n: int) -> Callable:
    def reference(x, w, strides=1, padding=0, output_padding=0, dilation=1, groups=1,
                  data_layout=None, kernel_layout=None, out_layout=None, out_dtype=None):
        steps, dilation = spread(strides, n), spread(dilation, n)
        pad, extra = pads(padding, n), spread(output_padding, n)
        full = [(s - 1) * t + (k - 1) * d + 1 + e for s, k, t, d, e in
                zip(x.shape[2:], w.shape[2:], steps, dilation, extra)]
        inside, outside = x.shape[1] // groups, w.shape[1]
        out = np.zeros((x.shape[0], outside * groups, *full))
        for tap in itertools.product(*map(range, w.shape[2:])):
            where = tuple(slice(t * d, t * d + (s - 1) * step + 1, step) for t, d, s, step in
                          zip(tap, dilation, x.shape[2:], steps))
            for g in range(groups):
                out[(slice(None), slice(g * outside, (g + 1) * outside), *where)] += np.einsum(
                    "bc...,cf->bf...", x[:, g * inside:(g + 1) * inside].astype("float64"),
                    w.astype("float64")[(slice(g * inside, (g + 1) * inside), slice(None), *tap)])
        crop = tuple(slice(a, size - b) for size, (a, b) in zip(full, pad))
        kind = dtype(out_dtype).numpy if out_dtype else x.dtype
        return out[(slice(None), slice(None), *crop)].astype(kind)
    return reference


for _n, (_data, _kernel) in LAYOUTS.items():
    declare(f"nn.conv{_n}d_transpose",
            [arg("data", of="number"), arg("weight", of="number"),
             attr("strides", (1,) * _n), attr("padding", (0,) * 2 * _n),
             attr("output_padding", (0,) * _n), attr("dilation", (1,) * _n), attr("groups", 1),
             attr("data_layout", _data), attr("kernel_layout", _kernel), attr("out_layout", None),
             attr("out_dtype", None)],
            _infer(_n), te=_te(_n), numpy=_numpy(_n), pattern="complex",
            doc="Transposed convolution of data (batch, channels, sizes...) with a weight "
                "(in_channels, out_channels / groups, kernel sizes...).")
