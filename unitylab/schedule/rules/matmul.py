"""Matrix products and other contractions: packed operands, cache blocks, a register tile.

    for columns (blocks of them):
        pack the right factor: panel, k, columns of the panel
        for rows (blocks of them):
            pack the left factor
            for panels:  for row tiles:
                acc = 0 (registers);  for k: acc += left * right;  output = epilogue(acc)

The sums never leave the registers, so that bias and activation cost nothing; the last tiles of odd
sizes are tiles of their own. Factors that lie well are read where they are."""

from __future__ import annotations

from ...ir.prim import as_int
from ..handles import BlockRV
from ..nest import Nest
from ..replace_blocks import home
from .contraction import Contraction, contraction
from .dot_terms import terms_of
from .dot_writer import DotWriter
from .few_rows import FewRows, suits
from .matmul_plan import Plan
from .matmul_writer import Writer
from .scheduling import Scheduling


def matmul(s: Scheduling, handle: BlockRV) -> bool:
    """Writes the nest of a contraction; False, with nothing changed, for other blocks."""
    c = contraction(s, handle)
    if c is None or not _worth_it(c):
        return False
    nest = Nest(s.now)
    if any(home(nest, b) is None for b in c.done):
        return False
    s.sch.replace_blocks(c.done, _writer(c, s).nest(), by="matmul")
    s.placed.update(b.name for b in c.done)
    return True


def _writer(c: Contraction, s: Scheduling) -> Writer:
    terms = terms_of(c, s.target.cpu)
    if terms is not None:
        return DotWriter(c, Plan.of(c, s, terms.item), terms)
    plan = Plan.of(c, s)
    return FewRows(c, plan) if suits(c, plan) else Writer(c, plan)


def _worth_it(c: Contraction) -> bool:
    """Wide enough for vectors, deep enough for a tile."""
    width, depth = as_int(c.column.dom.extent), c.depth
    return (width is None or width >= 4) and (depth is None or depth >= 4) and \
        not any(it.dom.extent.dtype != c.column.var.dtype for it in c.block.iter_vars)
