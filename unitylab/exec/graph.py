"""Compiles graph functions to plans: every expression becomes a function of the activation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..interp.interpreter import Shape
from ..interp.packed import get_func
from ..ir import relax
from ..ir.errors import BuildError, RuntimeCallError, did_you_mean
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.op import Op
from ..ir.prim import GlobalVar, PrimExpr, Var
from ..ir.struct_info import StructInfo, TensorStructInfo, TupleStructInfo
from ..ir.visitor import Dispatch, collect
from .activation import Activation, Internal
from .calls import SPECIAL
from .internals import find_internals
from .kernel_call import Evaluate, from_slot, guarded, sourced
from .plan import Plan, Step
from .sizes import Sizes
from .values import checker, typed


class GraphCompiler(Dispatch):
    """Compiles one graph function. `callees` holds what the module's functions are at run time."""

    def __init__(self, mod: IRModule, name: str, callees: dict[str, Callable],
                 outer: GraphCompiler | None = None):
        self.mod, self.name, self.callees, self.outer = mod, name, callees, outer
        self.slots: dict[Node, int] = {}
        self.sizes = Sizes()
        self.defined: set[Var] = set()
        self.at_entry: set[Var] = set()
        self.prepared = 0
        self.depth = 0
        self.internals: dict[relax.Var, Internal] = {}
        self.captured: list[relax.Var] = []

    # --- functions --------------------------------------------------------------------------

    def compile(self, func: relax.Function, plan: Plan) -> Plan:
        """Fills `plan`, which callers may hold already (recursion)."""
        checks = []
        for p in func.params:
            plan.param_slots += (self.slot(p),)
            checks.append(checker(p.struct_info, self.sizes, self.defined, self.slot))
        self.at_entry = set(self.defined)
        body = func.body
        self.internals = find_internals(body, self.slot, self.sizes, self.at_entry)
        steps = self.steps(body.blocks) if isinstance(body, relax.SeqExpr) else ()
        result = self.visit(body.body if isinstance(body, relax.SeqExpr) else body)
        plan.checks, plan.steps, plan.result = tuple(checks), steps, result
        plan.slots, plan.sizes, plan.prepared = len(self.slots), len(self.sizes.places), \
            self.prepared
        plan.internals = tuple(self.internals.values())
        kept = {i.slot for i in plan.internals}
        plan.clear = tuple(s for s in range(plan.slots) if s not in kept)
        plan.captured = tuple(self.slots[v] for v in self.captured)
        return plan

    def slot(self, v: Node) -> int:
        """The slot of a variable, made when it is met first."""
        found = self.slots.get(v)
        if found is None:
            found = self.slots[v] = len(self.slots)
        return found

    # --- bindings ---------------------------------------------------------------------------

    def steps(self, blocks) -> tuple[Step, ...]:
        return tuple(self._step(b) for block in blocks for b in block.bindings)

    def _step(self, b: relax.Binding) -> Step:
        if isinstance(b, relax.MatchCast):
            return self._match_cast(b)
        if isinstance(b.value, relax.Function):
            self.slot(b.var)  # it may call itself
            value = self.function(b.value, b.var)
        else:
            value = self.visit_bound(b)
        slot = self.slot(b.var)

        def run(act: Activation) -> None:
            act.slots[slot] = value(act)
        return Step(b.var.name, kind_of(b.value), run, getattr(value, "work", None), slot, value)

    def visit_bound(self, b: relax.VarBinding) -> Evaluate:
        """The value of a binding; a call knows whether its result is an internal."""
        if isinstance(b.value, relax.Call):
            return self.call(b.value, b.var)
        return self.visit(b.value)

    def _match_cast(self, b: relax.MatchCast) -> Step:
        value, known = self.visit(b.value), self.trusted(b.value)
        check = checker(b.struct_info, self.sizes, self.defined, self.slot)
        slot, what = self.slot(b.var), f"{self.name}: match_cast of {b.var.name!r}"

        def run(act: Activation) -> None:
            act.slots[slot] = check(act, value(act), what)
        return Step(b.var.name, "match_cast", run, None, slot, value if known else None)

    # --- expressions ------------------------------------------------------------------------

    def visit_Var(self, e: relax.Var) -> Evaluate:
        if e not in self.slots and self.outer is not None and self.outer.knows(e):
            self.captured.append(e)
        elif e not in self.slots:
            raise BuildError(f"{self.name}: variable {e.name!r} is used but not defined",
                             span=e.span)
        return from_slot(self.slot(e))

    def knows(self, v: relax.Var) -> bool:
        return v in self.slots or self.outer is not None and self.outer.knows(v)

    def visit_Constant(self, e: relax.Constant) -> Evaluate:
        data = np.ascontiguousarray(e.data).reshape(e.data.shape)
        data.flags.writeable = False
        return sourced(lambda act: data, data)

    def visit_ShapeExpr(self, e: relax.ShapeExpr) -> Evaluate:
        shape = self.sizes.compile_shape(e.values)
        return lambda act: Shape(shape(act.sizes))

    def visit_PrimValue(self, e: relax.PrimValue) -> Evaluate:
        size = self.sizes.compile(e.value)
        return lambda act: size(act.sizes)

    def visit_StringImm(self, e: relax.StringImm) -> Evaluate:
        return lambda act: e.value

    visit_DataTypeImm = visit_StringImm

    def visit_Tuple(self, e: relax.Tuple) -> Evaluate:
        fields = [self.visit(f) for f in e.fields]
        return sourced(lambda act: tuple([f(act) for f in fields]), fields)

    def visit_TupleGetItem(self, e: relax.TupleGetItem) -> Evaluate:
        value, index = self.visit(e.tuple), e.index
        return sourced(lambda act: value(act)[index], (value, index))

    def visit_GlobalVar(self, e: GlobalVar) -> Evaluate:
        if e.name not in self.mod:
            raise BuildError(f"{self.name}: the module has no function {e.name!r}", span=e.span,
                             hint=did_you_mean(e.name, self.mod, f"it has: {', '.join(self.mod)}"))
        return lambda act: self.callees[e.name]

    def visit_ExternFunc(self, e: relax.ExternFunc) -> Evaluate:
        return lambda act: get_func(e.name)

    def visit_Op(self, e: Op) -> Evaluate:
        return lambda act: e.numpy

    def visit_SeqExpr(self, e: relax.SeqExpr) -> Evaluate:
        """A nested sequence (a branch): its steps run in the same activation."""
        self.depth += 1
        steps = [s.run for s in self.steps(e.blocks)]
        result = self.visit(e.body)
        self.depth -= 1

        def run(act: Activation):
            for step in steps:
                step(act)
            return result(act)
        return run

    def visit_If(self, e: relax.If) -> Evaluate:
        condition = self.visit(e.cond)
        defined = set(self.defined)
        yes = self.visit(e.true_branch)
        self.defined = set(defined)
        no = self.visit(e.false_branch)
        self.defined = defined
        return lambda act: yes(act) if np.all(condition(act)) else no(act)

    def visit_Function(self, e: relax.Function) -> Evaluate:
        return self.function(e, None)

    def function(self, e: relax.Function, own: relax.Var | None) -> Evaluate:
        """A closure: captures the values that it uses, and the sizes. `own` is the variable that
        it is bound to, which it may use itself."""
        inner = GraphCompiler(self.mod, f"{self.name}.closure", self.callees, self)
        inner.sizes.places.update(self.sizes.places)
        inner.defined = set(self.defined)
        plan = Plan(inner.name, tuple(p.name for p in e.params))
        inner.compile(e, plan)
        plan.captured += (len(inner.slots),)  # a slot of its own for the sizes
        plan.slots += 1
        values = [self.visit_Var(v) for v in inner.captured]
        itself = [k for k, v in enumerate(inner.captured) if v is own]

        def make(act: Activation) -> Callable:
            held = [v(act) for v in values] + [tuple(act.sizes)]
            closure = plan.closure(held)
            for k in itself:
                held[k] = closure
            return closure
        return make

    # --- calls ------------------------------------------------------------------------------

    def visit_Call(self, e: relax.Call) -> Evaluate:
        return self.call(e, None)

    def call(self, e: relax.Call, var: relax.Var | None) -> Evaluate:
        if isinstance(e.op, Op):
            special = SPECIAL.get(e.op.name)
            return special(self, e, var) if special else self.reference(e, var)
        callee, args = self.visit(e.op), [self.visit(a) for a in e.args]
        name, span = getattr(e.op, "name", "the function"), e.span
        if isinstance(e.op, relax.ExternFunc):
            return self.settled(e, var, lambda act: guarded(
                name, callee(act), [a(act) for a in args], span))
        return lambda act: _called(name, callee(act), [a(act) for a in args], span)

    def settled(self, e: relax.Call, var: relax.Var | None, value: Evaluate) -> Evaluate:
        """The result of foreign code, checked against what was declared for it."""
        info = e.sinfo_args[0] if len(e.sinfo_args) == 1 else \
            TupleStructInfo(e.sinfo_args) if e.sinfo_args else None
        name = e.op.name if hasattr(e.op, "name") else "the call"
        if e.args and isinstance(e.op, Op) and hasattr(e.args[0], "name"):
            name = e.args[0].name
        what = f"{self.name}: the result of {name}"
        check = checker(info, self.sizes, self.defined | self._free(info), self.slot)
        return lambda act: check(act, as_value(value(act), info), what)

    def _free(self, info: StructInfo | None) -> set[Var]:
        """Sizes that a result mentions are known already: results define none."""
        return set() if info is None else set(collect(info, Var))

    def reference(self, e: relax.Call, var: relax.Var | None) -> Evaluate:
        """An operator by its NumPy reference."""
        op: Op = e.op
        if op.numpy is None:
            raise BuildError(f"{op.short} can neither be legalized nor run by NumPy", span=e.span)
        args = [self.visit(a) for a in e.args]
        attrs = {p.name: self.attribute(op.attr(e, p.name)) for p in op.params if p.kind == "attr"}
        info = e.struct_info or (var.struct_info if var is not None else None)

        def run(act: Activation):
            values = {k: v(act.sizes) if callable(v) else v for k, v in attrs.items()}
            with np.errstate(all="ignore"):
                result = guarded(op.short, lambda *a: op.numpy(*a, **values),
                                 [a(act) for a in args], e.span)
            return typed(result, info)
        return run

    def attribute(self, value):
        """An attribute; a symbolic one becomes a function of the sizes."""
        return self.sizes.compile(value) if isinstance(value, PrimExpr) else value

    def next_prepared(self) -> int:
        self.prepared += 1
        return self.prepared - 1

    def trusted(self, e: relax.Expr) -> bool:
        """Whether the shape of a value follows from the sizes at entry."""
        info = relax.info_of(e)
        return isinstance(info, TensorStructInfo) and info.dims is not None and \
            info.dtype is not None and \
            all(self.sizes.known(d, self.at_entry) for d in info.dims)


