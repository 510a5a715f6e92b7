"""Statements as LLVM code: loops, branches, allocations."""

from __future__ import annotations

from llvmlite import ir

from ...ir import prim, tir
from ...ir.errors import BuildError
from ...ir.node import Node
from ...ir.prim import PrimExpr, as_int
from ...ir.visitor import Dispatch, collect
from . import unit as codes
from .access import Access
from .arithmetic import FUSE, REASSOCIATE
from .expressions import Expressions
from .folding import fold
from .frame import Frame, Memory
from .patience import looks_up
from .types import I64, i64, known
from .views import Views

STREAM = "nontemporal"         # annotation of a loop: its vectors are stored past the caches
PREFETCH = "prefetch"           # annotation of a loop: bytes from what it reads to what comes later
UNROLL_COUNT = "unroll_count"  # annotation of a loop: how many copies LLVM makes of its body
UNROLL_LIMIT = 1024  # copies of a body that nested unrolled loops may make


class Statements(Dispatch):
    """Emits statements into a frame. `outline(loop)` emits a parallel loop."""

    def __init__(self, frame: Frame, expressions: Expressions, outline):
        self.frame, self.expressions, self.outline = frame, expressions, outline
        self.views = Views(frame, expressions, self.strides, self._product)
        self.copies = 1
        self.lines = frame.unit.lines
        if self.lines is not None:
            self.lines.enter(frame.function, frame.builder)

    def visit(self, node: Node, *args) -> None:
        if self.lines is None:
            return super().visit(node, *args)
        with self.lines.of(node, self.frame.function, self.b):
            return super().visit(node, *args)

    @property
    def b(self) -> ir.IRBuilder:
        return self.frame.builder

    @property
    def access(self) -> Access:
        return self.expressions.access

    def visit_SeqStmt(self, n: tir.SeqStmt) -> None:
        """Statements in order; what is allocated among them is freed at the end."""
        live = len(self.frame.live)
        for s in n.stmts:
            if self.b.block.is_terminated:
                break
            self.visit(s)
        self.frame.release(live)

    def visit_BufferStore(self, n: tir.BufferStore) -> None:
        self.expressions.flags = REASSOCIATE if accumulates(n) else FUSE
        self.access.store(n)
        self.expressions.flags = FUSE

    def visit_Bind(self, n: tir.Bind) -> None:
        self.expressions.bind(n.var, n.value)
        self.views.alias(n.var, n.value)

    def visit_Evaluate(self, n: tir.Evaluate) -> None:
        op = n.value.op if isinstance(n.value, prim.Call) else ""
        if op in ("break_loop", "continue_loop"):
            self._jump(op, n)
        elif op == "ret":
            self._return(n.value)
        elif not isinstance(n.value, prim.IntImm):
            self.expressions.visit(n.value)

    def _jump(self, op: str, n: tir.Evaluate) -> None:
        if not self.frame.loops:
            raise BuildError(f"{op} stands outside of a loop", span=n.span)
        go_on, out, live = self.frame.loops[-1]
        for slot in self.frame.live[live:]:
            self.frame.free(slot)
        self.b.branch(out if op == "break_loop" else go_on)

    def _return(self, call: prim.Call) -> None:
        """Leaves the function; the value goes into word 5 of the record."""
        if call.args:
            value = self.expressions.visit(call.args[0])
            self.b.store(value, self.b.gep(self.frame.record, [i64(5)], source_etype=I64))
        for slot in self.frame.live:
            self.frame.free(slot)
        self.frame.fence()
        self.b.ret(ir.Constant(ir.IntType(32), codes.OK))

    # --- loops ------------------------------------------------------------------------------

    def visit_For(self, n: tir.For) -> None:
        if n.kind == tir.PARALLEL and self.outline(n):
            return
        extent = self.expressions.index(n.extent)
        if n.kind == tir.UNROLLED and self._unroll(n, extent):
            return
        low = self.expressions.index(n.min)
        step = self.expressions.index(n.step) if n.step is not None else i64(1)
        streams = STREAM in n.annotations and not self.access.streaming
        self.access.streaming |= streams
        around, self.access.ahead = self.access.ahead, \
            as_int(n.annotations.get(PREFETCH)) or self.access.ahead
        jump = self.count(n.loop_var, n.min, n.extent, low, extent, step, n.body, looks_up(n))
        self.access.ahead = around
        if streams:
            self.access.streaming, self.frame.streams = False, True
        copies = as_int(n.annotations.get(UNROLL_COUNT)) or (2 if known(extent) == 2 else 0)
        if copies:  # a loop of two iterations is none, however large its body
            jump.set_metadata("llvm.loop", unroll_count(self.frame.unit.module, copies))

    def _unroll(self, n: tir.For, extent: ir.Value) -> bool:
        """A copy of the body for each iteration; False if there would be too many."""
        count, step = known(extent), as_int(n.step) if n.step is not None else 1
        if count is None or not step or self.copies * max(count, 1) > UNROLL_LIMIT or \
                jumps(n.body):
            return False
        self.copies *= max(count, 1)
        low = self.expressions.index(n.min)
        for k in range(0, count, step):
            number = fold(prim.Add, known(low), k)
            value = i64(number) if number is not None else \
                self.b.add(low, i64(k), flags=("nsw",))
            meaning = n.min + prim.literal(k, n.min.dtype)
            with self.frame.bounds.value(n.loop_var, meaning):
                self.frame.set_wide(n.loop_var, value)
                self._scoped(n.body)
        self.copies //= max(count, 1)
        return True

    def count(self, var: prim.Var, first: PrimExpr, extent: PrimExpr, low: ir.Value,
              length: ir.Value, step: ir.Value, body: tir.Stmt,
              stoppable: bool = False) -> ir.Instruction:
        """A loop over `var` from `low`, as long as it is less than `low + length`; returns the
        jump back to its begin."""
        function, name = self.frame.function, var.name
        high = self._sum(low, length)
        head, end = (function.append_basic_block(f"{name}.{s}") for s in ("loop", "end"))
        next_ = function.append_basic_block(f"{name}.next")
        before = self.b.block
        if (known(length) or 0) > 0 and (known(step) or 0) > 0:
            self.b.branch(head)
        else:
            self.b.cbranch(self.b.icmp_signed("<", low, high), head, end)
        self.b.position_at_end(head)
        phi = self.b.phi(I64, name)
        phi.add_incoming(low, before)
        self.frame.set_wide(var, phi)
        with self.frame.bounds.loop(var, first, extent):
            self.frame.loops.append((next_, end, len(self.frame.live)))
            if stoppable:
                self.frame.stoppable(body.span)
            self._scoped(body)
            self.frame.loops.pop()
        if not self.b.block.is_terminated:
            self.b.branch(next_)
        self.b.position_at_end(next_)
        following = self.b.add(phi, step, name=f"{name}.after", flags=("nsw",))
        phi.add_incoming(following, next_)
        jump = self.b.cbranch(self.b.icmp_signed("<", following, high), head, end)
        self.b.position_at_end(end)
        return jump

    def _sum(self, x: ir.Value, y: ir.Value) -> ir.Value:
        folded = fold(prim.Add, known(x), known(y))
        if folded is not None:
            return i64(folded)
        return y if known(x) == 0 else self.b.add(x, y, flags=("nsw",))

    def _scoped(self, body: tir.Stmt) -> None:
        live = len(self.frame.live)
        self.visit(body)
        self.frame.release(live)

    def visit_While(self, n: tir.While) -> None:
        function = self.frame.function
        test, body, end = (function.append_basic_block(f"while.{s}")
                           for s in ("test", "body", "end"))
        self.b.branch(test)
        self.b.position_at_end(test)
        self.b.cbranch(self.expressions.condition(n.condition), body, end)
        self.b.position_at_end(body)
        self.frame.stoppable(n.span)
        self.frame.loops.append((test, end, len(self.frame.live)))
        self._scoped(n.body)
        self.frame.loops.pop()
        if not self.b.block.is_terminated:
            self.b.branch(test)
        self.b.position_at_end(end)

    # --- branches ---------------------------------------------------------------------------

    def visit_IfThenElse(self, n: tir.IfThenElse) -> None:
        condition = self.expressions.condition(n.condition)
        if known(condition) is not None:
            self._known_branch(n, bool(known(condition)))
            return
        function = self.frame.function
        yes, end = (function.append_basic_block(f"if.{s}") for s in ("then", "end"))
        no = function.append_basic_block("if.else") if n.else_case is not None else end
        self.b.cbranch(condition, yes, no)
        self._branch(yes, n.then_case, n.condition, True, end)
        if n.else_case is not None:
            self._branch(no, n.else_case, n.condition, False, end)
        self.b.position_at_end(end)

    def _known_branch(self, n: tir.IfThenElse, holds: bool) -> None:
        if holds:
            self._scoped(n.then_case)
        elif n.else_case is not None:
            self._scoped(n.else_case)

    def _branch(self, start: ir.Block, body: tir.Stmt, condition: PrimExpr, holds: bool,
                end: ir.Block) -> None:
        self.b.position_at_end(start)
        with self.frame.bounds.where(condition, holds):
            self._scoped(body)
        if not self.b.block.is_terminated:
            self.b.branch(end)

    def visit_AssertStmt(self, n: tir.AssertStmt) -> None:
        message = getattr(n.message, "value", "")
        place = self.frame.here(span=n.span, message=str(message))
        self.frame.require(self.expressions.condition(n.condition), codes.ASSERTION, place)

    def visit_AttrStmt(self, n: tir.AttrStmt) -> None:
        """A thread extent is a loop; every other attribute only says something."""
        if n.key == "block_name" and isinstance(n.value, prim.StringImm):
            self.visit_named(n.value.value, n.body)
            return
        thread = n.node.var if isinstance(n.node, tir.IterVar) else None
        if n.key != "thread_extent" or thread is None or id(thread) in self.frame.wide:
            self._scoped(n.body)
            return
        zero = prim.literal(0, n.value.dtype)
        self.count(thread, zero, n.value, i64(0), self.expressions.index(n.value), i64(1), n.body)
        self.frame.wide.pop(id(thread))

    def visit_BlockRealize(self, n: tir.BlockRealize) -> None:
        raise BuildError(f"block {n.block.name!r} was not lowered", span=n.span,
                         hint="LowerBlocks turns blocks into loops")

    def visit_named(self, name: str, body: tir.Stmt) -> None:
        """What was block `name`: errors mention it."""
        self.frame.block, outer = name, self.frame.block
        self._scoped(body)
        self.frame.block = outer

    # --- buffers ----------------------------------------------------------------------------

    def visit_AllocBuffer(self, n: tir.AllocBuffer) -> None:
        buffer = n.buffer
        shape = [self.expressions.index(s) for s in buffer.shape]
        for s in shape:
            if known(s) is not None and known(s) < 0:
                raise BuildError(f"buffer {buffer.name!r} has a negative size: {known(s)}",
                                 span=n.span or buffer.span, hint="sizes are at least 0")
            if known(s) is None:
                self.frame.require(self.b.icmp_signed(">=", s, i64(0)), codes.NO_MEMORY,
                                   self.frame.here(buffer, n.span or buffer.span), (s,))
        strides = self.strides(buffer, shape)
        item = buffer.dtype.itemsize * buffer.dtype.lanes
        size: ir.Value = i64(item)
        for s in shape if not buffer.strides else [self._span(shape, strides)]:
            size = self._product(size, s)
        place = self.frame.here(buffer, n.span or buffer.span)
        pointer = self.frame.allocate(size, known(size), buffer.name, place)
        self.frame.pointers.pop(id(buffer.data), None)
        self.frame.set_memory(buffer, Memory(pointer, tuple(shape), tuple(strides)))
        self.frame.pointers[id(buffer.data)] = pointer
        self.frame.own(buffer.data, (buffer, self.frame.memory[id(buffer)]))

    def _span(self, shape, strides) -> ir.Value:
        """The elements between the first and the last of a strided buffer."""
        total: ir.Value = i64(1)
        for n, s in zip(shape, strides):
            total = self._sum(total, self._product(self._sum(n, i64(-1)), s))
        return total

    def _product(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """A product of sizes; saturates instead of wrapping around, so that no check is fooled."""
        folded = fold(prim.Mul, known(x), known(y))
        if folded is not None:
            return i64(folded)
        if known(x) == 1:
            return y
        pair = self.b.umul_with_overflow(x, y)
        return self.b.select(self.b.extract_value(pair, 1), i64(2**62),
                             self.b.extract_value(pair, 0))

    def strides(self, buffer: tir.Buffer, shape: list[ir.Value]) -> list[ir.Value]:
        """Element strides: the declared ones, or those of a compact buffer."""
        if buffer.strides:
            return [self.expressions.index(s) for s in buffer.strides]
        strides: list[ir.Value] = []
        step: ir.Value = i64(1)
        for s in reversed(shape):
            strides.insert(0, step)
            folded = fold(prim.Mul, known(step), known(s))
            step = i64(folded) if folded is not None else s if known(step) == 1 else \
                self.b.mul(step, s, flags=("nsw",))
        return strides

    def visit_DeclBuffer(self, n: tir.DeclBuffer) -> None:
        self.views.declare(n.buffer)

    def default(self, n: Node, *args):
        raise BuildError(f"{type(n).__name__} has no code generation",
                         span=getattr(n, "span", None))


def accumulates(n: tir.BufferStore) -> bool:
    """Whether a store is `X[i] = X[i] + ...`: a sum, whose order may change."""
    e = n.value
    while isinstance(e, prim.Add):
        if isinstance(e.a, tir.BufferLoad) and e.a.buffer is n.buffer:
            return True
        if isinstance(e.b, tir.BufferLoad) and e.b.buffer is n.buffer:
            return True
        e = e.a
    return False


def unroll_count(module: ir.Module, copies: int) -> ir.MDValue:
    """What tells LLVM how many copies to make of a loop's body: no more, no fewer."""
    option = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.count"),
                                  ir.Constant(ir.IntType(32), copies)])
    node = module.add_metadata([option])
    if node.operands[0] is not node:
        node.operands = (node, option)  # a loop's node begins with itself
    return node


def jumps(body: tir.Stmt) -> bool:
    """Whether a body leaves its loop early."""
    return any(c.op in ("break_loop", "continue_loop") for c in collect(body, prim.Call))
