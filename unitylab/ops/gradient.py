"""Operators of automatic differentiation: checkpoints and the backward side of some operators."""

from __future__ import annotations

import itertools

import numpy as np

from ..ir import prim, te
from ..ir.prim import cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo
from .declare import arg, attr, declare, same, tensor_of
from .loss import guarded, np_nll_weights, total
from .windows import pads, spread


def _identity(x):
    return te.compute(x.shape, lambda *i: x[i], name="T_identity")


for _name, _doc in (
        ("no_grad", "The tensor; no gradient flows through."),
        ("start_checkpoint", ("The tensor; what follows is computed again for the gradient "
                             "instead of being kept.")),
        ("end_checkpoint", "The tensor; ends what is computed again.")):
    declare(f"grad.{_name}", [arg("input")], same, te=_identity, numpy=lambda x: x,
            pattern="elementwise", doc=_doc)


def _second(call: Call) -> StructInfo:
    """A gradient has the struct info of what it belongs to."""
    return tensor_of(call, 1)


# --- nll_loss -------------------------------------------------------------------------------

def _nll_backward(grad, predictions, targets, weights=None, reduction="mean", ignore_index=-100):
    zero, one = literal(0, predictions.dtype), literal(1, predictions.dtype)
    ignored = literal(ignore_index, targets.dtype)

    def weight(*i):
        value = weights[targets[i]] if weights is not None else one
        return guarded(prim.not_equal(targets[i], ignored), value, zero)

    each = te.compute(targets.shape, weight, name="nll_weight")
    count = total(each, "nll_weight_red") if reduction == "mean" else None

    def rule(*i):
        c, at = (i[0], ()) if predictions.ndim == 1 else (i[1], (i[0], *i[2:]))
        flow = grad[at] if reduction == "none" else grad[()]
        flow = flow / count[()] if count is not None else flow
        return prim.Select(prim.equal(cast(targets[at], c.dtype), c), zero - flow * each[at], zero)

    return te.compute(predictions.shape, rule, name="nll_loss_backward")


def _np_nll_backward(grad, predictions, targets, weights=None, reduction="mean",
                     ignore_index=-100):
    w = np_nll_weights(predictions, targets, weights, ignore_index).astype("float64")
    flow = -grad * w / (w.sum() if reduction == "mean" else 1)
    axis = 0 if predictions.ndim == 1 else 1
    safe = np.expand_dims(np.where(targets != ignore_index, targets, 0), axis)
    out = np.zeros(predictions.shape)
    np.put_along_axis(out, safe, np.expand_dims(flow, axis), axis)
    return out.astype(predictions.dtype)


declare("grad.nll_loss_backward",
        [arg("output_grad", of="float"), arg("predictions", of="float"), arg("targets", of="int"),
         arg("weights", default=None),
         attr("reduction", "mean"), attr("ignore_index", -100)], _second, te=_nll_backward,
        numpy=_np_nll_backward, doc="The gradient of nn.nll_loss for its predictions.")


# --- take -----------------------------------------------------------------------------------

def _take_backward(grad, x, indices, axis=None, mode="fast"):
    a = (axis or 0) % x.ndim
    rs = [te.reduce_axis((0, s), name=f"k{k}") for k, s in enumerate(indices.shape)]
    where = tuple(r.var for r in rs)

    def rule(*i):
        hit = prim.equal(cast(indices[where], i[a].dtype), i[a])
        value = prim.Select(hit, grad[(*i[:a], *where, *i[a + 1:])], literal(0, x.dtype))
        return te.sum(value, axis=rs) if rs else value

    return te.compute(x.shape, rule, name="take_backward")


def _np_take_backward(grad, x, indices, axis=None, mode="fast"):
    a = (axis or 0) % x.ndim
    out = np.zeros(x.shape, x.dtype)
    flat = grad.reshape(*x.shape[:a], -1, *x.shape[a + 1:])
    np.add.at(out, (slice(None),) * a + (np.asarray(indices).reshape(-1),), flat)
    return out


declare("grad.take_backward", [arg("output_grad", of="number"), arg("x"), arg("indices", of="int"),
                               attr("axis", None),
                               attr("mode", "fast")], _second, te=_take_backward,
        numpy=_np_take_backward, doc="The gradient of take for its tensor.")


# --- pooling --------------------------------------------------------------------------------

def _np_pool_backward(largest: bool):
    def reference(grad, x, pool_size=(1, 1), strides=(1, 1), padding=(0,) * 4, dilation=(1, 1),
                  ceil_mode=False, count_include_pad=False, layout="NCHW", out_layout=None):
        window, strides, dilation = (spread(v, 2) for v in (pool_size, strides, dilation))
        pad = pads(padding, 2)
        extra = [(a, b + s) for (a, b), s in zip(pad, strides)]
        edge = [(0, 0), (0, 0), *extra]
        source = np.pad(x.astype("float64"), edge, constant_values=-np.inf if largest else 0)
        inside = np.pad(np.ones(x.shape), [(0, 0), (0, 0), *pad],
                        constant_values=float(count_include_pad))
        inside = np.pad(inside, [(0, 0), (0, 0), *((0, s) for s in strides)])
        places = [(slice(None), slice(None), *(
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, o, s in zip(tap, dilation, grad.shape[2:], strides)))
            for tap in itertools.product(*map(range, window))]
        out = np.zeros(source.shape)
        if largest:
            best = np.argmax([source[p] for p in places], axis=0)
        else:
            count = np.maximum(sum(inside[p] for p in places), 1)
        for k, p in enumerate(places):
            out[p] += np.where(best == k, grad, 0) if largest else grad / count
        crop = tuple(slice(a, a + n) for (a, _), n in zip(extra, x.shape[2:]))
        return out[(slice(None), slice(None), *crop)].astype(x.dtype)
    return reference


for _kind, _largest in (("max", True), ("avg", False)):
    declare(f"grad.{_kind}_pool2d_backward",
            [arg("output_grad"), arg("data"), attr("pool_size", (1, 1)), attr("strides", (1, 1)),
             attr("padding", (0, 0, 0, 0)), attr("dilation", (1, 1)), attr("ceil_mode", False),
             attr("count_include_pad", False), attr("layout", "NCHW"), attr("out_layout", None)],
            _second, numpy=_np_pool_backward(_largest),
            doc=f"The gradient of nn.{_kind}_pool2d for its data.")
