"""`LegalizeOps`: graph operators become calls of tensor programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...ir.errors import StructInfoError
from ...ir.module import IRModule
from ...ir.node import EMPTY, FrozenDict
from ...ir.op import Op
from ...ir.prim import FloatImm, GlobalVar, IntImm, PrimExpr, as_int, literal
from ...ir.relax import Call, Constant, Expr, Function, ShapeExpr, Tuple, VarBinding, info_of
from ...ir.struct_info import PrimStructInfo, StructInfo, TensorStructInfo, TupleStructInfo
from ...ir.te.program import lower_te
from ...ir.transform import Pass, Recorder
from ..private_functions import PrivateFunctions
from .binding_mutator import BindingMutator


@dataclass(frozen=True)
class LegalizeOps(Pass):
    """Replaces each call of an operator that says how it is computed (`Op.te`) by `call_tir` of a
    tensor program made from that; equal programs are shared. Operators without a computation,
    of unknown shape, and those named in `skip` stay.

    skip: short names of operators (`"matmul"`, `"nn.conv2d"`) to leave alone.
    rules: computations by short name, used instead of the operator's own: a function of the
        tensors (`te.Tensor`) and attributes of the call that returns tensors."""

    skip: tuple[str, ...] = ()
    rules: FrozenDict = EMPTY

    def __post_init__(self):
        object.__setattr__(self, "skip", tuple(self.skip))
        object.__setattr__(self, "rules", FrozenDict(self.rules))

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        functions = PrivateFunctions(mod)
        for name, func in mod.graph_funcs.items():
            new = _Legalizer(mod, name, recorder, self, functions).visit(func)
            functions.mod = functions.mod.with_functions({name: new})
        return functions.mod

    def computation(self, op: Op) -> Callable | None:
        """How to compute `op`, None if it stays."""
        return None if op.short in self.skip else self.rules.get(op.short, op.te)


class _Legalizer(BindingMutator):
    def __init__(self, mod, function, recorder, options: LegalizeOps, functions: PrivateFunctions):
        super().__init__(mod, function, recorder)
        self.options, self.functions = options, functions
        self.made: dict[tuple, tuple[GlobalVar, lower_te]] = {}

    def visit_Function(self, func: Function) -> Function:
        return func if "Codegen" in func.attrs else self.rebuild(func)

    def visit_VarBinding(self, binding: VarBinding) -> VarBinding:
        new = self.rebuild(binding)
        call = new.value
        compute = self.options.computation(call.op) \
            if isinstance(call, Call) and isinstance(call.op, Op) else None
        if compute is None or not self.wants("legalize", binding):
            return new
        made = self.legalized(call, compute, info_of(new.var))
        if made is None:
            return new
        result = new.replace(value=made)
        func = self.functions.mod[made.args[0].name]
        self.record("legalize", (binding, binding.value), (result, made, func))
        return result

    def legalized(self, call: Call, compute: Callable, info: StructInfo | None) -> Call | None:
        """The call of the tensor program, None where shapes or dtypes are unknown."""
        args = _with_scalars(call)
        if not _is_tensors(info) or not all(map(_has_known_info, args)):
            return None
        attrs = {p.name: call.op.attr(call, p.name) for p in call.op.params if p.kind == "attr"}
        gvar, program = self.program(call, compute, args, attrs)
        made = program.call(gvar)
        tensors = tuple(a for a in args if isinstance(info_of(a), TensorStructInfo))
        if len(tensors) == len(program.exprs):  # the program may be another call's
            made = made.replace(args=(gvar, Tuple(tensors), *made.args[2:]))
        if isinstance(info, TensorStructInfo) and not program.several:
            info = info.replace(dtype=program.outs[0].dtype)
        return made.replace(sinfo_args=(info,), struct_info=info, span=call.span)

    def program(self, call: Call, compute: Callable, args, attrs: dict):
        """The tensor program of a call; calls of the same signature share it."""
        key = _signature(call.op, args, attrs)
        found = self.made.get(key) if key else None
        if found is None:
            try:
                program = lower_te(compute, args, attrs)
            except StructInfoError as e:
                raise StructInfoError(f"{call.op.short} cannot be legalized: {e.message}",
                                      span=call.span, hint=e.hint) from e
            name = _function_name(call.op)
            found = self.functions.add(program.func, name), program
            if key:
                self.made[key] = found
        return found


def _function_name(op: Op) -> str:
    """`nn.conv2d` -> `conv2d`, `image.resize2d` -> `resize2d`."""
    return op.short.rpartition(".")[2]


def _signature(op: Op, args, attrs: dict) -> tuple | None:
    """Equal for calls that compute the same; None where an argument is no tensor or shape."""
    key: list = [op.name]
    for a in args:
        info = info_of(a) if not isinstance(a, PrimExpr) else None
        if isinstance(a, (IntImm, FloatImm)):
            key.append((repr(a.value), a.dtype))
        elif isinstance(info, TensorStructInfo):
            key += (info.dtype, *map(_size, info.dims), None)
        elif isinstance(a, ShapeExpr):
            key += ("shape", *map(_size, a.values), None)
        else:
            return None
    try:
        hash(tuple(attrs.values()))
    except TypeError:
        return None
    return (*key, *attrs.items())


def _size(d: PrimExpr) -> int | PrimExpr:
    """Equal for equal literals and for the same expression."""
    number = as_int(d)
    return d if number is None else number


def _with_scalars(call: Call) -> tuple[Expr | PrimExpr, ...]:
    """The arguments; scalars are their expressions, and a constant scalar in a broadcasting
    operator is written into the program."""
    args = tuple(map(_scalar, call.args))
    if len(args) != 2 or call.op.pattern != "broadcast":
        return args
    for k in (1, 0):
        arg = args[k]
        if isinstance(arg, Constant) and arg.data.ndim == 0 and arg.data.dtype.kind in "fiub":
            scalar = literal(arg.data.item(), str(arg.data.dtype))
            return (args[0], scalar) if k == 1 else (scalar, args[1])
    return args


def _scalar(arg: Expr) -> Expr | PrimExpr:
    """The scalar expression that a graph value stands for, where it is one."""
    info = info_of(arg)
    known = isinstance(info, PrimStructInfo) and info.value is not None
    return info.value if known else arg


def _has_known_info(arg) -> bool:
    return isinstance(arg, PrimExpr) or _is_known(info_of(arg)) \
        and not isinstance(info_of(arg), PrimStructInfo)


def _is_known(info: StructInfo | None) -> bool:
    """Whether every tensor in it has known sizes and dtype."""
    if isinstance(info, (TensorStructInfo, TupleStructInfo)):
        return _is_tensors(info)
    return info is not None and getattr(info, "values", ()) is not None


def _is_tensors(info: StructInfo | None) -> bool:
    """Whether it is a tensor or tuple of tensors, all of known sizes and dtype."""
    if isinstance(info, TupleStructInfo):
        return info.fields is not None and all(map(_is_tensors, info.fields))
    return isinstance(info, TensorStructInfo) and info.dims is not None and info.dtype is not None
