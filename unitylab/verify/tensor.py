"""Tensor programs: scopes of variables and buffers, loops, blocks, dtypes of stores."""

from __future__ import annotations

from ..ir import tir
from ..ir.dtypes import HANDLE
from ..ir.module import IRModule
from ..ir.prim import IntImm, PrimExpr, Var, as_int
from ..ir.tir import Buffer, access_dtype
from .blocks import BlockChecker
from .report import Report
from .scalars import ScalarChecker
from .scope import Scope

_THREADS = ("thread_extent", "virtual_thread")


class TensorChecker:
    """Checks one PrimFunc. The statements wait on a stack; a pair on it is a call to make."""

    def __init__(self, mod: IRModule, report: Report):
        self.report, self.scope = report, Scope(report)
        self.scalars = ScalarChecker(mod, self.scope, report)
        self.blocks = BlockChecker(self)
        self.stack: list = []

    def function(self, f: tir.PrimFunc) -> None:
        """Parameters, then the body."""
        self.params(f)
        self.blocks.root = f.root
        stack = self.stack
        stack.append(f.body)
        while stack:
            s = stack.pop()
            if type(s) is tuple:
                s[0](s[1])
            elif (rule := _RULES.get(type(s))) is not None:
                self.report.near = s
                rule(self, s)
            else:
                self.report.say("statement", f"a {type(s).__name__} stands where a statement is "
                                "expected", s, "T.evaluate(value) makes a statement of a value")
        self.report.near = None

    # --- parameters and buffers -------------------------------------------------------------

    def params(self, f: tir.PrimFunc) -> None:
        """Scalars first: a shape may use them; then the sizes that stand alone; then all sizes."""
        for p in f.params:
            if isinstance(p, Var):
                self.scope.define(p, "a parameter")
        for b in f.buffers:
            self.unpack(b)
            self.scope.reveal(b.data)
        for b in f.buffers:
            self.scope.define(b, "a parameter")
            self.layout(b)

    def unpack(self, b: Buffer) -> None:
        """Sizes, strides and an offset that stand alone are read off the buffer that is given."""
        for e in (*b.shape, *b.strides, b.elem_offset):
            if type(e) is Var:
                self.scope.reveal(e)

    def layout(self, b: Buffer) -> None:
        """Sizes and strides are integers in scope, as many strides as sizes."""
        for k, e in enumerate(b.shape):
            self.scalars.integer(e, f"size {k} of the buffer {b.name!r}")
            if (as_int(e) or 0) < 0:
                self.report.say("shape", f"size {k} of the buffer {b.name!r} is {as_int(e)}", b,
                                "a size is not negative")
        for k, e in enumerate(b.strides):
            self.scalars.integer(e, f"stride {k} of the buffer {b.name!r}")
        if b.strides and len(b.strides) != len(b.shape):
            self.report.say("rank", f"the buffer {b.name!r} has {len(b.shape)} dimensions and "
                            f"{len(b.strides)} strides", b, "one stride a dimension, or none")
        self.scalars.integer(b.elem_offset, f"the offset of the buffer {b.name!r}")

    def allocate(self, b: Buffer, where: str = "an allocation") -> None:
        """A buffer with memory of its own."""
        self.scope.reveal(b.data)
        self.blocks.own(b.data)
        self.scope.define(b, where)
        self.layout(b)

    def alloc_stmt(self, s: tir.AllocBuffer) -> None:
        self.allocate(s.buffer)

    def declare(self, s: tir.DeclBuffer) -> None:
        """A view of memory that is visible."""
        self.scalars.check(s.buffer.data)
        self.scope.define(s.buffer, "T.decl_buffer")
        self.layout(s.buffer)

    # --- statements -------------------------------------------------------------------------

    def inside(self, *stmts: tir.Stmt) -> None:
        """Next come these statements, in a scope of their own."""
        self.stack.append((self.scope.leave, self.scope.mark()))
        self.stack.extend(reversed(stmts))

    def seq(self, s: tir.SeqStmt) -> None:
        self.inside(*s.stmts)

    def loop(self, s: tir.For) -> None:
        """Bounds in the scope around, the variable in the body."""
        name = s.loop_var.name
        self.scalars.integer(s.min, f"the begin of loop {name!r}")
        self.scalars.integer(s.extent, f"the extent of loop {name!r}")
        if s.step is not None:
            self.scalars.integer(s.step, f"the step of loop {name!r}")
            if as_int(s.step) == 0:
                self.report.say("loop", f"loop {name!r} has the step 0", s, "a step is not zero")
        self.loop_kind(s, name)
        self.inside(s.body)
        self.scope.define_loop(s.loop_var)

    def loop_kind(self, s: tir.For, name: str) -> None:
        """Kind, thread and the variable's dtype."""
        if s.kind not in tir.FOR_KINDS:
            self.report.say("loop", f"loop {name!r} has the unknown kind {s.kind!r}", s,
                            f"one of {', '.join(tir.FOR_KINDS)}")
        if (s.kind == tir.THREAD_BINDING) != (s.thread_binding is not None):
            self.report.say("loop", f"loop {name!r} of kind {s.kind!r} "
                            + ("has" if s.thread_binding else "misses") + " a thread", s,
                            'T.thread_binding(extent, thread="threadIdx.x")')
        t = s.loop_var.dtype
        if not t.is_int or t.lanes > 1:
            self.report.say("loop", f"the variable of loop {name!r} has dtype {t}, an integer is "
                            "expected", s, "int32 or int64")
        for what, e in (("begin", s.min), ("extent", s.extent)):
            if e.dtype != t and e.dtype.is_int and not isinstance(e, IntImm):
                self.report.say("loop", f"the variable of loop {name!r} has dtype {t}, its {what} "
                                f"{e.dtype}; they must agree", s, f'T.Cast("{t}", ...)')

    def bind(self, s: tir.Bind) -> None:
        self.scalars.check(s.value)
        self.scalars._same_dtype(s.var, s.value, s)
        self.scope.define(s.var, "a let")
        if s.var.dtype == HANDLE:
            self.blocks.own(s.var)

    def store(self, s: tir.BufferStore) -> None:
        """Buffer and indices; the value has the dtype of what it is stored to."""
        self.scalars.access(s.buffer, s.indices, s)
        self.blocks.wrote(s.buffer, s)
        self.scalars.check(s.value, *s.indices)
        want, have = access_dtype(s.buffer, s.indices), s.value.dtype
        if want != have:
            self.report.say("dtype", f"a value of dtype {have} is stored to the buffer "
                            f"{s.buffer.name!r}, which holds {want}", s,
                            f'T.Cast("{want}", ...) converts the value')
        if s.predicate is not None:
            self.scalars.condition(s.predicate, "the predicate of a store")

    def branch(self, s: tir.IfThenElse) -> None:
        self.scalars.condition(s.condition, "the condition of an if")
        if s.else_case is not None:
            self.stack.append((self.alone, s.else_case))
        self.inside(s.then_case)

    def alone(self, s: tir.Stmt) -> None:
        self.inside(s)

    def repeat(self, s: tir.While) -> None:
        self.scalars.condition(s.condition, "the condition of a while")
        self.inside(s.body)

    def assertion(self, s: tir.AssertStmt) -> None:
        self.scalars.condition(s.condition, "the condition of an assert")
        self.scalars.check(s.message)

    def evaluate(self, s: tir.Evaluate) -> None:
        self.scalars.check(s.value)

    def attribute(self, s: tir.AttrStmt) -> None:
        """A thread index may be launched in several places."""
        if isinstance(s.value, PrimExpr):
            self.scalars.check(s.value)
        self.inside(s.body)
        if s.key in _THREADS and isinstance(s.node, tir.IterVar):
            self.scope.reveal(s.node.var)

    def realize(self, s: tir.BlockRealize) -> None:
        self.blocks.realize(s)

    def block(self, s: tir.Block) -> None:
        self.blocks.block(s)


_T = TensorChecker
_RULES = {
    tir.SeqStmt: _T.seq, tir.For: _T.loop, tir.BufferStore: _T.store, tir.Bind: _T.bind,
    tir.IfThenElse: _T.branch, tir.While: _T.repeat, tir.AssertStmt: _T.assertion,
    tir.Evaluate: _T.evaluate, tir.AllocBuffer: _T.alloc_stmt, tir.DeclBuffer: _T.declare,
    tir.AttrStmt: _T.attribute, tir.BlockRealize: _T.realize, tir.Block: _T.block,
}
