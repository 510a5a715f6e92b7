"""`FoldConstant`: what depends on constants alone is computed now."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...interp import interpret
from ...ir.errors import UnityLabError
from ...ir.module import IRModule
from ...ir.node import FrozenDict
from ...ir.op import Op
from ...ir.prim import GlobalVar, IntImm, as_int
from ...ir.relax import (Call, Constant, Expr, Function, SeqExpr, ShapeExpr, Tuple, TupleGetItem,
                         Var, VarBinding, const, info_of)
from ...ir.relax import PrimValue
from ...ir.struct_info import StructInfo, TensorStructInfo, TupleStructInfo
from ...ir.tir import For, PrimFunc, Stmt
from ...ir.transform import Pass, Recorder
from .binding_mutator import BindingMutator
from .purity import is_pure

CREATION_LIMIT = 1024  # elements: larger `zeros`, `arange`, ... are cheaper to make than to keep
RANDOM = ("random", "dropout", "multinomial")


@dataclass(frozen=True)
class FoldConstant(Pass):
    """Evaluates pure calls (of operators and of tensor programs) whose arguments are all constant.

    evaluate: a function of a module that gives its functions as callables; the reference
        interpreter if none is given.
    max_elements: the largest result of an operator.
    max_iterations: the most loop iterations of a tensor program."""

    evaluate: Callable | None = None
    max_elements: int = 1 << 22
    max_iterations: int = 1 << 17

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        return mod.map_functions(lambda name, f: _Folder(mod, name, recorder, self).visit(f),
                                 Function)


class _Folder(BindingMutator):
    def __init__(self, mod, function, recorder, options: FoldConstant):
        super().__init__(mod, function, recorder)
        self.options = options
        self.evaluate = options.evaluate or interpret
        self.known: dict[Var, Expr] = {}

    def visit_Function(self, func: Function) -> Function:
        return func if func.attrs.get("Primitive") else self.rebuild(func)

    def visit_VarBinding(self, binding: VarBinding) -> VarBinding:
        new = self.rebuild(binding)
        if isinstance(new.value, Call) and self.wants("fold", binding):
            value = self.folded(new.value, info_of(new.var))
            if value is not None:
                new = new.replace(value=value)
                self.record("fold", (binding, binding.value), (new, value))
        value = self.closed(new.value)
        if _is_constant(value):
            self.known[new.var] = value
        return new

    def closed(self, e: Expr) -> Expr | None:
        """`e` with constants for variables, None where one is not constant."""
        if isinstance(e, Var):
            return self.known.get(e)
        if isinstance(e, Tuple):
            fields = tuple(map(self.closed, e.fields))
            return None if None in fields else Tuple(fields)
        if isinstance(e, TupleGetItem):
            inner = self.closed(e.tuple)
            return inner.fields[e.index] if isinstance(inner, Tuple) else None
        if isinstance(e, ShapeExpr):
            return e if all(isinstance(v, IntImm) for v in e.values) else None
        if isinstance(e, PrimValue):
            return e if hasattr(e.value, "value") else None
        return e

    def folded(self, call: Call, info: StructInfo | None) -> Expr | None:
        """The value of a call, None if it cannot or should not be computed now."""
        if not is_pure(call, self.mod) or not self.is_small(call, info):
            return None
        args = tuple(map(self.closed, call.args))
        if any(a is None for a in args):
            return None
        func = Function((), SeqExpr((), call.replace(args=args)), info)
        functions = {"fold": func}
        functions |= {a.name: self.mod[a] for a in args if isinstance(a, GlobalVar)}
        try:
            return as_constant(self.evaluate(IRModule(FrozenDict(functions)))["fold"](), info)
        except UnityLabError:
            return None

    def is_small(self, call: Call, info: StructInfo | None) -> bool:
        size = _elements(info)
        if size is None or not isinstance(call.op, Op):
            return False
        if call.op.name == "relax.call_tir":
            callee = self.mod.functions.get(getattr(call.args[0], "name", None))
            work = iterations(callee.body) if isinstance(callee, PrimFunc) else math.inf
            return work <= self.options.max_iterations
        if call.op.numpy is None or any(word in call.op.name for word in RANDOM):
            return False
        creates = not any(isinstance(a, (Var, Constant, Tuple)) for a in call.args)
        return size <= (CREATION_LIMIT if creates else self.options.max_elements)


def iterations(stmt: Stmt) -> float:
    """How often the innermost statements run; infinite where a loop's length is not known."""
    if isinstance(stmt, For):
        extent = as_int(stmt.extent)
        return math.inf if extent is None else max(extent, 1) * iterations(stmt.body)
    inner = [iterations(c) for c in stmt.children() if isinstance(c, Stmt)]
    return sum(inner) if inner else 1


def as_constant(value, info: StructInfo) -> Expr:
    """A run-time value as a constant, or a tuple of constants."""
    if isinstance(info, TupleStructInfo):
        return Tuple(tuple(as_constant(v, f) for v, f in zip(value, info.fields)))
    return const(np.asarray(value).astype(info.dtype.numpy, copy=False))


def _elements(info: StructInfo | None) -> int | None:
    """How many elements a value has, None if that is not known."""
    if isinstance(info, TensorStructInfo) and info.dims is not None and info.dtype is not None:
        sizes = [as_int(d) for d in info.dims]
        return None if None in sizes else math.prod(sizes)
    if isinstance(info, TupleStructInfo) and info.fields:
        sizes = [_elements(f) for f in info.fields]
        return None if None in sizes else sum(sizes)
    return None


def _is_constant(value: Expr | None) -> bool:
    return isinstance(value, Constant) or \
        (isinstance(value, Tuple) and all(map(_is_constant, value.fields)))
