"""Parallel loops: the body becomes a function, which an OpenMP runtime runs on several threads."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from ...ir import prim, tir
from ...ir.prim import Var
from ...ir.tir import Buffer
from ...ir.visitor import walk
from .expressions import Expressions
from .frame import Frame, Memory
from .statements import Statements, jumps
from .types import I32, I64, PTR, VOID, i64, known


class Outliner:
    """Emits a parallel loop of `frame`; says no where the loop has to stay serial."""

    def __init__(self, frame: Frame, call_function: Callable):
        self.frame, self.call_function = frame, call_function

    def __call__(self, loop: tir.For) -> bool:
        unit = self.frame.unit
        if unit.threads < 2 or not unit.parallel_runtime or self.frame.function.name.startswith(
                "outlined.") or loop.step is not None or jumps(loop.body) or returns(loop.body):
            return False
        outer = Expressions(self.frame, None)
        low, extent = outer.index(loop.min), outer.index(loop.extent)
        if known(extent) in (0, 1):
            return False
        captured = Captured(self.frame, loop)
        body = self._body(loop, captured)
        record = self.frame.record
        context = captured.pack(self.frame)
        code = self.frame.alloca(I32, "code")
        b = self.frame.builder
        b.store(ir.Constant(I32, 0), code)
        b.call(fork_function(unit.module), [
            location(unit.module), ir.Constant(I32, 6), worker_function(unit.module),
            body, low, extent, context, record, code])
        self.frame.propagate(b.load(code, typ=I32))
        return True

    def _body(self, loop: tir.For, captured: Captured) -> ir.Function:
        """`int32 body(first, count, context, record)`: a part of the iterations."""
        unit = self.frame.unit
        unit.outlined += 1
        name = f"outlined.{self.frame.function.name}.{loop.loop_var.name}{unit.outlined}"
        function = ir.Function(unit.module, ir.FunctionType(I32, [I64, I64, PTR, PTR]), name)
        function.linkage = "internal"
        function.attributes.add("nounwind")
        first, count, context, record = function.args
        context.add_attribute("noalias")
        frame = Frame(unit, function, record, self.frame.bounds)
        frame.block = self.frame.block
        captured.unpack(frame, context)
        expressions = Expressions(frame, lambda c: self.call_function(frame, expressions, c))
        statements = Statements(frame, expressions, Outliner(frame, self.call_function))
        statements.count(loop.loop_var, loop.min, loop.extent, first, count, i64(1), loop.body)
        frame.finish()
        return function


def returns(body: tir.Stmt) -> bool:
    return any(isinstance(n, prim.Call) and n.op == "ret" for n in walk(body))


class Captured:
    """The values that a loop body uses from outside, handed over in an array of words."""

    def __init__(self, frame: Frame, loop: tir.For):
        used = {id(n): n for n in walk(loop.body) if isinstance(n, (Var, Buffer))}
        self.scalars = [n for k, n in used.items() if k in frame.scalars]
        self.wide = [n for k, n in used.items() if k in frame.wide]
        self.buffers = [n for k, n in used.items() if k in frame.memory]
        for b in self.buffers:
            self.wide += [v for v in walk(b) if isinstance(v, Var) and id(v) in frame.wide
                          and v not in self.wide]
        self.pointers = [n for k, n in used.items() if k in frame.pointers]
        self.values: list[ir.Value] = [
            *[frame.scalars[id(v)] for v in self.scalars], *[frame.wide[id(v)] for v in self.wide],
            *[frame.pointers[id(v)] for v in self.pointers]]
        for b in self.buffers:
            memory = frame.memory[id(b)]
            self.values += [memory.pointer, *memory.shape, *memory.strides]
        self.memory = {id(b): frame.memory[id(b)] for b in self.buffers}

    def pack(self, frame: Frame) -> ir.Value:
        """Stores what is not a literal into an array on the stack."""
        dynamic = [v for v in self.values if not isinstance(v, ir.Constant)]
        kind = ir.LiteralStructType([v.type for v in dynamic])
        slot = frame.alloca(kind, "context", 64)
        for k, v in enumerate(dynamic):
            frame.builder.store(v, self._field(frame.builder, slot, kind, k))
        return slot

    @staticmethod
    def _field(b: ir.IRBuilder, slot: ir.Value, kind: ir.Type, k: int) -> ir.Value:
        return b.gep(slot, [ir.Constant(I32, 0), ir.Constant(I32, k)], source_etype=kind)

    def unpack(self, frame: Frame, context: ir.Value) -> None:
        """Defines the same names in the frame of the body."""
        kind = ir.LiteralStructType([v.type for v in self.values
                                     if not isinstance(v, ir.Constant)])
        loaded, k = [], 0
        for v in self.values:
            if isinstance(v, ir.Constant):
                loaded.append(v)
                continue
            field = self._field(frame.builder, context, kind, k)
            loaded.append(frame.builder.load(field, typ=v.type))
            k += 1
        values = iter(loaded)
        for v in self.scalars:
            frame.set_scalar(v, next(values))
        for v in self.wide:
            frame.set_wide(v, next(values))
        pointers = [next(values) for _ in self.pointers]
        for b in self.buffers:
            old = self.memory[id(b)]
            pointer = next(values)
            frame.set_memory(b, Memory(pointer, tuple(next(values) for _ in old.shape),
                                       tuple(next(values) for _ in old.strides)))
        for v, pointer in zip(self.pointers, pointers):
            frame.pointers[id(v)] = pointer
            frame.keep.append(v)


# --- the OpenMP runtime ---------------------------------------------------------------------

def location(module: ir.Module) -> ir.Value:
    """The `ident_t` that the runtime wants to know a place in the source by."""
    found = module.globals.get("omp.location")
    if found is not None:
        return found
    text = b";unknown;unknown;0;0;;\0"
    name = ir.GlobalVariable(module, ir.ArrayType(ir.IntType(8), len(text)), "omp.source")
    name.initializer = ir.Constant(name.value_type, bytearray(text))
    name.linkage, name.global_constant = "internal", True
    kind = ir.LiteralStructType([I32, I32, I32, I32, PTR])
    place = ir.GlobalVariable(module, kind, "omp.location")
    place.linkage = "internal"
    place.initializer = ir.Constant(kind, [ir.Constant(I32, 0), ir.Constant(I32, 2),
                                           ir.Constant(I32, 0), ir.Constant(I32, 0), name])
    return place


def fork_function(module: ir.Module) -> ir.Function:
    found = module.globals.get("__kmpc_fork_call")
    return found or ir.Function(module, ir.FunctionType(VOID, [PTR, I32, PTR], var_arg=True),
                                "__kmpc_fork_call")


def worker_function(module: ir.Module) -> ir.Function:
    """What each thread runs: its part of the iterations, one piece a thread."""
    found = module.globals.get("omp.worker")
    if found is not None:
        return found
    kinds = [PTR, PTR, PTR, I64, I64, PTR, PTR, PTR]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), "omp.worker")
    function.linkage = "internal"
    _, _, body, low, extent, context, record, code = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    number = ir.FunctionType(I32, [])
    rank = b.zext(b.call(ir.Function(module, number, "omp_get_thread_num"), []), I64)
    team = b.zext(b.call(ir.Function(module, number, "omp_get_num_threads"), []), I64)
    first = b.sdiv(b.mul(extent, rank), team)
    last = b.sdiv(b.mul(extent, b.add(rank, i64(1))), team)
    kind = ir.FunctionType(I32, [I64, I64, PTR, PTR])
    result = b.call(_typed(b, body, kind), [b.add(low, first), b.sub(last, first), context, record])
    with b.if_then(b.icmp_signed("!=", result, ir.Constant(I32, 0))):
        b.store(result, code)
    b.ret_void()
    return function


def _typed(b: ir.IRBuilder, pointer: ir.Value, kind: ir.FunctionType) -> ir.Value:
    """A pointer that the builder knows to be a function of a type."""
    pointer.function_type = kind
    return pointer
