"""The namespace `R`: what graph functions are written with.

`R.add(x, y)`, `R.nn.relu(x)` and all other operators come from the registry and build calls.
"""

from __future__ import annotations

import builtins

import numpy as np

from ..ir import relax
from ..ir.dtypes import INT64
from ..ir.dtypes import dtype as _dtype
from ..ir.errors import ParseError, StructInfoError, did_you_mean
from ..ir.node import EMPTY, FrozenDict, Node
from ..ir.op import OPS, Op, freeze
from ..ir.prim import PrimExpr, literal
from ..ir.prim import Var as SizeVar
from ..ir.relax import Expr, ShapeExpr, as_expr
from ..ir.struct_info import (
    FuncStructInfo,
    ObjectStructInfo,
    PrimStructInfo,
    ShapeStructInfo,
    StructInfo,
    TensorStructInfo,
    TupleStructInfo,
    as_dims,
)


class _InfoType:
    """`R.Tensor(...)` or bare `R.Tensor`: a struct info that can be called."""

    def __init__(self, make, bare: StructInfo):
        self.make, self.bare = make, bare

    def __call__(self, *args, **kwargs) -> StructInfo:
        return self.make(*args, **kwargs)

    def __getitem__(self, args) -> StructInfo:
        """`R.Tensor[(n, 4), "float32"]`, as the first programs wrote it."""
        whole = isinstance(args, builtins.tuple) and len(args) == 2 and (
            isinstance(args[1], builtins.str) or hasattr(args[1], "dtype") and not isinstance(
                args[1], Node))
        return self.make(*args) if whole else self.make(args)


def _tensor(shape=None, dtype=None, vdevice=None, ndim=-1) -> StructInfo:
    if isinstance(shape, builtins.str) and dtype is None:
        shape, dtype = None, shape
    kind = _dtype(dtype) if dtype else None
    if isinstance(shape, ShapeExpr):
        shape = shape.values
    if shape is None or isinstance(shape, Expr):
        return TensorStructInfo(shape, kind, ndim, vdevice)
    dims = as_dims(_sizes(shape))
    return TensorStructInfo(dims, kind, len(dims), vdevice)


def _sizes(values) -> list:
    """Sizes; a string is a symbolic size of its own (the parser reads those of signatures)."""
    symbols: dict = {}
    return [symbols.setdefault(v, SizeVar(v, INT64)) if isinstance(v, builtins.str) else
            scalar_value(v) for v in values]


def scalar_value(v):
    """A graph-level scalar as the expression that it stands for."""
    info = v.struct_info if isinstance(v, Expr) else None
    return info.value if isinstance(info, PrimStructInfo) and info.value is not None else v


def _shape_type(values=None, ndim=-1) -> StructInfo:
    if values is None:
        return ShapeStructInfo(None, ndim)
    dims = as_dims(_sizes(values))
    return ShapeStructInfo(dims, len(dims))


def _prim(dtype=None, value=None) -> StructInfo:
    if value is not None:
        value = literal(value, "int64") if isinstance(value, int) else value
        return PrimStructInfo(value.dtype, value)
    return PrimStructInfo(_dtype(dtype or "int64"))


def _tuple_type(*fields) -> StructInfo:
    if len(fields) == 1 and isinstance(fields[0], (builtins.tuple, list)):
        fields = fields[0]
    return TupleStructInfo(builtins.tuple(as_info(f) for f in fields))


def _callable(params=None, ret=None, purity=None, pure=True, derive_func=None) -> StructInfo:
    pure = pure if purity is None else purity
    ret = as_info(ret) if ret is not None else ObjectStructInfo()
    if params is None:
        return FuncStructInfo(None, ret, bool(pure))
    return FuncStructInfo(builtins.tuple(as_info(p) for p in params), ret, bool(pure))


