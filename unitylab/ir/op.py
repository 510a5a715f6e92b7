"""The record that declares a graph-level operator, and the registry of all of them.

One declaration says everything about an op: signature, shape rule, how it is computed, what NumPy
does. The parser, printer, LegalizeOps, interpreter, frontends and tests read it; none has a table
of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import StructInfoError, did_you_mean
from .node import FrozenDict, Node, node, note, plain
from .relax import (Call, DataTypeImm, Expr, ExternFunc, ShapeExpr, StringImm, as_expr,
                    info_of)
from .struct_info import as_dims

REQUIRED = object()


@dataclass(frozen=True)
class Param:
    """A parameter of an op.

    `kind`: "tensor" and "expr" are arguments of the call (an optional one may be None, "tensors"
    is a tuple of tensors, "shape" a shape, "func" a callee, "rest" any further values); "attr" is
    a plain value kept in `Call.attrs`. `of` names the dtypes of a tensor (see `DTYPES`), "" means
    all.
    """

    name: str
    kind: str = "tensor"
    default: Any = REQUIRED
    of: str = ""


# what an operator works on: the kinds of dtypes, what to convert others to, in words
DTYPES = {
    "float": (("float",), "float32", "floating point"),
    "int": (("int", "uint"), "int32", "integers"),
    "number": (("int", "uint", "float"), "int32", "numbers"),
    "bits": (("int", "uint", "bool"), "int32", "integers or bool"),
    "bool": (("bool",), "bool", "bool"),
}


@node
class Op(Node):
    """An operator of the graph language.

    infer(call) -> StructInfo   from the struct info of `call.args` and `call.attrs`
    te(*tensors, **attrs)       the computation as tensor expressions; returns te.Tensor or a
                                tuple of them. None: it cannot be legalised (a library call)
    numpy(*arrays, **attrs)     the reference on NumPy arrays
    pattern                     kind of fusion: "elementwise", "broadcast", "injective",
                                "reduction", "complex", "opaque" (documentation; passes analyse)
    """

    name: str = plain()
    params: tuple[Param, ...] = note(())
    infer: Callable[[Call], Any] | None = note(None)
    te: Callable | None = note(None)
    numpy: Callable | None = note(None)
    doc: str = note("")
    pattern: str = note("opaque")
    pure: bool = note(True)

    @property
    def short(self) -> str:
        """The name as script spells it after `R.`."""
        return self.name.removeprefix("relax.")

    def __call__(self, *args, **kwargs) -> Call:
        """The call expression; Python values become expressions or attributes by the signature."""
        infos = kwargs.pop("sinfo_args", kwargs.pop("ty_args", ()))
        values = bind(self, args, kwargs)
        exprs, attrs = [], {}
        for p in self.params:
            value = values[p.name]
            if p.kind == "attr":
                attrs[p.name] = freeze(value)
            elif p.kind == "rest":
                exprs += map(as_expr, value)
            elif value is not None:
                exprs.append(as_argument(p.kind, value))
        infos = infos if isinstance(infos, (list, tuple)) else (infos,)
        return Call(self, tuple(exprs), FrozenDict(attrs),
                    tuple(getattr(i, "bare", i) for i in infos))

    def attr(self, call: Call, name: str):
        """An attribute of a call of this op, or its default."""
        if name in call.attrs:
            return call.attrs[name]
        return next(p.default for p in self.params if p.name == name)


def check_dtypes(call: Call) -> None:
    """Raises StructInfoError if a required tensor has a dtype that the op does not work on."""
    for p, e in zip([p for p in call.op.params if p.kind != "attr"], call.args):
        if p.default is not REQUIRED:
            break  # from here on, places say nothing: what is left out leaves no gap
        info = info_of(e) if p.of else None
        for part in getattr(info, "fields", None) or (info,):
            found = getattr(part, "dtype", None)
            if found and found.kind not in DTYPES[p.of][0]:
                _, other, words = DTYPES[p.of]
                raise StructInfoError(f"{call.op.short}: {p.name} must be {words}, not {found}",
                                      span=call.span,
                                      hint=f'R.astype({p.name}, "{other}") converts')


def freeze(value):
    """A plain value of an attribute: lists become tuples, dicts FrozenDicts, `R.str` a string."""
    if isinstance(value, (StringImm, DataTypeImm)):
        return value.value
    if isinstance(value, (list, tuple)):
        return tuple(freeze(v) for v in value)
    if not isinstance(value, dict):
        return value
    return FrozenDict({k: freeze(v) for k, v in value.items()})


def as_argument(kind: str, value) -> Expr | Node:
    """A Python value as an argument of that kind: a list of sizes is a shape where a shape is
    expected, a list of tensors a tuple, a string the name of a library function."""
    if kind == "shape" and isinstance(value, (list, tuple)):
        return ShapeExpr(as_dims(value))
    if kind == "tensors" and isinstance(value, list):
        return as_expr(tuple(value))
    if kind == "func" and isinstance(value, str):
        return ExternFunc(value)
    return as_expr(value)


def bind(op: Op, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Arguments by parameter name, defaults filled in."""
    names = [p.name for p in op.params]
    place = next((k for k, p in enumerate(op.params) if p.kind == "rest"), None)
    if place is not None and names[place] not in kwargs:
        args = (*args[:place], args[place:]) if len(args) > place else args
    if len(args) > len(names):
        raise StructInfoError(f"{op.short} takes {len(names)} arguments, {len(args)} given",
                              hint=f"{op.short}({', '.join(names)})")
    values = dict(zip(names, args))
    for key, value in kwargs.items():
        if key not in names or key in values:
            what = "given twice" if key in values else "unknown"
            usage = f"{op.short}({', '.join(names)})"
            raise StructInfoError(f"{op.short}: argument {key!r} is {what}", hint=usage if
                                  key in values else did_you_mean(key, names, usage))
        values[key] = value
    for p in op.params:
        if p.name not in values:
            if p.default is REQUIRED:
                raise StructInfoError(f"{op.short}: argument {p.name!r} is missing",
                                      hint=f"{op.short}({', '.join(names)})")
            values[p.name] = p.default
    return values


OPS: dict[str, Op] = {}


def register(op: Op) -> Op:
    """Adds an op to the registry; returns it."""
    OPS[op.name] = op
    return op


def get_op(name: str) -> Op:
    """The op of a name, with or without the leading "relax.". Raises StructInfoError."""
    found = OPS.get(name) or OPS.get(f"relax.{name}")
    if found is None:
        raise StructInfoError(f"no operator is called {name!r}", hint=did_you_mean(
            str(name).removeprefix("relax."), [o.short for o in OPS.values()]))
    return found
