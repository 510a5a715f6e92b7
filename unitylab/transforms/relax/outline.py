"""Moving bindings into a function of their own."""

from __future__ import annotations

from ...ir.module import fresh_name
from ...ir.node import FrozenDict
from ...ir.prim import Var as SizeVar
from ...ir.relax import (Binding, Call, Constant, DataflowBlock, DataflowVar, Expr, Function,
                         SeqExpr, ShapeExpr, TupleGetItem, Var, VarBinding, info_of)
from ...ir.struct_info import ShapeStructInfo, StructInfo, TupleStructInfo
from ...ir.visitor import Substitute, collect
from ..private_functions import PrivateFunctions
from .fusion_graph import leaves


def outline(bindings: list[Binding], functions: PrivateFunctions, name: str, attrs: dict,
            keep_constants: bool = False) -> VarBinding:
    """Adds a private function that computes the last of `bindings` and gives the binding that calls
    it instead. What the bindings read from outside become parameters, constants too (unless
    `keep_constants`); of a tuple only the fields that are read. Symbolic sizes that no parameter
    determines come in as a last parameter of kind shape, `tir_vars`."""
    inputs = _inputs(bindings, keep_constants)
    params = _parameters(inputs)
    func = _function(bindings, inputs, params, attrs)
    args: tuple[Expr, ...] = tuple(inputs)
    sizes = undetermined_sizes(func)
    if sizes:
        shape = Var("tir_vars", ShapeStructInfo(tuple(sizes), len(sizes)))
        func = func.replace(params=(*func.params, shape))
        args += (ShapeExpr(tuple(sizes)),)
    gvar = functions.add(func, name)
    last = bindings[-1]
    info = info_of(last.var)
    return VarBinding(last.var, Call(gvar, args, struct_info=info), span=last.span)


def _inputs(bindings: list[Binding], keep_constants: bool) -> list[Expr]:
    """What is read from outside: variables, fields of tuples, and each use of a constant."""
    own = {b.var for b in bindings}
    inputs: dict[int, Expr] = {}
    whole = {v for b in bindings if not isinstance(b.value, TupleGetItem)
             for v in leaves(b.value) if isinstance(v, Var)}
    for b in bindings:
        if _is_field(b.value, own) and b.value.tuple not in whole:
            inputs[id(b.value)] = b.value
            continue
        for leaf in leaves(b.value):
            if isinstance(leaf, Var) and leaf not in own:
                inputs[id(leaf)] = leaf
            elif isinstance(leaf, Constant) and not keep_constants:
                inputs[id(leaf)] = leaf
    return list(inputs.values())


def _is_field(value: Expr, own: set[Var]) -> bool:
    return isinstance(value, TupleGetItem) and isinstance(value.tuple, Var) \
        and value.tuple not in own


def _parameters(inputs: list[Expr]) -> list[Var]:
    """A parameter for each input: named like the variable, or `param_0`, ... for constants."""
    params: list[Var] = []
    taken: set[str] = set()
    constants = 0
    for x in inputs:
        if isinstance(x, Var):
            name = x.name
        elif isinstance(x, TupleGetItem):
            name = f"{x.tuple.name}_{x.index}"
        else:
            name, constants = f"param_{constants}", constants + 1
        name = fresh_name(name, taken)
        taken.add(name)
        params.append(Var(name, info_of(x)))
    return params


def _function(bindings: list[Binding], inputs: list[Expr], params: list[Var],
              attrs: dict) -> Function:
    inside: dict = dict(zip(inputs, params))
    last = bindings[-1]
    result = Var("gv", info_of(last.var))
    for b in bindings[:-1]:
        if not isinstance(b.var, DataflowVar):
            inside[b.var] = DataflowVar(b.var.name, info_of(b.var))
    inside[last.var] = result
    swap = Substitute(inside)
    body = DataflowBlock(tuple(swap.visit(b) for b in bindings))
    return Function(tuple(params), SeqExpr((body,), result), info_of(last.var),
                    attrs=FrozenDict(attrs))


def undetermined_sizes(func: Function) -> list[SizeVar]:
    """The symbolic sizes that a graph function uses and its parameters do not determine."""
    known: set[SizeVar] = set()
    for p in func.params:
        known |= set(determined_by(p.struct_info))
    inner = {v for b in func.body.bindings if hasattr(b, "struct_info")
             for v in determined_by(b.struct_info)}
    return [v for v in collect(func, SizeVar) if v not in known | inner]


def determined_by(info: StructInfo | None) -> list[SizeVar]:
    """The symbolic sizes that a value of this struct info determines."""
    if isinstance(info, TupleStructInfo):
        return [v for f in info.fields or () for v in determined_by(f)]
    value = getattr(info, "value", None)
    dims = getattr(info, "shape", None) or getattr(info, "values", None) or ()
    dims = dims if isinstance(dims, tuple) else ()
    return [d for d in (*dims, value) if isinstance(d, SizeVar)]
