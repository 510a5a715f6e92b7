"""Calls in graphs: signatures, inferred against declared, parameters of tensor programs."""

from __future__ import annotations

from ..ir import relax
from ..ir.dtypes import HANDLE
from ..ir.errors import UnityLabError
from ..ir.infer import infer
from ..ir.module import IRModule
from ..ir.op import OPS, REQUIRED, Op
from ..ir.prim import GlobalVar, Var
from ..ir.struct_info import (
    ObjectStructInfo,
    PrimStructInfo,
    ShapeStructInfo,
    StructInfo,
    TensorStructInfo,
    TupleStructInfo,
)
from ..ir.tir import Buffer, PrimFunc
from .infos import describe, difference, size_difference
from .report import Report

_CALL_TIR = ("relax.call_tir", "relax.call_tir_with_grad", "relax.call_tir_inplace")
_ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError)


class CallChecker:
    """The rules of values that are computed; names and scopes are checked elsewhere."""

    def __init__(self, mod: IRModule, report: Report):
        self.mod, self.report = mod, report

    def value(self, e: relax.Expr, declared: StructInfo | None) -> None:
        """A value that gets a variable: it can be inferred, and to what is declared."""
        if isinstance(e, relax.Call) and not self.call(e):
            return
        try:
            found = infer(e, self.mod)
        except UnityLabError as err:
            self.report.say("struct-info", err.message, e, err.hint)
            return
        except _ODD as err:
            self.report.say("struct-info", f"{_called(e)} does not fit its arguments "
                            f"({type(err).__name__}: {err})", e, "compare with the operator's help")
            return
        if why := difference(declared, found):
            self.report.say("struct-info", f"the declared struct info is not what {_called(e)} "
                            f"gives: {why}", e, f"it gives {_script(found)}")

    def call(self, call: relax.Call) -> bool:
        """The rules of the callee; whether it makes sense to infer the result."""
        if not isinstance(call.op, Op):
            return True
        if call.op.name not in OPS:
            self.report.say("unknown-operator", f"no operator is called {call.op.short!r}", call,
                            "ul.ir.op.register declares one")
            return False
        if not self.arguments(call):
            return False
        if call.op.name in _CALL_TIR and isinstance(call.args[0], GlobalVar):
            self.call_tir(call, self.mod.functions.get(call.args[0].name))
        return True

    def arguments(self, call: relax.Call) -> bool:
        """As many arguments as the operator takes, and only attributes that it knows."""
        op, n = call.op, len(call.args)
        takes = [p for p in op.params if p.kind != "attr"]
        least = sum(p.default is REQUIRED for p in takes if p.kind != "rest")
        most = n if any(p.kind == "rest" for p in takes) else len(takes)
        most += op.name in _CALL_TIR  # the sizes of tir_vars
        if not least <= n <= most:
            count = str(least) if least == most else f"{least} to {most}"
            self.report.say("arguments", f"{op.short} takes {count} arguments, {n} are given", call,
                            f"R.{op.short}({', '.join(p.name for p in op.params)})")
        known = {p.name for p in op.params if p.kind == "attr"}
        for name in call.attrs:
            if name not in known:
                self.report.say("arguments", f"{op.short} has no attribute {name!r}", call,
                                f"it has: {', '.join(sorted(known)) or 'none'}")
        return least <= n <= most

    # --- call_tir ---------------------------------------------------------------------------

    def call_tir(self, call: relax.Call, func) -> None:
        """Inputs, scalars and outputs fit the parameters of the tensor program."""
        name = call.args[0].name
        if func is None:
            return  # an unknown name is a complaint already
        if not isinstance(func, PrimFunc):
            self.report.say("call-tir", f"{call.op.short} calls {name!r}, a graph function", call,
                            f"a graph function is called directly: cls.{name}(...)")
            return
        if len(call.sinfo_args) != 1:
            self.report.say("call-tir", f"{call.op.short} of {name!r} declares no output", call,
                            'out_sinfo=R.Tensor((n, m), "float32")')
            return
        given = self.given(call)
        if given is not None:
            self.fit(call, name, func, given)

    def given(self, call: relax.Call) -> list[tuple[str, StructInfo]] | None:
        """What the call passes with a name for each, None if that is not known."""
        inputs = _fields(relax.info_of(call.args[1]))
        outputs = _fields(call.sinfo_args[0])
        if inputs is None or outputs is None:
            return None
        given = [(f"input {k}", i) for k, i in enumerate(inputs)]
        if len(call.args) > 2:
            sizes = relax.info_of(call.args[2])
            if not isinstance(sizes, ShapeStructInfo) or sizes.values is None:
                return None
            given += [(f"tir_vars {k}", PrimStructInfo(v.dtype, v))
                      for k, v in enumerate(sizes.values)]
        places = _places(call, len(outputs))
        if places is None:
            return None
        for k, (info, place) in enumerate(zip(outputs, places)):
            if place < 0:
                given.append((f"output {k}", info))
            elif place >= len(inputs) or (why := difference(inputs[place], info)):
                self.report.say("call-tir", f"output {k} cannot take the memory of input {place}: "
                                + (why if place < len(inputs) else "there is no such input"), call,
                                "inplace_indices holds -1 for an output with memory of its own")
        return given

    def fit(self, call, name: str, func: PrimFunc, given: list[tuple[str, StructInfo]]) -> None:
        """Tensors go to buffers and scalars to scalars, each in their order."""
        if len(given) != len(func.params):
            self.report.say("call-tir", f"{name!r} has {len(func.params)} parameters, {len(given)} "
                            "are given (inputs, scalars and outputs)", call,
                            f"{name}({', '.join(p.name for p in func.params)})")
            return
        if any(not isinstance(i, (TensorStructInfo, PrimStructInfo)) for _, i in given):
            wrong = next(((w, i) for w, i in given if not isinstance(
                i, (TensorStructInfo, PrimStructInfo, ObjectStructInfo))), None)
            if wrong:
                self.report.say("call-tir", f"{wrong[0]} of {name!r} is {describe(wrong[1])}; a "
                                "tensor program takes tensors and scalars", call,
                                "a shape is passed as scalars: tir_vars=R.shape([n])")
            return
        scalars = [p for p in func.params if isinstance(p, Var) and p.dtype != HANDLE]
        buffers = [p for p in func.params if not (isinstance(p, Var) and p.dtype != HANDLE)]
        tensors = [g for g in given if isinstance(g[1], TensorStructInfo)]
        if len(tensors) != len(buffers):
            self.report.say("call-tir", f"{name!r} takes {len(buffers)} tensors and {len(scalars)} "
                            f"scalars, {len(tensors)} tensors are given", call,
                            f"{name}({', '.join(p.name for p in func.params)})")
            return
        numbers = [g for g in given if isinstance(g[1], PrimStructInfo)]
        self.scalars(call, name, scalars, numbers)
        self.buffers(call, name, buffers, tensors)

    def scalars(self, call, name: str, params: list[Var], given: list) -> None:
        for p, (what, info) in zip(params, given):
            if p.dtype != info.dtype:
                self.report.say("call-tir", f"{what} of {name!r} has dtype {info.dtype}, the "
                                f"parameter {p.name!r} {p.dtype}", call, "convert it")

    def buffers(self, call, name: str, params: list, given: list) -> None:
        """Dtypes, ranks, and sizes that are literals; a symbolic size is one number."""
        bound: dict = {}
        for p, (what, info) in zip(params, given):
            if not isinstance(p, Buffer):
                continue
            want = TensorStructInfo(p.shape, p.dtype, p.ndim)
            why = difference(want, info) or size_difference(p.shape, info.dims, bound)
            if why:
                self.report.say("call-tir", f"{what} does not fit the parameter {p.name!r} of "
                                f"{name!r}: {why}", call,
                                f"{_script(want)} is expected, {_script(info)} given")


def _fields(info: StructInfo | None) -> tuple[StructInfo, ...] | None:
    """A tuple's fields, a single value as one, None if that is not known."""
    if isinstance(info, TupleStructInfo):
        return info.fields
    return None if info is None or isinstance(info, ObjectStructInfo) else (info,)


def _places(call: relax.Call, outputs: int) -> tuple[int, ...] | None:
    """For each output the input whose memory it takes, or -1."""
    if call.op.name != "relax.call_tir_inplace":
        return (-1,) * outputs
    places = call.op.attr(call, "inplace_indices")
    places = (places,) if isinstance(places, int) else places
    fits = isinstance(places, tuple) and all(isinstance(p, int) for p in places)
    return places if fits and len(places) == outputs else None


def _called(e: relax.Expr) -> str:
    if not isinstance(e, relax.Call):
        return "the value"
    op = e.op
    return op.short if isinstance(op, Op) else getattr(op, "name", "the function")


def _script(info: StructInfo) -> str:
    return " ".join(info.script().split())
