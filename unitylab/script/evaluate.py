"""Reads expressions of script. Nothing is executed: each kind of syntax has a rule of ours, names
are looked up in scopes and in the namespaces `T`, `R`, `I`."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import numpy as np

from ..ir import prim, relax, tir
from ..ir.errors import ParseError, UnityLabError, did_you_mean
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.op import Op, get_op
from . import ir as I  # noqa: E741 - the namespace's name
from . import relax as R
from . import tir as T
from .constants import STORE
from .diagnostics import Source, call_checked
from .operators import Operators
from .values import BUILTINS, ROOTS, Builder, Metadata, ModuleRef, Region, extent_between, kind_of

_VALUES = (bool, int, float, str, bytes, type(None), tuple, list, dict, np.ndarray, np.generic,
           Node, Op, IRModule)
MAX_DEPTH = 120
# what a mistake in the text may raise in the functions that build nodes
_MISTAKES = (UnityLabError, TypeError, ValueError, AttributeError, ArithmeticError, LookupError,
             AssertionError)


class Evaluator(Operators):
    """Evaluates expression syntax in scopes; `outer` holds the caller's Python values."""

    def __init__(self, source: Source, outer: Mapping[str, object] | None = None,
                 constants: Mapping[str, object] | None = None, modern: bool = False):
        self.source, self.outer, self.modern = source, outer or {}, modern
        self.constants = constants or {}
        self.scopes: list[dict[str, object]] = [{}]
        self.depth = 0

    # --- scopes -----------------------------------------------------------------------------

    def lookup(self, n: ast.Name):
        for scope in reversed(self.scopes):
            if n.id in scope:
                return scope[n.id]
        if n.id in ROOTS:
            return ROOTS[n.id]
        if n.id in BUILTINS:
            return BUILTINS[n.id]
        ref = self.scopes[0].get("cls") if self.scopes else None
        if isinstance(ref, ModuleRef) and n.id in (ref.functions or ()):  # older: without cls
            return prim.GlobalVar(n.id, span=self.source.span(n))
        if n.id in self.outer:
            return self.outer_value(n, self.outer[n.id])
        known = [k for s in self.scopes for k in s] + [k for k, v in self.outer.items()
                                                      if isinstance(v, _VALUES)]
        raise self.source.error(n, f"the name {n.id!r} is not defined", did_you_mean(
            n.id, dict.fromkeys([*known, *ROOTS, *BUILTINS]),
            "names are defined by parameters, loops and assignments above"))

    def outer_value(self, n: ast.Name, value):
        if any(value is root for root in ROOTS.values()):
            return value
        if isinstance(value, np.ndarray):
            return relax.const(value)
        if isinstance(value, _VALUES) or isinstance(value, (T.ScalarType, T.BufferSpec)):
            return value
        raise self.source.error(n, f"{n.id!r} is a Python {type(value).__name__}: script sees only "
                                   "numbers, strings, tuples, arrays and functions of the IR")

    def define(self, name: str, value) -> None:
        self.scopes[-1][name] = value

    # --- expressions ------------------------------------------------------------------------

    def eval(self, n: ast.expr):
        """The value of an expression: a node, a Python value, or a name of a namespace."""
        method = getattr(self, f"eval_{type(n).__name__}", None)
        if method is None:
            raise self.source.error(n, f"{type(n).__name__} is not part of the language")
        self.depth += 1
        try:
            if self.depth > MAX_DEPTH:
                raise self.source.error(n, "this expression is nested too deeply")
            return method(n)
        except _MISTAKES as e:
            raise self.source.located(n, e) from None
        finally:
            self.depth -= 1

    def located(self, method, n: ast.AST):
        """`method(n)`; what goes wrong in it is the fault of the text at `n`."""
        try:
            return method(n)
        except _MISTAKES as e:
            raise self.source.located(n, e) from None

    def eval_Constant(self, n: ast.Constant):
        if isinstance(n.value, int) and abs(n.value) >= 2**64:
            raise self.source.error(n, "this integer does not fit in 64 bits")
        if isinstance(n.value, (bool, int, float, str, type(None))):
            return n.value
        raise self.source.error(n, f"a literal of type {type(n.value).__name__} has no meaning")

    def eval_Name(self, n: ast.Name):
        return self.lookup(n)

    def eval_Tuple(self, n: ast.Tuple):
        return tuple(self.eval(e) for e in n.elts)

    def eval_List(self, n: ast.List):
        return [self.eval(e) for e in n.elts]

    def eval_Dict(self, n: ast.Dict):
        if None in n.keys:
            raise self.source.error(n, "** is not part of the language")
        return {self.eval(k): self.eval(v) for k, v in zip(n.keys, n.values)}

    def eval_Slice(self, n: ast.Slice):
        return slice(*(None if p is None else self.eval(p) for p in (n.lower, n.upper, n.step)))

    def eval_IfExp(self, n: ast.IfExp):
        test = self.eval(n.test)
        if isinstance(test, Node):
            raise self.source.error(n, "a branch of values is written T.if_then_else(c, a, b)")
        return self.eval(n.body if test else n.orelse)

    def eval_Lambda(self, n: ast.Lambda):
        names = [a.arg for a in n.args.args]

        def call(*values):
            if len(values) != len(names) and not n.args.vararg:
                raise self.source.error(n, f"the lambda takes {len(names)} arguments")
            self.scopes.append(dict(zip(names, values)))
            if n.args.vararg:
                self.scopes[-1][n.args.vararg.arg] = tuple(values[len(names):])
            try:
                return self.eval(n.body)
            finally:
                self.scopes.pop()
        call.arity = len(names)
        call.names = names
        return Builder("lambda", call)

    def eval_Starred(self, n: ast.Starred):
        raise self.source.error(n, "* is not part of the language here")

    def eval_Attribute(self, n: ast.Attribute):
        base = self.eval(n.value)
        if base is T:
            if n.attr not in T.NAMES:
                raise self.source.error(n, f"T.{n.attr} is not known",
                                        did_you_mean(n.attr, T.NAMES, prefix="T."))
            return self.wrap(f"T.{n.attr}", T.NAMES[n.attr])
        if base is R:
            return self.wrap(f"R.{n.attr}", R.resolve(n.attr))
        if base is I:
            if n.attr not in I.NAMES:
                raise self.source.error(n, f"I.{n.attr} is not known",
                                        did_you_mean(n.attr, I.NAMES, prefix="I."))
            return self.wrap(f"I.{n.attr}", I.NAMES[n.attr])
        if isinstance(base, R.OpNamespace):
            return self.wrap(n.attr, getattr(base, n.attr))
        if isinstance(base, T.Namespace):
            return self.wrap(f"T.axis.{n.attr}", getattr(base, n.attr))
        if isinstance(base, ModuleRef):
            if n.attr.startswith("__"):
                raise self.source.error(n, f"a module has no function {n.attr!r}")
            if n.attr in base.externs:
                return base.externs[n.attr]
            if base.functions is not None and n.attr not in base.functions:
                raise self.source.error(n, f"the module has no function {n.attr!r}",
                                        did_you_mean(n.attr, base.functions))
            return prim.GlobalVar(n.attr, span=self.source.span(n))
        return self.attribute(n, base)

    def wrap(self, name: str, value):
        if callable(value) and not isinstance(value, (T.ScalarType, T.HandleType, R._InfoType,
                                                      Op, T.LetType, T._BufferType)):
            return Builder(name, value)
        return value

    def attribute(self, n: ast.Attribute, base):
        if isinstance(base, tir.Buffer) and n.attr in ("data", "shape", "strides", "elem_offset",
                                                       "dtype", "scope"):
            value = getattr(base, n.attr)
            return str(value) if n.attr == "dtype" else value
        if isinstance(base, tir.Buffer) and n.attr == "view":
            return Builder("view", lambda *shape, **k: T.view_of(base, *shape, **k))
        if isinstance(base, T.HandleType) and n.attr == "ty":
            return base.ty
        if isinstance(base, tir.Buffer) and n.attr in ("vload", "vstore", "access_ptr"):
            return Builder(n.attr, lambda *a, **k: self.buffer_method(n, base, n.attr, a, k))
        if isinstance(base, (prim.PrimExpr,)) and n.attr == "dtype":
            return str(base.dtype)
        if isinstance(base, prim.PrimExpr) and n.attr == "astype":
            return Builder("astype", lambda to: prim.cast(base, to))
        if isinstance(base, relax.Expr) and n.attr == "astype":
            return Builder("astype", lambda to: get_op("astype")(base, dtype=to))
        known = ("dtype", "astype") if not isinstance(base, tir.Buffer) else \
            ("data", "shape", "strides", "elem_offset", "dtype", "scope", "view", "vload", "vstore")
        raise self.source.error(n, f"{kind_of(base)} has no attribute {n.attr!r} here",
                                did_you_mean(n.attr, known))

    def buffer_method(self, n, buffer, name, args, kwargs):
        indices = tir.as_indices(tuple(args[0])) if args else ()
        predicate = kwargs.get("predicate", args[-1] if len(args) > (2 if name == "vstore" else 1)
                               and isinstance(args[-1], prim.PrimExpr) and name == "vstore" and
                               len(args) > 2 else None)
        if name == "vload":
            return tir.BufferLoad(buffer, indices, predicate, span=self.source.span(n))
        if name == "vstore":
            return tir.BufferStore(buffer, prim.literal(args[1]), indices, predicate,
                                   span=self.source.span(n))
        raise self.source.error(n, "access_ptr is not part of the language")

    def eval_Subscript(self, n: ast.Subscript):
        base = self.eval(n.value)
        if isinstance(base, Metadata):
            return self.metadata(n, base, self.eval(n.slice))
        index = self.eval(n.slice)
        if isinstance(base, tir.Buffer):
            return self.buffer_access(n, base, index)
        if isinstance(base, relax.Expr) and isinstance(index, int):
            return relax.TupleGetItem(base, index, span=self.source.span(n))
        if isinstance(base, (T.LetType, T._BufferType, R._InfoType, dict)):
            return base[index]
        if isinstance(base, (tuple, list)) and isinstance(index, (int, slice)):
            return base[index]
        raise self.source.error(n, f"{kind_of(base)} cannot be indexed like this")

    def metadata(self, n: ast.Subscript, base: Metadata, key):
        """The constant that travels beside the text under a key."""
        if key == "relax.expr.Constant":
            return base
        value = self.constants.get(key, STORE.get(key) if isinstance(key, str) else None)
        if value is None:
            raise self.source.error(n, f"the constant {key!r} is not known here",
                                    "pass constants={key: array} to ul.parse, or use ul.from_json")
        return value if isinstance(value, relax.Constant) else relax.const(value)

    def buffer_access(self, n: ast.Subscript, buffer: tir.Buffer, index):
        """A load, or (with slices) a region that becomes one where it is used."""
        index = index if isinstance(index, tuple) else (index,)
        if len(index) != buffer.ndim:
            raise self.source.error(n, f"{buffer.name} has {buffer.ndim} dimensions, {len(index)} "
                                       "indices given")
        if any(isinstance(i, slice) for i in index):
            return Region(buffer, tuple(self.interval(i, s)
                                        for i, s in zip(index, buffer.shape)), self.source.span(n))
        for i in index:
            self.scalar(n.slice, i)
        return tir.BufferLoad(buffer, tuple(prim.literal(i) for i in index),
                              span=self.source.span(n))

    def interval(self, i, size):
        if not isinstance(i, slice):
            i = prim.literal(i)
            return tir.Range(i, prim.literal(1, i.dtype)), None
        low = prim.literal(0, size.dtype) if i.start is None else i.start
        high = size if i.stop is None else i.stop
        low, high = prim.unify(low, high)
        return tir.Range(low, extent_between(low, high)), i.step

    def eval_Call(self, n: ast.Call):
        callee = self.eval(n.func)
        if any(isinstance(a, ast.Starred) for a in n.args) or any(k.arg is None
                                                                  for k in n.keywords):
            raise self.source.error(n, "* and ** are not part of the language")
        args = [self.eval(a) for a in n.args]
        kwargs = {k.arg: self.eval(k.value) for k in n.keywords}
        args = [a.value() if isinstance(a, Region) and not _takes_regions(callee) else a
                for a in args]
        args = [a.call if isinstance(a, Builder) else a for a in args]
        kwargs = {k: v.call if isinstance(v, Builder) else v for k, v in kwargs.items()}
        return self.spanned(self.invoke(n, callee, args, kwargs), n)

    def invoke(self, n: ast.Call, callee, args, kwargs):
        if isinstance(callee, Builder):
            return call_checked(self.source, n, callee.name, callee.call, args, kwargs)
        if isinstance(callee, (Op, T.ScalarType, T.HandleType, T._BufferType, R._InfoType)):
            return callee(*args, **kwargs)
        return self.call_function(n, callee, args, kwargs)

    def call_function(self, n: ast.Call, callee, args, kwargs):
        raise self.source.error(n, f"{kind_of(callee)} cannot be called")

    def spanned(self, value, n: ast.AST):
        """A node that was just made, with its place."""
        if isinstance(value, (prim.Call, tir.BufferLoad, relax.Call)) and value.span is None:
            return value.replace(span=self.source.span(n))
        return value


def _takes_regions(callee) -> bool:
    return isinstance(callee, Builder) and callee.name in (
        "T.reads", "T.writes", "T.match_buffer", "reads", "writes")


def parse_error_of_syntax(source: Source, e: Exception) -> ParseError:
    """A ParseError for text that is not Python at all."""
    line, column = getattr(e, "lineno", None) or 1, max(0, (getattr(e, "offset", None) or 1) - 1)
    place = ast.Pass(lineno=line, col_offset=column, end_lineno=line, end_col_offset=column + 1)
    return source.error(place, f"not valid syntax: {getattr(e, 'msg', None) or e}")
