"""Losses."""

from __future__ import annotations

import numpy as np

from ..ir import prim, te
from ..ir.errors import StructInfoError
from ..ir.prim import as_int, cast, literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo
from .broadcasting import equal_sizes
from .declare import arg, attr, declare, known, show, tensor_of

REDUCTIONS = ("mean", "sum", "none")


def total(x, name: str):
    """The sum of all elements."""
    rs = [te.reduce_axis((0, s), name=f"k{k}") for k, s in enumerate(x.shape)]
    return te.compute((), lambda: te.sum(x[tuple(r.var for r in rs)], axis=rs), name=name) \
        if rs else x


# --- cross entropy --------------------------------------------------------------------------

def _infer_cross_entropy(call: Call) -> StructInfo:
    x, y = tensor_of(call, 0), tensor_of(call, 1)
    if known(x, y) and (x.ndim != y.ndim or any(equal_sizes(a, b) is False
                                                for a, b in zip(x.dims, y.dims))):
        raise StructInfoError(f"nn.cross_entropy_with_logits: predictions {show(x.dims)} and "
                              f"labels {show(y.dims)} differ", span=call.span)
    return TensorStructInfo((), x.dtype, 0)


def _cross_entropy(predictions, labels):
    products = te.compute(predictions.shape, lambda *i: predictions[i] * labels[i],
                          name="T_multiply")
    whole = total(products, "T_multiply_red")
    negative = te.compute((), lambda: whole[()] * literal(-1, whole.dtype), name="T_multiply_1")
    if predictions.ndim < 2:
        return negative
    rows = cast(predictions.shape[0], whole.dtype)
    return te.compute((), lambda: negative[()] / rows, name="T_divide")


def _np_cross_entropy(predictions, labels):
    loss = -np.vdot(predictions.astype("float64"), labels.astype("float64"))
    rows = predictions.shape[0] if predictions.ndim > 1 else 1
    return np.asarray(loss / rows, predictions.dtype)


declare("nn.cross_entropy_with_logits", [arg("predictions", of="float"), arg("labels")],
        _infer_cross_entropy, te=_cross_entropy, numpy=_np_cross_entropy, pattern="opaque",
        doc="-sum(predictions * labels), divided by the batch if there is one; predictions are "
            "logarithms of probabilities.")


# --- negative log likelihood ----------------------------------------------------------------

def infer_nll(call: Call) -> StructInfo:
    """The loss: a scalar, or one number for each target."""
    x, y = tensor_of(call, 0), tensor_of(call, 1)
    how = call.op.attr(call, "reduction")
    if how not in REDUCTIONS:
        raise StructInfoError(f"{call.op.short}: reduction is one of {', '.join(REDUCTIONS)}, not "
                              f"{how!r}", span=call.span)
    if x.ndim >= 0 and y.ndim >= 0 and y.ndim != max(x.ndim - 1, 0):
        raise StructInfoError(f"{call.op.short}: predictions have {x.ndim} dimensions, so targets "
                              f"have {max(x.ndim - 1, 0)}, not {y.ndim}", span=call.span)
    if known(x, y):
        for a, b in zip((x.dims[0], *x.dims[2:]) if x.ndim > 1 else (), y.dims):
            if equal_sizes(a, b) is False:
                raise StructInfoError(f"{call.op.short}: predictions {show(x.dims)} and targets "
                                      f"{show(y.dims)} differ: {as_int(a)} against {as_int(b)}",
                                      span=call.span)
    return TensorStructInfo((), x.dtype, 0) if how != "none" else \
        TensorStructInfo(y.shape, x.dtype, y.ndim)


def at_class(i, c, ndim: int):
    """The index into the predictions of class `c` at the target `i`."""
    return (c,) if ndim == 1 else (i[0], c, *i[1:])


def _nll_loss(predictions, targets, weights=None, reduction="mean", ignore_index=-100):
    zero, one = literal(0, predictions.dtype), literal(1, predictions.dtype)
    ignored = literal(ignore_index, targets.dtype)

    def weight(i):
        return weights[targets[i]] if weights is not None else one

    def loss(*i):
        value = (zero - predictions[at_class(i, targets[i], predictions.ndim)]) * weight(i)
        return guarded(prim.not_equal(targets[i], ignored), value, zero)

    losses = te.compute(targets.shape, loss, name="nll_loss")
    if reduction == "none":
        return losses
    whole = total(losses, "nll_loss_red")
    if reduction == "sum":
        return whole
    counted = te.compute(targets.shape, lambda *i: guarded(
        prim.not_equal(targets[i], ignored), weight(i), zero), name="nll_loss_1")
    count = total(counted, "nll_loss_red_1")
    return te.compute((), lambda: whole[()] / count[()], name="T_divide")


def guarded(condition, value, other):
    """`value` where the condition holds; it is not evaluated elsewhere (a class may be out of
    range there)."""
    return prim.Call(other.dtype, "if_then_else", (condition, value, other))


def np_nll_weights(predictions, targets, weights, ignore_index) -> np.ndarray:
    """The weight of each target, 0 where it is ignored."""
    classes = predictions.shape[0 if predictions.ndim == 1 else 1]
    weights = np.ones(classes, predictions.dtype) if weights is None else weights
    keep = targets != ignore_index
    return np.where(keep, weights[np.where(keep, targets, 0)], 0)


def _np_nll_loss(predictions, targets, weights=None, reduction="mean", ignore_index=-100):
    w = np_nll_weights(predictions, targets, weights, ignore_index)
    safe = np.where(targets != ignore_index, targets, 0)
    axis = 0 if predictions.ndim == 1 else 1
    picked = np.take_along_axis(predictions, np.expand_dims(safe, axis), axis).squeeze(axis)
    losses = (-picked * w).astype("float64")
    if reduction == "none":
        return losses.astype(predictions.dtype)
    whole = losses.sum() / (w.astype("float64").sum() if reduction == "mean" else 1)
    return np.asarray(whole, predictions.dtype)


declare("nn.nll_loss", [arg("predictions", of="float"), arg("targets", of="int"),
                        arg("weights", default=None),
                        attr("reduction", "mean"), attr("ignore_index", -100)], infer_nll,
        te=_nll_loss, numpy=_np_nll_loss, pattern="opaque",
        doc="The negative log likelihood: predictions (N, C, ...) are logarithms of "
            "probabilities, targets (N, ...) class indices, weights (C,). The mean is weighted.")
