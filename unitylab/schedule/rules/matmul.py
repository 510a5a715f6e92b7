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
from ...ir.tir import For, Stmt
from ..handles import BlockRV
from ..nest import Nest
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
    homes = [_statement(nest, b) for b in c.done]
    if any(h is None for h in homes):
        return False
    new = _writer(c, s).nest()
    nest.replace(homes[-1], new)
    for home in homes[:-1]:
        nest.replace(home, None)
    gone = {id(c.output)} if len(c.done) > 1 else set()
    root = nest.root
    nest.edit(root, alloc_buffers=tuple(b for b in root.alloc_buffers if id(b) not in gone))
    s.sch._commit(next(iter(s.sch.mod.prim_funcs)), nest, "matmul")
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


def _statement(nest: Nest, block) -> Stmt | None:
    """The nest right below the root that holds only this block."""
    node = nest.realize(block)
    while nest.parent(node) is not nest.root:
        parent = nest.parent(node)
        if isinstance(parent, For) or parent is nest.root.body:
            if parent is nest.root.body and not isinstance(parent, For):
                return node
            node = parent
            continue
        return None
    return node
