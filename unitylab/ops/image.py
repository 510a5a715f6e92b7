"""Operators on images: their struct info. Libraries compute them."""

from __future__ import annotations

from ..ir.dtypes import dtype
from ..ir.errors import StructInfoError
from ..ir.prim import literal
from ..ir.relax import Call, info_of
from ..ir.struct_info import ShapeStructInfo, StructInfo, TensorStructInfo
from . import layouts
from .declare import arg, attr, declare, tensor_of
from .windows import SPATIAL


def _target(call: Call, n: int):
    """The wanted sizes, None if they are not known."""
    info = info_of(call.args[1])
    if not isinstance(info, ShapeStructInfo):
        raise StructInfoError(f"{call.op.short}: the size must be a shape", span=call.span,
                              hint="a tuple of sizes")
    if info.ndim not in (-1, n):
        raise StructInfoError(f"{call.op.short}: the size has {info.ndim} numbers, {n} expected",
                              span=call.span)
    return info.values


def _infer_resize(n: int):
    def infer(call: Call) -> StructInfo:
        x, want, layout = tensor_of(call, 0), _target(call, n), call.op.attr(call, "layout")
        to = call.op.attr(call, "out_dtype")
        kind = dtype(to) if to else x.dtype
        layouts.check_ndim(f"{call.op.short}: the data", layout, x.ndim, call.span)
        if want is None or x.dims is None:
            return TensorStructInfo(None, kind, len(layouts.parts(layout)))
        sizes = layouts.sizes(layout, x.dims) | dict(zip(SPATIAL[n], want))
        dims = layouts.dims_of(layout, sizes)
        return TensorStructInfo(dims, kind, len(dims))
    return infer


for _n, _layout in ((2, "NCHW"), (3, "NCDHW")):
    declare(f"image.resize{_n}d",
            [arg("data"), arg("size", "shape"), attr("roi", (0.0,) * 2 * _n),
             attr("layout", _layout), attr("method", "linear"),
             attr("coordinate_transformation_mode", "half_pixel"), attr("rounding_method", "round"),
             attr("cubic_alpha", -0.75), attr("cubic_exclude", 0),
             attr("extrapolation_value", 0.0), attr("out_dtype", None)],
            _infer_resize(_n), doc="The image in another size.")


def _infer_affine_grid(call: Call) -> StructInfo:
    x, want = tensor_of(call, 0), _target(call, 2)
    if want is None or x.dims is None:
        return TensorStructInfo(None, x.dtype, 4)
    return TensorStructInfo((x.dims[0], literal(2, "int64"), *want), x.dtype, 4)


declare("image.affine_grid", [arg("data"), arg("size", "shape"), attr("align_corners", True)],
        _infer_affine_grid, doc="For each pixel of the size the place that an affine map (batch, "
                                "2, 3) takes it to: (batch, 2, height, width).")
