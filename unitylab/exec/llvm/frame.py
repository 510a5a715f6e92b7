"""One LLVM function under construction: its values, memory, and what happens when it fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llvmlite import ir

from ...ir.errors import BuildError, Span
from ...ir.prim import Var
from ...ir.tir import Buffer
from ..bounds import Bounds
from ..interrupt import STOP
from . import unit as codes
from .types import I8, I32, I64, PTR, i64
from .unit import Place, Unit

STACK_BYTES = 1 << 18      # what one function may take of the stack
LARGE_ON_STACK = 1 << 16   # a larger buffer goes to the heap
ALIGNMENT = 64


@dataclass(frozen=True)
class Memory:
    """Where a buffer lies: address of its first element, and run-time shape and strides."""

    pointer: ir.Value
    shape: tuple[ir.Value, ...]
    strides: tuple[ir.Value, ...]


class Frame:
    """Values of variables (`scalars` in their own dtype, `wide` as 64-bit integers) and buffers."""

    def __init__(self, unit: Unit, function: ir.Function, record: ir.Value, bounds: Bounds):
        self.unit, self.function, self.record, self.bounds = unit, function, record, bounds
        self.entry = function.append_basic_block("entry")
        self.body = function.append_basic_block("body")
        self.failed = function.append_basic_block("failed")
        self.builder = ir.IRBuilder(self.body)
        self.scalars: dict[int, ir.Value] = {}
        self.wide: dict[int, ir.Value] = {}
        self.memory: dict[int, Memory] = {}
        self.pointers: dict[int, ir.Value] = {}
        self.owners: dict[int, tuple[Buffer, Memory]] = {}  # whose memory a pointer points into
        self.keep: list[object] = []
        self.heap: list[ir.Value] = []   # all slots that may hold heap memory
        self.live: list[ir.Value] = []   # those in scope
        self.loops: list[tuple[ir.Block, ir.Block, int]] = []  # next, end, live heap
        self.distinct: set[int] = set()  # pointers that reach what no other pointer reaches
        self.has_views = False
        self.streams = False             # whether something was stored past the caches
        self.block = ""
        self.stack_left = STACK_BYTES
        self.code = ir.IRBuilder(self.failed).phi(I32, "code")

    # --- names ------------------------------------------------------------------------------

    def set_wide(self, v: Var, value: ir.Value) -> None:
        """Gives an integer variable its value, as a 64-bit number."""
        self.keep.append(v)
        self.wide[id(v)] = value
        self.scalars.pop(id(v), None)

    def set_scalar(self, v: Var, value: ir.Value) -> None:
        self.keep.append(v)
        self.scalars[id(v)] = value
        self.wide.pop(id(v), None)

    def set_memory(self, b: Buffer, memory: Memory) -> None:
        self.keep.append(b)
        self.memory[id(b)] = memory
        self.pointers.setdefault(id(b.data), memory.pointer)

    def own(self, pointer: Var, owner: tuple[Buffer, Memory]) -> None:
        """Views of `pointer` see the memory of this buffer."""
        self.keep.append(pointer)
        self.owners[id(pointer)] = owner

    def memory_of(self, b: Buffer) -> Memory:
        found = self.memory.get(id(b))
        if found is None:
            raise BuildError(f"buffer {b.name!r} is used but not defined", span=b.span,
                             hint="make it a parameter or allocate it")
        return found

    # --- memory -----------------------------------------------------------------------------

    def alloca(self, kind: ir.Type, name: str, align: int = 0) -> ir.Value:
        """Stack memory, taken once a call."""
        with self.at_entry() as b:
            slot = b.alloca(kind, name=name)
            if align:
                slot.align = align
            slot.type = PTR  # llvmlite makes it a typed pointer, which LLVM has no longer
            return slot

    @contextmanager
    def at_entry(self) -> Iterator[ir.IRBuilder]:
        yield ir.IRBuilder(self.entry)

    def allocate(self, size: ir.Value, constant_size: int | None, name: str,
                 place: Place) -> ir.Value:
        """Memory of so many bytes until `release`; on the stack if it is small and known."""
        if constant_size is not None and constant_size <= min(LARGE_ON_STACK, self.stack_left):
            self.stack_left -= constant_size
            kind = ir.ArrayType(I8, max(constant_size, 1))
            pointer = self.alloca(kind, name, ALIGNMENT)
        else:
            pointer = self._on_heap(size, name, place)
        self.distinct.add(id(pointer))
        return pointer

    def _on_heap(self, size: ir.Value, name: str, place: Place) -> ir.Value:
        b = self.builder
        with self.at_entry() as e:
            slot = e.alloca(PTR, name=f"{name}.heap")
            e.store(ir.Constant(PTR, None), slot)
        self.heap.append(slot)
        self.live.append(slot)
        total = b.add(size, i64(ALIGNMENT))
        limit = b.icmp_unsigned("<=", size, i64(_memory_limit()))
        self.require(limit, codes.NO_MEMORY, place, (size,))
        b = self.builder
        raw = b.call(self.external("malloc", PTR, [I64]), [total])
        b.store(raw, slot)
        missing = b.icmp_unsigned("!=", b.ptrtoint(raw, I64), i64(0))
        self.require(missing, codes.NO_MEMORY, place, (size,))
        b = self.builder
        start = b.and_(b.add(b.ptrtoint(raw, I64), i64(ALIGNMENT - 1)), i64(-ALIGNMENT))
        offset = b.sub(start, b.ptrtoint(raw, I64))
        return b.gep(raw, [offset], source_etype=I8, name=name)

    def release(self, count: int) -> None:
        """Frees heap memory until `count` pieces are live."""
        for slot in self.live[count:]:
            if not self.builder.block.is_terminated:
                self.free(slot)
        del self.live[count:]

    def free(self, slot: ir.Value) -> None:
        """Gives back heap memory; does nothing where there is none."""
        b = self.builder
        b.call(self.external("free", ir.VoidType(), [PTR]), [b.load(slot, typ=PTR)])
        b.store(ir.Constant(PTR, None), slot)

    def external(self, name: str, result: ir.Type, args: list[ir.Type]) -> ir.Function:
        """A C function of the process."""
        found = self.unit.module.globals.get(name)
        return found or ir.Function(self.unit.module, ir.FunctionType(result, args), name)

    def fence(self) -> None:
        """Stores past the caches are seen by other threads from here on."""
        if self.streams and self.unit.cpu.x86:
            self.builder.call(self.external("llvm.x86.sse.sfence", ir.VoidType(), []), [])

    # --- failing ----------------------------------------------------------------------------

    def require(self, holds: ir.Value, code: int, place: Place, words=()) -> None:
        """Goes on only where `holds`; else records what happened and returns `code`."""
        b = self.builder
        fail = self.function.append_basic_block("fail")
        go_on = self.function.append_basic_block("checked")
        b.cbranch(holds, go_on, fail).set_weights([1 << 20, 1])
        b.position_at_end(fail)
        self.fail(code, place, words)
        b.position_at_end(go_on)

    def fail(self, code: int, place: Place, words=()) -> None:
        """Ends the function here with an error. The first to fail writes the record."""
        b = self.builder
        old = b.cmpxchg(self.record, i64(0), i64(code), "monotonic")
        first = b.extract_value(old, 1)
        write = self.function.append_basic_block("record")
        b.cbranch(first, write, self.failed)
        self.code.add_incoming(ir.Constant(I32, code), b.block)
        b.position_at_end(write)
        for k, word in enumerate((self.unit.place(place), *words), start=1):
            b.store(word, b.gep(self.record, [i64(k)], source_etype=I64))
        self.code.add_incoming(ir.Constant(I32, code), write)
        b.branch(self.failed)

    def stoppable(self, span: Span | None) -> None:
        """Returns from here if the word `stop` is set; see `exec.interrupt`."""
        module = self.unit.module
        word = module.globals.get(STOP)
        if word is None:
            word = ir.GlobalVariable(module, I32, STOP)
            word.type = PTR
        value = self.builder.load_atomic(word, "monotonic", 4, typ=I32)
        self.require(self.builder.icmp_signed("==", value, ir.Constant(I32, 0)), codes.STOPPED,
                     self.here(span=span))

    def propagate(self, code: ir.Value) -> None:
        """Goes on where `code`, what a called function returned, is zero; else returns it."""
        b = self.builder
        fine = b.icmp_signed("==", code, ir.Constant(I32, codes.OK))
        go_on = self.function.append_basic_block("returned")
        b.cbranch(fine, go_on, self.failed)
        self.code.add_incoming(code, b.block)
        b.position_at_end(go_on)

    def here(self, buffer: Buffer | None = None, span: Span | None = None,
             message: str = "") -> Place:
        return Place(buffer, self.block, span, message)

    def finish(self) -> None:
        """Closes the function: the way out on success, and the one on failure."""
        if not self.builder.block.is_terminated:
            self.fence()
            self.builder.ret(ir.Constant(I32, codes.OK))
        ir.IRBuilder(self.entry).branch(self.body)
        b = ir.IRBuilder(self.failed)
        if not self.code.incomings:
            b.block.instructions.clear()
            b.unreachable()
            return
        for slot in self.heap:
            b.call(self.external("free", ir.VoidType(), [PTR]), [b.load(slot, typ=PTR)])
        b.ret(self.code)


def _memory_limit() -> int:
    """The bytes of one allocation that this machine can possibly give."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1 << 40
