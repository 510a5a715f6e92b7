"""The operators that call: `call_tir` and its kin, closures, what only the run time knows."""

from __future__ import annotations

import numpy as np

from ..interp.interpreter import Shape
from ..ir import relax
from ..ir.errors import BuildError, RuntimeCallError
from ..ir.prim import GlobalVar
from ..ir.struct_info import ShapeStructInfo, StructInfo, TensorStructInfo, TupleStructInfo
from .activation import Activation
from .kernel_call import DestinationCall, Evaluate, InPlaceCall, KernelCall, Output, flat, guarded
from .tensor_function import TensorFunction


def _outputs(compiler, e: relax.Call, var) -> tuple[list[Output], bool]:
    """The fresh results of a call by its declared struct info."""
    info = e.sinfo_args[0] if e.sinfo_args else None
    several = isinstance(info, TupleStructInfo)
    outs = [_output(compiler, f, e) for f in (info.fields if several else (info,))]
    internal = compiler.internals.get(var) if var is not None else None
    if internal is not None and not several:
        outs = [Output(outs[0].shape, outs[0].dtype, internal.slot)]
    return outs, several


def _output(compiler, info: StructInfo | None, e: relax.Call) -> Output:
    if not isinstance(info, TensorStructInfo) or info.shape is None or info.dtype is None:
        raise BuildError(f"{compiler.name}: a result of {_callee(e)} needs a declared shape and "
                         "dtype", span=e.span, hint="out_sinfo=R.Tensor((n, m), \"float32\")")
    if info.dims is None:
        slot = compiler.slot(info.shape)
        return Output(_HeldShape(slot), info.dtype.numpy)
    return Output(compiler.sizes.compile_shape(info.dims), info.dtype.numpy)


class _HeldShape:
    """A shape that a variable of the graph holds."""

    def __init__(self, slot: int):
        self.slot = slot


def _callee(e: relax.Call) -> str:
    return getattr(e.args[0], "name", "the function") if e.args else "the function"


def _inputs(compiler, e: relax.Call) -> tuple[list[relax.Expr], list[Evaluate]]:
    """The tensor arguments one by one, and the scalars behind them."""
    args = e.args[1] if len(e.args) > 1 else relax.Tuple(())
    tensors = list(args.fields) if isinstance(args, relax.Tuple) else _fields(args)
    scalars = []
    if len(e.args) > 2:
        sizes = e.args[2]
        if isinstance(sizes, relax.ShapeExpr):
            scalars = [compiler.visit(relax.PrimValue(v)) for v in sizes.values]
        else:
            scalars = _held_sizes(compiler, sizes, e)
    return tensors, scalars


def _held_sizes(compiler, sizes: relax.Expr, e: relax.Call) -> list[Evaluate]:
    info = relax.info_of(sizes)
    if not isinstance(info, ShapeStructInfo) or info.ndim < 0:
        raise BuildError(f"{compiler.name}: the number of scalars of {_callee(e)} is not known",
                         span=e.span)
    value = compiler.visit(sizes)
    return [lambda act, k=k: value(act)[k] for k in range(info.ndim)]


def _fields(args: relax.Expr) -> list[relax.Expr]:
    """A tuple held by a variable, field by field; anything else is one argument."""
    info = relax.info_of(args)
    if isinstance(info, TupleStructInfo) and info.fields is not None:
        return [relax.TupleGetItem(args, k) for k in range(len(info.fields))]
    return [args]


def call_tir(compiler, e: relax.Call, var) -> Evaluate:
    """A kernel of the module: inputs, scalars, fresh outputs."""
    tensors, scalars = _inputs(compiler, e)
    outs, several = _outputs(compiler, e, var)
    function = compiler.callees.get(e.args[0].name) if isinstance(e.args[0], GlobalVar) else None
    inputs = [compiler.visit(t) for t in tensors]
    if isinstance(e.args[0], GlobalVar) and e.args[0].name not in compiler.mod:
        compiler.visit(e.args[0])  # says that there is no such function
    if not isinstance(function, TensorFunction) or _held(outs):
        return _bind_held(DestinationCall(_callee(e), compiler.visit(e.args[0]), inputs, scalars,
                                          outs, several, e.span))
    known = compiler.at_entry
    trusted = all(map(compiler.trusted, tensors)) and _sizes_known(compiler, e, known)
    fixed = [isinstance(t, relax.Constant) or t in compiler.internals for t in tensors]
    return KernelCall(function, inputs, scalars, outs, several, compiler.next_prepared(), trusted,
                      fixed)


