"""Parallel loops: the body becomes a function, which an OpenMP runtime runs on several threads."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from ...ir import prim, tir
from ...ir.prim import Var
from ...ir.tir import Buffer
from ...ir.visitor import walk
from .amount import ENOUGH, amount
from .expressions import Expressions
from .frame import Frame, Memory
from .openmp import GOMP, KMPC
from .patience import looks_up
from .races import why_dependent
from .statements import Statements, jumps
from .types import I32, I64, PTR, VOID, i64, known


class Outliner:
    """Emits a parallel loop of `frame`; says no where the loop has to stay serial."""

    def __init__(self, frame: Frame, call_function: Callable):
        self.frame, self.call_function = frame, call_function

    def __call__(self, loop: tir.For) -> bool:
        unit = self.frame.unit
        if unit.threads < 2 or not unit.parallel_runtime or self.frame.function.name.startswith(
                "outlined.") or loop.step is not None or jumps(loop.body) or returns(loop.body) \
                or why_dependent(loop) is not None:
            return False
        outer = Expressions(self.frame, None)
        low, extent = outer.index(loop.min), outer.index(loop.extent)
        if known(extent) in (0, 1):
            return False
        captured = Captured(self.frame, loop)
        body = self._body(loop, captured)
        record = self.frame.record
        context = captured.pack(self.frame)
        b = self.frame.builder
        task = self.frame.alloca(TASK, "task")
        for k, value in enumerate((body, low, extent, context, record, ir.Constant(I32, 0))):
            b.store(value, field(b, task, k))
        work = amount(loop, self.frame.scalars.keys() | self.frame.wide.keys())
        if work is None:
            FORKS[unit.parallel_runtime](self.frame, task)
        else:
            enough = b.icmp_signed(">=", outer.index(work), i64(ENOUGH))
            with b.if_else(enough) as (shared, alone):
                with shared:
                    FORKS[unit.parallel_runtime](self.frame, task)
                with alone:
                    b.store(b.call(body, [low, extent, context, record]), field(b, task, CODE))
        self.frame.propagate(b.load(field(b, task, CODE), typ=I32))
        return True

    def _body(self, loop: tir.For, captured: Captured) -> ir.Function:
        """`int32 body(first, count, context, record)`: a part of the iterations."""
        unit = self.frame.unit
        unit.outlined += 1
        name = f"outlined.{self.frame.function.name}.{loop.loop_var.name}{unit.outlined}"
        inner = self._iterations(loop, captured, f"{name}.body")
        function = ir.Function(unit.module, ir.FunctionType(I32, [I64, I64, PTR, PTR]), name)
        function.linkage = "internal"
        first, count, context, record = function.args
        b = ir.IRBuilder(function.append_basic_block("entry"))
        b.ret(b.call(inner, [first, count, record, *captured.load(b, context)]))
        return function

    def _iterations(self, loop: tir.For, captured: Captured, name: str) -> ir.Function:
        """The loop with all that it uses as parameters, so that LLVM knows what does not alias."""
        unit = self.frame.unit
        kinds = [I64, I64, PTR, *[v.type for v in captured.dynamic]]
        function = ir.Function(unit.module, ir.FunctionType(I32, kinds), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        first, count, record, *values = function.args
        frame = Frame(unit, function, record, self.frame.bounds)
        frame.block = self.frame.block
        captured.define(frame, values)
        expressions = Expressions(frame, lambda c: self.call_function(frame, expressions, c))
        statements = Statements(frame, expressions, Outliner(frame, self.call_function))
        statements.count(loop.loop_var, loop.min, loop.extent, first, count, i64(1), loop.body,
                         looks_up(loop))
        frame.finish()
        return function


def returns(body: tir.Stmt) -> bool:
    return any(isinstance(n, prim.Call) and n.op == "ret" for n in walk(body))


class Captured:
    """The values that a loop body uses from outside; `dynamic` are those that are no literals."""

    def __init__(self, frame: Frame, loop: tir.For):
        self.frame = frame
        used = {id(n): n for n in walk(loop.body) if isinstance(n, (Var, Buffer))}
        self.buffers = [n for k, n in used.items() if k in frame.memory]
        for v in (v for b in self.buffers for v in walk(b) if isinstance(v, Var)):
            used[id(v)] = v
        self.scalars = [n for k, n in used.items() if k in frame.scalars]
        self.wide = [n for k, n in used.items() if k in frame.wide]
        self.pointers = [n for k, n in used.items() if k in frame.pointers]
        has_views = any(isinstance(n, tir.DeclBuffer) for n in walk(loop.body))
        self.owners = {k: frame.owners[k] for k in used if k in frame.owners} if has_views else {}
        self.names = used
        self.dynamic: list[ir.Value] = list({id(v): v for v in self._values()
                                             if not isinstance(v, ir.Constant)}.values())
        self.kind = ir.LiteralStructType([v.type for v in self.dynamic])

    def _values(self):
        frame = self.frame
        for table, names in ((frame.scalars, self.scalars), (frame.wide, self.wide),
                             (frame.pointers, self.pointers)):
            yield from (table[id(v)] for v in names)
        for memory in (*(frame.memory[id(b)] for b in self.buffers),
                       *(memory for _, memory in self.owners.values())):
            yield from (memory.pointer, *memory.shape, *memory.strides)

    def pack(self, frame: Frame) -> ir.Value:
        """The values in a structure on the stack."""
        slot = frame.alloca(self.kind, "context", 64)
        for k, v in enumerate(self.dynamic):
            frame.builder.store(v, self._field(frame.builder, slot, k))
        return slot

    def load(self, b: ir.IRBuilder, context: ir.Value) -> list[ir.Value]:
        """The values out of the structure."""
        return [b.load(self._field(b, context, k), typ=v.type) for k, v in enumerate(self.dynamic)]

    def _field(self, b: ir.IRBuilder, slot: ir.Value, k: int) -> ir.Value:
        return b.gep(slot, [ir.Constant(I32, 0), ir.Constant(I32, k)], source_etype=self.kind)

    def define(self, frame: Frame, values: list[ir.Value]) -> None:
        """Gives the names of the outer frame the new values in the frame of the body."""
        outer = self.frame
        new = {id(old): value for old, value in zip(self.dynamic, values)}
        for old, value in zip(self.dynamic, values):
            if id(old) in outer.distinct and not outer.has_views:
                value.add_attribute("noalias")
                frame.distinct.add(id(value))

        def moved(value: ir.Value) -> ir.Value:
            return new.get(id(value), value)
        for v in self.scalars:
            frame.set_scalar(v, moved(outer.scalars[id(v)]))
        for v in self.wide:
            frame.set_wide(v, moved(outer.wide[id(v)]))
        def placed(m: Memory) -> Memory:
            return Memory(moved(m.pointer), tuple(map(moved, m.shape)),
                          tuple(map(moved, m.strides)))
        for b in self.buffers:
            frame.set_memory(b, placed(outer.memory[id(b)]))
        for k, (b, memory) in self.owners.items():
            frame.own(self.names[k], (b, placed(memory)))
        for v in self.pointers:
            frame.pointers[id(v)] = moved(outer.pointers[id(v)])
            frame.keep.append(v)


# --- the OpenMP runtime ---------------------------------------------------------------------

# what the threads share: body, first iteration, count, context, error record, error code
TASK = ir.LiteralStructType([PTR, I64, I64, PTR, PTR, I32])
CODE = 5


def field(b: ir.IRBuilder, task: ir.Value, k: int) -> ir.Value:
    return b.gep(task, [ir.Constant(I32, 0), ir.Constant(I32, k)], source_etype=TASK)


def fork_kmpc(frame: Frame, task: ir.Value) -> None:
    """A parallel region of LLVM's and Intel's runtime."""
    b, module = frame.builder, frame.unit.module
    place = location(module)
    thread = b.call(frame.external("__kmpc_global_thread_num", I32, [PTR]), [place])
    b.call(frame.external("__kmpc_push_num_threads", VOID, [PTR, I32, I32]),
           [place, thread, ir.Constant(I32, frame.unit.threads)])
    fork = module.globals.get("__kmpc_fork_call") or ir.Function(
        module, ir.FunctionType(VOID, [PTR, I32, PTR], var_arg=True), "__kmpc_fork_call")
    b.call(fork, [place, ir.Constant(I32, 1), worker_function(module, [PTR, PTR, PTR]), task])


def fork_gomp(frame: Frame, task: ir.Value) -> None:
    """A parallel region of GCC's runtime."""
    fork = frame.external("GOMP_parallel", VOID, [PTR, PTR, I32, I32])
    frame.builder.call(fork, [worker_function(frame.unit.module, [PTR]), task,
                              ir.Constant(I32, frame.unit.threads), ir.Constant(I32, 0)])


