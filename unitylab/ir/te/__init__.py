"""Tensor expressions: say what each element is, get a tensor program.

    A = te.placeholder((n, k), "float32", name="A")
    B = te.placeholder((k, m), "float32", name="B")
    r = te.reduce_axis((0, k), name="k")
    C = te.compute((n, m), lambda i, j: te.sum(A[i, r] * B[r, j], axis=r), name="C")
    func = te.create_prim_func([A, B, C])
"""

from .prim_func import LAYOUT_FREE, create_prim_func
from .scalars import (
    all,
    any,
    comm_reducer,
    const,
    if_then_else,
    max,
    max_value,
    min,
    min_value,
    prod,
    sum,
    var,
)
from .tensor import Compute, Tensor, TensorLoad, compute, placeholder, reduce_axis

__all__ = ["LAYOUT_FREE", "Compute", "Tensor", "TensorLoad", "all", "any", "comm_reducer",
           "compute", "const", "create_prim_func", "if_then_else", "max", "max_value", "min",
           "min_value", "placeholder", "prod", "reduce_axis", "sum", "var"]
