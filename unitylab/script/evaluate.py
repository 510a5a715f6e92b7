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
from ..ir.struct_info import PrimStructInfo
from ..ir.structural import structural_equal
from . import ir as I  # noqa: E741 - the namespace's name
from . import relax as R
from . import tir as T
from .constants import STORE
from .diagnostics import Source, call_checked

_BINARY = {ast.Add: prim.add, ast.Sub: prim.sub, ast.Mult: prim.mul, ast.Div: prim.div,
           ast.FloorDiv: prim.floordiv, ast.Mod: prim.floormod,
           ast.BitAnd: lambda a, b: prim.bitwise("bitwise_and", a, b),
           ast.BitOr: lambda a, b: prim.bitwise("bitwise_or", a, b),
           ast.BitXor: lambda a, b: prim.bitwise("bitwise_xor", a, b),
           ast.LShift: lambda a, b: prim.bitwise("shift_left", a, b),
           ast.RShift: lambda a, b: prim.bitwise("shift_right", a, b)}
_PYTHON = {ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
           ast.FloorDiv: lambda a, b: a // b, ast.Mod: lambda a, b: a % b,
           ast.Div: lambda a, b: a / b, ast.LShift: lambda a, b: a << _exponent(b),
           ast.RShift: lambda a, b: a >> b, ast.BitAnd: lambda a, b: a & b,
           ast.BitOr: lambda a, b: a | b, ast.BitXor: lambda a, b: a ^ b,
           ast.Pow: lambda a, b: a ** _exponent(b)}
_COMPARE = {ast.Eq: prim.EQ, ast.NotEq: prim.NE, ast.Lt: prim.LT, ast.LtE: prim.LE,
            ast.Gt: prim.GT, ast.GtE: prim.GE}
_PY_COMPARE = {ast.Eq: lambda a, b: a == b, ast.NotEq: lambda a, b: a != b,
               ast.Lt: lambda a, b: a < b, ast.LtE: lambda a, b: a <= b,
               ast.Gt: lambda a, b: a > b, ast.GtE: lambda a, b: a >= b}
_GRAPH = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
          ast.FloorDiv: "floor_divide", ast.Mod: "floor_mod", ast.Pow: "power",
          ast.Eq: "equal", ast.NotEq: "not_equal", ast.Lt: "less", ast.LtE: "less_equal",
          ast.Gt: "greater", ast.GtE: "greater_equal"}
_VALUES = (bool, int, float, str, bytes, type(None), tuple, list, dict, np.ndarray, np.generic,
           Node, Op, IRModule)
MAX_DEPTH = 120
# what a mistake in the text may raise in the functions that build nodes
_MISTAKES = (UnityLabError, TypeError, ValueError, AttributeError, ArithmeticError, LookupError,
             AssertionError)


def _exponent(b):
    """A shift or power of literals; more than this would not fit in 64 bits."""
    if b > 64:
        raise ParseError(f"{b} is too much for a shift or power of literals", hint="at most 64")
    return b


class ModuleRef:
    """`cls` or the name of the class: its functions are GlobalVars."""

    def __init__(self, functions):
        self.functions = functions
        self.externs: dict[str, relax.ExternFunc] = {}  # library functions that it names
        self.made: dict[str, tir.PrimFunc] = {}  # tensor programs that R.emit_te added


class Builder:
    """A function of ours that script may call (from a namespace)."""

    def __init__(self, name: str, call):
        self.name, self.call = name, call


