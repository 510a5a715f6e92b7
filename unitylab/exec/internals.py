"""Finds the intermediate tensors of a graph function that only its kernels see."""

from __future__ import annotations

from collections.abc import Callable

from ..ir import relax
from ..ir.op import Op
from ..ir.prim import GlobalVar, Var
from ..ir.struct_info import TensorStructInfo
from ..ir.visitor import collect
from .activation import Internal
from .sizes import Sizes


def find_internals(body: relax.Expr, slot: Callable[[relax.Var], int], sizes: Sizes,
                   at_entry: set[Var]) -> dict[relax.Var, Internal]:
    """The results of `call_tir` that only other `call_tir`s of this function read and whose shape
    is known at entry: their memory can be shared and kept from call to call."""
    bindings = body.bindings if isinstance(body, relax.SeqExpr) else ()
    last: dict[relax.Var, int] = {}
    escaped = set(collect(body.body, relax.Var)) if bindings else set()
    for k, b in enumerate(bindings):
        quiet = _kernel_inputs(b.value)
        for v in set(collect(b.value, relax.Var)):
            last[v] = k
            if v not in quiet:
                escaped.add(v)
    found: dict[relax.Var, Internal] = {}
    for k, b in enumerate(bindings):
        info = _single_output(b)
        if info is not None and b.var in last and b.var not in escaped and \
                all(sizes.known(d, at_entry) for d in info.dims):
            found[b.var] = Internal(slot(b.var), k, last[b.var],
                                    sizes.compile_shape(info.dims), info.dtype.numpy)
    return found


def _kernel_inputs(value: relax.Expr) -> set[relax.Var]:
    """The variables that a `call_tir` reads as tensors and nothing else."""
    if not isinstance(value, relax.Call) or not isinstance(value.op, Op) or \
            value.op.name not in ("relax.call_tir", "relax.call_tir_with_grad"):
        return set()
    args = value.args[1]
    fields = args.fields if isinstance(args, relax.Tuple) else ()
    return {f for f in fields if isinstance(f, relax.Var)}


def _single_output(b: relax.Binding) -> TensorStructInfo | None:
    """The declared result of a `call_tir` with one tensor as result."""
    if not isinstance(b, relax.VarBinding) or not isinstance(b.value, relax.Call) or \
            not isinstance(b.value.op, Op) or \
            b.value.op.name not in ("relax.call_tir", "relax.call_tir_with_grad"):
        return None
    info = b.value.sinfo_args[0] if b.value.sinfo_args else None
    plain = isinstance(info, TensorStructInfo) and info.dims is not None and info.dtype
    return info if plain and isinstance(b.value.args[0], GlobalVar) else None
