"""Convolutions in one, two and three dimensions, in any layout."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..ir import te
from ..ir.dtypes import dtype
from ..ir.errors import StructInfoError
from ..ir.prim import as_int, cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from . import layouts
from .broadcasting import binary_dtype, equal_sizes
from .declare import arg, attr, declare, known, show, tensor_of
from .windows import SPATIAL, out_size, padded, pads, spread


def _infer(n: int) -> Callable:
    def infer(call: Call) -> StructInfo:
        x, w = tensor_of(call, 0), tensor_of(call, 1)
        get = lambda name: call.op.attr(call, name)
        data, kernel = get("data_layout"), get("kernel_layout")
        out = get("out_layout") or data
        kind = dtype(get("out_dtype")) if get("out_dtype") else binary_dtype(call, x, w)
        layouts.check_ndim(f"{call.op.short}: the data", data, x.ndim, call.span)
        layouts.check_ndim(f"{call.op.short}: the weight", kernel, w.ndim, call.span)
        if not known(x, w):
            return TensorStructInfo(None, kind, len(layouts.parts(out)))
        image, window, groups = (layouts.sizes(data, x.dims), layouts.sizes(kernel, w.dims),
                                 get("groups"))
        if equal_sizes(image["C"], window["I"] * groups) is False:
            raise StructInfoError(
                f"{call.op.short}: data {show(x.dims)} has {as_int(image['C'])} channels, weight "
                f"{show(w.dims)} takes {as_int(window['I'] * groups)}", span=call.span,
                hint=f"the layouts are {data} and {kernel}; I counts in_channels / groups")
        if (channels := as_int(window["O"])) is not None and channels % groups:
            raise StructInfoError(f"{call.op.short}: {channels} output channels do not make "
                                  f"{groups} groups", span=call.span)
        dims = layouts.dims_of(out, _out_sizes(n, image, window, get("strides"), get("padding"),
                                               get("dilation")))
        return TensorStructInfo(dims, kind, len(dims))
    return infer


def _out_sizes(n: int, image: dict, window: dict, strides, padding, dilation) -> dict:
    steps = zip(SPATIAL[n], spread(strides, n), pads(padding, n), spread(dilation, n))
    return {"N": image["N"], "C": window["O"],
            **{c: out_size(image[c], window[c], s, p, d) for c, s, p, d in steps}}


def _name(n: int, layout: str, groups: int) -> str:
    return f"{'group_' if groups > 1 and n > 1 else ''}conv{n}d_{layout.lower()}"


def _te(n: int) -> Callable:
    def compute(x, w, strides=1, padding=0, dilation=1, groups=1, data_layout=None,
                kernel_layout=None, out_layout=None, out_dtype=None):
        kind, out = dtype(out_dtype) if out_dtype else x.dtype, out_layout or data_layout
        image, window = layouts.sizes(data_layout, x.shape), layouts.sizes(kernel_layout, w.shape)
        steps, dilations = spread(strides, n), spread(dilation, n)
        around = dict(zip(SPATIAL[n], pads(padding, n)))
        source = padded(x, [around.get(c, (0, 0)) for c, _ in layouts.parts(data_layout)],
                        literal(0, x.dtype))
        rc = te.reduce_axis((0, window["I"]), name="rc")
        rs = [te.reduce_axis((0, window[c]), name=r)
              for c, r in zip(SPATIAL[n], {1: ("ry",), 2: ("ry", "rx"), 3: ("rz", "ry", "rx")}[n])]
        per_group = window["O"] // groups

        def rule(*i):
            o = layouts.coordinates(out, i)
            first = literal(0, "int64") if groups == 1 else o["C"] // per_group * window["I"]
            pixel = {c: o[c] * s + r.var * d
                     for c, s, r, d in zip(SPATIAL[n], steps, rs, dilations)}
            tap = {c: r.var for c, r in zip(SPATIAL[n], rs)}
            a = source[layouts.point(data_layout, {"N": o["N"], "C": first + rc.var, **pixel})]
            b = w[layouts.point(kernel_layout, {"O": o["C"], "I": rc.var, **tap})]
            return te.sum(cast(a, kind) * cast(b, kind), axis=[rc, *rs])

        sizes = _out_sizes(n, image, window, strides, padding, dilation)
        return te.compute(layouts.dims_of(out, sizes), rule, name=_name(n, out, groups))
    return compute


def _numpy(n: int) -> Callable:
    plain, plain_kernel = "NC" + SPATIAL[n], "OI" + SPATIAL[n]

    def reference(x, w, strides=1, padding=0, dilation=1, groups=1, data_layout=plain,
                  kernel_layout=plain_kernel, out_layout=None, out_dtype=None):
        kind = dtype(out_dtype or x.dtype)
        x = layouts.to_plain(x, data_layout, plain)
        w = layouts.to_plain(w, kernel_layout, plain_kernel)
        wide = "float64" if kind.is_float else kind.numpy
        x = np.pad(x, [(0, 0), (0, 0), *pads(padding, n)]).astype(wide)
        out = _windows_times_weight(x, w.astype(wide), spread(strides, n), spread(dilation, n),
                                    groups)
        return layouts.from_plain(out.astype(kind.numpy), plain, out_layout or data_layout)
    return reference


def _windows_times_weight(x, w, strides, dilation, groups: int) -> np.ndarray:
    """One product of matrices for each element of the window."""
    sizes = [(s - (k - 1) * d - 1) // step + 1
             for s, k, d, step in zip(x.shape[2:], w.shape[2:], dilation, strides)]
    out = np.zeros((x.shape[0], w.shape[0], *sizes), x.dtype)
    ci, co = w.shape[1], w.shape[0] // groups
    for tap in itertools.product(*map(range, w.shape[2:])):
        part = x[(slice(None), slice(None), *(
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, o, s in zip(tap, dilation, sizes, strides)))]
        for g in range(groups):
            out[:, g * co:(g + 1) * co] += np.einsum(
                "bc...,fc->bf...", part[:, g * ci:(g + 1) * ci],
                w[(slice(g * co, (g + 1) * co), slice(None), *tap)])
    return out


for _n, _axes in SPATIAL.items():
    declare(f"nn.conv{_n}d",
            [arg("data", of="number"), arg("weight", of="number"),
             attr("strides", (1,) * _n), attr("padding", (0,) * 2 * _n),
             attr("dilation", (1,) * _n), attr("groups", 1), attr("data_layout", f"NC{_axes}"),
             attr("kernel_layout", f"OI{_axes}"), attr("out_layout", None),
             attr("out_dtype", None)],
            _infer(_n), te=_te(_n), numpy=_numpy(_n), pattern="complex",
            doc="Convolution of data (batch, channels, sizes...) with a weight (out_channels, "
                "in_channels / groups, kernel sizes...), by default in this order.")