FORKS = {KMPC: fork_kmpc, GOMP: fork_gomp}


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


def worker_function(module: ir.Module, parameters: list[ir.Type]) -> ir.Function:
    """What each thread runs: its part of the iterations, one piece a thread. The task is the last
    parameter."""
    found = module.globals.get("omp.worker")
    if found is not None:
        return found
    function = ir.Function(module, ir.FunctionType(VOID, parameters), "omp.worker")
    function.linkage = "internal"
    task = function.args[-1]
    b = ir.IRBuilder(function.append_basic_block("entry"))
    body, low, extent, context, record = (
        b.load(field(b, task, k), typ=t) for k, t in enumerate(TASK.elements[:CODE]))
    number = ir.FunctionType(I32, [])
    rank = b.zext(b.call(ir.Function(module, number, "omp_get_thread_num"), []), I64)
    team = b.zext(b.call(ir.Function(module, number, "omp_get_num_threads"), []), I64)
    first = b.sdiv(b.mul(extent, rank), team)
    last = b.sdiv(b.mul(extent, b.add(rank, i64(1))), team)
    kind = ir.FunctionType(I32, [I64, I64, PTR, PTR])
    result = b.call(Callee(body, kind), [b.add(low, first), b.sub(last, first), context, record])
    with b.if_then(b.icmp_signed("!=", result, ir.Constant(I32, 0))):
        b.store(result, field(b, task, CODE))
    b.ret_void()
    return function


class Callee:
    """A pointer as the function that it points to, which llvmlite cannot say by itself."""

    def __init__(self, pointer: ir.Value, kind: ir.FunctionType):
        self.pointer, self.function_type, self.type = pointer, kind, pointer.type

    def get_reference(self) -> str:
        return self.pointer.get_reference()
