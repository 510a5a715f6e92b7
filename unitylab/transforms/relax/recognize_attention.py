"""`RecognizeAttention`: a product, its softmax and a product with that are one operator."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from ...ir.module import IRModule
from ...ir.op import Op, get_op
from ...ir.prim import PrimExpr
from ...ir.relax import (Binding, Call, Constant, DataflowBlock, DataflowVar, Expr, Function, Var,
                         VarBinding, info_of)
from ...ir.struct_info import TensorStructInfo
from ...ir.transform import Pass, Recorder
from ...ops.broadcasting import equal_sizes
from .binding_mutator import BindingMutator
from .canonicalize_bindings import appearances

LARGEST_RANK = 4


@dataclass(frozen=True)
class RecognizeAttention(Pass):
    """Attention as a graph spells it becomes `nn.attention`, around which axes are permuted from
    (batch, heads, length, size) to (batch, length, heads, size) and back:

        s = matmul(q, kt); p = softmax(s * scale + bias); y = matmul(p, v)

    `scale` is a constant number (a division will do) and may be missing, `bias` anything that
    broadcasts to the scores. 3 axes are attention of one batch. What else reads the scores or
    weights keeps all as it is."""

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        return mod.map_functions(
            lambda name, f: _Attentions(mod, name, recorder, f).visit(f), Function)


@dataclass(frozen=True)
class Scores:
    """`query @ keys * scale + bias`; `made_by` are the bindings that compute it."""

    query: Expr
    keys: Expr
    made_by: tuple[VarBinding, ...]
    scale: float = 1.0
    bias: Expr | None = None


class _Attentions(BindingMutator):
    def __init__(self, mod, function, recorder, func: Function):
        super().__init__(mod, function, recorder)
        self.counts: Counter = appearances(func)
        self.local: dict[Var, VarBinding] = {}
        self.found: dict[Binding, tuple[Scores, Expr]] = {}
        self.gone: set[Binding] = set()

    def visit_DataflowBlock(self, block: DataflowBlock) -> DataflowBlock:
        self.local = {b.var: b for b in block.bindings if isinstance(b, VarBinding)}
        for b in self.local.values():
            scores = self._attention(b)
            if scores is not None and self.wants("attention", b):
                self.found[b] = scores, b.value.args[1]
                self.gone.update(scores.made_by)
        return self.visit_BindingBlock(block)

    def visit_VarBinding(self, binding: VarBinding):
        if binding in self.gone:
            return None
        if binding not in self.found:
            return self.rebuild(binding)
        scores, value = self.found[binding]
        made = _written(binding, scores, value, self)
        old = (binding, binding.value, *[n for b in scores.made_by for n in (b, b.value)])
        self.record("attention", old, [n for b in made for n in (b, b.value)])
        return made

    # --- matching ---------------------------------------------------------------------------

    def _attention(self, binding: VarBinding) -> Scores | None:
        """The scores, where the binding is the last product of an attention."""
        call = _call(binding.value, "matmul")
        weights = self._once(call.args[0], "nn.softmax") if call else None
        if weights is None or not _is_last_axis(weights.value):
            return None
        scores = self._scores(weights.value.args[0])
        if scores is None or not _fits(scores, call):
            return None
        return replace(scores, made_by=(*scores.made_by, weights))

    def _once(self, e: Expr, *ops: str) -> VarBinding | None:
        """The binding of a value that is made by one of the operators and read here alone."""
        binding = self.local.get(e)
        if binding is None or not isinstance(e, DataflowVar) or self.counts[e] != 2:
            return None
        return binding if any(_call(binding.value, op) for op in ops) else None

    def _scores(self, e: Expr) -> Scores | None:
        """`e` as scores, from the outside in."""
        binding = self._once(e, "matmul", "multiply", "divide", "add")
        if binding is None:
            return None
        op, (a, b) = binding.value.op.short, binding.value.args
        if op == "matmul":
            return Scores(a, b, (binding,))
        for x, other in ((a, b), (b, a)) if op != "divide" else ((a, b),):
            number = _number(other)
            if op == "add" or number is not None and not (op == "divide" and number == 0):
                inner = self._scores(x)
                if inner is not None and inner.bias is None and _same_shape(x, e):
                    inner = replace(inner, made_by=(*inner.made_by, binding))
                    if op == "add":
                        return replace(inner, bias=other)
                    factor = number if op == "multiply" else 1 / number
                    return replace(inner, scale=inner.scale * factor)
        return None


def _call(e: Expr, op: str) -> Call | None:
    return e if isinstance(e, Call) and isinstance(e.op, Op) and e.op.short == op else None


def _number(e: Expr) -> float | None:
    return float(e.data.item()) if isinstance(e, Constant) and e.data.size == 1 and \
        e.data.dtype.kind == "f" else None


def _dims(e: Expr) -> tuple[PrimExpr, ...] | None:
    info = info_of(e)
    return info.dims if isinstance(info, TensorStructInfo) else None


def _is_last_axis(softmax: Call) -> bool:
    dims = _dims(softmax)
    return dims is not None and softmax.op.attr(softmax, "axis") in (-1, len(dims) - 1)


def _same_shape(a: Expr, b: Expr) -> bool:
    x, y = _dims(a), _dims(b)
    return x is not None and y is not None and len(x) == len(y) and all(map(equal_sizes, x, y))


def _fits(scores: Scores, call: Call) -> bool:
    """Whether the operands have the shapes and the one dtype that the operator takes."""
    parts = scores.query, scores.keys, call.args[1], call.args[0]
    infos = [info_of(p) for p in (*parts, *([scores.bias] if scores.bias is not None else []))]
    query, keys, value, weights = map(_dims, parts)
    if None in (query, keys, value, weights) or len({i.dtype for i in infos}) != 1 or \
            not infos[0].dtype.is_float or info_of(call).dtype != infos[0].dtype:
        return False
    rank = len(query)
    if rank not in (3, LARGEST_RANK) or any(len(d) != rank for d in (keys, value)):
        return False
    if scores.bias is not None and (_dims(scores.bias) is None or
                                    len(_dims(scores.bias)) > len(weights)):
        return False
    same = [(query[-1], keys[-2]), (keys[-1], value[-2])]
    same += [(n, m) for other in (keys, value) for n, m in zip(query[:-2], other)]
    return all(equal_sizes(n, m) for n, m in same)


# --- writing --------------------------------------------------------------------------------

def _written(binding: VarBinding, scores: Scores, value: Expr,
             mutator: BindingMutator) -> tuple[VarBinding, ...]:
    """The bindings that compute the same by `nn.attention`."""
    made: list[VarBinding] = []
    new_axes = tuple(range(LARGEST_RANK - len(_dims(value))))

    def emit(call: Call, hint: str) -> Var:
        info = mutator.infer(call)
        var = DataflowVar(f"{binding.var.name}_{hint}", info)
        made.append(VarBinding(var, call.replace(struct_info=info)))
        return var

    def arranged(e: Expr, axes: tuple[int, ...], hint: str) -> Var:
        if new_axes:
            e = emit(get_op("expand_dims")(e, axis=new_axes), hint)
        return emit(get_op("permute_dims")(e, axes=axes), hint)
    args = [arranged(scores.query, (0, 2, 1, 3), "q"), arranged(scores.keys, (0, 3, 1, 2), "k"),
            arranged(value, (0, 2, 1, 3), "v")]
    bias = [] if scores.bias is None else [scores.bias]
    out = emit(get_op("nn.attention")(*args, *bias, scale=scores.scale), "attention")
    last = get_op("permute_dims")(out, axes=(0, 2, 1, 3))
    if new_axes:
        last = get_op("squeeze")(emit(last, "heads"), axis=new_axes)
    info = info_of(binding.value)
    made.append(binding.replace(value=last.replace(struct_info=info)))
    return tuple(made)
