"""Every operator of the registry: what is inferred is what NumPy gives; the computation, run by the
interpreter and by machine code, equals it."""

import numpy as np
import pytest

from tests.op_cases import CASES, NO_COMPUTATION, Case
from unitylab.exec.build import build
from unitylab.interp import interpret
from unitylab.ir.block_builder import BlockBuilder
from unitylab.ir.op import OPS
from unitylab.ir.prim import as_int
from unitylab.ir.relax import Constant, ShapeExpr, Tuple, TupleGetItem, Var
from unitylab.ir.struct_info import ShapeStructInfo, TensorStructInfo, TupleStructInfo, tensor_info
from unitylab.ops import op_table

ALL = [pytest.param(name, case, id=f"{name}-{k}")
       for name, cases in CASES.items() for k, case in enumerate(cases)]
COMPUTED = [p for p in ALL if OPS[f"relax.{p.values[0]}"].te is not None]


def inputs_of(case: Case) -> list[np.ndarray]:
    """The arrays among the arguments, in order."""
    flat = []
    for a in case.args:
        flat += a if isinstance(a, list) else [a] if isinstance(a, np.ndarray) else []
    return flat


def arguments(case: Case) -> tuple[list[Var], list]:
    """Parameters for the arrays, and the arguments of the call made of them."""
    params = []

    def variable(a: np.ndarray) -> Var:
        params.append(Var(f"x{len(params)}", tensor_info(a.shape, str(a.dtype))))
        return params[-1]

    def argument(a):
        if isinstance(a, np.ndarray):
            return variable(a)
        return Tuple(tuple(map(variable, a))) if isinstance(a, list) else a

    exprs = [argument(a) for a in case.args]
    return params, exprs


def graph(name: str, case: Case):
    """A module whose function `main` calls the operator."""
    params, args = arguments(case)
    bb = BlockBuilder()
    with bb.function("main", params):
        bb.emit_func_output(bb.emit(OPS[f"relax.{name}"](*args, **case.attrs)))
    return bb.get()


def legalized(name: str, case: Case):
    """The same with the operator's computation in its place."""
    params, args = arguments(case)
    op = OPS[f"relax.{name}"]
    call = op(*args, **case.attrs)
    attrs = {p.name: op.attr(call, p.name) for p in op.params if p.kind == "attr"}
    bb = BlockBuilder()
    with bb.function("main", params):
        bb.emit_func_output(bb.emit_te(op.te, *call.args, name=name.replace(".", "_"), **attrs))
    return bb.get()


def reference(name: str, case: Case):
    """What NumPy computes."""
    op = OPS[f"relax.{name}"]
    _, args = arguments(case)
    call = op(*args, **case.attrs)
    attrs = {p.name: op.attr(call, p.name) for p in op.params if p.kind == "attr"}
    arrays = iter(inputs_of(case))

    def value(e):
        if isinstance(e, Var):
            return next(arrays)
        if isinstance(e, Tuple):
            return tuple(map(value, e.fields))
        if isinstance(e, ShapeExpr):
            return tuple(as_int(v) for v in e.values)
        if isinstance(e, Constant):
            return e.data
        return e.value.value if hasattr(e, "value") and hasattr(e.value, "value") else e.value

    with np.errstate(all="ignore"):
        return op.numpy(*map(value, call.args), **attrs)


def check_info(info, result) -> None:
    """The struct info says exactly what the result is."""
    if isinstance(info, TupleStructInfo):
        assert len(info.fields) == len(result)
        for i, r in zip(info.fields, result):
            check_info(i, r)
    elif isinstance(info, ShapeStructInfo):
        assert info.values is None or tuple(map(as_int, info.values)) == tuple(result)
    else:
        assert isinstance(info, TensorStructInfo)
        assert tuple(map(as_int, info.dims)) == np.shape(result)
        assert info.dtype.numpy == np.asarray(result).dtype and info.ndim == np.ndim(result)


def check_equal(got, want, case: Case) -> None:
    if isinstance(want, tuple):
        assert len(got) == len(want)
        for g, w in zip(got, want):
            check_equal(g, w, case)
        return
    if isinstance(want, int):  # one size of a shape
        assert got == want
        return
    want = np.asarray(want)
    assert got.shape == want.shape and got.dtype == want.dtype
    np.testing.assert_allclose(got.astype("float64"), want.astype("float64"), rtol=case.rtol,
                               atol=case.rtol)


def test_every_operator_has_a_case():
    """An operator without computation is named as such; all others have cases."""
    computed = {o.short for o in OPS.values() if o.te is not None}
    assert computed - set(CASES) == set(), "operators without a case in op_cases.py"
    assert set(CASES) - {o.short for o in OPS.values()} == set()
    without = {o.short for o in OPS.values() if o.te is None}
    assert without == NO_COMPUTATION, "say in op_cases.py which operators have no computation"


def test_every_operator_is_documented():
    for name, params, doc in op_table():
        assert doc.strip() and doc.endswith("."), name


@pytest.mark.parametrize("name, case", ALL)
def test_inferred_is_reference(name, case):
    body = graph(name, case)["main"].body
    info = body.bindings[0].var.struct_info
    want = reference(name, case)
    if not isinstance(body.bindings[0].value, TupleGetItem):
        check_info(info, want)


@pytest.mark.parametrize("name, case", ALL)
def test_interpreted_graph_is_reference(name, case):
    got = interpret(graph(name, case))["main"](*inputs_of(case))
    check_equal(got, reference(name, case), case)


@pytest.mark.parametrize("name, case", COMPUTED)
def test_legalized_and_interpreted_is_reference(name, case):
    got = interpret(legalized(name, case))["main"](*inputs_of(case))
    check_equal(got, reference(name, case), case)


@pytest.mark.parametrize("name, case", COMPUTED)
def test_machine_code_is_reference(name, case):
    got = build(legalized(name, case))["main"](*inputs_of(case))
    check_equal(got, reference(name, case), case)
