"""Tensors and what each element of them is."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from .. import prim
from ..dtypes import INT64, DataType
from ..dtypes import dtype as as_dtype
from ..errors import StructInfoError
from ..node import EMPTY, FrozenDict, Node, child, definition, node, note, plain
from ..prim import PrimExpr, Var, literal
from ..tir import REDUCE, SPATIAL, IterVar, Range


@node
class Tensor(Node):
    """One output of a tensor computation. `op` None: an input. Index it as `A[i, j]`."""

    name: str = note()
    shape: tuple[PrimExpr, ...] = child()
    dtype: DataType = plain()
    op: Compute | None = child(None)
    index: int = plain(0)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, indices) -> TensorLoad:
        indices = indices if isinstance(indices, tuple) else (indices,)
        if len(indices) != self.ndim:
            raise StructInfoError(f"{self.name} has {self.ndim} dimensions, "
                                  f"{len(indices)} indices given")
        return TensorLoad(self, tuple(i.var if isinstance(i, IterVar) else literal(i)
                                      for i in indices))

    def __call__(self, *indices) -> TensorLoad:
        return self[indices]


@node
class TensorLoad(PrimExpr):
    """An element of a tensor inside of a tensor expression."""

    tensor: Tensor = plain()
    indices: tuple[PrimExpr, ...] = child()

    @property
    def dtype(self) -> DataType:
        return self.tensor.dtype


@node
class Compute(Node):
    """The rule of a tensor: `body` for each point of `axis` (several bodies: several outputs)."""

    name: str = plain()
    axis: tuple[IterVar, ...] = definition()
    body: tuple[PrimExpr, ...] = child()
    attrs: FrozenDict = child(EMPTY)


def placeholder(shape, dtype: str = "float32", name: str = "placeholder") -> Tensor:
    """An input tensor."""
    return Tensor(name, _dims(shape), as_dtype(dtype))


def _dims(shape) -> tuple[PrimExpr, ...]:
    shape = shape if isinstance(shape, (tuple, list)) else (shape,)
    return tuple(literal(s, INT64) if isinstance(s, int) else s for s in shape)


def reduce_axis(dom, name: str = "rv") -> IterVar:
    """A reduction axis over `(begin, end)`."""
    begin, end = (literal(d, INT64) if isinstance(d, int) else d for d in dom)
    return IterVar(Var(name, end.dtype), Range(begin, prim.sub(end, begin)), REDUCE)


def compute(shape, rule: Callable, name: str = "compute", attrs=None):
    """The tensor with `rule(*indices)` at each point; a tuple of tensors if the rule gives one.

    Index variables are named after the parameters of `rule`."""
    dims = _dims(shape)
    axis = tuple(IterVar(Var(n, d.dtype), Range(literal(0, d.dtype), d), SPATIAL)
                 for n, d in zip(_axis_names(rule, len(dims)), dims))
    result = rule(*[a.var for a in axis])
    several = isinstance(result, (tuple, list))
    bodies = tuple(map(literal, result)) if several else (literal(result),)
    op = Compute(name, axis, bodies, FrozenDict(attrs or {}))
    outs = tuple(Tensor(f"{name}.v{i}" if several else name, dims, b.dtype, op, i)
                 for i, b in enumerate(bodies))
    return outs if several else outs[0]


def _axis_names(rule: Callable, ndim: int) -> list[str]:
    names = [p.name for p in inspect.signature(rule).parameters.values()
             if p.kind is not inspect.Parameter.VAR_POSITIONAL and p.default is p.empty]
    return names if len(names) == ndim else [f"i{k}" for k in range(ndim)]