Tensor = _InfoType(_tensor, TensorStructInfo(None, None, -1))
Shape = _InfoType(_shape_type, ShapeStructInfo(None, -1))
Prim = _InfoType(_prim, PrimStructInfo(_dtype("int64")))
Tuple = _InfoType(_tuple_type, TupleStructInfo(None))
Callable = _InfoType(_callable, FuncStructInfo(None, ObjectStructInfo(), False))
Object = _InfoType(lambda: ObjectStructInfo(), ObjectStructInfo())
Any = Object


def as_info(x) -> StructInfo:
    """A struct info as it is, a bare `R.Tensor` as the least one, `T.int64` as a scalar."""
    if isinstance(x, StructInfo):
        return x
    if isinstance(x, _InfoType):
        return x.bare
    if hasattr(x, "dtype") and not isinstance(x, (Node, np.ndarray)):
        return PrimStructInfo(x.dtype)
    raise ParseError(f"{x!r} is no struct info", hint="R.Tensor((n, 4), \"float32\")")


# --- values ---------------------------------------------------------------------------------

def Var(name, struct_info):  # noqa: N802
    """A variable for `BlockBuilder`: `x = R.Var("x", R.Tensor((n, 4), "float32"))`."""
    return relax.Var(name, as_info(struct_info))


def const(value, dtype=None) -> Expr:
    """A constant tensor from an array, list or number."""
    return relax.const(value, dtype)


def shape(values) -> Expr:
    """A shape as a value."""
    return ShapeExpr(as_dims(_sizes(values)))


def prim_value(value) -> Expr:
    """A scalar as a graph-level value."""
    return as_expr(value if isinstance(value, (int, float, PrimExpr)) else literal(value))


def str(value) -> Expr:  # noqa: A001
    """A string as a graph-level value."""
    return relax.StringImm(value)


def dtype(value) -> Expr:
    """A dtype as a graph-level value."""
    return relax.DataTypeImm(_dtype(value))


def tuple(*fields) -> Expr:  # noqa: A001
    """A tuple of values."""
    return relax.Tuple(builtins.tuple(as_expr(f) for f in fields))


def ExternFunc(name, info=None) -> Expr:  # noqa: N802
    """A registered library function."""
    return relax.ExternFunc(name, info)


def match_cast(value, struct_info):
    """Checks a value against a struct info when run; a statement of graph functions."""
    return MatchCastRequest(as_expr(value), as_info(struct_info))


class MatchCastRequest:
    """The right side of `x = R.match_cast(value, info)`."""

    def __init__(self, value: Expr, info: StructInfo):
        self.value, self.info = value, info


# --- calls that are not plain operators -----------------------------------------------------

def _out(info) -> StructInfo:
    if isinstance(info, (list, builtins.tuple)):
        fields = builtins.tuple(as_info(i) for i in info)
        return TupleStructInfo(fields)
    return as_info(info)


def _destination(name: builtins.str):
    def call(func, args=(), out_sinfo=None, *, out_ty=None, tir_vars=None, **attrs) -> Expr:
        info = out_sinfo if out_sinfo is not None else out_ty
        if "dtype" in attrs and _is_shape(info):  # the older spelling: a shape and a dtype
            info = _tensor(info, attrs.pop("dtype"))
        info = _out(info)
        callee = relax.ExternFunc(func) if isinstance(func, builtins.str) else func
        given = as_expr(builtins.tuple(args)) if isinstance(args, (list, builtins.tuple)) else \
            args if _is_tuple(args) else relax.Tuple((as_expr(args),))
        exprs = (callee, given)
        if tir_vars is not None:
            exprs += (tir_vars if isinstance(tir_vars, ShapeExpr) else
                      ShapeExpr(as_dims(tir_vars)),)
        return relax.Call(_op(name), exprs, FrozenDict({k: freeze(v) for k, v in attrs.items()}),
                          (info,), info)
    call.__name__, call.__doc__ = name, f"`R.{name}(callee, args, out_sinfo)`."
    return call


