"""Matrix products."""

from __future__ import annotations

import numpy as np

from ..ir import te
from ..ir.dtypes import dtype
from ..ir.errors import StructInfoError
from ..ir.prim import as_int, cast
from ..ir.relax import Call, info_of
from ..ir.struct_info import StructInfo, TensorStructInfo
from .broadcasting import at, binary_dtype, broadcast_dims, equal_sizes
from .declare import arg, attr, declare, known, show, tensor_of


def _infer_matmul(call: Call) -> StructInfo:
    a, b = tensor_of(call, 0), tensor_of(call, 1)
    out_dtype = call.op.attr(call, "out_dtype")
    kind = dtype(out_dtype) if out_dtype else binary_dtype(call, a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise StructInfoError("matmul: both sides need at least one dimension", span=call.span,
                              hint="R.multiply scales by a scalar")
    if not known(a, b):
        ndim = max(a.ndim, b.ndim) if a.ndim > 1 and b.ndim > 1 else -1
        return TensorStructInfo(None, kind, ndim)
    inner = a.dims[-1], b.dims[-2 if b.ndim > 1 else 0]
    if equal_sizes(*inner) is False:
        raise StructInfoError(f"matmul: the inner sizes differ: {show(a.dims)} @ {show(b.dims)}: "
                              f"{as_int(inner[0])} against {as_int(inner[1])}", span=call.span,
                              hint="R.permute_dims transposes")
    batch = broadcast_dims(a.dims[:-2], b.dims[:-2], "matmul", call.span)
    if batch is None:
        return TensorStructInfo(None, kind, max(a.ndim, b.ndim))
    rows = a.dims[-2:-1] if a.ndim > 1 else ()
    columns = b.dims[-1:] if b.ndim > 1 else ()
    dims = (*batch, *rows, *columns)
    return TensorStructInfo(dims, kind, len(dims))


def _matmul(a, b, out_dtype=None):
    kind = dtype(out_dtype) if out_dtype else a.dtype
    inner = a.shape[-1]
    k = te.reduce_axis((0, inner), name="k")
    batch = broadcast_dims(a.shape[:-2], b.shape[:-2], "matmul")
    rows = a.shape[-2:-1] if a.ndim > 1 else ()
    columns = b.shape[-1:] if b.ndim > 1 else ()
    n = len(batch)

    def rule(*i):
        left = (*i[:n], i[n], k.var) if a.ndim > 1 else (k.var,)
        right = (*i[:n], k.var, i[-1]) if b.ndim > 1 else (k.var,)
        product = cast(at(a, left), kind) * cast(at(b, right), kind)
        return te.sum(product, axis=k)

    return te.compute((*batch, *rows, *columns), rule, name="T_matmul")


def _np_matmul(a, b, out_dtype=None):
    kind = dtype(out_dtype).numpy if out_dtype else a.dtype
    return np.matmul(a.astype(kind), b.astype(kind))


declare("matmul", [arg("x1", of="number"), arg("x2", of="number"), attr("out_dtype", None)],
        _infer_matmul, te=_matmul, numpy=_np_matmul, pattern="complex",
        doc="The matrix product (..., n, k) @ (..., k, m), batches broadcast.")


def _infer_linear(call: Call) -> StructInfo:
    x, w = tensor_of(call, 0), tensor_of(call, 1)
    out_dtype = call.op.attr(call, "out_dtype")
    kind = dtype(out_dtype) if out_dtype else binary_dtype(call, x, w)
    if w.ndim not in (-1, 2):
        raise StructInfoError(f"linear: the weight has {w.ndim} dimensions, 2 expected: "
                              "(out_features, in_features)", span=call.span)
    if not known(x, w):
        return TensorStructInfo(None, kind, x.ndim)
    if equal_sizes(x.dims[-1], w.dims[1]) is False:
        raise StructInfoError(f"linear: the features differ: {show(x.dims)} with weight "
                              f"{show(w.dims)}: {as_int(x.dims[-1])} against {as_int(w.dims[1])}",
                              span=call.span, hint="the weight is (out_features, in_features)")
    if len(call.args) > 2 and info_of(call.args[2]).dims is not None:
        broadcast_dims((w.dims[0],), tensor_of(call, 2).dims, "linear", call.span)
    dims = (*x.dims[:-1], w.dims[0])
    return TensorStructInfo(dims, kind, len(dims))


def _linear(x, w, bias=None, out_dtype=None):
    kind = dtype(out_dtype) if out_dtype else x.dtype
    k = te.reduce_axis((0, x.shape[-1]), name="k")
    out = te.compute((*x.shape[:-1], w.shape[0]), lambda *i: te.sum(
        cast(x[(*i[:-1], k.var)], kind) * cast(w[i[-1], k.var], kind), axis=k), name="T_linear")
    if bias is None:
        return out
    return te.compute(out.shape, lambda *i: out[i] + at(bias, i), name="T_add")


def _np_linear(x, w, bias=None, out_dtype=None):
    out = _np_matmul(x, w.T, out_dtype)
    return out if bias is None else out + bias


declare("linear", [arg("data", of="number"), arg("weight", of="number"),
                   arg("bias", default=None), attr("out_dtype", None)],
        _infer_linear, te=_linear, numpy=_np_linear, pattern="complex",
        doc="data @ weight.T + bias; data (..., in), weight (out, in), bias (out,).")


def _infer_einsum(call: Call) -> StructInfo:
    _, output, sizes = _subscripts(call.op.attr(call, "subscripts"),
                                        [i.dims for i in info_of(call.args[0]).fields])
    kind = info_of(call.args[0]).fields[0].dtype
    if sizes is None:
        return TensorStructInfo(None, kind, len(output))
    return TensorStructInfo(tuple(sizes[c] for c in output), kind, len(output))


def _subscripts(text: str, shapes):
    left, _, output = text.replace(" ", "").partition("->")
    inputs = left.split(",")
    if "->" not in text:
        letters = "".join(inputs)
        output = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    if len(inputs) != len(shapes):
        raise StructInfoError(f"einsum: {len(inputs)} operands in {text!r}, {len(shapes)} given")
    if any(s is None for s in shapes):
        return inputs, output, None
    sizes = {}
    for letters, dims in zip(inputs, shapes):
        if len(letters) != len(dims):
            raise StructInfoError(f"einsum: {letters!r} does not fit the shape {show(dims)}")
        for c, d in zip(letters, dims):
            if c in sizes and equal_sizes(sizes[c], d) is False:
                raise StructInfoError(f"einsum: {c!r} stands for {as_int(sizes[c])} and "
                                      f"{as_int(d)}")
            sizes.setdefault(c, d)
    return inputs, output, sizes


def _einsum(operands, subscripts):
    inputs, output, sizes = _subscripts(subscripts, [t.shape for t in operands])
    summed = [c for c in sizes if c not in output]
    axes = {c: te.reduce_axis((0, sizes[c]), name=c) for c in summed}

    def rule(*i):
        points = dict(zip(output, i)) | {c: a.var for c, a in axes.items()}
        product = None
        for t, letters in zip(operands, inputs):
            factor = t[tuple(points[c] for c in letters)]
            product = factor if product is None else product * factor
        return te.sum(product, axis=list(axes.values())) if axes else product

    return te.compute(tuple(sizes[c] for c in output), rule, name="T_einsum")


def _np_einsum(operands, subscripts):
    kind = operands[0].dtype
    wide = "float64" if dtype(kind).is_float else kind
    return np.einsum(subscripts, *(x.astype(wide) for x in operands)).astype(kind)


declare("einsum", [arg("operands", "tensors", of="number"), attr("subscripts")],
        _infer_einsum, te=_einsum, numpy=_np_einsum, pattern="complex",
        doc="Products summed over letters: einsum((a, b), \"ik,kj->ij\").")
