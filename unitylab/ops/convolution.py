"""Convolutions and pooling over images (NCHW)."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..ir import prim, te
from ..ir.dtypes import dtype
from ..ir.errors import StructInfoError
from ..ir.prim import PrimExpr, as_int, cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from .broadcasting import binary_dtype, equal_sizes
from .declare import arg, attr, declare, known, show, tensor_of


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


def _infer_conv(n: int) -> Callable:
    def infer(call: Call) -> StructInfo:
        x, w = tensor_of(call, 0), tensor_of(call, 1)
        get = lambda name: call.op.attr(call, name)  # noqa: E731
        kind = dtype(get("out_dtype")) if get("out_dtype") else binary_dtype(call, x, w)
        plain = {1: ("NCW", "OIW"), 2: ("NCHW", "OIHW")}[n]
        if (get("data_layout"), get("kernel_layout")) != plain or not known(x, w):
            return TensorStructInfo(None, kind, n + 2)
        for info, what in ((x, "data"), (w, "weight")):
            if info.ndim != n + 2:
                raise StructInfoError(f"{call.op.short}: the {what} has {info.ndim} dimensions, "
                                      f"{n + 2} expected", span=call.span)
        groups = get("groups")
        if equal_sizes(x.dims[1], w.dims[1] * groups) is False:
            raise StructInfoError(
                f"{call.op.short}: data {show(x.dims)} has {as_int(x.dims[1])} channels, weight "
                f"{show(w.dims)} takes {as_int(w.dims[1] * groups)}", span=call.span,
                hint="the weight is (out_channels, in_channels / groups, height, width)")
        sizes = tuple(out_size(x.dims[2 + k], w.dims[2 + k], s, p, d) for k, (s, p, d) in enumerate(
            zip(spread(get("strides"), n), pads(get("padding"), n), spread(get("dilation"), n))))
        return TensorStructInfo((x.dims[0], w.dims[0], *sizes), kind, n + 2)
    return infer


def padded(x, pad, value: PrimExpr, first: int = 2, name: str = "pad_temp"):
    """x with `value` around dimensions from `first` on; x itself where there is nothing to add."""
    if not any(a or b for a, b in pad):
        return x
    shape = (*x.shape[:first], *(s + (a + b) for s, (a, b) in zip(x.shape[first:], pad)))

    def rule(*i):
        inside, at = [], list(i[:first])
        for v, s, (a, b) in zip(i[first:], x.shape[first:], pad):
            if a or b:
                inside += [v >= a] if a else []
                inside += [v < s + a] if b else []
            at.append(v - a if a else v)
        return prim.Call(x.dtype, "if_then_else", (prim.logical_and(*inside), x[tuple(at)], value))

    return te.compute(shape, rule, name=name)


def _conv(n: int) -> Callable:
    def compute(x, w, strides=1, padding=0, dilation=1, groups=1, data_layout=None,
                kernel_layout=None, out_layout=None, out_dtype=None):
        kind = dtype(out_dtype) if out_dtype else x.dtype
        strides, dilation, pad = spread(strides, n), spread(dilation, n), pads(padding, n)
        source = padded(x, pad, literal(0, x.dtype))
        rc = te.reduce_axis((0, w.shape[1]), name="rc")
        rs = [te.reduce_axis((0, s), name=r) for s, r in zip(w.shape[2:], ("ry", "rx"))]
        sizes = tuple(out_size(x.shape[2 + k], w.shape[2 + k], strides[k], pad[k], dilation[k])
                      for k in range(n))
        per_group = w.shape[0] // groups

        def rule(b, f, *o):
            channel = rc.var if groups == 1 else f // per_group * w.shape[1] + rc.var
            at = tuple(v * s + r.var * d for v, s, r, d in zip(o, strides, rs, dilation))
            a = cast(source[(b, channel, *at)], kind)
            return te.sum(a * cast(w[(f, rc.var, *[r.var for r in rs])], kind), axis=[rc, *rs])

        name = {1: "conv1d_ncw", 2: "conv2d_nchw" if groups == 1 else "group_conv2d_nchw"}[n]
        return te.compute((x.shape[0], w.shape[0], *sizes), rule, name=name)
    return compute


def _np_conv(n: int) -> Callable:
    def reference(x, w, strides=1, padding=0, dilation=1, groups=1, data_layout=None,
                  kernel_layout=None, out_layout=None, out_dtype=None):
        kind = dtype(out_dtype).numpy if out_dtype else x.dtype
        strides, dilation = spread(strides, n), spread(dilation, n)
        x = np.pad(x, [(0, 0), (0, 0), *pads(padding, n)])
        out_sizes = [(x.shape[2 + k] - (w.shape[2 + k] - 1) * dilation[k] - 1) // strides[k] + 1
                     for k in range(n)]
        out = np.zeros((x.shape[0], w.shape[0], *out_sizes), "float64" if x.dtype.kind == "f"
                       else kind)
        ci, co = w.shape[1], w.shape[0] // groups
        for tap in itertools.product(*map(range, w.shape[2:])):
            part = x[(slice(None), slice(None), *(
                slice(t * d, t * d + (o - 1) * s + 1, s)
                for t, d, o, s in zip(tap, dilation, out_sizes, strides)))]
            for g in range(groups):
                out[:, g * co:(g + 1) * co] += np.einsum(
                    "bc...,fc->bf...", part[:, g * ci:(g + 1) * ci].astype(out.dtype),
                    w[(slice(g * co, (g + 1) * co), slice(None), *tap)].astype(out.dtype))
        return out.astype(kind)
    return reference


for _n, _layouts in ((1, ("NCW", "OIW")), (2, ("NCHW", "OIHW"))):
    declare(f"nn.conv{_n}d",
            [arg("data"), arg("weight"), attr("strides", (1,) * _n), attr("padding", (0,) * 2 * _n),
             attr("dilation", (1,) * _n), attr("groups", 1), attr("data_layout", _layouts[0]),
             attr("kernel_layout", _layouts[1]), attr("out_layout", None),
             attr("out_dtype", None)],
            _infer_conv(_n), te=_conv(_n), numpy=_np_conv(_n), pattern="complex",
            doc="Convolution of data (batch, channels, sizes...) with a weight (out_channels, "
                "in_channels / groups, kernel sizes...).")


# --- pooling --------------------------------------------------------------------------------

def _infer_pool(n: int) -> Callable:
    def infer(call: Call) -> StructInfo:
        x = tensor_of(call, 0)
        get = lambda name: call.op.attr(call, name)  # noqa: E731
        if x.ndim not in (-1, n + 2):
            raise StructInfoError(f"{call.op.short}: the data has {x.ndim} dimensions, {n + 2} "
                                  "expected", span=call.span)
        if x.dims is None or get("layout") not in ("NCW", "NCHW"):
            return x.replace(shape=None, ndim=n + 2)
        sizes = _pool_sizes(x.dims, n, get("pool_size"), get("strides"), get("padding"),
                            get("dilation"), get("ceil_mode"))
        return x.replace(shape=(*x.dims[:2], *sizes))
    return infer


def _pool_sizes(dims, n, pool, strides, padding, dilation, ceil):
    return tuple(out_size(dims[2 + k], literal(w, "int64"), s, p, d, ceil)
                 for k, (w, s, p, d) in enumerate(zip(
                     spread(pool, n), spread(strides, n), pads(padding, n), spread(dilation, n))))


def _pool(n: int, largest: bool) -> Callable:
    def compute(x, pool_size=1, strides=1, padding=0, dilation=1, ceil_mode=False,
                layout=None, out_layout=None, count_include_pad=False):
        window, strides = spread(pool_size, n), spread(strides, n)
        dilation, pad = spread(dilation, n), pads(padding, n)
        sizes = _pool_sizes(x.shape, n, window, strides, padding, dilation, ceil_mode)
        extra = tuple((a, b + (s - 1 if ceil_mode else 0)) for (a, b), s in zip(pad, strides))
        edge = te.min_value(x.dtype) if largest else literal(0, x.dtype)
        source = padded(x, extra, edge)
        rs = [te.reduce_axis((0, w), name=f"rv{k}") for k, w in enumerate(window)]

        def at(o):
            return tuple(v * s + r.var * d for v, s, r, d in zip(o, strides, rs, dilation))

        if largest:
            return te.compute((*x.shape[:2], *sizes), lambda b, c, *o: te.max(
                source[(b, c, *at(o))], axis=rs), name="pool_max")
        total = te.compute((*x.shape[:2], *sizes), lambda b, c, *o: te.sum(
            source[(b, c, *at(o))], axis=rs), name="pool_sum")
        return te.compute(total.shape, lambda b, c, *o: total[(b, c, *o)] / cast(_window_count(
            o, x.shape[2:], window, strides, pad, dilation, count_include_pad), x.dtype),
            name="pool_avg")
    return compute


def _window_count(o, sizes, window, strides, pad, dilation, include: bool) -> PrimExpr:
    """How many elements of the image (or of its padding) a window covers."""
    count: PrimExpr = literal(1, "int64")
    for v, size, w, s, (a, b), d in zip(o, sizes, window, strides, pad, dilation):
        start = v * s - a
        if d != 1:
            count = count * w
        elif include:
            count = count * prim.sub(prim.minimum(start + w, size + b), start)
        else:
            count = count * prim.sub(prim.minimum(start + w, size), prim.maximum(start, 0))
    return prim.maximum(count, 1)


def _np_pool(n: int, largest: bool) -> Callable:
    def reference(x, pool_size=1, strides=1, padding=0, dilation=1, ceil_mode=False,
                  layout=None, out_layout=None, count_include_pad=False):
        window, strides = spread(pool_size, n), spread(strides, n)
        dilation, pad = spread(dilation, n), pads(padding, n)
        extra = [(a, b + (s - 1 if ceil_mode else 0)) for (a, b), s in zip(pad, strides)]
        sizes = []
        for k in range(n):
            room = x.shape[2 + k] + sum(pad[k]) - (window[k] - 1) * dilation[k] - 1
            sizes.append(-(-room // strides[k]) + 1 if ceil_mode else room // strides[k] + 1)
        edge = (-np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min) if largest else 0
        source = np.pad(x.astype("float64"), [(0, 0), (0, 0), *extra], constant_values=edge)
        ones = np.pad(np.ones(x.shape), [(0, 0), (0, 0), *pad],
                      constant_values=1.0 if count_include_pad else 0.0)
        ones = np.pad(ones, [(0, 0), (0, 0), *[(0, e[1] - p[1]) for e, p in zip(extra, pad)]])
        parts, counts = [], []
        for tap in itertools.product(*map(range, window)):
            where = (slice(None), slice(None), *(
                slice(t * d, t * d + (o - 1) * s + 1, s)
                for t, d, o, s in zip(tap, dilation, sizes, strides)))
            parts.append(source[where])
            counts.append(ones[where])
        if largest:
            return np.max(parts, axis=0).astype(x.dtype)
        return (np.sum(parts, axis=0) / np.maximum(np.sum(counts, axis=0), 1)).astype(x.dtype)
    return reference


for _n, _layout in ((1, "NCW"), (2, "NCHW")):
    for _kind, _largest in (("max", True), ("avg", False)):
        declare(f"nn.{_kind}_pool{_n}d",
                [arg("data"), attr("pool_size", (1,) * _n), attr("strides", (1,) * _n),
                 attr("padding", (0,) * 2 * _n), attr("dilation", (1,) * _n),
                 attr("ceil_mode", False), attr("layout", _layout), attr("out_layout", None),
                 attr("count_include_pad", False)],
                _infer_pool(_n), te=_pool(_n, _largest), numpy=_np_pool(_n, _largest),
                pattern="complex",
                doc=f"The {'largest value' if _largest else 'mean'} of each window of an image.")


def _infer_adaptive(call: Call) -> StructInfo:
    x, size = tensor_of(call, 0), call.op.attr(call, "output_size")
    if x.dims is None:
        return x
    dims = x.dims[2:] if size is None else tuple(literal(s, "int64") for s in spread(size, 2))
    return x.replace(shape=(*x.dims[:2], *dims))


def _adaptive(x, output_size=None, layout=None, out_layout=None):
    sizes = spread(output_size, 2) if output_size is not None else None
    if sizes is None:
        return te.compute(x.shape, lambda *i: x[i], name="adaptive_pool_avg")
    if any(as_int(s) is None or as_int(s) % o for s, o in zip(x.shape[2:], sizes)):
        raise StructInfoError("adaptive_avg_pool2d: the output size must divide the image",
                              hint="use avg_pool2d with explicit windows")
    window = tuple(as_int(s) // o for s, o in zip(x.shape[2:], sizes))
    rs = [te.reduce_axis((0, w), name=f"rv{k}") for k, w in enumerate(window)]
    total = te.compute((*x.shape[:2], *sizes), lambda b, c, h, w: te.sum(
        x[b, c, h * window[0] + rs[0].var, w * window[1] + rs[1].var], axis=rs),
        name="adaptive_pool_sum")
    n = literal(float(window[0] * window[1]), x.dtype)
    return te.compute(total.shape, lambda *i: total[i] / n, name="adaptive_pool_avg")


def _np_adaptive(x, output_size=None, layout=None, out_layout=None):
    if output_size is None:
        return x.copy()
    h, w = spread(output_size, 2)
    b, c, height, width = x.shape
    split = x.astype("float64").reshape(b, c, h, height // h, w, width // w)
    return split.mean((3, 5)).astype(x.dtype)


declare("nn.adaptive_avg_pool2d", [arg("data"), attr("output_size", None), attr("layout", "NCHW"),
                                   attr("out_layout", None)],
        _infer_adaptive, te=_adaptive, numpy=_np_adaptive, pattern="reduction",
        doc="The means of equal parts of an image, as many as output_size says.")


def _infer_pad(call: Call) -> StructInfo:
    x, width = tensor_of(call, 0), call.op.attr(call, "pad_width")
    if x.dims is None:
        return x
    dims = tuple(s + (a + b) for s, (a, b) in zip(x.dims, _pairs(width)))
    return x.replace(shape=dims)


def _pairs(width):
    return tuple(width) if isinstance(width[0], tuple) else tuple(zip(width[::2], width[1::2]))


def _pad(x, pad_width, pad_mode="constant", pad_value=0.0):
    out = padded(x, _pairs(pad_width), literal(pad_value, x.dtype), 0, "PadInput")
    return out if out is not x else te.compute(x.shape, lambda *i: x[i], name="PadInput")


declare("nn.pad", [arg("data"), attr("pad_width"), attr("pad_mode", "constant"),
                   attr("pad_value", 0.0)], _infer_pad, te=_pad, pattern="injective",
        numpy=lambda x, pad_width, pad_mode="constant", pad_value=0.0: np.pad(
            x, _pairs(pad_width), constant_values=pad_value),
        doc="A constant around the tensor: (before, after) for each dimension.")
