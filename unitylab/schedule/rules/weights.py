"""The layout in which a tensor program would rather have a factor that is always the same."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.prim import Var, as_int
from ...ir.tir import Block, Buffer, BufferLoad, PrimFunc
from ...ir.visitor import collect
from ..patterns import is_reduction
from .contraction import Contraction, contraction
from .dot_terms import terms_of
from .inline import inline
from .matmul_plan import Plan
from .scheduling import Scheduling
from .target_info import TargetInfo


@dataclass(frozen=True)
class Panels:
    """The parameter number `position`, whose `axis` is the columns of a product, in panels of
    `width` columns: (..., columns // width, the axes that are summed, columns % width).
    `order` are the other axes, those that are not summed first; `block` names the product."""

    position: int
    block: str
    buffer: str
    axis: int
    order: tuple[int, ...]
    outer: int
    width: int

    def index(self, *at):
        """Where an element goes."""
        rest = [at[k] for k in self.order]
        column = at[self.axis]
        return (*rest[:self.outer], column // self.width, *rest[self.outer:], column % self.width)


def wishes(func: PrimFunc, target: TargetInfo) -> list[Panels]:
    """What a program asks for, one a parameter; nothing for a program without blocks."""
    if func.root is None:
        return []
    s = Scheduling(func, target)
    inline(s)
    found = {}
    for name in s.names():
        handle = s.sch.get_block(name)
        c = contraction(s, handle) if is_reduction(s.sch.get(handle)) else None
        wish = _panels(func, s, c) if c is not None else None
        if wish is not None:
            found[wish.position] = wish
    return list(found.values())


def _panels(func: PrimFunc, s: Scheduling, c: Contraction) -> Panels | None:
    """Panels as wide as the tiles of the product, if the factor is read by plain variables."""
    load, column = c.right, c.column.var
    if not isinstance(load, BufferLoad) or load.buffer not in func.params or \
            terms_of(c, s.target.cpu) is not None or _readers(func, load.buffer) != 1 or \
            as_int(c.column.dom.extent) is None:
        return None
    used = [i for i in load.indices if as_int(i) is None]
    if not all(isinstance(i, Var) for i in used) or len(set(used)) != len(used) or \
            any(as_int(n) is None for n in load.buffer.shape) or column not in used:
        return None
    width = Plan.of(c, s, packed=True).panel
    if as_int(c.column.dom.extent) < width:
        return None
    summed = {it.var for it in c.reduce}
    axis = next(k for k, i in enumerate(load.indices) if i is column)
    rest = [k for k in range(len(load.indices)) if k != axis]
    outer = [k for k in rest if load.indices[k] not in summed]
    order = (*outer, *[k for k in rest if load.indices[k] in summed])
    return Panels(func.params.index(load.buffer), c.block.name, load.buffer.name, axis, order,
                  len(outer), width)


def _readers(func: PrimFunc, buffer: Buffer) -> int:
    """How many blocks declare to read a buffer."""
    return sum(any(r.buffer is buffer for r in b.reads) for b in collect(func.body, Block))
