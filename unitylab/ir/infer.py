"""Struct info of expressions: asks the op, or the signature of the function that is called."""

from __future__ import annotations

from .errors import StructInfoError
from .node import Node
from .op import Op, check_dtypes
from .prim import GlobalVar, PrimExpr, Var
from .relax import Call, Expr, ExternFunc, Function, If, ShapeExpr, TupleGetItem, info_of
from .struct_info import (FuncStructInfo, ObjectStructInfo, PrimStructInfo, ShapeStructInfo,
                          StructInfo, TensorStructInfo, TupleStructInfo)
from .structural import structural_equal
from .tir import PrimFunc
from .visitor import collect, fold_substitute


def infer(e: Expr, mod=None) -> StructInfo:
    """What is known of `e`, given that its parts are known. Raises StructInfoError."""
    if isinstance(e, Call):
        return infer_call(e, mod)
    if isinstance(e, If):
        return join(info_of(e.true_branch), info_of(e.false_branch))
    if isinstance(e, TupleGetItem):
        _check_index(e)
    if isinstance(e, GlobalVar):
        return signature(e, mod)
    return info_of(e) or ObjectStructInfo()


def _check_index(e: TupleGetItem) -> None:
    info = info_of(e.tuple)
    if isinstance(info, TupleStructInfo) and info.fields is not None:
        if not 0 <= e.index < len(info.fields):
            raise StructInfoError(f"field {e.index} of a tuple with {len(info.fields)} fields",
                                  span=e.span)
    elif not isinstance(info, (TupleStructInfo, ObjectStructInfo)):
        raise StructInfoError("only a tuple can be indexed; this is "
                              f"{info.script() if info else 'unknown'}", span=e.span)


def infer_call(call: Call, mod=None) -> StructInfo:
    """The result of a call."""
    op = call.op
    if isinstance(op, Op):
        if op.infer is None:
            return call.sinfo_args[0] if call.sinfo_args else ObjectStructInfo()
        check_dtypes(call)
        try:
            return op.infer(call)
        except StructInfoError as e:
            if e.span is None:
                e.span = call.span
            raise
    if call.sinfo_args:
        infos = call.sinfo_args
        return infos[0] if len(infos) == 1 else TupleStructInfo(infos)
    if isinstance(op, ExternFunc):
        return ObjectStructInfo()
    info = signature(op, mod)
    if not isinstance(info, FuncStructInfo):
        if isinstance(info, ObjectStructInfo):
            return ObjectStructInfo()
        raise StructInfoError(f"this is called but is no function: {info.script()}",
                              span=call.span)
    return apply_signature(info, call)


def signature(op: Node, mod=None) -> StructInfo:
    """The struct info of a callee."""
    if isinstance(op, GlobalVar):
        func = mod.functions.get(op.name) if mod is not None else None
        if isinstance(func, Function):
            return func.struct_info
        if isinstance(func, PrimFunc):
            return FuncStructInfo(None, ObjectStructInfo(), False)
        return ObjectStructInfo()
    return info_of(op) or ObjectStructInfo()


def apply_signature(info: FuncStructInfo, call: Call) -> StructInfo:
    """The result of calling a function: its declared one with symbolic sizes bound by the
    arguments; what stays unbound is forgotten."""
    if info.params is None:
        return info.derive(call) if info.derive else info.ret
    if len(info.params) != len(call.args):
        raise StructInfoError(f"{_callee(call)} takes {len(info.params)} arguments, "
                              f"{len(call.args)} given", span=call.span)
    bound: dict[Var, PrimExpr] = {}
    for k, (p, a) in enumerate(zip(info.params, call.args)):
        why = match_info(p, info_of(a), bound)
        if why:
            raise StructInfoError(f"{_callee(call)}: argument {k} does not fit: {why}",
                                  span=call.span)
    unbound = {v for p in info.params for v in collect(p, Var)} - set(bound)
    return forget(fold_substitute(info.ret, bound), unbound)


def _callee(call: Call) -> str:
    return getattr(call.op, "name", "the function")


def match_info(param: StructInfo, arg: StructInfo | None, bound: dict[Var, PrimExpr]) -> str:
    """Binds the symbolic variables of `param` to `arg`; "" or why they can never fit."""
    if arg is None or isinstance(arg, ObjectStructInfo) or isinstance(param, ObjectStructInfo):
        return ""
    if type(param) is not type(arg):
        return f"{param.script()} expected, {arg.script()} given"
    if isinstance(param, TensorStructInfo):
        if param.dtype and arg.dtype and param.dtype != arg.dtype:
            return f"dtype {param.dtype} expected, {arg.dtype} given"
        return _match_dims(param.dims, arg.dims, bound)
    if isinstance(param, ShapeStructInfo):
        return _match_dims(param.values, arg.values, bound)
    if isinstance(param, PrimStructInfo):
        if param.dtype != arg.dtype:
            return f"{param.dtype} expected, {arg.dtype} given"
        if isinstance(param.value, Var) and arg.value is not None:
            bound.setdefault(param.value, arg.value)
    if isinstance(param, TupleStructInfo) and param.fields and arg.fields:
        if len(param.fields) != len(arg.fields):
            return f"{len(param.fields)} fields expected, {len(arg.fields)} given"
        return next(filter(None, (match_info(p, a, bound)
                                  for p, a in zip(param.fields, arg.fields))), "")
    return ""


def _match_dims(want, have, bound: dict[Var, PrimExpr]) -> str:
    if want is None or have is None:
        return ""
    if len(want) != len(have):
        return f"{len(want)} dimensions expected, {len(have)} given"
    for i, (w, h) in enumerate(zip(want, have)):
        if isinstance(w, Var) and w not in bound:
            bound[w] = h
            continue
        w = fold_substitute(w, bound)
        if hasattr(w, "value") and hasattr(h, "value") and w.value != h.value:
            return f"dimension {i} is {h.value}, {w.value} expected"
    return ""


def forget(info: StructInfo, unknown: set[Var]) -> StructInfo:
    """`info` without what mentions a variable of `unknown`."""
    if not unknown or not unknown & set(collect(info, Var)):
        return info
    if isinstance(info, TensorStructInfo):
        return TensorStructInfo(None, info.dtype, len(info.dims or ()) if info.dims else info.ndim)
    if isinstance(info, ShapeStructInfo):
        return ShapeStructInfo(None, len(info.values or ()))
    if isinstance(info, TupleStructInfo):
        return TupleStructInfo(tuple(forget(f, unknown) for f in info.fields))
    return ObjectStructInfo()


def join(a: StructInfo | None, b: StructInfo | None) -> StructInfo:
    """What is known of a value that is one of two."""
    if a is None or b is None or type(a) is not type(b):
        return ObjectStructInfo()
    if a is b or structural_equal(a, b):
        return a
    if isinstance(a, TensorStructInfo):
        ndim = a.ndim if a.ndim == b.ndim else -1
        same = a.dims and b.dims and structural_equal(ShapeExpr(a.dims), ShapeExpr(b.dims))
        return TensorStructInfo(a.shape if same else None,
                                a.dtype if a.dtype == b.dtype else None, ndim)
    if isinstance(a, TupleStructInfo) and a.fields and b.fields and len(a.fields) == len(b.fields):
        return TupleStructInfo(tuple(map(join, a.fields, b.fields)))
    if isinstance(a, ShapeStructInfo):
        return ShapeStructInfo(None, a.ndim if a.ndim == b.ndim else -1)
    return ObjectStructInfo()
