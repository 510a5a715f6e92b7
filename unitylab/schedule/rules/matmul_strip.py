"""Panels of the right factor that are multiplied in one loop."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.prim import PrimExpr
from ...ir.tir import Buffer


@dataclass(frozen=True)
class Strip:
    """`panels` of `wide` columns from column `start` on. `valid`: how many columns of a panel there
    are, the others are zeros (None: it is found at run time). `buffers`: the packed panels, and
    what a writer keeps beside them; none where the factor is read where it is."""

    writer: object
    panels: PrimExpr | int
    wide: int
    start: PrimExpr
    valid: int | None
    buffers: tuple[Buffer, ...] = ()

    def __call__(self, panel, k, j) -> PrimExpr:
        """An element by panel, terms and column."""
        w = self.writer
        if self.buffers:
            return self.buffers[0][panel, w.flat(k), j]
        return w.place(w.c.right, column=self.column(panel) + j, k=k)

    def column(self, panel) -> PrimExpr:
        """The first column of a panel."""
        return self.start + panel * self.wide
