"""Runs graph functions, binding by binding; operators by their NumPy reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..ir import relax
from ..ir.errors import RuntimeCallError, UnityLabError
from ..ir.module import IRModule, as_module
from ..ir.node import Node
from ..ir.op import Op
from ..ir.prim import GlobalVar, PrimExpr, Var, as_int, literal
from ..ir.struct_info import (FuncStructInfo, ObjectStructInfo, PrimStructInfo, ShapeStructInfo,
                              StructInfo, TensorStructInfo, TupleStructInfo)
from ..ir.tir import BaseFunc, PrimFunc
from ..ir.visitor import Dispatch, fold_substitute
from .packed import get_func
from .refuse import refuse_count, refuse_names
from .tensor_program import TensorProgram


class Shape(tuple):
    """A shape as a run-time value."""


class Interpreter:
    """The functions of a module, callable by name."""

    def __init__(self, mod: IRModule, observe: Callable | None = None):
        self.mod, self.observe = mod, observe
        self.programs: dict[str, TensorProgram] = {}
        for name, func in mod.prim_funcs.items():
            self.programs[name] = TensorProgram(name, func, self.programs)

    def __getitem__(self, name: str):
        func = self.mod[name]
        if isinstance(func, PrimFunc):
            return self.programs[name]
        return lambda *args, **named: self.call(name, func, args, named)

    def __contains__(self, name: str) -> bool:
        return name in self.mod

    def __iter__(self):
        return iter(self.mod)

    def __repr__(self) -> str:
        return f"<Interpreter of {', '.join(self.mod)}>"

    def call(self, name: str, func: relax.Function, args, named=()):
        """Calls a graph function with NumPy arrays, numbers or tuples of such."""
        refuse_names(name, named)
        refuse_count(name, [p.name for p in func.params], args)
        frame = Frame(self, name, {}, {})
        for p, a in zip(func.params, args):
            frame.match(p.struct_info, as_value(a), f"{name}: argument {p.name!r}")
            frame.values[p] = as_value(a)
        return frame.visit(func.body)


class Frame(Dispatch):
    """One call of a graph function: its variables and symbolic sizes."""

    def __init__(self, interp: Interpreter, name: str, values: dict, sizes: dict[Var, int]):
        self.interp, self.name = interp, name
        self.values: dict[Node, object] = values
        self.sizes = sizes

    # --- struct info at run time ------------------------------------------------------------

    def size(self, e: PrimExpr):
        """The number that a symbolic expression stands for."""
        known = {v: literal(n, v.dtype) for v, n in self.sizes.items()}
        value = fold_substitute(e, known)
        if not hasattr(value, "value"):
            raise RuntimeCallError(f"{self.name}: the value of {e.script()} is not known here")
        return value.value

    def shape(self, dims) -> Shape:
        return Shape(int(self.size(d)) for d in dims)

    def match(self, info: StructInfo | None, value, what: str) -> None:
        """Checks a value against its declared struct info; binds symbolic sizes."""
        if info is None or isinstance(info, (ObjectStructInfo, FuncStructInfo)):
            return
        if isinstance(info, TensorStructInfo):
            self.match_tensor(info, value, what)
        elif isinstance(info, ShapeStructInfo):
            self.match_dims(info.values, value, what)
        elif isinstance(info, PrimStructInfo):
            if isinstance(info.value, Var) and info.value not in self.sizes:
                self.sizes[info.value] = int(value)
        elif isinstance(info, TupleStructInfo) and info.fields is not None:
            if not isinstance(value, tuple) or len(value) != len(info.fields):
                raise RuntimeCallError(f"{what} must be a tuple of {len(info.fields)} values")
            for i, (f, v) in enumerate(zip(info.fields, value)):
                self.match(f, v, f"{what}, field {i}")

    def match_tensor(self, info: TensorStructInfo, value, what: str) -> None:
        if not isinstance(value, np.ndarray):
            raise RuntimeCallError(f"{what} must be a tensor, not {type(value).__name__}")
        if info.dtype and value.dtype != info.dtype.numpy:
            raise RuntimeCallError(f"{what} has dtype {value.dtype}, {info.dtype} expected")
        if info.ndim >= 0 and value.ndim != info.ndim:
            raise RuntimeCallError(f"{what} has {value.ndim} dimensions, {info.ndim} expected")
        dims = info.dims
        if dims is None and info.shape is not None:
            dims = tuple(literal(n, "int64") for n in self.values[info.shape])
        self.match_dims(dims, value.shape, what)

    def match_dims(self, dims, shape, what: str) -> None:
        if dims is None:
            return
        if len(dims) != len(shape):
            raise RuntimeCallError(f"{what} has {len(shape)} dimensions, {len(dims)} expected")
        for d, (want, have) in enumerate(zip(dims, shape)):
            if isinstance(want, Var) and want not in self.sizes:
                self.sizes[want] = int(have)
            elif self.size_or(want, have) != have:
                size = self.size(want)
                expected = size if as_int(want) is not None else f"{want.script()} = {size}"
                raise RuntimeCallError(f"{what}: dimension {d} is {have}, {expected} expected")

    def size_or(self, e: PrimExpr, default: int) -> int:
        try:
            return self.size(e)
        except RuntimeCallError:
            return default

    # --- expressions ------------------------------------------------------------------------

    def visit_SeqExpr(self, e: relax.SeqExpr):
        for b in e.bindings:
            value = self.visit(b.value)
            if isinstance(b, relax.MatchCast):
                self.match(b.struct_info, value, f"{self.name}: match_cast of {b.var.name!r}")
            self.values[b.var] = value
            if self.interp.observe:
                self.interp.observe(self.name, b.var, value)
        return self.visit(e.body)

    def visit_Var(self, e: relax.Var):
        if e not in self.values:
            raise RuntimeCallError(f"{self.name}: variable {e.name!r} has no value", span=e.span)
        return self.values[e]

    def visit_Constant(self, e: relax.Constant):
        return e.data

    def visit_ShapeExpr(self, e: relax.ShapeExpr):
        return self.shape(e.values)

    def visit_PrimValue(self, e: relax.PrimValue):
        return self.size(e.value)

    def visit_StringImm(self, e: relax.StringImm):
        return e.value

    def visit_DataTypeImm(self, e: relax.DataTypeImm):
        return e.value

    def visit_Tuple(self, e: relax.Tuple):
        return tuple(self.visit(f) for f in e.fields)

    def visit_TupleGetItem(self, e: relax.TupleGetItem):
        return self.visit(e.tuple)[e.index]

    def visit_GlobalVar(self, e: GlobalVar):
        return self.interp[e.name]

    def visit_ExternFunc(self, e: relax.ExternFunc):
        return get_func(e.name)

    def visit_Op(self, e: Op):
        return e.numpy

    def visit_If(self, e: relax.If):
        branch = e.true_branch if np.all(self.visit(e.cond)) else e.false_branch
        return self.visit(branch)

    def visit_Function(self, e: relax.Function):
        def closure(*args):
            inner = Frame(self.interp, "closure", dict(self.values), dict(self.sizes))
            for p, a in zip(e.params, args):
                inner.match(p.struct_info, as_value(a), f"closure: argument {p.name!r}")
                inner.values[p] = as_value(a)
            return inner.visit(e.body)
        return closure

    def visit_Call(self, e: relax.Call):
        if isinstance(e.op, Op):
            special = _SPECIAL.get(e.op.name)
            return special(self, e) if special else self.call_op(e)
        callee = self.visit(e.op)
        args = [self.visit(a) for a in e.args]
        try:
            result = callee(*args)
        except UnityLabError:
            raise
        except Exception as err:
            what = getattr(e.op, "name", "a function")
            raise RuntimeCallError(f"{what} failed: {type(err).__name__}: {err}",
                                   span=e.span) from err
        return as_value(result)

    def call_op(self, e: relax.Call):
        """A graph operator by its NumPy reference; the result gets the inferred dtype."""
        op: Op = e.op
        if op.numpy is None:
            raise RuntimeCallError(f"{op.short} has no reference computation", span=e.span)
        args = [self.visit(a) for a in e.args]
        attrs = {p.name: self.attr(op.attr(e, p.name)) for p in op.params if p.kind == "attr"}
        try:
            with np.errstate(all="ignore"):
                result = op.numpy(*args, **attrs)
        except UnityLabError:
            raise
        except Exception as err:
            raise RuntimeCallError(f"{op.short} failed: {type(err).__name__}: {err}",
                                   span=e.span) from err
        return typed(result, e.struct_info)

    def attr(self, value):
        return self.size(value) if isinstance(value, PrimExpr) else value

    def outputs(self, info: StructInfo):
        """Fresh arrays for the declared result of `call_tir` and its kin."""
        if isinstance(info, TupleStructInfo):
            return tuple(self.outputs(f) for f in info.fields)
        if not isinstance(info, TensorStructInfo) or info.shape is None:
            raise RuntimeCallError(f"{self.name}: a result needs a declared shape, not "
                                   f"{info.script()}")
        dims = self.shape(info.dims) if info.dims is not None else self.values[info.shape]
        return np.empty(dims, info.dtype.numpy)


def typed(result, info: StructInfo | None):
    """A result as array (or tuple of arrays) of the inferred dtype."""
    if isinstance(info, TupleStructInfo) and info.fields is not None:
        return tuple(typed(r, f) for r, f in zip(result, info.fields))
    if isinstance(info, TensorStructInfo):
        result = np.asarray(result)
        return result.astype(info.dtype.numpy, copy=False) if info.dtype else result
    return Shape(result) if isinstance(info, ShapeStructInfo) else result


def as_value(a):
    """An argument or result as run-time value: anything array-like becomes a NumPy array."""
    if isinstance(a, (np.ndarray, Shape, int, float, bool, str, type(None))) or callable(a):
        return a
    if isinstance(a, (tuple, list)):
        return tuple(as_value(x) for x in a)
    if hasattr(a, "__dlpack__") and not isinstance(a, np.generic):
        return np.from_dlpack(a)
    return np.asarray(a)


def _flat(outs) -> list[np.ndarray]:
    return [x for o in outs for x in _flat(o)] if isinstance(outs, tuple) else [outs]


def _destination_passing(frame: Frame, e: relax.Call):
    """call_tir, call_dps_packed: inputs, then scalars, then fresh outputs."""
    callee = frame.visit(e.args[0])
    inputs = frame.visit(e.args[1])
    inputs = inputs if isinstance(inputs, tuple) and not isinstance(inputs, Shape) else (inputs,)
    sizes = tuple(frame.visit(e.args[2])) if len(e.args) > 2 else ()
    outs = frame.outputs(e.sinfo_args[0])
    callee(*inputs, *sizes, *_flat(outs))
    return outs


def _in_place(frame: Frame, e: relax.Call):
    """call_tir_inplace: some inputs are the outputs (on copies: values never change)."""
    callee, inputs = frame.visit(e.args[0]), list(frame.visit(e.args[1]))
    places = e.op.attr(e, "inplace_indices")
    places = (places,) if isinstance(places, int) else places
    infos = e.sinfo_args[0]
    infos = infos.fields if isinstance(infos, TupleStructInfo) else (infos,)
    outs = []
    for info, place in zip(infos, places):
        if place >= 0:
            inputs[place] = inputs[place].copy()
        outs.append(inputs[place] if place >= 0 else frame.outputs(info))
    fresh = [o for o, p in zip(outs, places) if p < 0]
    sizes = tuple(frame.visit(e.args[2])) if len(e.args) > 2 else ()
    callee(*inputs, *sizes, *fresh)
    return tuple(outs) if isinstance(e.sinfo_args[0], TupleStructInfo) else outs[0]


def _pure_packed(frame: Frame, e: relax.Call):
    return as_value(frame.visit(e.args[0])(*[frame.visit(a) for a in e.args[1:]]))


def _shape_of(frame: Frame, e: relax.Call):
    return Shape(frame.visit(e.args[0]).shape)


def _make_closure(frame: Frame, e: relax.Call):
    callee, held = frame.visit(e.args[0]), frame.visit(e.args[1])
    return lambda *args: callee(*args, *held)


def _invoke_closure(frame: Frame, e: relax.Call):
    return frame.visit(e.args[0])(*frame.visit(e.args[1]))


_SPECIAL = {
    "relax.call_tir": _destination_passing, "relax.call_tir_with_grad": _destination_passing,
    "relax.call_dps_packed": _destination_passing, "relax.call_tir_inplace": _in_place,
    "relax.call_pure_packed": _pure_packed, "relax.shape_of": _shape_of,
    "relax.make_closure": _make_closure, "relax.invoke_closure": _invoke_closure,
    "relax.invoke_pure_closure": _invoke_closure,
}


def interpret(mod: IRModule | BaseFunc, observe: Callable | None = None) -> Interpreter:
    """The module (or a single function) as something to call: `interpret(mod)["main"](*args)`.

    A graph function takes NumPy arrays (or what has `__dlpack__`) of the declared dtypes and
    shapes and returns new arrays; a tensor program writes into the arrays of its outputs. Every
    access is checked. Calls raise RuntimeCallError, also for an access outside of a buffer.
    `observe(function_name, var, value)` hears of every binding."""
    return Interpreter(as_module(mod), observe)
