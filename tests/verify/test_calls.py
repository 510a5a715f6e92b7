"""The verifier on calls in graphs: signatures, inferred against declared, tensor programs."""

import pytest

import unitylab as ul
from unitylab.ir import relax
from unitylab.ir.node import FrozenDict
from unitylab.ir.op import Op, get_op
from unitylab.ir.prim import GlobalVar, Var
from unitylab.ir.struct_info import (
    FuncStructInfo,
    ObjectStructInfo,
    PrimStructInfo,
    TupleStructInfo,
    shape_info,
    tensor_info,
)
from unitylab.verify.infos import difference

MODULE = """
@I.ir_module
class Module:
    @T.prim_func
    def add_one(a: T.handle, b: T.handle):
        n = T.int64()
        A = T.match_buffer(a, (n, 4), "float32")
        B = T.match_buffer(b, (n, 4), "float32")
        for i, j in T.grid(n, 4):
            with T.block("b"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = A[vi, vj] + T.float32(1)

    @T.prim_func
    def fill(x: T.int64, A: T.Buffer((4,), "int64")):
        for i in range(4):
            A[i] = x

    @R.function
    def double(x: R.Tensor((8, 4), "float32")) -> R.Tensor((8, 4), "float32"):
        y = R.add(x, x)
        return y

    @R.function
    def main(x: R.Tensor((8, 4), "float32"), c: R.Tensor((), "bool")) {result}:
        cls = Module
        {body}
        return y
"""


def module(body, result='-> R.Object'):
    return ul.parse(MODULE.format(body=body, result=result))


def refused(body, match, **kw):
    """Either the parser refuses it, or the verifier, with the same words."""
    with pytest.raises(ul.UnityLabError, match=match):
        ul.well_formed(module(body, **kw))


CALL = "y = R.call_tir(cls.{}, {}, out_sinfo={})"
GOOD = CALL.format("add_one", "(x,)", 'R.Tensor((8, 4), "float32")')


@pytest.mark.parametrize("body", [
    GOOD,
    "y = cls.double(x)",
    "y: R.Tensor(ndim=2) = R.exp(x)",
    'y: R.Tensor((8, 4), "float32") = R.call_packed("f", x, sinfo_args=R.Object)',
    CALL.format("fill", "(R.prim_value(3),)", 'R.Tensor((4,), "int64")'),
    CALL.format("add_one", "(x, x)", 'R.Tensor((8, 4), "float32"), inplace_indices=1')
    .replace("call_tir", "call_tir_inplace"),
    'y = R.match_cast(x, R.Tensor(("n", 4), "float32"))',
])
def test_good_calls_have_no_complaints(body):
    assert ul.complaints(module(body)) == []


@pytest.mark.parametrize("callee, args, out, match", [
    ("add_one", "(x, x)", 'R.Tensor((8, 4), "float32")',
     r"main, binding y: 'add_one' has 2 parameters, 3 are given"),
    ("add_one", "(x,)", 'R.Tensor((8, 5), "float32")',
     r"output 0 does not fit the parameter 'B' of 'add_one': dimension 1 is 5, 4 is expected"),
    ("add_one", "(x,)", 'R.Tensor((8, 4), "float16")',
     r"output 0 .*: dtype float32 expected, float16 found"),
    ("add_one", "(x,)", 'R.Tensor((8, 4, 1), "float32")',
     r"output 0 .*: 2 dimensions expected, 3 found"),
    ("add_one", "(x,)", 'R.Tensor((9, 4), "float32")',
     r"output 0 .*: dimension 0 is 9, but n is 8 elsewhere"),
    ("fill", "(x,)", 'R.Tensor((4,), "int64")',
     r"'fill' takes 1 tensors and 1 scalars, 2 tensors are given"),
    ("fill", '(R.prim_value(T.int32(3)),)', 'R.Tensor((4,), "int64")',
     r"input 0 of 'fill' has dtype int32, the parameter 'x' int64"),
    ("add_one", "(R.shape([8]),)", 'R.Tensor((8, 4), "float32")',
     r"input 0 of 'add_one' is a shape; a tensor program takes tensors and scalars"),
    ("double", "(x,)", 'R.Tensor((8, 4), "float32")',
     r"call_tir calls 'double', a graph function"),
])
def test_call_tir_fits_the_tensor_program(callee, args, out, match):
    refused(CALL.format(callee, args, out), match)


def test_in_place_outputs_fit_their_inputs():
    call = ('y = R.call_tir_inplace(cls.add_one, (x, x), out_sinfo=R.Tensor((8, 5), "float32"), '
            "inplace_indices={})")
    refused(call.format(1), "output 0 cannot take the memory of input 1: dimension 1 is 5, 4 is")
    refused(call.format(7), "output 0 cannot take the memory of input 7: there is no such input")


