"""The reverse of broadcasting: sums over the axes that were broadcast."""

from __future__ import annotations

from ..ir import te
from ..ir.errors import StructInfoError
from ..ir.prim import as_int, literal
from ..ir.relax import Call, info_of
from ..ir.struct_info import ShapeStructInfo, StructInfo, TensorStructInfo
from .broadcasting import equal_sizes
from .declare import arg, declare, shape_argument, show, tensor_of


def broadcast_axes(dims, target) -> tuple[int, ...]:
    """The axes of `dims` that come from broadcasting `target`."""
    front = len(dims) - len(target)
    return (*range(front), *(front + k for k, t in enumerate(target)
                             if as_int(t) == 1 and as_int(dims[front + k]) != 1))


def _check(call: Call, x: TensorStructInfo, target) -> StructInfo:
    if target is not None and x.dims is not None:
        front = len(x.dims) - len(target)
        if front < 0 or any(as_int(t) != 1 and equal_sizes(t, d) is False
                            for t, d in zip(target, x.dims[max(front, 0):])):
            raise StructInfoError(f"{call.op.short}: {show(target)} does not broadcast to "
                                  f"{show(x.dims)}", span=call.span)
    return TensorStructInfo(target, x.dtype, len(target) if target is not None else -1)


def _infer_to(call: Call) -> StructInfo:
    info = info_of(call.args[1])
    out = _check(call, tensor_of(call, 0), shape_argument(call, 1))
    return out.replace(ndim=info.ndim) if isinstance(info, ShapeStructInfo) else out


def _infer_like(call: Call) -> StructInfo:
    target = tensor_of(call, 1)
    return _check(call, tensor_of(call, 0), target.dims).replace(ndim=target.ndim)


def _collapse(x, target):
    axes = broadcast_axes(x.shape, target)
    front = len(x.shape) - len(target)
    rs = {a: te.reduce_axis((0, x.shape[a]), name=f"k{a}") for a in axes}

    def rule(*i):
        at = tuple(rs[k].var if k in rs else literal(0, "int64") if as_int(x.shape[k]) == 1
                   else i[k - front] for k in range(x.ndim))
        return te.sum(x[at], axis=list(rs.values())) if rs else x[at]

    return te.compute(target, rule, name="T_collapse_sum")


def _np_collapse(x, target):
    target = tuple(target)
    front = x.ndim - len(target)
    axes = (*range(front), *(front + k for k, t in enumerate(target)
                             if t == 1 and x.shape[front + k] != 1))
    return x.sum(axes, dtype=x.dtype).reshape(target) if axes else x


declare("collapse_sum_to", [arg("data", of="number"), arg("shape", "shape")], _infer_to,
        te=_collapse, pattern="reduction", numpy=_np_collapse,
        doc="Summed over broadcast axes until the shape is reached.")
declare("collapse_sum_like", [arg("data", of="number"), arg("collapse_target")], _infer_like,
        te=lambda x, like: _collapse(x, like.shape), pattern="reduction",
        numpy=lambda x, like: _np_collapse(x, like.shape),
        doc="Summed over broadcast axes until it has the shape of the other tensor.")
