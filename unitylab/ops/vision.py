"""Operators of object detection: their struct info. Libraries compute them."""

from __future__ import annotations

from ..ir.dtypes import INT32
from ..ir.errors import StructInfoError
from ..ir.prim import literal
from ..ir.relax import Call
from ..ir.struct_info import StructInfo, TensorStructInfo, TupleStructInfo
from .declare import arg, attr, declare, known, tensor_of


def _tensor(dims, kind) -> TensorStructInfo:
    return TensorStructInfo(tuple(dims), kind, len(dims))


def _needs(call: Call, *ndims: int) -> list[TensorStructInfo]:
    """The tensors of a call, which must have so many dimensions."""
    infos = [tensor_of(call, k) for k in range(len(ndims))]
    for k, (info, n) in enumerate(zip(infos, ndims)):
        if info.ndim not in (-1, n):
            raise StructInfoError(f"{call.op.short}: {call.op.params[k].name} has {info.ndim} "
                                  f"dimensions, {n} expected", span=call.span)
    return infos


def _unknown(kinds, ndims) -> TupleStructInfo:
    return TupleStructInfo(tuple(TensorStructInfo(None, k, n) for k, n in zip(kinds, ndims)))


def _valid_counts(call: Call) -> StructInfo:
    x, = _needs(call, 3)
    if x.dims is None:
        return _unknown((INT32, x.dtype, INT32), (1, 3, 2))
    return TupleStructInfo((_tensor(x.dims[:1], INT32), x, _tensor(x.dims[:2], INT32)))


def _non_max_suppression(call: Call) -> StructInfo:
    x, = _needs(call, 3)
    if not call.op.attr(call, "return_indices"):
        return x
    if x.dims is None:
        found = _unknown((INT32, INT32), (2, 2)).fields
    else:
        found = (_tensor(x.dims[:2], INT32), _tensor((x.dims[0], literal(1, "int64")), INT32))
    soft = call.op.attr(call, "soft_nms_sigma") > 0  # it gives the boxes with new scores first
    return TupleStructInfo((x, *found) if soft else found)


def _regions(call: Call) -> StructInfo:
    x, rois = _needs(call, 4, 2)
    size = call.op.attr(call, "pooled_size")
    size = (size, size) if isinstance(size, int) else size
    if not known(x, rois):
        return TensorStructInfo(None, x.dtype, 4)
    last = call.op.attr(call, "layout") == "NHWC"
    pooled = tuple(literal(s, "int64") for s in size)
    dims = (rois.dims[0], *pooled, x.dims[3]) if last else (rois.dims[0], x.dims[1], *pooled)
    return _tensor(dims, x.dtype)


def _multibox(call: Call) -> StructInfo:
    scores, _, anchors = _needs(call, 3, 2, 3)
    if not known(scores, anchors):
        return _unknown((scores.dtype,) * 2, (3, 3))
    batch, classes, n = scores.dims
    return TupleStructInfo((_tensor((batch, n, literal(4, "int64")), scores.dtype),
                            _tensor((batch, classes, n), scores.dtype)))


declare("vision.get_valid_counts",
        [arg("data"), attr("score_threshold", 0.0), attr("id_index", 0), attr("score_index", 1)],
        _valid_counts, doc="Counts the boxes whose score is above a threshold and moves them to "
                           "the front.")
declare("vision.non_max_suppression",
        [arg("data"), arg("valid_count"), arg("indices"), attr("max_output_size", -1),
         attr("iou_threshold", 0.5), attr("force_suppress", False), attr("top_k", -1),
         attr("coord_start", 2), attr("score_index", 1), attr("id_index", 0),
         attr("return_indices", True), attr("invalid_to_bottom", False),
         attr("soft_nms_sigma", 0.0), attr("score_threshold", 0.0)],
        _non_max_suppression, doc="Keeps the best of boxes that overlap.")
declare("vision.roi_align",
        [arg("data"), arg("rois"), attr("pooled_size"), attr("spatial_scale"),
         attr("sample_ratio", -1), attr("aligned", False), attr("layout", "NCHW"),
         attr("mode", "avg")],
        _regions, doc="Samples each region of an image on a grid of pooled_size.")
declare("vision.roi_pool", [arg("data"), arg("rois"), attr("pooled_size"), attr("spatial_scale"),
                            attr("layout", "NCHW")],
        _regions, doc="The largest values of each region of an image on a grid of pooled_size.")
declare("vision.multibox_transform_loc",
        [arg("cls_pred"), arg("loc_pred"), arg("anchor"), attr("clip", True),
         attr("threshold", 0.0), attr("variances", (1.0, 1.0, 1.0, 1.0)),
         attr("keep_background", True)],
        _multibox, doc="Decodes predicted boxes relative to their anchors.")