class Evaluator:
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
        if n.id in _ROOTS:
            return _ROOTS[n.id]
        if n.id in _BUILTINS:
            return _BUILTINS[n.id]
        ref = self.scopes[0].get("cls") if self.scopes else None
        if isinstance(ref, ModuleRef) and n.id in (ref.functions or ()):  # older: without cls
            return prim.GlobalVar(n.id, span=self.source.span(n))
        if n.id in self.outer:
            return self.outer_value(n, self.outer[n.id])
        known = [k for s in self.scopes for k in s] + [k for k, v in self.outer.items()
                                                      if isinstance(v, _VALUES)]
        raise self.source.error(n, f"the name {n.id!r} is not defined", did_you_mean(
            n.id, dict.fromkeys([*known, *_ROOTS, *_BUILTINS]),
            "names are defined by parameters, loops and assignments above"))

    def outer_value(self, n: ast.Name, value):
        if any(value is root for root in _ROOTS.values()):
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

    def eval_UnaryOp(self, n: ast.UnaryOp):
        value = self.eval(n.operand)
        if isinstance(n.op, ast.Not):
            return prim.Not(prim.literal(value)) if isinstance(value, prim.PrimExpr) else not value
        if isinstance(value, relax.Expr):
            if isinstance(n.op, ast.USub):
                return get_op("negative")(value)
            raise self.source.error(n, "this operator has no meaning for tensors")
        if isinstance(value, T.ScalarType):
            raise self.source.error(n, "a type is no value")
        if isinstance(n.op, ast.USub):
            if isinstance(value, (prim.IntImm, prim.FloatImm)):
                return value.replace(value=-value.value)
            return -value
        return value if isinstance(n.op, ast.UAdd) else ~value

    def eval_BinOp(self, n: ast.BinOp):
        a, b = self.eval(n.left), self.eval(n.right)
        kind = type(n.op)
        if isinstance(a, relax.Expr) or isinstance(b, relax.Expr):
            if kind not in _GRAPH:
                raise self.source.error(n, "this operator has no meaning for tensors")
            return get_op(_GRAPH[kind])(a, b)
        if isinstance(a, prim.PrimExpr) or isinstance(b, prim.PrimExpr):
            return self.spanned(_BINARY[kind](self.scalar(n.left, a), self.scalar(n.right, b)), n)
        if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and kind is ast.Add:
            return a + b
        if isinstance(a, (int, float)) and isinstance(b, (int, float)):
            value = _PYTHON[kind](a, b)
            if isinstance(value, complex) or isinstance(value, int) and abs(value) >= 2**64:
                raise self.source.error(n, "the value of this does not fit in 64 bits")
            return value
        raise self.source.error(n, f"{_kind(a)} and {_kind(b)} cannot be combined like this")

    def scalar(self, n: ast.expr, value):
        """A value that stands in scalar arithmetic."""
        if isinstance(value, (prim.PrimExpr, bool, int, float)):
            return value
        if isinstance(value, Region):
            return value.value()
        if isinstance(value, relax.Var) and isinstance(value.struct_info, PrimStructInfo):
            return value.struct_info.value
        raise self.source.error(n, f"a scalar expected, this is {_kind(value)}")

    def eval_Compare(self, n: ast.Compare):
        terms = [n.left, *n.comparators]
        values = [self.eval(t) for t in terms]
        results = [self.compare(n, type(op), a, b)
                   for op, a, b in zip(n.ops, values, values[1:])]
        if len(results) == 1:
            return results[0]
        return prim.logical_and(*results)

    def compare(self, n: ast.Compare, kind: type, a, b):
        if kind not in _COMPARE:
            raise self.source.error(n, "this comparison is not part of the language")
        if isinstance(a, relax.Expr) or isinstance(b, relax.Expr):
            return get_op(_GRAPH[kind])(a, b)
        if isinstance(a, prim.PrimExpr) or isinstance(b, prim.PrimExpr):
            return self.spanned(prim.compare(_COMPARE[kind], a, b), n)
        return _PY_COMPARE[kind](a, b)

    def eval_BoolOp(self, n: ast.BoolOp):
        values = [self.eval(v) for v in n.values]
        values = [v.value() if isinstance(v, Region) else v for v in values]
        if not any(isinstance(v, prim.PrimExpr) for v in values):
            return all(values) if isinstance(n.op, ast.And) else any(values)
        kind = prim.And if isinstance(n.op, ast.And) else prim.Or
        result = prim.literal(values[0])
        for v in values[1:]:
            result = kind(result, prim.literal(v))
        return result

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
        raise self.source.error(n, f"{_kind(base)} has no attribute {n.attr!r} here",
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
            return base.get(self, n, self.eval(n.slice))
        index = self.eval(n.slice)
        if isinstance(base, tir.Buffer):
            return self.buffer_access(n, base, index)
        if isinstance(base, relax.Expr) and isinstance(index, int):
            return relax.TupleGetItem(base, index, span=self.source.span(n))
        if isinstance(base, (T.LetType, T._BufferType, R._InfoType, dict)):
            return base[index]
        if isinstance(base, (tuple, list)) and isinstance(index, (int, slice)):
            return base[index]
        raise self.source.error(n, f"{_kind(base)} cannot be indexed like this")

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
        raise self.source.error(n, f"{_kind(callee)} cannot be called")

    def spanned(self, value, n: ast.AST):
        """A node that was just made, with its place."""
        if isinstance(value, (prim.Call, tir.BufferLoad, relax.Call)) and value.span is None:
            return value.replace(span=self.source.span(n))
        return value


class Region:
    """`A[0:4, i]`: a region in `T.reads`, a vector load elsewhere."""

    def __init__(self, buffer: tir.Buffer, parts, span):
        self.buffer, self.parts, self.span = buffer, parts, span

    def region(self) -> tir.BufferRegion:
        return tir.BufferRegion(self.buffer, tuple(r for r, _ in self.parts), span=self.span)

    def indices(self) -> tuple:
        return tuple(r.min if prim.is_const(r.extent, 1) and s is None else
                     prim.Ramp(r.min, prim.literal(1 if s is None else s, r.min.dtype),
                               _lanes(r.extent, 1 if s is None else s)) for r, s in self.parts)

    def value(self) -> tir.BufferLoad:
        return tir.BufferLoad(self.buffer, self.indices(), span=self.span)


class Metadata:
    """`metadata["relax.expr.Constant"]["key"]`: constants that travel beside the text."""

    def __init__(self, found=None):
        self.found = found

    def get(self, evaluator: Evaluator, n: ast.Subscript, key):
        if key == "relax.expr.Constant":
            return self
        value = evaluator.constants.get(key, STORE.get(key) if isinstance(key, str) else None)
        if value is None:
            raise evaluator.source.error(n, f"the constant {key!r} is not known here",
                                         "pass constants={key: array} to ul.parse, or use "
                                         "ul.from_json")
        return value if isinstance(value, relax.Constant) else relax.const(value)


def _lanes(extent, step):
    """How many steps fit into an extent, which is an expression for scalable vectors."""
    length, step = prim.as_int(extent), prim.as_int(step)
    if length is not None:
        return -(-length // step)
    if step == 1:
        return extent
    scaled = isinstance(extent, prim.Mul) and prim.is_const(extent.b, step)
    return extent.a if scaled else prim.floordiv(extent, step)


def extent_between(low, high):
    """high - low, seeing through `low + n`."""
    if isinstance(high, prim.Add) and high.a is low:
        return high.b
    if isinstance(high, prim.Add):
        if structural_equal(high.a, low):
            return high.b
        if isinstance(low, prim.Add) and isinstance(high, prim.Add) and \
                structural_equal(low.a, high.a):
            return prim.sub(high.b, low.b)
    return prim.sub(high, low)


def _takes_regions(callee) -> bool:
    return isinstance(callee, Builder) and callee.name in (
        "T.reads", "T.writes", "T.match_buffer", "reads", "writes")


def _kind(value) -> str:
    if isinstance(value, Builder):
        return f"the function {value.name}"
    if isinstance(value, Node):
        return {"Var": "a variable", "Buffer": "a buffer"}.get(
            type(value).__name__, f"a {type(value).__name__}")
    return f"a Python {type(value).__name__}" if value is not None else "None"


_ROOTS = {"T": T, "R": R, "I": I}
_BUILTINS = {"metadata": Metadata(), "range": Builder("range", None), "float": Builder("float",
             float), "int": Builder("int", int), "True": True, "False": False,
             "min": Builder("min", min), "max": Builder("max", max), "len": Builder("len", len)}


def parse_error_of_syntax(source: Source, e: Exception) -> ParseError:
    """A ParseError for text that is not Python at all."""
    line, column = getattr(e, "lineno", None) or 1, max(0, (getattr(e, "offset", None) or 1) - 1)
    place = ast.Pass(lineno=line, col_offset=column, end_lineno=line, end_col_offset=column + 1)
    return source.error(place, f"not valid syntax: {getattr(e, 'msg', None) or e}")
