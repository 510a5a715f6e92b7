"""`Bindings`: collects the bindings of one body in A-normal form: every nested expression gets a
variable, every value its struct info."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import WellFormedError
from .infer import forget, infer
from .module import IRModule, fresh_name
from .op import Op
from .prim import GlobalVar
from .prim import Var as SizeVar
from .relax import (
    Binding,
    BindingBlock,
    Call,
    Constant,
    DataflowBlock,
    DataflowVar,
    DataTypeImm,
    Expr,
    ExternFunc,
    Function,
    If,
    MatchCast,
    PrimValue,
    SeqExpr,
    ShapeExpr,
    StringImm,
    Tuple,
    TupleGetItem,
    VarBinding,
    as_expr,
    info_of,
)
from .relax import Var as RelaxVar
from .struct_info import StructInfo
from .visitor import collect

_LEAVES = (RelaxVar, Constant, ShapeExpr, PrimValue, StringImm, DataTypeImm, GlobalVar, ExternFunc,
           Op)


def as_value(value) -> Expr:
    """A Python value as a graph value; a list of graph values is a tuple."""
    if isinstance(value, list) and any(isinstance(v, Expr) for v in value):
        value = tuple(value)
    return as_expr(value)


class Bindings:
    """The body of one function or branch while it is built. Names are unique within it."""

    def __init__(self, mod: IRModule | None = None, names: set[str] | None = None):
        self.mod = mod or IRModule()
        self._blocks: list[BindingBlock] = []
        self._open: list[Binding] = []
        self._dataflow = False
        self._names: set[str] = set() if names is None else names

    # --- blocks -----------------------------------------------------------------------------

    @contextmanager
    def dataflow(self) -> Iterator[None]:
        """Bindings inside form one dataflow block."""
        if self._dataflow:
            raise WellFormedError("dataflow blocks do not nest",
                                  hint="end the block before you begin another")
        self._close()
        self._dataflow = True
        try:
            yield
        finally:
            self._close()

    def _close(self) -> None:
        if self._open:
            kind = DataflowBlock if self._dataflow else BindingBlock
            self._blocks.append(kind(tuple(self._open)))
        self._open, self._dataflow = [], False

    def finish(self, result) -> SeqExpr:
        """What was built, with `result` as its value."""
        value = self.normalize(as_value(result))
        if not isinstance(value, (*_LEAVES, Tuple)):
            value = self.emit(value)
        self._close()
        return SeqExpr(tuple(self._blocks), value)

    # --- bindings ---------------------------------------------------------------------------

    def emit(self, value, name_hint: str = "") -> RelaxVar:
        """Binds a value (nested expressions are bound first) to a new variable; returns it."""
        value = self.normalize(as_value(value))
        return self._bind(self._variable(name_hint, infer(value, self.mod)), value)

    def emit_output(self, value, name_hint: str = "") -> RelaxVar:
        """Binds a value that is visible outside of the dataflow block."""
        if not self._dataflow:
            raise WellFormedError("emit_output belongs inside of a dataflow block",
                                  hint="`with bb.dataflow():`, or bb.emit")
        value = self.normalize(as_value(value))
        name = self.get_unique_name(name_hint or "gv")
        return self._bind(RelaxVar(name, infer(value, self.mod)), value)

    def match_cast(self, value, info: StructInfo, name_hint: str = "") -> RelaxVar:
        """Checks `value` against `info` at run time; symbolic variables in `info` become known."""
        if not isinstance(info, StructInfo):
            raise WellFormedError(f"match_cast takes a struct info, not {type(info).__name__}",
                                  hint='bb.match_cast(x, R.Tensor((n, 4), "float32"))')
        value = self.leaf(self.normalize(as_value(value)))
        var = self._variable(name_hint, info)
        self.emit_normalized(MatchCast(var, value, info))
        return var

    def emit_normalized(self, binding: Binding) -> None:
        """Adds a binding as it stands: its value is in normal form already."""
        if not isinstance(binding, (VarBinding, MatchCast)):
            raise WellFormedError(f"emit_normalized takes a binding, not {type(binding).__name__}",
                                  hint="bb.emit takes values")
        if isinstance(binding.var, DataflowVar) and not self._dataflow:
            raise WellFormedError(f"the dataflow variable {binding.var.name!r} is bound outside of "
                                  "a dataflow block", hint="use a relax.Var")
        self._names.add(binding.var.name)
        self._open.append(binding)

    def _bind(self, var: RelaxVar, value: Expr) -> RelaxVar:
        self.emit_normalized(VarBinding(var, value, span=getattr(value, "span", None)))
        return var

    def _variable(self, hint: str, info: StructInfo) -> RelaxVar:
        kind = DataflowVar if self._dataflow else RelaxVar
        return kind(self.get_unique_name(hint or ("lv" if self._dataflow else "gv")), info)

    def get_unique_name(self, name_prefix: str) -> str:
        """A variable name not used in this function: `lv`, `lv1`, ..."""
        name = fresh_name(name_prefix, self._names)
        self._names.add(name)
        return name

    # --- normal form ------------------------------------------------------------------------

    def leaf(self, value: Expr) -> Expr:
        """`value` if it is a variable, constant or tuple of such, else a new variable for it."""
        return value if isinstance(value, (*_LEAVES, Tuple)) else self.emit(value)

    def normalize(self, e: Expr) -> Expr:
        """`e` with nested expressions bound to variables and struct info inferred."""
        if isinstance(e, Call):
            return self._call(e)
        if isinstance(e, Tuple):
            fields = tuple(self.leaf(self.normalize(f)) for f in e.fields)
            return e if all(map(_same, fields, e.fields)) else e.replace(fields=fields)
        if isinstance(e, TupleGetItem):
            inner = self.leaf(self.normalize(e.tuple))
            return e if inner is e.tuple else e.replace(tuple=inner)
        if isinstance(e, If):
            return self._if(e)
        if isinstance(e, SeqExpr):
            return self._flatten(e)
        if isinstance(e, Function) and not isinstance(e.body, SeqExpr):
            body = self._body(e.body, {p.name for p in e.params})
            ret = e.ret_struct_info or info_of(body)
            return e.replace(body=body, ret_struct_info=ret)
        return e

    def _call(self, e: Call) -> Call:
        args = tuple(self.leaf(self.normalize(a)) for a in e.args)
        op = e.op if isinstance(e.op, (*_LEAVES, Function)) else self.leaf(self.normalize(e.op))
        call = e if op is e.op and all(map(_same, args, e.args)) else \
            e.replace(op=op, args=args, struct_info=None)
        info = infer(call, self.mod)
        return call if call.struct_info is info else call.replace(struct_info=info)

    def _if(self, e: If) -> If:
        """Both branches as sequences; the condition as a leaf."""
        cond = self.leaf(self.normalize(e.cond))
        sides = [b if isinstance(b, SeqExpr) else self._body(b, self._names)
                 for b in (e.true_branch, e.false_branch)]
        if cond is e.cond and all(map(_same, sides, (e.true_branch, e.false_branch))):
            return e if e.struct_info is not None else e.replace(struct_info=infer(e, self.mod))
        new = If(cond, *sides, span=e.span)
        return new.replace(struct_info=infer(new, self.mod))

    def _body(self, e: Expr, names: set[str]) -> SeqExpr:
        inner = Bindings(self.mod, set(names))
        return inner.finish(e)

    def _flatten(self, e: SeqExpr) -> Expr:
        """The bindings of a nested sequence take place here, its value is the result."""
        for b in e.bindings:
            if isinstance(b.var, DataflowVar) and not self._dataflow:
                raise WellFormedError("a sequence with a dataflow block stands inside of an "
                                      "expression", hint="emit its bindings one by one")
            self.emit_normalized(b if isinstance(b, MatchCast)
                                 else b.replace(value=self.normalize(b.value)))
        return self.normalize(e.body)


def result_info(params: tuple[RelaxVar, ...], body: SeqExpr) -> StructInfo | None:
    """What callers know of the result: sizes that a match_cast inside made known are forgotten."""
    info = info_of(body)
    unseen = {v for b in body.bindings if isinstance(b, MatchCast)
              for v in collect(b.struct_info, SizeVar)}
    unseen -= {v for p in params for v in collect(info_of(p), SizeVar)}
    return info if info is None else forget(info, unseen)


def _same(a: object, b: object) -> bool:
    return a is b
