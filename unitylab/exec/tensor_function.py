"""A compiled tensor program as something to call."""

from __future__ import annotations

import ctypes
import math
from functools import cached_property, partial

import numpy as np

from ..interp.refuse import refuse_names
from ..ir.dtypes import DataType
from ..ir.prim import Call, Var, as_int
from ..ir.tir import Evaluate, For, Stmt, While
from .arguments import Accepted, Binder, layouts
from .fast_call import Accept, FastCallable, Recipe
from .kernel import Kernel
from .llvm.trampoline import NOTHING
from .work import Work, work_of


SHORT = 1 << 14  # statements; a kernel that runs no more is done in microseconds


class TensorFunction(FastCallable):
    """`f(*inputs, *outputs)`: outputs are arrays that it writes into (destination passing)."""

    def __init__(self, name: str, kernel: Kernel):
        self.name, self.kernel = name, kernel
        self.binder = Binder(kernel)
        self.run = kernel.run
        self.returns = kernel.func.ret_type
        self.open_calls()

    def slow(self, *args, **named):
        """Runs the program; returns None, or the scalar that it returns. Raises RuntimeCallError
        for arguments that do not fit and BoundsError for an access outside of a buffer."""
        refuse_names(self.name, named)
        accepted = self.binder.seen.get(layouts(args))
        prepared = accepted.take(args) if accepted is not None else None
        if prepared is None:
            return self._first(args)
        code = self.run(prepared[2])
        if code:
            raise self.kernel.error(code, prepared[1])
        if self.returns != "void":
            return self._result(prepared[1], self.returns)
        if not self._settle(args, accepted, prepared):
            accepted.idle.append(prepared)
        return None

    def _settle(self, args, accepted: Accepted, prepared) -> bool:
        """Makes a recipe for further calls with such arguments; it then owns the words."""
        accepts = [Accept.of(a, a, k in self.kernel.written) for k, a in enumerate(args)]
        if not self.native or not self.lacks_recipe(accepts):
            return False
        words, record, start = prepared
        self.add_recipe(Recipe(
            accepts, [],
            [(k, j, size, other) for k, j, size, other in accepted.apart],
            [(k, start + 8 * k) for k in range(len(args))], [(self.kernel.code.address, start)],
            NOTHING, [], partial(_fail, self.kernel, record), self.short,
            (words, record, self.kernel)))
        return True

    @property
    def native(self) -> bool:
        """Whether the machine code is all that a call runs (nothing watches for interrupts)."""
        return isinstance(self.run, ctypes._CFuncPtr)

    @cached_property
    def short(self) -> bool:
        """Whether it is done before other threads would miss the interpreter's lock."""
        return self.native and trips(self.kernel.func.body) <= SHORT

    def _first(self, args):
        """A call with all checks."""
        words, record, alive = self.binder.bind(self.name, args)
        code = self.run(ctypes.addressof(words))
        if code:
            raise self.kernel.error(code, record)
        del alive
        return self._result(record, self.returns)

    @staticmethod
    def _result(record, t: DataType):
        if t == "void":
            return None
        raw = int(record[5]).to_bytes(8, "little", signed=True)[:t.itemsize]
        return np.frombuffer(raw, t.numpy)[0] if not t.is_bool else bool(raw[0] & 1)

    def work(self, args) -> Work:
        """The operations and bytes of a call with these arguments."""
        sizes = {}
        for p, a in zip(self.kernel.signature.params, args):
            if isinstance(p, Var) and isinstance(a, (int, np.integer)):
                sizes[p] = int(a)
        for s in self.kernel.signature.sizes:
            if s.what == "shape" and s.axis < len(getattr(args[s.param], "shape", ())):
                sizes[s.var] = int(args[s.param].shape[s.axis])
        return work_of(self.kernel.func, sizes)

    def __repr__(self) -> str:
        params = ", ".join(p.name for p in self.kernel.signature.params)
        return f"<compiled {self.name}({params})>"


def trips(stmt: Stmt) -> float:
    """How often the statements of a program run at most, infinite where that is not known."""
    if isinstance(stmt, While) or isinstance(stmt, Evaluate) and isinstance(stmt.value, Call):
        return math.inf
    inner = sum(trips(c) for c in stmt.children() if isinstance(c, Stmt)) or 1
    if not isinstance(stmt, For):
        return inner
    extent = as_int(stmt.extent)
    return math.inf if extent is None else extent * inner


def _fail(kernel: Kernel, record, step: int, code: int) -> None:
    fail(kernel, code, record)


def fail(kernel: Kernel, code: int, record) -> None:
    """Raises what a record says, and clears it for the next call."""
    error = kernel.error(code, record)
    for k in range(len(record)):
        record[k] = 0
    raise error
