"""Pooling over windows of an image, and padding."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..ir import prim, te
from ..ir.dtypes import dtype
from ..ir.errors import StructInfoError
from ..ir.prim import PrimExpr, cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from . import layouts
from .declare import arg, attr, declare, show, tensor_of
from .windows import SPATIAL, out_size, padded, pads, spread


def _infer(n: int) -> Callable:
    def infer(call: Call) -> StructInfo:
        x = tensor_of(call, 0)
        get = lambda name: call.op.attr(call, name)
        layout, out = get("layout"), get("out_layout") or get("layout")
        layouts.check_ndim(f"{call.op.short}: the data", layout, x.ndim, call.span)
        if x.dims is None:
            return x.replace(shape=None, ndim=len(layouts.parts(out)))
        sizes = _sizes(n, layouts.sizes(layout, x.dims), get("pool_size"), get("strides"),
                       get("padding"), get("dilation"), get("ceil_mode"))
        dims = layouts.dims_of(out, sizes)
        return x.replace(shape=dims, ndim=len(dims))
    return infer


def _sizes(n: int, image: dict, pool, strides, padding, dilation, ceil: bool) -> dict:
    steps = zip(SPATIAL[n], spread(pool, n), spread(strides, n), pads(padding, n),
                spread(dilation, n))
    return image | {c: out_size(image[c], literal(w, "int64"), s, p, d, ceil)
                    for c, w, s, p, d in steps}


def _te(n: int, largest: bool) -> Callable:
    def compute(x, pool_size=1, strides=1, padding=0, dilation=1, ceil_mode=False,
                count_include_pad=False, layout=None, out_layout=None):
        image, out = layouts.sizes(layout, x.shape), out_layout or layout
        window, steps, dilations = (spread(v, n) for v in (pool_size, strides, dilation))
        pad = pads(padding, n)
        dims = layouts.dims_of(out, _sizes(n, image, window, steps, padding, dilations, ceil_mode))
        extra = {c: (a, b + (s - 1 if ceil_mode else 0))
                 for c, (a, b), s in zip(SPATIAL[n], pad, steps)}
        source = padded(x, [extra.get(c, (0, 0)) for c, _ in layouts.parts(layout)],
                        te.min_value(x.dtype) if largest else literal(0, x.dtype))
        rs = [te.reduce_axis((0, w), name=f"rv{k}") for k, w in enumerate(window)]

        def element(i):
            o = layouts.coordinates(out, i)
            return source[layouts.point(layout, o | {
                c: o[c] * s + r.var * d for c, s, r, d in zip(SPATIAL[n], steps, rs, dilations)})]

        if largest:
            return te.compute(dims, lambda *i: te.max(element(i), axis=rs), name="pool_max")
        whole = te.compute(dims, lambda *i: te.sum(element(i), axis=rs), name="pool_sum")

        def mean(*i):
            o = layouts.coordinates(out, i)
            count = _window_count([o[c] for c in SPATIAL[n]], [image[c] for c in SPATIAL[n]],
                                  window, steps, pad, dilations, count_include_pad)
            return whole[i] / cast(count, x.dtype)

        return te.compute(dims, mean, name="pool_avg")
    return compute


def _window_count(o, sizes, window, strides, pad, dilation, include: bool) -> PrimExpr:
    """How many elements of the image (or of its padding) a window covers: of start, start + d, ...
    those in [low, high)."""
    count: PrimExpr = literal(1, "int64")
    for v, size, w, s, (a, b), d in zip(o, sizes, window, strides, pad, dilation):
        start = v * s - a
        low, high = (literal(-a, "int64"), size + b) if include else (literal(0, "int64"), size)
        first = (prim.maximum(low - start, 0) + (d - 1)) // d
        end = prim.minimum((prim.sub(high, start) + (d - 1)) // d, literal(w, "int64"))
        count = count * prim.sub(end, first)
    return prim.maximum(count, 1)


def _numpy(n: int, largest: bool) -> Callable:
    plain = "NC" + SPATIAL[n]

    def reference(x, pool_size=1, strides=1, padding=0, dilation=1, ceil_mode=False,
                  count_include_pad=False, layout=plain, out_layout=None):
        window, strides, dilation = (spread(v, n) for v in (pool_size, strides, dilation))
        x, pad = layouts.to_plain(x, layout, plain), pads(padding, n)
        room = [s + a + b - (w - 1) * d - 1
                for s, (a, b), w, d in zip(x.shape[2:], pad, window, dilation)]
        sizes = [(-(-r // s) if ceil_mode else r // s) + 1 for r, s in zip(room, strides)]
        over = [(0, 0), (0, 0), *((0, s - 1 if ceil_mode else 0) for s in strides)]
        around = [(0, 0), (0, 0), *pad]
        edge = (-np.inf if dtype(x.dtype).is_float else np.iinfo(x.dtype).min) if largest else 0
        values = np.pad(np.pad(x.astype("float64"), around, constant_values=edge), over,
                        constant_values=edge)
        inside = np.pad(np.pad(np.ones(x.shape), around,
                               constant_values=float(count_include_pad)), over)
        places = [(slice(None), slice(None), *(
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, o, s in zip(tap, dilation, sizes, strides)))
            for tap in itertools.product(*map(range, window))]
        if largest:
            out = np.max([values[p] for p in places], axis=0)
        else:
            out = sum(values[p] for p in places) / np.maximum(sum(inside[p] for p in places), 1)
        return layouts.from_plain(out.astype(x.dtype), plain, out_layout or layout)
    return reference


for _n, _axes in SPATIAL.items():
    for _kind, _largest in (("max", True), ("avg", False)):
        declare(f"nn.{_kind}_pool{_n}d",
                [arg("data", of="number"), attr("pool_size", (1,) * _n), attr("strides", (1,) * _n),
                 attr("padding", (0,) * 2 * _n), attr("dilation", (1,) * _n),
                 attr("ceil_mode", False), attr("count_include_pad", False),
                 attr("layout", f"NC{_axes}"), attr("out_layout", None)],
                _infer(_n), te=_te(_n, _largest), numpy=_numpy(_n, _largest),
                pattern="complex",
                doc=f"The {'largest value' if _largest else 'mean'} of each window of an image.")


# --- adaptive -------------------------------------------------------------------------------

def _infer_adaptive(n: int) -> Callable:
    def infer(call: Call) -> StructInfo:
        x, size, layout = tensor_of(call, 0), *(call.op.attr(call, a)
                                                for a in ("output_size", "layout"))
        layouts.check_ndim(f"{call.op.short}: the data", layout, x.ndim, call.span)
        if x.dims is None or size is None:
            return x
        return x.replace(shape=_adaptive_dims(n, x.dims, size, layout))
    return infer


def _adaptive_dims(n: int, dims, size, layout: str):
    want = {c: literal(s, "int64") if isinstance(s, int) else s
            for c, s in zip(SPATIAL[n], spread(size, n))}
    return layouts.dims_of(layout, layouts.sizes(layout, dims) | want)


def _adaptive(n: int) -> Callable:
    """Part k of m covers [floor(k * size / m), ceil((k + 1) * size / m))."""
    def compute(x, output_size=None, layout=None, out_layout=None):
        image = layouts.sizes(layout, x.shape)
        if output_size is None:
            return te.compute(x.shape, lambda *i: x[i], name="adaptive_pool_avg")
        dims = _adaptive_dims(n, x.shape, output_size, layout)
        parts = dict(zip(SPATIAL[n], spread(output_size, n)))
        rs = {c: te.reduce_axis((0, _longest(image[c], m)), name=f"rv{k}")
              for k, (c, m) in enumerate(parts.items())}

        def begin(o, c):
            return o[c] * image[c] // parts[c]

        def length(o, c):
            return ((o[c] + 1) * image[c] + (parts[c] - 1)) // parts[c] - begin(o, c)

        def rule(*i):
            o = layouts.coordinates(layout, i)
            value = x[layouts.point(layout, o | {c: begin(o, c) + r.var for c, r in rs.items()})]
            short = [r.var < length(o, c) for c, r in rs.items()
                     if not _divides(image[c], parts[c])]
            if short:
                value = prim.Call(x.dtype, "if_then_else", (prim.logical_and(*short), value,
                                                            literal(0, x.dtype)))
            return te.sum(value, axis=list(rs.values()))

        whole = te.compute(dims, rule, name="adaptive_pool_sum")

        def mean(*i):
            o, count = layouts.coordinates(layout, i), literal(1, "int64")
            for c in rs:
                count = count * (image[c] // parts[c] if _divides(image[c], parts[c])
                                 else length(o, c))
            return whole[i] / cast(count, x.dtype)

        return te.compute(dims, mean, name="adaptive_pool_avg")
    return compute


def _divides(size: PrimExpr, m: int) -> bool:
    return m == 1 or prim.is_const(size % m, 0)


def _longest(size: PrimExpr, m: int) -> PrimExpr:
    return size // m if _divides(size, m) else (size + (m - 1)) // m + 1


def _np_adaptive(n: int) -> Callable:
    plain = "NC" + SPATIAL[n]

    def reference(x, output_size=None, layout=plain, out_layout=None):
        if output_size is None:
            return x.copy()
        image, parts = layouts.to_plain(x, layout, plain).astype("float64"), spread(output_size, n)
        out = np.empty((*image.shape[:2], *parts))
        for at in itertools.product(*map(range, parts)):
            part = tuple(slice(k * s // m, -(-(k + 1) * s // m))
                         for k, s, m in zip(at, image.shape[2:], parts))
            over = tuple(range(2, n + 2))
            out[(slice(None), slice(None), *at)] = image[(slice(None), slice(None), *part)
                                                         ].mean(over)
        return layouts.from_plain(out.astype(x.dtype), plain, layout)
    return reference


for _n, _axes in SPATIAL.items():
    declare(f"nn.adaptive_avg_pool{_n}d",
            [arg("data", of="number"), attr("output_size", None), attr("layout", f"NC{_axes}"),
             attr("out_layout", None)],
            _infer_adaptive(_n), te=_adaptive(_n), numpy=_np_adaptive(_n), pattern="reduction",
            doc="The means of equal parts of an image, as many as output_size says.")


# --- padding --------------------------------------------------------------------------------

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _pairs(width) -> tuple[tuple[int, int], ...]:
    return tuple(width) if isinstance(width[0], tuple) else tuple(zip(width[::2], width[1::2]))


def _infer_pad(call: Call) -> StructInfo:
    x, mode = tensor_of(call, 0), call.op.attr(call, "pad_mode")
    width = _pairs(call.op.attr(call, "pad_width"))
    if mode not in MODES:
        raise StructInfoError(f"nn.pad: pad_mode is one of {', '.join(MODES)}, not {mode!r}",
                              span=call.span)
    if x.ndim not in (-1, len(width)):
        raise StructInfoError(f"nn.pad: pad_width for {len(width)} dimensions, the data "
                              f"{show(x.dims)} has {x.ndim}", span=call.span,
                              hint="two numbers for each dimension: before, after")
    if x.dims is None:
        return x
    return TensorStructInfo(tuple(s + (a + b) for s, (a, b) in zip(x.dims, width)), x.dtype, x.ndim)


def _pad(x, pad_width, pad_value=0, pad_mode="constant"):
    width = _pairs(pad_width)
    if pad_mode == "constant":
        out = padded(x, width, literal(pad_value, x.dtype), "PadInput")
        return out if out is not x else te.compute(x.shape, lambda *i: x[i], name="PadInput")

    def source(v, size):
        if pad_mode == "circular":
            return v % size
        if pad_mode == "replicate":
            return prim.maximum(prim.minimum(v, size - 1), 0)
        return prim.Select(v < 0, 0 - v, prim.Select(v < size, v, (size - 1) * 2 - v))

    return te.compute(tuple(s + (a + b) for s, (a, b) in zip(x.shape, width)), lambda *i: x[tuple(
        source(v - a, s) for v, s, (a, _) in zip(i, x.shape, width))], name="PadInput")


def _np_pad(x, pad_width, pad_value=0, pad_mode="constant"):
    options = {"constant_values": pad_value} if pad_mode == "constant" else {}
    return np.pad(x, _pairs(pad_width), MODES[pad_mode], **options)


declare("nn.pad", [arg("data"), attr("pad_width"), attr("pad_value", 0),
                   attr("pad_mode", "constant")], _infer_pad, te=_pad, pattern="injective",
        numpy=_np_pad, doc="More elements around the tensor: pad_width is (before, after) for each "
                           "dimension; pad_mode constant, reflect, replicate or circular.")