def _held(outs: list[Output]) -> bool:
    return any(isinstance(o.shape, _HeldShape) for o in outs)


def _bind_held(call: DestinationCall) -> Evaluate:
    """The call, with shapes that variables hold read when it runs."""
    if not _held(call.outputs):
        return call
    outputs = call.outputs

    def run(act: Activation):
        fresh = [Output(lambda s, v=act.slots[o.shape.slot]: tuple(v), o.dtype)
                 if isinstance(o.shape, _HeldShape) else o for o in outputs]
        return DestinationCall(call.name, call.callee, call.inputs, call.scalars, fresh,
                               call.several, call.span)(act)
    return run


def _sizes_known(compiler, e: relax.Call, known) -> bool:
    """Whether everything about the call but addresses follows from the sizes at entry."""
    infos = e.sinfo_args[0]
    infos = infos.fields if isinstance(infos, TupleStructInfo) else (infos,)
    dims = [d for i in infos for d in i.dims or ()]
    if len(e.args) > 2:
        if not isinstance(e.args[2], relax.ShapeExpr):
            return False
        dims += e.args[2].values
    return all(compiler.sizes.known(d, known) for d in dims)


def call_dps_packed(compiler, e: relax.Call, var) -> Evaluate:
    """A library function that writes into fresh outputs."""
    tensors, scalars = _inputs(compiler, e)
    outs, several = _outputs(compiler, e, None)
    return _bind_held(DestinationCall(_callee(e), compiler.visit(e.args[0]),
                                      [compiler.visit(t) for t in tensors], scalars, outs, several,
                                      e.span))


def call_tir_inplace(compiler, e: relax.Call, var) -> Evaluate:
    tensors, scalars = _inputs(compiler, e)
    outs, several = _outputs(compiler, e, None)
    places = e.op.attr(e, "inplace_indices")
    places = (places,) if isinstance(places, int) else tuple(places)
    function = compiler.callees.get(_callee(e))
    if not isinstance(function, TensorFunction):
        raise BuildError(f"{_callee(e)} is no tensor program of the module", span=e.span)
    return InPlaceCall(function, [compiler.visit(t) for t in tensors], scalars, outs, several,
                       places)


def call_pure_packed(compiler, e: relax.Call, var) -> Evaluate:
    """A library function that returns its result."""
    callee, args = compiler.visit(e.args[0]), [compiler.visit(a) for a in e.args[1:]]
    return compiler.settled(e, var, lambda act: guarded(_callee(e), callee(act),
                                                        [a(act) for a in args], e.span))


def shape_of(compiler, e: relax.Call, var) -> Evaluate:
    value = compiler.visit(e.args[0])
    return lambda act: Shape(np.shape(value(act)))


def make_closure(compiler, e: relax.Call, var) -> Evaluate:
    callee, held = compiler.visit(e.args[0]), compiler.visit(e.args[1])

    def run(act: Activation):
        function, last = callee(act), flat(held(act))
        return lambda *args: function(*args, *last)
    return run


def invoke_closure(compiler, e: relax.Call, var) -> Evaluate:
    callee, args = compiler.visit(e.args[0]), compiler.visit(e.args[1])
    return lambda act: callee(act)(*flat(args(act)))


def assert_op(compiler, e: relax.Call, var) -> Evaluate:
    condition, text = compiler.visit(e.args[0]), str(e.op.attr(e, "format"))

    def run(act: Activation):
        if not np.all(condition(act)):
            raise RuntimeCallError(f"{compiler.name}: assertion failed: {text}", span=e.span)
        return ()
    return run


def print_values(compiler, e: relax.Call, var) -> Evaluate:
    args = [compiler.visit(a) for a in e.args]

    def run(act: Activation):
        print(*[a(act) for a in args])
        return ()
    return run


SPECIAL = {
    "relax.call_tir": call_tir, "relax.call_tir_with_grad": call_tir,
    "relax.call_dps_packed": call_dps_packed, "relax.call_tir_inplace": call_tir_inplace,
    "relax.call_pure_packed": call_pure_packed, "relax.call_inplace_packed": call_pure_packed,
    "relax.shape_of": shape_of, "relax.make_closure": make_closure,
    "relax.invoke_closure": invoke_closure, "relax.invoke_pure_closure": invoke_closure,
    "relax.assert_op": assert_op, "relax.print": print_values,
}
