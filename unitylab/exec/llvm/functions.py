"""Tensor programs as LLVM functions: parameters, the packed entry, calls among them."""

from __future__ import annotations

import re

from llvmlite import ir

from ...ir import prim
from ...ir.dtypes import DataType
from ...ir.errors import BuildError
from ...ir.module import IRModule
from ...ir.tir import Buffer, BufferLoad, PrimFunc
from ..bounds import Bounds
from .arithmetic import convert, widen_bfloat
from .expressions import Expressions
from .frame import Frame, Memory
from .lines import Lines
from .parallel import Outliner
from .signature import Signature, signature_of
from .statements import Statements
from .types import FLOAT, I1, I32, I64, PTR, i64, register_type
from .unit import Unit


def emit_unit(mod: IRModule, name: str, entry: str, located: bool = False, **options) -> Unit:
    """The LLVM module of tensor program `name` (lowered: no blocks), callable as `entry`;
    `located` marks its instructions with the lines of the statements' spans."""
    module = ir.Module(name=readable(name))
    unit = Unit(mod, module, lines=Lines(module) if located else None, **options)
    module.cpu = unit.cpu
    function = emit_function(unit, name)
    _packed_entry(unit, mod[name], function, entry)
    return unit


def readable(name: str) -> str:
    """A name that LLVM and the assembler print without quotes."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", name)


def emit_function(unit: Unit, name: str) -> ir.Function:
    """The function of a tensor program: pointers, scalars and sizes, then the record."""
    if name in unit.functions:
        return unit.functions[name]
    func = unit.mod.functions.get(name)
    if not isinstance(func, PrimFunc):
        raise BuildError(f"the tensor program {name!r} that is called does not exist")
    signature = signature_of(func)
    kinds = [PTR if isinstance(p, Buffer) else register_type(p.dtype) for p in signature.params]
    kinds += [I64] * len(signature.sizes) + [PTR]
    function = ir.Function(unit.module, ir.FunctionType(I32, kinds), _free(unit, name))
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    unit.functions[name] = function
    _mark_pointers(func, function)
    frame = Frame(unit, function, function.args[-1], Bounds())
    expressions = Expressions(frame, lambda call: call_function(frame, expressions, call))
    _define_parameters(frame, expressions, signature, function)
    statements = Statements(frame, expressions, Outliner(frame, call_function))
    _define_buffers(frame, statements, signature, function)
    statements.visit(func.body)
    frame.finish()
    return function


def _free(unit: Unit, name: str) -> str:
    base = f"{readable(name)}.kernel"
    k, candidate = 0, base
    while candidate in unit.module.globals:
        k += 1
        candidate = f"{base}{k}"
    return candidate


def _mark_pointers(func: PrimFunc, function: ir.Function) -> None:
    """Tells LLVM that tensors do not overlap (a call checks it)."""
    data = [p.data for p in func.params if isinstance(p, Buffer)]
    raw = any(isinstance(p, prim.Var) and p.dtype == "handle" for p in func.params)
    for p, argument in zip(func.params, function.args):
        if isinstance(p, Buffer):
            argument.name = readable(p.name)
            if data.count(p.data) == 1 and not raw:
                argument.add_attribute("noalias")
    function.args[-1].add_attribute("noalias")
    function.args[-1].name = "record"


def _define_parameters(frame: Frame, expressions: Expressions, signature: Signature,
                       function: ir.Function) -> None:
    for p, argument in zip(signature.params, function.args):
        if isinstance(p, Buffer):
            continue
        if p.dtype.is_int:
            frame.set_wide(p, convert(frame.builder, argument, p.dtype, DataType("int64")))
        else:
            frame.set_scalar(p, argument)
    for source, argument in zip(signature.sizes, function.args[len(signature.params):]):
        frame.set_wide(source.var, argument)
        argument.name = readable(source.var.name)
        if source.what == "shape":
            frame.bounds.size(source.var)


def _define_buffers(frame: Frame, statements: Statements, signature: Signature,
                    function: ir.Function) -> None:
    for p, argument in zip(signature.params, function.args):
        if isinstance(p, Buffer):
            if "noalias" in argument.attributes:
                frame.distinct.add(id(argument))
            shape = [statements.expressions.index(s) for s in p.shape]
            memory = Memory(argument, tuple(shape), tuple(statements.strides(p, shape)))
            frame.set_memory(p, memory)
            frame.own(p.data, (p, memory))
            if p.ndim > 1:
                frame.unit.arguments.add(p)


def _packed_entry(unit: Unit, func: PrimFunc, function: ir.Function, entry: str) -> None:
    """`int32 entry(int64 *words)`: unpacks the words and calls the function."""
    outer = ir.Function(unit.module, ir.FunctionType(I32, [PTR]), entry)
    b = ir.IRBuilder(outer.append_basic_block("entry"))
    values = []
    for k, argument in enumerate(function.args):
        slot = b.gep(outer.args[0], [i64(k)], source_etype=I64)
        values.append(_load_word(b, slot, argument.type, func, k))
    b.ret(b.call(function, values))


def _load_word(b: ir.IRBuilder, slot: ir.Value, kind: ir.Type, func: PrimFunc, k: int):
    if kind == I1:
        return b.trunc(b.load(slot, typ=I64), I1)
    bfloat = k < len(func.params) and func.params[k].dtype == "bfloat16"
    if bfloat and kind == FLOAT:
        return widen_bfloat(b, b.load(slot, typ=ir.IntType(16)))
    return b.load(slot, typ=kind, align=8)


def call_function(frame: Frame, expressions: Expressions, call: prim.Call) -> ir.Value:
    """A call of another tensor program, whose sizes must be known from its own shapes."""
    name = call.op.name
    callee = frame.unit.mod.functions.get(name)
    if not isinstance(callee, PrimFunc):
        raise BuildError(f"{name!r} is called but is no tensor program of the module",
                         span=call.span)
    if len(call.args) != len(callee.params):
        raise BuildError(f"{name} takes {len(callee.params)} arguments, {len(call.args)} given",
                         span=call.span)
    signature = signature_of(callee)
    function = frame.unit.functions.get(name) or emit_function(frame.unit, name)
    values = [_argument(frame, expressions, p, a) for p, a in zip(callee.params, call.args)]
    for source in signature.sizes:
        values.append(_size(frame, source, call))
    b = frame.builder
    code = b.call(function, [*values, frame.record])
    frame.propagate(code)
    if callee.ret_type == "void":
        return ir.Constant(I32, 0)
    b = frame.builder
    return b.load(b.gep(frame.record, [i64(5)], source_etype=I64),
                  typ=register_type(callee.ret_type))


def _argument(frame: Frame, expressions: Expressions, p, a) -> ir.Value:
    if isinstance(p, Buffer):
        if isinstance(a, BufferLoad):
            return expressions.access.address(a)
        return expressions.visit(a)
    return convert(frame.builder, expressions.visit(a), a.dtype, p.dtype)


def _size(frame: Frame, source, call: prim.Call) -> ir.Value:
    """The size that the buffer behind an argument has."""
    pointer = call.args[source.param]
    for key, memory in frame.memory.items():
        buffer = next(b for b in frame.keep if id(b) == key)
        if isinstance(buffer, Buffer) and buffer.data is pointer and source.what == "shape" and \
                source.axis < len(memory.shape):
            return memory.shape[source.axis]
    raise BuildError(f"{call.op.name}: the size {source.var.name!r} is not known at the call",
                     span=call.span, hint="give its buffer a constant shape")
