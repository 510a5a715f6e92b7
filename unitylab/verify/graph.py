"""Graph functions: scopes, single assignment, A-normal form, dataflow rules."""

from __future__ import annotations

from ..ir import prim, relax
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.op import Op
from ..ir.struct_info import ObjectStructInfo, PrimStructInfo, TensorStructInfo
from .calls import CallChecker
from .infos import describe, difference, rank
from .report import Report
from .symbols import Symbols

_ATOMS = (relax.Constant, relax.StringImm, relax.DataTypeImm, relax.ExternFunc, Op)


class GraphChecker:
    """Checks one graph function. Variables are known by identity."""

    def __init__(self, mod: IRModule, report: Report):
        self.mod, self.report = mod, report
        self.visible: set[int] = set()
        self.defined: dict[int, relax.Var] = {}
        self.symbols = Symbols(report)
        self.calls = CallChecker(mod, report)
        self.in_dataflow = False

    # --- functions and scopes ---------------------------------------------------------------

    def function(self, f: relax.Function) -> None:
        """Parameters, then the body; what they define is forgotten after."""
        visible, symbols, dataflow = set(self.visible), self.symbols.save(), self.in_dataflow
        self.in_dataflow = False
        for p in f.params:
            if isinstance(p, relax.DataflowVar):
                self.report.say("dataflow", f"the parameter {p.name!r} is a dataflow variable", p,
                                "a parameter is a relax.Var")
            self.define(p)
        self.symbols.define_params([p.struct_info for p in f.params])
        for p in f.params:
            if p.struct_info is None:
                self.report.say("struct-info", f"the parameter {p.name!r} has no struct info", p)
            else:
                self.symbols.check(p.struct_info, p)
        self.sequence(f.body)
        if f.ret_struct_info is not None:
            self.symbols.check(f.ret_struct_info, f)
            if why := difference(f.ret_struct_info, relax.info_of(f.body)):
                self.report.say("struct-info", f"the result is not what is declared: {why}", f.body,
                                f"-> {' '.join(relax.info_of(f.body).script().split())}")
        self.visible, self.in_dataflow = visible, dataflow
        self.symbols.restore(symbols)

    def sequence(self, body: relax.Expr) -> None:
        """A sequence of blocks and its result."""
        if not isinstance(body, relax.SeqExpr):
            self.report.say("normal-form", "a body is a sequence of bindings with a result, this "
                            f"is {_kind(body)}", body, "ul.transforms.Normalize()")
            return
        for block in body.blocks:
            self.block(block)
        self.leaf(body.body, "the result")

    def block(self, block: relax.BindingBlock) -> None:
        """The bindings of a block; dataflow variables end with it."""
        dataflow = isinstance(block, relax.DataflowBlock)
        before, self.in_dataflow = self.in_dataflow, dataflow
        for b in block.bindings:
            self.report.enter(f"binding {b.var.name}", b)
            self.binding(b)
            self.report.leave()
        if dataflow:
            self.visible -= {id(b.var) for b in block.bindings
                             if isinstance(b.var, relax.DataflowVar)}
        self.in_dataflow = before

    def binding(self, b: relax.Binding) -> None:
        """The value is checked in the scope before the variable, the variable after."""
        if isinstance(b, relax.MatchCast):
            self.leaf(b.value, "the value of a match_cast")
            self.cast(b)
            self.symbols.define_by_match(b.struct_info)
            self.symbols.check(b.struct_info, b)
        elif isinstance(b.value, relax.Function):
            self.define(b.var)  # a local function may call itself
            with self.report.at("its body", b.value):
                self.function(b.value)
            return
        else:
            self.value(b.value)
            self.calls.value(b.value, b.var.struct_info)
        self.define(b.var)
        info = b.var.struct_info
        if info is None:
            self.report.say("struct-info", f"the variable {b.var.name!r} has no struct info", b.var,
                            "ul.transforms.Normalize() infers it")
        elif not isinstance(b, relax.MatchCast):
            self.symbols.check(info, b.var)

    def cast(self, b: relax.MatchCast) -> None:
        """A cast may succeed, and its variable is what it casts to."""
        if why := difference(b.struct_info, relax.info_of(b.value)):
            self.report.say("struct-info", f"this match_cast always fails: {why}", b,
                            "cast to what the value may be, or convert it")
        elif why := difference(b.var.struct_info, b.struct_info):
            self.report.say("struct-info", f"the variable {b.var.name!r} is not what the "
                            f"match_cast gives: {why}", b, "declare it as the cast does")

    def define(self, var: relax.Var) -> None:
        """A variable is defined once."""
        if id(var) in self.defined:
            self.report.say("single-assignment", f"the variable {var.name!r} is defined twice", var,
                            "give each binding a variable of its own")
        if isinstance(var, relax.DataflowVar) and not self.in_dataflow:
            self.report.say("dataflow", f"the dataflow variable {var.name!r} is defined outside of "
                            "a dataflow block", var, "use a relax.Var")
        self.defined[id(var)] = var
        self.visible.add(id(var))

    # --- values -----------------------------------------------------------------------------

    def value(self, e: relax.Expr) -> None:
        """The value of a binding: a call, a branch, or something without parts to compute."""
        if isinstance(e, relax.Call):
            self.call(e)
        elif isinstance(e, relax.If):
            self.branch(e)
        elif isinstance(e, relax.TupleGetItem):
            self.leaf(e.tuple, "the indexed tuple")
        elif isinstance(e, relax.SeqExpr):
            visible = set(self.visible)
            self.sequence(e)
            self.visible = visible
        else:
            self.leaf(e, "the value")

    def call(self, call: relax.Call) -> None:
        """Callee and arguments; they are leaves. A dataflow block has no effects."""
        if self.in_dataflow and isinstance(call.op, Op) and not call.op.pure \
                and ".alloc_" not in call.op.name:
            self.report.say("dataflow", f"a dataflow block has no effects, {call.op.short} has one",
                            call, "close the block before it")
        self.leaf(call.op, "the callee")
        for k, a in enumerate(call.args):
            self.leaf(a, f"argument {k}")
        for info in call.sinfo_args:
            self.symbols.check(info, call)

    def branch(self, e: relax.If) -> None:
        """Both sides see what is visible before, and show nothing after."""
        if self.in_dataflow:
            self.report.say("dataflow", "a dataflow block holds no if", e,
                            "close the block before it, or ul.transforms.ToNonDataflow()")
        self.leaf(e.cond, "the condition")
        self.condition(e)
        for side in (e.true_branch, e.false_branch):
            visible, symbols = set(self.visible), self.symbols.save()
            self.sequence(side)
            self.visible = visible
            self.symbols.restore(symbols)

    def condition(self, e: relax.If) -> None:
        """The condition may be one bool."""
        info = relax.info_of(e.cond)
        if info is None or isinstance(info, ObjectStructInfo):
            return
        if not isinstance(info, (TensorStructInfo, PrimStructInfo)):
            found = describe(info)
        elif info.dtype and not info.dtype.is_bool:
            found = f"dtype {info.dtype}"
        elif isinstance(info, TensorStructInfo) and rank(info) > 0:
            found = f"a tensor of rank {rank(info)}"
        else:
            return
        self.report.say("condition", f"the condition of an if has {found}, one bool is expected"
                        if "dtype" in found else f"the condition of an if is {found}, one bool is "
                        "expected", e, 'R.Tensor((), "bool")')

    def leaf(self, e: Node, what: str) -> None:
        """Something that needs no computation; variables in it are visible."""
        if isinstance(e, relax.Var):
            self.use(e)
        elif isinstance(e, prim.GlobalVar):
            self.global_var(e)
        elif isinstance(e, relax.Tuple):
            for k, f in enumerate(e.fields):
                self.leaf(f, f"field {k} of {what}")
        elif isinstance(e, relax.ShapeExpr):
            for v in e.values:
                self.symbols.expression(v, e)
        elif isinstance(e, relax.PrimValue):
            self.symbols.expression(e.value, e)
        elif not isinstance(e, _ATOMS):
            self.report.say("normal-form", f"{what} is {_kind(e)}; it needs a binding of its own",
                            e, "ul.transforms.Normalize() gives every part a name")

    def use(self, var: relax.Var) -> None:
        if id(var) in self.visible:
            return
        name = repr(var.name)
        if id(var) not in self.defined:
            self.report.say("scope", f"the variable {name} is used, but is not defined before", var,
                            "a binding may have been removed or moved below its use")
        elif isinstance(var, relax.DataflowVar):
            self.report.say("dataflow", f"the dataflow variable {name} is used after its block",
                            var, f"R.output({var.name}): make it a relax.Var")
        else:
            self.report.say("scope", f"the variable {name} is used outside of its scope", var,
                            "what a branch or local function defines is seen only inside of it")

    def global_var(self, g: prim.GlobalVar) -> None:
        if g.name not in self.mod.functions:
            self.report.say("unknown-function", f"the module has no function {g.name!r}", g,
                            f"it has: {', '.join(self.mod.functions)}")


def _kind(e: Node) -> str:
    return f"a {type(e).__name__}"
