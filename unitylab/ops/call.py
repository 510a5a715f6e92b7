"""Calls of tensor programs and library functions, and operators that only the run time knows."""

from __future__ import annotations

import numpy as np

from ..ir.dtypes import INT64
from ..ir.errors import RuntimeCallError
from ..ir.relax import Call, info_of
from ..ir.struct_info import (
    ObjectStructInfo,
    ShapeStructInfo,
    StructInfo,
    TensorStructInfo,
    TupleStructInfo,
    tensor_info,
)
from .declare import arg, attr, declare, tensor_of


def _declared(call: Call) -> StructInfo:
    """The result is what the caller says."""
    return call.sinfo_args[0] if call.sinfo_args else ObjectStructInfo()


def _object(call: Call) -> StructInfo:
    return ObjectStructInfo()


def _nothing(call: Call) -> StructInfo:
    return TupleStructInfo(())


def _destination(name: str, doc: str, *extra) -> None:
    declare(name, [arg("func", "expr"), arg("args", "expr"), *extra], _declared, doc=doc)


_destination("call_tir", "Calls a tensor program of the module: inputs, then fresh outputs of the "
             "declared struct info. Pure.")
_destination("call_tir_inplace", "Like call_tir; some outputs take the memory of inputs.",
             attr("inplace_indices"))
_destination("call_dps_packed", "Calls a library function that writes into the outputs it gets "
             "last.")
_destination("call_tir_with_grad", "Like call_tir, with the name of its gradient.",
             attr("te_grad_name", ""), attr("te_grad_kwargs", None))

declare("call_pure_packed", [arg("func", "func"), arg("args", "rest", ())], _declared,
        doc="Calls a library function that has no effects and returns its result.")
declare("call_inplace_packed", [arg("func", "func"), arg("args", "rest", ()),
                                attr("inplace_indices", ())], _declared,
        doc="Calls a library function that changes some of its arguments.", pure=False)
declare("call_builtin_with_ctx", [arg("func", "func"), arg("args", "expr")], _declared,
        doc="Calls a function of the run time.", pure=False)
declare("make_closure", [arg("func", "expr"), arg("args", "expr")], _object,
        doc="A function with its last arguments given.")
declare("invoke_closure", [arg("closure", "expr"), arg("args", "expr")], _declared,
        doc="Calls a closure.", pure=False)
declare("invoke_pure_closure", [arg("closure", "expr"), arg("args", "expr")], _declared,
        doc="Calls a closure that has no effects.")
declare("null_value", [], _object, numpy=lambda: None, doc="No value.")


def _message(format, values) -> str:
    """Each {} stands for the next value; nothing else in the format has a meaning."""
    pieces = format.split("{}")
    if len(pieces) == 1:
        return " ".join([*([format] if format else []), *map(str, values)])
    shown = [*map(str, values), *[""] * len(pieces)]
    return "".join(p + v for p, v in zip(pieces, [*shown[:len(pieces) - 1], ""]))


def _np_print(*values, format=""):
    print(_message(format, values))
    return ()


def _np_assert(condition, *values, format=""):
    if not np.all(condition):
        raise RuntimeCallError(f"assertion failed: {_message(format, values)}".removesuffix(": "))
    return ()


declare("print", [arg("values", "rest", ()), attr("format", "")], _nothing, numpy=_np_print,
        pure=False, doc="Prints its arguments; the format has {} for each.")
declare("assert_op", [arg("condition", "expr"), arg("format_args", "rest", ()), attr("format", "")],
        _nothing, numpy=_np_assert, pure=False,
        doc="Stops with a message if the condition does not hold.")


def _shape_of(call: Call) -> StructInfo:
    info = tensor_of(call, 0)
    return ShapeStructInfo(info.dims, info.ndim)


def _tensor_to_shape(call: Call) -> StructInfo:
    dims = tensor_of(call, 0).dims
    size = getattr(dims[0], "value", -1) if dims else -1
    return ShapeStructInfo(None, size)


def _shape_to_tensor(call: Call) -> StructInfo:
    info = info_of(call.args[0])
    ndim = getattr(info, "ndim", -1)
    if ndim < 0:
        return TensorStructInfo(None, INT64, 1)
    return tensor_info((ndim,), "int64")


declare("shape_of", [arg("tensor")], _shape_of, numpy=lambda x: x.shape,
        doc="The shape of a tensor as a value.")
declare("tensor_to_shape", [arg("tensor")], _tensor_to_shape,
        numpy=lambda x: tuple(int(v) for v in x), doc="A tensor of sizes as a shape.")


def _to_tensor(shape):
    return np.asarray(shape, dtype="int64")


declare("shape_to_tensor", [arg("shape", "expr")], _shape_to_tensor, numpy=_to_tensor,
        doc="A shape as a tensor of int64.")
