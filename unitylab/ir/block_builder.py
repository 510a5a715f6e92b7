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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .binding_builder import Bindings, as_value, result_info
from .errors import Span, WellFormedError, did_you_mean
from .module import IRModule
from .node import FrozenDict
from .prim import GlobalVar
from .relax import Binding, Call, DataflowVar, Expr, Function, Tuple, TupleGetItem, as_expr, info_of
from .relax import Var as RelaxVar
from .struct_info import StructInfo
from .structural import structural_equal
from .structural_hash import structural_hash
from .te.program import lower_te
from .tir import BaseFunc

PACKAGE = str(Path(__file__).parents[1])
MODELS = str(Path(PACKAGE, "models"))
BUILDERS = (__file__, str(Path(__file__).with_name("binding_builder.py")))


class BlockBuilder(Bindings):
    """Builds the functions of a module, with the names and the meaning that TVM gives them.

        x, bb = R.Var("x", R.Tensor(("n", 64), "float32")), ul.BlockBuilder()
        with bb.function("main", [x]):
            with bb.dataflow():
                out = bb.emit_output(R.exp(x))
            bb.emit_func_output(out)
        mod = bb.get()

    Every misuse raises `WellFormedError` and leaves the module as it was."""

    def __init__(self, mod: IRModule | None = None):
        super().__init__(mod)
        self._function: str | None = None
        self._params: tuple[RelaxVar, ...] | None = None
        self._settings: tuple[dict, bool, bool] = ({}, True, False)
        self._done = False
        self._values: dict[RelaxVar, Expr | None] = {}
        self._ended: set[RelaxVar] = set()

    # --- functions and blocks ---------------------------------------------------------------

    @contextmanager
    def function(self, name: str, params: RelaxVar | Sequence[RelaxVar] | None = None,
                 attrs: dict | None = None, pure: bool = True,
                 private: bool = False) -> Iterator[None]:
        """Everything emitted inside is the body of function `name`; end with `emit_func_output`,
        which may name the parameters if they are not named here. A function that is not private
        has its name as `global_symbol`."""
        if self._dataflow:
            raise WellFormedError(f"function {name!r} begins inside of a dataflow block")
        if name in self.mod:
            raise WellFormedError(f"the module has a function {name!r} already",
                                  hint="bb.update_func replaces one")
        params = None if params is None else _checked(params)
        outer = self.__dict__.copy()
        BlockBuilder.__init__(self, self.mod)
        self._function, self._settings = name, (dict(attrs or {}), pure, private)
        self._take(params)
        try:
            yield
            if not self._done:
                raise WellFormedError(f"function {name!r} has no result",
                                      hint="call bb.emit_func_output(value) inside")
            outer["mod"] = self.mod
        finally:
            self.__dict__.update(outer)

    def _take(self, params: tuple[RelaxVar, ...] | None) -> None:
        self._params = params
        for p in params or ():
            self._names.add(p.name)
            self._values[p] = None

    @contextmanager
    def dataflow(self) -> Iterator[None]:
        """Bindings inside form one dataflow block; what is used after it is made by
        `emit_output`."""
        self._inside("dataflow")
        with super().dataflow():
            yield
        self._ended |= {v for v in self._values if isinstance(v, DataflowVar)}

    def _inside(self, what: str) -> None:
        if self._function is None:
            raise WellFormedError(f"{what} belongs inside of a function",
                                  hint='`with bb.function("main", [x]):`')
        if self._done:
            raise WellFormedError(f"{what} comes after the result of function {self._function!r}",
                                  hint="emit_func_output is the last thing in a function")

    def emit_func_output(self, output, params=None) -> GlobalVar:
        """The result of the function: a value, or a list or tuple of values. The module holds the
        function from here on."""
        self._inside("emit_func_output")
        if self._dataflow:
            raise WellFormedError("emit_func_output stands inside of a dataflow block",
                                  hint="emit_output, then emit_func_output after the block")
        if params is not None:
            if self._params is not None:
                raise WellFormedError(f"the parameters of {self._function!r} are given twice")
            self._take(_checked(params))
        elif self._params is None:
            raise WellFormedError(f"function {self._function!r} has no parameters",
                                  hint="params=[...] (perhaps empty) here or in bb.function")
        output = as_value(output)
        self._known(output)
        for value in filter(None, self._values.values()):  # parameters may be named only now
            self._known(value, frozenset())
        body = self.finish(output)
        attrs, pure, private = self._settings
        attrs = attrs if private else {"global_symbol": self._function, **attrs}
        func = Function(self._params, body, result_info(self._params, body), pure,
                        FrozenDict(attrs))
        self.mod = self.mod.with_functions({self._function: func})
        self._done = True
        return GlobalVar(self._function)

    def get(self) -> IRModule:
        """The module built so far."""
        return self.mod

    finalize = get

    # --- bindings ---------------------------------------------------------------------------

    def emit(self, value, name_hint: str = "") -> RelaxVar:
        """Binds a value (nested expressions are bound first) to a new variable; returns it."""
        self._inside("emit")
        value = as_value(value)
        self._known(value)
        return super().emit(_placed(value), name_hint)

    def emit_output(self, value, name_hint: str = "") -> RelaxVar:
        """Binds a value that is visible outside of the dataflow block."""
        self._inside("emit_output")
        value = as_value(value)
        self._known(value)
        return super().emit_output(_placed(value), name_hint)

    def match_cast(self, value, info: StructInfo, name_hint: str = "") -> RelaxVar:
        """Checks `value` against `info` at run time; symbolic variables in `info` become known."""
        self._inside("match_cast")
        value = as_value(value)
        self._known(value)
        return super().match_cast(value, info, name_hint)

    def emit_normalized(self, binding: Binding) -> None:
        """Adds a binding as it stands: its value is in normal form already."""
        self._inside("emit_normalized")
        super().emit_normalized(binding)
        self._values[binding.var] = binding.value

    def lookup_binding(self, var: RelaxVar) -> Expr | None:
        """The value that `var` is bound to in this function; None for a parameter or a stranger."""
        return self._values.get(var)

    def _known(self, value: Expr, ended: frozenset | set | None = None) -> None:
        """Refuses variables whose dataflow block has ended, and those bound nowhere."""
        ended = self._ended if ended is None else ended
        if isinstance(value, RelaxVar):
            self._check_var(value, ended)
        elif isinstance(value, (Call, Tuple, TupleGetItem)):
            for c in value.children():
                if isinstance(c, Expr):
                    self._known(c, ended)

    def _check_var(self, v: RelaxVar, ended) -> None:
        if v in ended:
            raise WellFormedError(f"the dataflow variable {v.name!r} is used after its block",
                                  hint="bb.emit_output makes a value that outlives the block")
        if self._params is not None and v not in self._values:
            names = [w.name for w in self._values]
            raise WellFormedError(f"the variable {v.name!r} is bound nowhere in function "
                                  f"{self._function!r}",
                                  hint=did_you_mean(v.name, names, "make it a parameter"))

    # --- tensor programs --------------------------------------------------------------------

    def emit_te(self, func: Callable, *args, name_hint: str = "", **kwargs) -> RelaxVar:
        """Computes `func(*args)` in tensor expressions: adds its tensor program to the module and
        emits the call."""
        self._inside("emit_te")
        return self.emit(self.call_te(func, *args, **kwargs), name_hint)

    def call_te(self, func: Callable, *args, name: str | None = None,
                primfunc_name_hint: str | None = None, primfunc_attrs: dict | None = None,
                **kwargs) -> Call:
        """Like `emit_te`, gives the `call_tir` without binding it. `name` (or
        `primfunc_name_hint`) names the tensor program, else `func` does."""
        self._inside("call_te")
        args = [self._te_argument(a) for a in args]
        program = lower_te(func, args, {k: self._te_argument(v) for k, v in kwargs.items()})
        hint = name or primfunc_name_hint or getattr(func, "__name__", "te").strip("<>")
        private = program.func.with_attrs(**{"global_symbol": None, **(primfunc_attrs or {})})
        return program.call(self.add_func(private, hint))

    def _te_argument(self, a):
        if isinstance(a, (list, tuple)):
            return type(a)(map(self._te_argument, a))
        if not isinstance(a, Expr):
            return a
        self._known(a)
        return self.leaf(self.normalize(as_expr(a)))

    # --- functions of the module --------------------------------------------------------------

    def add_func(self, func: BaseFunc, func_name: str) -> GlobalVar:
        """Adds a function under a free name; an equal one that is there already is shared."""
        if not isinstance(func, BaseFunc):
            raise WellFormedError(f"add_func takes a function, not {type(func).__name__}",
                                  hint="te.create_prim_func, @T.prim_func, @R.function")
        key = structural_hash(func)
        for name, other in self.mod.items():
            if type(other) is type(func) and structural_hash(other) == key and \
                    structural_equal(other, func):
                return GlobalVar(name)
        name = self.mod.fresh_name(func_name)
        if "global_symbol" in func.attrs:
            func = func.with_attrs(global_symbol=name)
        self.mod = self.mod.with_functions({name: func})
        return GlobalVar(name)

    def update_func(self, gv: GlobalVar | str, updated_func: BaseFunc) -> None:
        """Replaces a function of the module."""
        name = gv.name if isinstance(gv, GlobalVar) else gv
        if name not in self.mod:
            raise WellFormedError(f"the module has no function {name!r} to update",
                                  hint=did_you_mean(name, self.mod, "bb.add_func adds one"))
        if not isinstance(updated_func, BaseFunc):
            raise WellFormedError("update_func takes a function, not "
                                  f"{type(updated_func).__name__}")
        self.mod = self.mod.with_functions({name: updated_func})


