"""A function written in tensor expressions, applied to graph values: its tensor program and the
`call_tir` of it."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import StructInfoError
from ..module import fresh_name
from ..node import EMPTY, Node
from ..op import get_op
from ..prim import GlobalVar
from ..relax import Call, Expr, PrimValue, ShapeExpr, Tuple, TupleGetItem, info_of
from ..struct_info import ShapeStructInfo, StructInfo, TensorStructInfo, TupleStructInfo
from ..tir import PrimFunc
from ..visitor import fresh_copy, undefined_vars
from .prim_func import create_prim_func
from .tensor import Tensor, placeholder


class lower_te:
    """Runs a `te` function on graph values and holds the resulting tensor program.

    Tensors among the arguments become placeholders (also inside of lists and tuples), symbolic
    sizes are passed as scalars where the shapes of the inputs do not determine them."""

    def __init__(self, func, args: Sequence, kwargs: dict):
        self.exprs: list[Expr] = []
        self.inputs: list[Tensor] = []
        result = func(*[self._input(a) for a in args],
                      **{k: self._input(v) for k, v in kwargs.items()})
        self.several = isinstance(result, (tuple, list))
        self.outs = tuple(result) if self.several else (result,)
        func = create_prim_func([*self.inputs, *self.outs])
        self.sizes = undefined_vars(func)
        n = len(self.inputs)
        # the program has symbolic sizes of its own, not those of the graph function
        self.func: PrimFunc = fresh_copy(func.replace(
            params=(*func.params[:n], *self.sizes, *func.params[n:])))

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
        self.inputs.append(placeholder(info.dims, info.dtype, fresh_name(name, taken)))
        return self.inputs[-1]

    def call(self, gvar: GlobalVar) -> Call:
        """`R.call_tir(gvar, inputs, out_sinfo)` for this program."""
        infos = tuple(TensorStructInfo(t.shape, t.dtype, len(t.shape)) for t in self.outs)
        out = TupleStructInfo(infos) if self.several else infos[0]
        args: tuple[Expr, ...] = (gvar, Tuple(tuple(self.exprs)))
        if self.sizes:
            args += (ShapeExpr(tuple(self.sizes)),)
        return Call(get_op("call_tir"), args, EMPTY, (out,), out)
