"""PackWeights: constant weights in the layout that the tensor programs which read them ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..ir.infer import infer
from ..ir.module import IRModule
from ..ir.op import Op, get_op
from ..ir.prim import GlobalVar, as_int
from ..ir.relax import (BindingBlock, Call, Constant, DataflowVar, Expr, Function, Tuple, Var,
                        VarBinding, info_of)
from ..ir.tir import PrimFunc
from ..ir.transform import Pass, Recorder
from ..ir.visitor import Mutator, collect, fresh_copy
from .default_schedule import SCHEDULED
from .rules import TargetInfo
from .rules.weights import Panels, wishes
from .schedule import Schedule


@dataclass(frozen=True)
class PackWeights(Pass):
    """Asks the program of each `call_tir` in which layout it would read its constant arguments.
    Where it says one, a copy of the program reads that, and the graph makes it of the constant,
    once: `FoldConstant` then computes it.

        y = call_tir(mm, (x, w))    ->    w1 = permute_dims(reshape(w, ...), ...)
                                          y = call_tir(mm_packed, (x, w1))

    Comes before DefaultSchedule, and has its options (skip: names of tensor programs that read
    their weights as they are)."""

    threads: int = 0
    target: str = "native"
    skip: frozenset[str] = frozenset()

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        info = TargetInfo.of(self.target)
        packer = _Packer(mod, replace(info, threads=self.threads) if self.threads else info,
                         self.skip)
        for name, func in mod.graph_funcs.items():
            new = _Calls(packer, name, recorder).visit(func)
            packer.mod = packer.mod.with_functions({name: new}) if new is not func else packer.mod
        return packer.mod.with_functions({n: None for n in packer.unused()})


class _Packer:
    """The module, and the programs in it that read packed weights."""

    def __init__(self, mod: IRModule, target: TargetInfo, skip: frozenset[str]):
        self.mod, self.target, self.skip = mod, target, skip
        self.asked: dict[str, list[Panels]] = {}
        self.made: dict[tuple, str] = {}

    def wishes(self, gvar: GlobalVar) -> list[Panels]:
        func = self.mod[gvar]
        if gvar.name not in self.asked:
            plain = isinstance(func, PrimFunc) and gvar.name not in self.skip and \
                not func.attrs.get(SCHEDULED)
            self.asked[gvar.name] = wishes(func, self.target) if plain else []
        return self.asked[gvar.name]

    def packed(self, gvar: GlobalVar, chosen: list[Panels]) -> GlobalVar:
        """The program that reads the chosen parameters in panels."""
        key = gvar.name, *chosen
        if key not in self.made:
            func = fresh_copy(self.mod[gvar])
            sch = Schedule(func)
            for w in chosen:
                sch.transform_layout(sch.get_block(w.block), w.buffer, w.index)
            new = next(iter(sch.mod.prim_funcs.values()))
            attrs = {k: v for k, v in func.attrs.items() if k != "global_symbol"}
            name = self.mod.fresh_name(f"{gvar.name}_packed")
            self.mod = self.mod.with_functions({name: new.replace(
                attrs=type(func.attrs)(attrs))})
            self.made[key] = name
        return GlobalVar(self.made[key])

    def unused(self) -> list[str]:
        """Private programs that were called before, and are no more."""
        called = {g.name for f in self.mod.functions.values() for g in _called(f)}
        return [n for n, *_ in self.made if n not in called and n in self.mod
                and "global_symbol" not in self.mod[n].attrs]


def _called(func) -> list[GlobalVar]:
    return collect(func, GlobalVar)


class _Calls(Mutator):
    """Rewrites the calls of one graph function."""

    def __init__(self, packer: _Packer, function: str, recorder: Recorder):
        super().__init__()
        self.packer, self.function, self.recorder = packer, function, recorder
        self.known: dict[Var, Constant] = {}

    def visit_BindingBlock(self, block: BindingBlock) -> BindingBlock:
        new = []
        for b in block.bindings:
            if isinstance(b, VarBinding) and isinstance(b.value, Constant):
                self.known[b.var] = b.value
            new += self.packed(b) if isinstance(b, VarBinding) else [self.visit(b)]
        same = len(new) == len(block.bindings) and all(a is b for a, b in zip(new, block.bindings))
        return block if same else block.replace(bindings=tuple(new))

    def packed(self, binding: VarBinding) -> list[VarBinding]:
        """The binding with packed weights, after what packs them."""
        call, plain = binding.value, [self.visit(binding)]
        if not isinstance(call, Call) or not isinstance(call.op, Op) or \
                call.op.short != "call_tir" or not isinstance(call.args[1], Tuple):
            return plain
        args = call.args[1].fields
        chosen = [w for w in self.packer.wishes(call.args[0])
                  if w.position < len(args) and self.constant(args[w.position]) is not None]
        if not chosen or not self.recorder.wants("pack", binding):
            return plain
        made, args = [], list(args)
        for w in chosen:
            steps = packing(self.constant(args[w.position]), w, args[w.position],
                            f"{binding.var.name}_weight")
            made += steps
            args[w.position] = steps[-1].var
        callee = self.packer.packed(call.args[0], chosen)
        value = call.replace(args=(callee, Tuple(tuple(args)), *call.args[2:]))
        result = binding.replace(value=value)
        values = [b.value for b in made]
        self.recorder.record("pack", (binding, call), (result, value, *made, *values,
                                                       self.packer.mod[callee]), self.function)
        return [*made, result]

    def constant(self, e: Expr) -> Constant | None:
        return e if isinstance(e, Constant) else self.known.get(e)


def packing(weight: Constant, w: Panels, source: Expr, name: str) -> list[VarBinding]:
    """Bindings that compute the panels of a weight."""
    made: list[VarBinding] = []

    def emit(op: str, e: Expr, *args, **attrs) -> Var:
        call = get_op(op)(e, *args, **attrs)
        info = infer(call, None)
        made.append(VarBinding(DataflowVar(name, info), call.replace(struct_info=info)))
        return made[-1].var
    shape, axis = [as_int(d) for d in info_of(weight).dims], w.axis
    count, beyond = shape[axis], -shape[axis] % w.width
    e = source
    if beyond:
        width = [0] * (2 * len(shape))
        width[2 * axis + 1] = beyond
        e = emit("nn.pad", e, pad_width=width)
    panels = (count + beyond) // w.width
    e = emit("reshape", e, (*shape[:axis], panels, w.width, *shape[axis + 1:]))
    at = [k + (k > axis) for k in range(len(shape))]  # where the axes are now
    rest = [at[k] for k in w.order]
    emit("permute_dims", e, axes=(*rest[:w.outer], axis, *rest[w.outer:], axis + 1))
    return made