def _checked(params) -> tuple[RelaxVar, ...]:
    """Parameters as a tuple: graph variables with struct info, each once, with names of their
    own."""
    params = (params,) if isinstance(params, RelaxVar) else tuple(params)
    for k, p in enumerate(params):
        if not isinstance(p, RelaxVar) or isinstance(p, DataflowVar):
            raise WellFormedError(f"parameter {k} is no graph variable: {type(p).__name__}",
                                  hint='relax.Var("x", R.Tensor((n, 4), "float32"))')
        if info_of(p) is None:
            raise WellFormedError(f"parameter {p.name!r} has no struct info",
                                  hint='relax.Var("x", R.Tensor((n, 4), "float32"))')
    for k, p in enumerate(params):
        if p.name in {q.name for q in params[:k]}:
            raise WellFormedError(f"two parameters are called {p.name!r}")
    return params


def _placed(value: Expr) -> Expr:
    """A call with the line of the user's code that emits it; as it is inside of a pass."""
    if not isinstance(value, Call) or value.span is not None:
        return value
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename in BUILDERS:
        frame = frame.f_back
    name = frame.f_code.co_filename if frame is not None else PACKAGE
    if name.startswith(PACKAGE) and not name.startswith(MODELS):
        return value
    return value.replace(span=Span(name, frame.f_lineno, 0))
