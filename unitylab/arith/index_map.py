"""`IndexMap`: where the elements of a buffer, or the points of a block, go in another layout."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..ir import prim
from ..ir.dtypes import dtype as as_dtype
from ..ir.prim import PrimExpr, Var, as_int, literal
from ..ir.tir import Range
from ..ir.visitor import fold_substitute
from .analyzer import Analyzer
from .evaluate import evaluate
from .int_set import Relax
from .iter_inverse import invert_affine
from .iter_map import NotAffine, detect


@dataclass(frozen=True)
class IndexMap:
    """`inputs -> outputs`: a point with coordinates `inputs` has the coordinates `outputs`."""

    inputs: tuple[Var, ...]
    outputs: tuple[PrimExpr, ...]

    @classmethod
    def of(cls, f: Callable, ndim: int, dtype: str | Sequence[str] = "int32") -> IndexMap:
        """The map that a Python function of `ndim` variables computes."""
        names = _names(f, ndim)
        dtypes = [dtype] * ndim if isinstance(dtype, str) else dtype
        inputs = tuple(Var(n, t) for n, t in zip(names, dtypes))
        found = f(*inputs)
        found = found if isinstance(found, (tuple, list)) else (found,)
        # integers in the text of a map take the dtype of the indices
        wide = max((v.dtype for v in inputs), key=lambda t: t.bits,
                   default=as_dtype("int32"))
        return cls(inputs, tuple(_index(v, wide) for v in found if v is not Ellipsis))

    def __call__(self, indices: Sequence[PrimExpr]) -> tuple[PrimExpr, ...]:
        """The new coordinates of a point, not simplified."""
        at = dict(zip(self.inputs, indices))
        return tuple(fold_substitute(o, at) for o in self.outputs)

    def evaluate(self, at: Sequence[int]) -> tuple[int, ...]:
        """Where a point goes, in numbers."""
        values = dict(zip(self.inputs, at))
        return tuple(evaluate(o, values) for o in self.outputs)

    def map_shape(self, shape: Sequence[PrimExpr], analyzer: Analyzer | None = None):
        """The shape that holds all elements of a buffer of `shape`. Raises ValueError where an
        output has no bounds."""
        analyzer = analyzer or Analyzer()
        with analyzer.scope():
            for v, s in zip(self.inputs, shape):
                analyzer.bind(v, Range(literal(0, v.dtype), prim.cast(s, v.dtype)))
            found = _digit_sizes(self, shape, analyzer)
            if found is None:
                found = [_extent(o, self.inputs, shape, analyzer) for o in self.outputs]
        return tuple(found)

    def inverse(self, ranges: Sequence[Range], analyzer: Analyzer | None = None) -> IndexMap:
        """The map back. Raises NotAffine where `inputs` over `ranges` cannot be told from
        `outputs`."""
        outs = tuple(Var(f"i{k}", o.dtype) for k, o in enumerate(self.outputs))
        domain = dict(zip(self.inputs, ranges))
        found = invert_affine(self.outputs, outs, domain, analyzer or Analyzer())
        return IndexMap(outs, tuple(found[v] for v in self.inputs))

    @cached_property
    def text(self) -> str:
        """The map as a Python lambda."""
        names = ", ".join(v.name for v in self.inputs)
        return f"lambda {names}: ({', '.join(o.script() for o in self.outputs)},)"

    def __repr__(self) -> str:
        return self.text


def _digit_sizes(index_map: IndexMap, shape, analyzer: Analyzer) -> list[PrimExpr] | None:
    """The sizes where each output is one digit that is used nowhere else (`j * 2` needs whole
    steps); None for other maps."""
    domain = {v: Range(literal(0, v.dtype), prim.cast(s, v.dtype))
              for v, s in zip(index_map.inputs, shape)}
    try:
        found = detect(index_map.outputs, domain, None, analyzer)
    except NotAffine:
        return None
    if found.why_not_bijective() or any(
            as_int(s.base) != 0 or len(s.args) > 1 for s in found.sums):
        return None
    return [analyzer.simplify(s.args[0].scale * s.args[0].extent) if s.args
            else literal(1, s.base.dtype) for s in found.sums]


def _extent(o: PrimExpr, inputs, shape, analyzer: Analyzer) -> PrimExpr:
    box = {v: (literal(0, v.dtype), prim.cast(s, v.dtype) - 1) for v, s in zip(inputs, shape)}
    high = Relax(box, analyzer)(o)
    if high is None:
        raise ValueError(f"{o.script()} has no bounds")
    return analyzer.simplify(high[1] + 1)


def _names(f: Callable, ndim: int) -> list[str]:
    given = getattr(f, "names", None)
    if given is None:
        parameters = inspect.signature(f).parameters.values()
        given = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    return [given[k] if k < len(given) else f"i{k}" for k in range(ndim)]


def _index(v, wide: str) -> PrimExpr:
    e = literal(v)
    narrow = isinstance(e, prim.IntImm) and e.dtype.bits < as_dtype(wide).bits
    return literal(e.value, wide) if narrow else e


__all__ = ["IndexMap", "NotAffine"]
