"""`BlockBuilder`: makes graph functions one binding at a time, in A-normal form, with struct info
inferred at every step.

    bb = BlockBuilder()
    x = relax.Var("x", tensor_info((1, 64), "float32"))
    with bb.function("main", [x]):
        with bb.dataflow():
            h = bb.emit(R.nn.relu(x))
            out = bb.emit_output(h)
        bb.emit_func_output(out)
    mod = bb.get()
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import te
from .errors import Span, StructInfoError
from .infer import infer
from .module import IRModule, fresh_name
from .node import EMPTY, FrozenDict, Node
from .op import Op, get_op
from .prim import GlobalVar
from .relax import (Binding, BindingBlock, Call, Constant, DataflowBlock, DataflowVar, Expr,
                    ExternFunc, Function, If, MatchCast, PrimValue, SeqExpr, ShapeExpr, StringImm,
                    DataTypeImm, Tuple, TupleGetItem, VarBinding, as_expr, info_of)
from .relax import Var as RelaxVar
from .struct_info import ShapeStructInfo, StructInfo, TensorStructInfo, TupleStructInfo
from .structural import structural_equal
from .tir import BaseFunc, PrimFunc
from .visitor import undefined_vars

_LEAVES = (RelaxVar, Constant, ShapeExpr, PrimValue, StringImm, DataTypeImm, GlobalVar, ExternFunc,
           Op)


class BlockBuilder:
    """Builds functions of a module. Names are made unique within the function being built."""

    def __init__(self, mod: IRModule | None = None):
        self.mod = mod or IRModule()
        self._blocks: list[BindingBlock] = []
        self._open: list[Binding] = []
        self._dataflow = False
        self._names: set[str] = set()
        self._result: Expr | None = None
        self._ret: StructInfo | None = None

    # --- functions and blocks ---------------------------------------------------------------

    @contextmanager
    def function(self, name: str, params: Sequence[RelaxVar], attrs: dict | None = None,
                 pure: bool = True, private: bool = False) -> Iterator[None]:
        """Everything emitted inside is the body of function `name`; end with
        `emit_func_output`."""
        outer = self.__dict__.copy()
        self._blocks, self._open, self._dataflow = [], [], False
        self._names, self._result = {p.name for p in params}, None
        yield
        if self._result is None:
            raise StructInfoError(f"function {name!r} has no result",
                                  hint="call bb.emit_func_output(value) inside")
        self._close()
        body = SeqExpr(tuple(self._blocks), self._result)
        given = dict(attrs or {}) if private else {"global_symbol": name, **(attrs or {})}
        func = Function(tuple(params), body, info_of(self._result), pure, FrozenDict(given))
        mod = self.mod
        self.__dict__.update(outer)
        self.mod = mod.with_functions({name: func})

    @contextmanager
    def dataflow(self) -> Iterator[None]:
        """Bindings inside form one dataflow block."""
        if self._dataflow:
            raise StructInfoError("dataflow blocks do not nest")
        self._close()
        self._dataflow = True
        yield
        self._close()

    def _close(self) -> None:
        if self._open:
            kind = DataflowBlock if self._dataflow else BindingBlock
            self._blocks.append(kind(tuple(self._open)))
        self._open, self._dataflow = [], False

    def get(self) -> IRModule:
        """The module built so far."""
        return self.mod

    # --- bindings ---------------------------------------------------------------------------

    def emit(self, value, name: str = "") -> RelaxVar:
        """Binds a value (nested calls are bound first) to a new variable and returns it."""
        value = _placed(self.normalize(as_expr(value)))
        kind = DataflowVar if self._dataflow else RelaxVar
        return self.bind(kind(self.unique(name or ("lv" if self._dataflow else "gv")),
                              infer(value, self.mod)), value)

    def bind(self, var: RelaxVar, value: Expr) -> RelaxVar:
        """Emits `var = value` as it stands."""
        self._open.append(VarBinding(var, value, span=getattr(value, "span", None)))
        return var

    def emit_output(self, value, name: str = "") -> RelaxVar:
        """Binds a value that is visible outside of the dataflow block."""
        if not self._dataflow:
            raise StructInfoError("emit_output belongs inside of a dataflow block", hint="bb.emit")
        value = _placed(self.normalize(as_expr(value)))
        return self.bind(RelaxVar(self.unique(name or "gv"), infer(value, self.mod)), value)

    def match_cast(self, value: Expr, info: StructInfo, name: str = "") -> RelaxVar:
        """Checks `value` against `info` at run time; symbolic variables in `info` become known."""
        value = self.leaf(self.normalize(as_expr(value)))
        kind = DataflowVar if self._dataflow else RelaxVar
        var = kind(self.unique(name or ("lv" if self._dataflow else "gv")), info)
        self._open.append(MatchCast(var, value, info))
        return var

    def emit_func_output(self, value) -> None:
        """The result of the function."""
        self._close()
        value = self.normalize(as_expr(value))
        self._result = value if isinstance(value, (*_LEAVES, Tuple)) else self.emit(value)
        self._close()

    def emit_te(self, func, *args, name: str | None = None, **kwargs) -> RelaxVar:
        """Computes `func(*args)` in tensor expressions: adds its tensor program to the module and
        emits the call."""
        return self.emit(self.call_te(func, *args, name=name, **kwargs))

    def call_te(self, func, *args, name: str | None = None, **kwargs) -> Call:
        """Like `emit_te`, gives the `call_tir` without binding it."""
        args = [self.leaf(self.normalize(as_expr(a))) if isinstance(a, (Expr, RelaxVar)) else a
                for a in args]
        call_parts = lower_te(func, args, kwargs)
        gvar = self.add_func(call_parts.func, name or func.__name__.strip("<>"))
        return call_parts.call(gvar)

    def add_func(self, func: BaseFunc, hint: str) -> GlobalVar:
        """Adds a function under a free name; an equal one that is there already is shared."""
        func = func.replace(attrs=FrozenDict({k: v for k, v in func.attrs.items()
                                              if k != "global_symbol"}))
        for name, other in self.mod.items():
            if type(other) is type(func) and name.startswith(hint) and \
                    structural_equal(other, func):
                return GlobalVar(name)
        name = self.mod.fresh_name(hint)
        self.mod = self.mod.with_functions({name: func})
        return GlobalVar(name)

    # --- normal form ------------------------------------------------------------------------

    def unique(self, hint: str) -> str:
        """A variable name not used in this function: `lv`, `lv1`, ..."""
        name = fresh_name(hint, self._names)
        self._names.add(name)
        return name

    def leaf(self, value: Expr) -> Expr:
        """`value` if it is a variable, constant or tuple of such, else a new variable for it."""
        return value if isinstance(value, (*_LEAVES, Tuple)) else self.emit(value)

    def normalize(self, e: Expr) -> Expr:
        """`e` with nested calls bound to variables and struct info inferred."""
        if isinstance(e, Call):
            args = tuple(self.leaf(self.normalize(a)) for a in e.args)
            op = e.op if isinstance(e.op, (*_LEAVES, Function)) else self.leaf(self.normalize(e.op))
            call = e if op is e.op and all(map(_same, args, e.args)) else \
                e.replace(op=op, args=args, struct_info=None)
            info = infer(call, self.mod)
            return call if call.struct_info is info else call.replace(struct_info=info)
        if isinstance(e, Tuple):
            fields = tuple(self.leaf(self.normalize(f)) for f in e.fields)
            return e if all(map(_same, fields, e.fields)) else e.replace(fields=fields)
        if isinstance(e, TupleGetItem):
            inner = self.leaf(self.normalize(e.tuple))
            return e if inner is e.tuple else e.replace(tuple=inner)
        if isinstance(e, If) and e.struct_info is None:
            return e.replace(struct_info=infer(e, self.mod))
        return e


def _same(a: object, b: object) -> bool:
    return a is b


PACKAGE = str(Path(__file__).parents[1])
MODELS = str(Path(PACKAGE, "models"))


def _placed(value: Expr) -> Expr:
    """A call with the line of the user's code that emits it; as it is inside of a pass."""
    if not isinstance(value, Call) or value.span is not None:
        return value
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    name = frame.f_code.co_filename if frame is not None else PACKAGE
    if name.startswith(PACKAGE) and not name.startswith(MODELS):
        return value
    return value.replace(span=Span(name, frame.f_lineno, 0))