def _is_shape(x) -> bool:
    """Whether it gives sizes, not struct infos."""
    return isinstance(x, ShapeExpr) or isinstance(x, (list, builtins.tuple)) and all(
        isinstance(s, (int, PrimExpr)) for s in x)


def _is_tuple(e) -> bool:
    return isinstance(e, relax.Tuple) or isinstance(relax.info_of(e), TupleStructInfo)


def call_packed(func, *args, sinfo_args=None, ty_args=None, **attrs) -> Expr:
    """Calls a registered library function, which may have effects."""
    infos = sinfo_args if sinfo_args is not None else ty_args
    callee = relax.ExternFunc(func) if isinstance(func, builtins.str) else func
    return relax.Call(callee, builtins.tuple(as_expr(a) for a in args),
                      FrozenDict({k: freeze(v) for k, v in attrs.items()}), _infos(infos))


def call_pure_packed(func, *args, sinfo_args=None, ty_args=None, **_) -> Expr:
    """Calls a registered library function that has no effects."""
    infos = sinfo_args if sinfo_args is not None else ty_args
    callee = relax.ExternFunc(func) if isinstance(func, builtins.str) else func
    return relax.Call(_op("call_pure_packed"), (callee, *[as_expr(a) for a in args]), EMPTY,
                      _infos(infos))


def _infos(infos) -> builtins.tuple:
    if infos is None:
        return ()
    infos = infos if isinstance(infos, (list, builtins.tuple)) else (infos,)
    return builtins.tuple(as_info(i) for i in infos)


def _op(name) -> Op:
    found = OPS.get(f"relax.{name}")
    if found is None:
        known = {o.short: None for o in OPS.values()}
        known |= {n.rpartition(".")[0]: None for n in known if "." in n} | dict.fromkeys(_OWN)
        raise ParseError(f"nothing is called R.{name}", hint=did_you_mean(name, known, prefix="R."))
    return found


class OpNamespace:
    """`R.nn`, `R.image`, ...: operators whose names have a dot."""

    def __init__(self, prefix):
        self._prefix = prefix

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        full = f"{self._prefix}.{name}"
        return lookup(full)

    def __dir__(self):
        return sorted({o.short[len(self._prefix) + 1:].split(".")[0] for o in OPS.values()
                       if o.short.startswith(self._prefix + ".")})


def lookup(name):
    """An operator or a namespace of operators by its name after `R.`."""
    if f"relax.{name}" in OPS:
        return OPS[f"relax.{name}"]
    if any(o.short.startswith(name + ".") for o in OPS.values()):
        return OpNamespace(name)
    return _op(name)


def function(func=None, **options):
    """Parses the decorated function as a graph function."""
    from .decorators import decorate
    return decorate(func, options)


def _marker(name):
    def refuse(*_, **__):
        raise ParseError(f"R.{name} has a meaning only inside of @R.function or ul.parse")
    refuse.__name__ = name
    return refuse


call_tir = _destination("call_tir")
call_tir_inplace = _destination("call_tir_inplace")
call_dps_packed = _destination("call_dps_packed")
call_tir_with_grad = _destination("call_tir_with_grad")
DIRECTIVES = ("emit_te", "dataflow", "output", "func_attr", "is_impure", "macro")
for _name in DIRECTIVES:
    globals()[_name] = _marker(_name)
del _name

_OWN = {n: v for n, v in globals().items() if not n.startswith("_") and n in (
    "Tensor Shape Prim Tuple Callable Object Any const shape prim_value str dtype tuple ExternFunc "
    "match_cast call_packed call_pure_packed call_tir call_tir_inplace call_dps_packed "
    "call_tir_with_grad emit_te dataflow output func_attr").split()}


def resolve(name):
    """What `R.<name>` means. Raises ParseError with near names."""
    return _OWN[name] if name in _OWN else lookup(name)


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return lookup(name)
    except (ParseError, StructInfoError) as e:
        raise AttributeError(builtins.str(e)) from None


def __dir__():
    return sorted({*_OWN, *(o.short.split(".")[0] for o in OPS.values()), "function"})
