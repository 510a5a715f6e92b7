"""The operators of the graph language: importing this room fills the registry."""

from ..ir.op import OPS
from . import (
    activation,
    attention,
    batch_norm,
    binary,
    call,
    channelwise,
    collapse,
    convolution,
    create,
    gather,
    gradient,
    image,
    index,
    join,
    linear_algebra,
    loss,
    memory,
    normalization,
    permute,
    pooling,
    quantize,
    reduce,
    repeat,
    reshape,
    sort,
    transposed_convolution,
    unary,
    vision,
)

FAMILIES = (unary, binary, activation, channelwise, reduce, collapse, linear_algebra, convolution,
            transposed_convolution, pooling, normalization, batch_norm, attention, loss, reshape,
            permute, join, repeat, index, gather, sort, create, quantize, image, vision, call,
            memory, gradient)


def op_table() -> list[tuple[str, str, str]]:
    """Name, parameters and meaning of every operator."""
    return [(op.short, ", ".join(p.name for p in op.params), op.doc) for op in OPS.values()]


__all__ = ["FAMILIES", "OPS", "op_table"]
