"""Runs a `PrimFunc` as plain Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..ir import prim, tir
from ..ir.errors import RuntimeCallError, UnityLabError
from ..ir.visitor import collect
from . import memory, scalars
from .refuse import read_only, refuse_count, refuse_names
from .translate import Translator


class TensorProgram:
    """A `PrimFunc` that can be called: outputs are written into the arrays given last."""

    def __init__(self, name: str, func: tir.PrimFunc, funcs: Mapping[str, Callable]):
        self.name, self.func, self.funcs = name, func, funcs
        self._run: Callable | None = None
        self._written: set[tir.Buffer] = set()

    def __call__(self, *args, **named):
        refuse_names(self.name, named)
        refuse_count(self.name, [p.name for p in self.func.params], args)
        if self._run is None:
            self._run = self._translated()
        bound: dict[prim.Var, int] = {}
        args = [self._check(i, p, a, bound) for i, (p, a) in enumerate(zip(self.func.params, args))]
        with np.errstate(all="ignore"):
            try:
                return self._run(self.funcs, *args)
            except UnityLabError:
                raise
            except Exception as e:  # whatever a wrong program leads to, it is one clear error
                raise RuntimeCallError(f"{self.name}: {type(e).__name__}: {e}") from e

    def _translated(self) -> Callable:
        self._written = {s.buffer for s in collect(self.func.body, tir.BufferStore)}
        try:
            return Translator(self.func).compile()
        except (SyntaxError, RecursionError, MemoryError) as e:
            raise RuntimeCallError(f"{self.name} is nested too deep for the interpreter: "
                                   f"{getattr(e, 'msg', None) or e}", span=self.func.span,
                                   hint="build runs it") from None

    def _check(self, i: int, p, a, bound: dict):
        if isinstance(p, prim.Var):
            if isinstance(a, (memory.Pointer, type(None))):
                return a
            if p.dtype == "handle":
                if not isinstance(a, np.ndarray):
                    raise RuntimeCallError(f"{self.name}: argument {i} ({p.name}) is a pointer: an "
                                           f"array is expected, not {type(a).__name__}")
                return memory.pointer_to(a)
            bound[p] = a
            return scalars.cast(a if isinstance(a, (int, float)) else np.asarray(a)[()], p.dtype)
        if isinstance(a, memory.Pointer):
            shape = tuple(s.value for s in p.shape)
            return memory.view(a, p, shape, (), 0)
        if not isinstance(a, np.ndarray):
            raise RuntimeCallError(f"{self.name}: argument {i} ({p.name}) must be a NumPy array, "
                                   f"not {type(a).__name__}")
        if a.dtype != p.dtype.element.numpy:
            raise RuntimeCallError(f"{self.name}: argument {i} ({p.name}) has dtype {a.dtype}, "
                                   f"{p.dtype} expected")
        if p in self._written and not a.flags.writeable:
            raise read_only(f"{self.name}: argument {i} ({p.name})")
        lanes = 1 if p.dtype.lanes > 1 else 0
        if a.ndim != p.ndim + lanes:
            raise RuntimeCallError(f"{self.name}: argument {i} ({p.name}) has {a.ndim} dimensions, "
                                   f"{p.ndim + lanes} expected")
        for d, (want, have) in enumerate(zip(p.shape, a.shape)):
            want = bound.setdefault(want, have) if isinstance(want, prim.Var) else \
                getattr(want, "value", have)
            if want != have:
                raise RuntimeCallError(f"{self.name}: dimension {d} of argument {i} ({p.name}) is "
                                       f"{have}, {want} expected")
        return a