@pytest.mark.parametrize("body, match", [
    ('y: R.Tensor((8, 5), "float32") = R.exp(x)',
     "main, binding y: the declared struct info is not what exp gives: dimension 1 is 4, 5 is"),
    ('y: R.Tensor((8, 4), "int32") = cls.double(x)',
     "not what double gives: dtype int32 expected, float32 found"),
    ("y: R.Tuple(R.Tensor, R.Tensor, R.Tensor) = R.split(x, 2)",
     "not what split gives: 3 fields expected, 2 found"),
    ("y: R.Shape(ndim=2) = R.exp(x)", "a shape expected, a tensor found"),
    ('y = R.match_cast(x, R.Tensor((8, 4, 1), "float32"))', "this match_cast always fails: 3 dim"),
])
def test_declared_is_checked_against_inferred(body, match):
    refused(body, match)


def test_the_result_is_what_is_declared():
    refused("y = R.exp(x)", "main: the result is not what is declared: 1 dimensions expected, 2",
            result='-> R.Tensor((32,), "float32")')


def changed_value(mod, value):
    """The module with another value for y."""
    main = mod["main"]
    block = main.body.blocks[-1]
    binding = relax.VarBinding(relax.Var("y", ObjectStructInfo()), value)
    body = main.body.replace(blocks=(*main.body.blocks[:-1],
                                     block.replace(bindings=(binding,))), body=binding.var)
    return mod.with_functions({"main": main.replace(body=body)})


@pytest.mark.parametrize("call, match", [
    (lambda x: relax.Call(GlobalVar("double"), (x, x)),
     "binding y: double takes 1 arguments, 2 given"),
    (lambda x: relax.Call(x, (x,)), "this is called but is no function"),
    (lambda x: relax.Call(get_op("add"), (x,)), "add takes 2 arguments, 1 are given"),
    (lambda x: relax.Call(get_op("exp"), (x,), FrozenDict(axis=1)), "exp has no attribute 'axis'"),
    (lambda x: relax.Call(Op("relax.swirl"), (x,)), "no operator is called 'swirl'"),
    (lambda x: relax.Call(get_op("matmul"), (x, x)), "matmul"),
    (lambda x: relax.TupleGetItem(relax.Tuple((x,)), 3), "field 3 of a tuple with 1 fields"),
    (lambda x: relax.Call(get_op("call_tir"), (GlobalVar("add_one"), relax.Tuple((x,)))),
     "call_tir of 'add_one' declares no output"),
])
def test_calls_that_were_built(call, match):
    mod = module("y = R.exp(x)")
    with pytest.raises(ul.WellFormedError, match=match):
        ul.well_formed(changed_value(mod, call(mod["main"].params[0])))


def test_the_condition_is_one_bool():
    text = """
@R.function
def main(x: R.Tensor((8, 4), "float32"), c: {}):
    if c:
        y = R.exp(x)
    else:
        y = x
    return y
"""
    assert ul.complaints(ul.parse(text.format('R.Tensor((), "bool")'))) == []
    assert ul.complaints(ul.parse(text.format("R.Object"))) == []
    for info, match in (('R.Tensor((), "int32")', "has dtype int32, one bool is expected"),
                        ('R.Tensor((2,), "bool")', "is a tensor of rank 1, one bool is expected"),
                        ("R.Shape(ndim=1)", "is a shape, one bool is expected")):
        with pytest.raises(ul.UnityLabError, match=f"the condition of an if {match}"):
            ul.well_formed(ul.parse(text.format(info)))


N, T4 = Var("n", "int64"), tensor_info((4,), "float32")


@pytest.mark.parametrize("want, have, why", [
    (tensor_info((N,), "float32"), T4, ""),
    (tensor_info(None, None, 1), T4, ""),
    (tensor_info(None, "float32", 2), T4, "2 dimensions expected, 1 found"),
    (ObjectStructInfo(), T4, ""),
    (PrimStructInfo("float32"), tensor_info((), "float32"), ""),
    (PrimStructInfo("float32"), T4, "a scalar expected, a tensor found"),
    (TupleStructInfo((T4, shape_info((4,)))), TupleStructInfo((T4, shape_info((5,)))),
     "field 1: dimension 0 is 5, 4 is expected"),
    (TupleStructInfo(None), TupleStructInfo((T4,)), ""),
    (FuncStructInfo((T4,), T4), FuncStructInfo((T4, T4), T4), "1 parameters expected, 2 found"),
    (FuncStructInfo(None, T4), FuncStructInfo((T4,), T4), ""),
])
def test_difference(want, have, why):
    assert difference(want, have) == why