def as_value(value, info: StructInfo | None):
    """A foreign result: scalars and lists become arrays where a tensor was declared."""
    if isinstance(info, TensorStructInfo) and not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    if isinstance(value, list):
        return tuple(value)
    return value


def _called(name: str, callee, args, span):
    if not callable(callee):
        raise RuntimeCallError(f"{name} is called but is no function: {type(callee).__name__}",
                               span=span)
    return callee(*args)


def kind_of(value: relax.Expr) -> str:
    """What does the work of a binding, for profiles: kernel, library, operator, ..."""
    if not isinstance(value, relax.Call):
        return type(value).__name__.lower()
    if not isinstance(value.op, Op):
        return "library" if isinstance(value.op, relax.ExternFunc) else "call"
    if value.op.name in SPECIAL:
        return {"call_tir": "kernel"}.get(value.op.short, value.op.short)
    return "operator"


def compile_graph(mod: IRModule, callees: dict[str, Callable]) -> None:
    """Adds a plan for every graph function of the module to `callees`."""
    plans = {n: Plan(n, tuple(p.name for p in f.params)) for n, f in mod.graph_funcs.items()}
    callees.update(plans)
    for name, func in mod.graph_funcs.items():
        GraphCompiler(mod, name, callees).compile(func, plans[name])
