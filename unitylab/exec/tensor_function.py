"""A compiled tensor program as something to call."""

from __future__ import annotations

import ctypes

import numpy as np

from ..ir.dtypes import DataType
from ..ir.prim import Var
from .arguments import Binder, layouts
from .kernel import Kernel
from .work import Work, work_of


class TensorFunction:
    """`f(*inputs, *outputs)`: outputs are arrays that it writes into (destination passing)."""

    def __init__(self, name: str, kernel: Kernel):
        self.name, self.kernel = name, kernel
        self.binder = Binder(kernel)
        self.run = kernel.run
        self.returns = kernel.func.ret_type

    def __call__(self, *args):
        """Runs the program; returns None, or the scalar that it returns. Raises RuntimeCallError
        for arguments that do not fit and BoundsError for an access outside of a buffer."""
        accepted = self.binder.seen.get(layouts(args))
        prepared = accepted.take(args) if accepted is not None else None
        if prepared is None:
            return self._first(args)
        code = self.run(prepared[2])
        if code:
            raise self.kernel.error(code, prepared[1])
        if self.returns == "void":
            accepted.idle.append(prepared)
            return None
        return self._result(prepared[1], self.returns)

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
