"""Sample inputs for a function: random numbers of the right shapes, the same for every step."""

from __future__ import annotations

import numpy as np

from ..ir import relax
from ..ir.dtypes import DataType
from ..ir.errors import UnityLabError
from ..ir.module import IRModule
from ..ir.prim import Var, literal
from ..ir.struct_info import (PrimStructInfo, ShapeStructInfo, StructInfo, TensorStructInfo,
                              TupleStructInfo)
from ..ir.tir import BaseFunc, Buffer, PrimFunc
from ..ir.visitor import collect, fold_substitute

SIZES = (5, 3, 7, 2, 4, 6)  # unlike each other, so that a mix-up shows


def entry_point(mod: IRModule) -> str | None:
    """The function that a session runs: "main", else the only public one, else the first."""
    if "main" in mod:
        return "main"
    graphs = [n for n, f in mod.graph_funcs.items() if "global_symbol" in f.attrs]
    public = graphs or [n for n, f in mod.items() if "global_symbol" in f.attrs] or list(mod)
    return public[0] if public else None


def own(args: list) -> list:
    """Arguments that a program may write into: the arrays are copies."""
    return [np.array(a) if isinstance(a, np.ndarray) else a for a in args]


def checked_sizes(sizes: dict[str, int] | None) -> dict[str, int]:
    """Sizes by name. Raises UnityLabError for what is no number of elements."""
    for name, n in (sizes or {}).items():
        if not isinstance(n, (int, np.integer)) or n < 0:
            raise UnityLabError(f"the size {name!r} is a number of elements, not {n!r}",
                                hint='sizes={"n": 16}')
    return dict(sizes or {})


class Sampler:
    """Makes arguments for a function; `sizes` gives symbolic sizes by name."""

    def __init__(self, sizes: dict[str, int] | None = None, seed: int = 0):
        self.random = np.random.default_rng(seed)
        self.given = dict(sizes or {})
        self.sizes: dict[Var, int] = {}

    def size(self, e) -> int:
        for v in collect(e, Var):
            if v not in self.sizes:
                default = SIZES[len(self.sizes) % len(SIZES)]
                self.sizes[v] = self.given.get(v.name, default)
        value = fold_substitute(e, {v: literal(n, v.dtype) for v, n in self.sizes.items()})
        return int(value.value)

    def arguments(self, func: BaseFunc) -> list:
        """One value for each parameter."""
        infos = [p if isinstance(p, (Buffer, Var)) else p.struct_info for p in func.params]
        return [self.value(i) for i in infos]

    def value(self, info: StructInfo | Buffer | Var):
        if isinstance(info, Buffer):
            return self.array(info.shape, info.dtype)
        if isinstance(info, Var) and info.dtype != "handle":
            return self.size(info)
        if isinstance(info, TensorStructInfo) and info.dims is not None and info.dtype:
            return self.array(info.dims, info.dtype)
        if isinstance(info, TupleStructInfo) and info.fields is not None:
            return tuple(self.value(f) for f in info.fields)
        if isinstance(info, ShapeStructInfo) and info.values is not None:
            return tuple(self.size(d) for d in info.values)
        if isinstance(info, PrimStructInfo):
            return self.size(info.value) if info.value is not None else 3
        raise UnityLabError(f"no sample input can be made for {info.script()}",
                            hint="pass inputs=[...] to the session")

    def array(self, dims, dtype: DataType) -> np.ndarray:
        shape = tuple(self.size(d) for d in dims)
        if dtype.is_float:
            return self.random.standard_normal(shape).astype(dtype.element.numpy)
        high = 2 if dtype.is_bool else 4
        return self.random.integers(0, high, shape).astype(dtype.element.numpy)


def sample_inputs(mod: IRModule, name: str, sizes: dict[str, int] | None = None,
                  seed: int = 0) -> list:
    """Arguments for function `name`: normal floats, small integers, sizes as given or 5, 3, ..."""
    return Sampler(sizes, seed).arguments(mod[name])


def is_prim(mod: IRModule, name: str) -> bool:
    """Whether the function writes into its arguments."""
    return isinstance(mod[name], PrimFunc)


def parameters(mod: IRModule, name: str) -> list[str]:
    """The names of the parameters, for people."""
    return [p.name for p in mod[name].params if isinstance(p, (Buffer, Var, relax.Var))]
