"""The operators of the graph language: importing this room fills the registry."""

from ..ir.op import OPS
from . import (activation, attention, binary, call, convolution, create, linear_algebra,
               manipulate, normalization, reduce, unary)

FAMILIES = (unary, binary, activation, reduce, linear_algebra, convolution, normalization,
            attention, manipulate, create, call)


def op_table() -> list[tuple[str, str, str]]:
    """Name, parameters and meaning of every operator."""
    return [(op.short, ", ".join(p.name for p in op.params), op.doc) for op in OPS.values()]


__all__ = ["FAMILIES", "OPS", "op_table"]