class lower_te:  # noqa: N801 - a function that keeps its parts
    """Runs a `te` function on graph values and holds the resulting tensor program.

    Tensors among the arguments become placeholders (also inside of lists and tuples), symbolic
    sizes are passed as scalars where the shapes of the inputs do not determine them."""

    def __init__(self, func, args: Sequence, kwargs: dict):
        self.exprs: list[Expr] = []
        self.inputs: list[te.Tensor] = []
        result = func(*[self._input(a) for a in args],
                      **{k: self._input(v) for k, v in kwargs.items()})
        self.several = isinstance(result, (tuple, list))
        self.outs = tuple(result) if self.several else (result,)
        func = te.create_prim_func([*self.inputs, *self.outs])
        self.sizes = undefined_vars(func)
        n = len(self.inputs)
        self.func: PrimFunc = func.replace(
            params=(*func.params[:n], *self.sizes, *func.params[n:]))

    def _input(self, a):
        if isinstance(a, (list, tuple)):
            return type(a)(self._input(x) for x in a)
        if isinstance(a, Tuple):
            return tuple(self._input(x) for x in a.fields)
        if isinstance(a, PrimValue):
            return a.value
        if isinstance(a, ShapeExpr):
            return list(a.values)
        if not isinstance(a, Node) or not isinstance(info_of(a), StructInfo):
            return a
        info = info_of(a)
        if isinstance(info, TupleStructInfo):
            return tuple(self._input(TupleGetItem(a, i)) for i in range(len(info.fields)))
        if isinstance(info, ShapeStructInfo) and info.values is not None:
            return list(info.values)
        if not isinstance(info, TensorStructInfo):
            return a
        if info.dims is None or info.dtype is None:
            raise StructInfoError(f"{getattr(a, 'name', 'a value')} has no known shape and dtype: "
                                  f"{info.script()}", hint="R.match_cast gives it one")
        name = getattr(a, "name", "") or chr(ord("A") + len(self.inputs) % 26)
        taken = {t.name for t in self.inputs}
        self.exprs.append(a)
        self.inputs.append(te.placeholder(info.dims, info.dtype, fresh_name(name, taken)))
        return self.inputs[-1]

    def call(self, gvar: GlobalVar) -> Call:
        """`R.call_tir(gvar, inputs, out_sinfo)` for this program."""
        infos = tuple(TensorStructInfo(t.shape, t.dtype, len(t.shape)) for t in self.outs)
        out = TupleStructInfo(infos) if self.several else infos[0]
        args: tuple[Expr, ...] = (gvar, Tuple(tuple(self.exprs)))
        if self.sizes:
            args += (ShapeExpr(tuple(self.sizes)),)
        return Call(get_op("call_tir"), args, EMPTY, (out,), out)
