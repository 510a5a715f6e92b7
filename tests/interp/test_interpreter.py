"""The reference interpreter: what programs mean, and what it refuses."""

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir.errors import BoundsError, RuntimeCallError


def run(text, *args, name=None):
    mod = ul.ir.module.as_module(ul.parse(text))
    return ul.interpret(mod)[name or next(iter(mod))](*args)


def test_the_program_of_the_rfc(rfc):
    x, w = (np.random.rand(*s).astype("float32") for s in ((3, 4), (4, 5)))
    np.testing.assert_allclose(ul.interpret(rfc)["main"](x, w), np.exp(x @ w).ravel() / 2,
                               rtol=1e-5)


def test_a_predicate_guards_the_tail_of_a_split_loop():
    out = np.zeros(10, "int32")
    run('''
@T.prim_func
def f(A: T.Buffer((10,), "int32")):
    for io, ii in T.grid(3, 4):
        with T.block("b"):
            vi = T.axis.spatial(10, io * 4 + ii)
            T.where(io * 4 + ii < 10)
            A[vi] = vi
''', out)
    assert out.tolist() == list(range(10))


def test_division_rounds_as_its_operator_says():
    out = np.zeros(4, "int32")
    run('''
@T.prim_func
def f(a: T.int32, b: T.int32, A: T.Buffer((4,), "int32")):
    A[0] = a // b
    A[1] = a % b
    A[2] = T.truncdiv(a, b)
    A[3] = T.truncmod(a, b)
''', -7, 2, out)
    assert out.tolist() == [-4, 1, -3, -1]


def test_integers_wrap_where_they_are_stored():
    out = np.zeros(1, "int8")
    run('''
@T.prim_func
def f(A: T.Buffer((1,), "int8"), x: T.int32):
    A[0] = T.Cast("int8", x)
''', out, 300)
    assert out[0] == np.int32(300).astype("int8")


def test_while_and_break():
    out = np.zeros(1, "int32")
    run('''
@T.prim_func
def f(A: T.Buffer((1,), "int32")):
    while A[0] < 100:
        A[0] = A[0] + 7
''', out)
    assert out[0] == 105


def test_views_of_regions():
    a, b = np.arange(16, dtype="float32").reshape(4, 4), np.zeros((4,), "float32")
    run('''
@T.prim_func
def f(A: T.Buffer((4, 4), "float32"), B: T.Buffer((4,), "float32")):
    for i in range(4):
        with T.block("row"):
            vi = T.axis.spatial(4, i)
            T.reads(A[vi, 0:4])
            T.writes(B[vi])
            R = T.match_buffer(A[vi, 0:4], (4,), "float32")
            B[vi] = R[0] + R[3]
''', a, b)
    np.testing.assert_array_equal(b, a[:, 0] + a[:, 3])


def test_a_store_outside_names_buffer_index_block_and_line():
    with pytest.raises(BoundsError, match=r"<text>:7:.*A\[4\] in block 'shift' is outside .*\(4,\)"):
        run('''
@T.prim_func
def f(A: T.Buffer((4,), "float32")):
    for i in range(4):
        with T.block("shift"):
            vi = T.axis.spatial(4, i)
            A[vi + 1] = T.float32(1)
''', np.zeros(4, "float32"))


def test_integer_division_by_zero_is_an_error():
    with pytest.raises(RuntimeCallError, match="division by zero"):
        run('''
@T.prim_func
def f(A: T.Buffer((1,), "int32"), x: T.int32):
    A[0] = T.int32(1) // x
''', np.zeros(1, "int32"), 0)


@pytest.mark.parametrize("args, message", [
    ((np.zeros((2, 3), "float64"), np.zeros((3, 2), "float32")), "dtype float64, float32 expected"),
    ((np.zeros((2, 3), "float32"), np.zeros((4, 2), "float32")), "dimension 0 is 4"),
    ((np.zeros((2, 3), "float32"),), "takes 2 arguments"),
    ((np.zeros(3, "float32"), np.zeros((4, 2), "float32")), "1 dimensions, 2 expected"),
])
def test_arguments_that_do_not_fit(rfc, args, message):
    with pytest.raises(RuntimeCallError, match=message):
        ul.interpret(rfc)["main"](*args)


def test_control_flow_and_recursion():
    text = '''
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((), "int64")) -> R.Tensor((), "int64"):
        cls = Module
        done: R.Tensor((), "bool") = R.less_equal(x, R.const(1, "int64"))
        if done:
            y: R.Tensor((), "int64") = R.const(1, "int64")
        else:
            rest: R.Tensor((), "int64") = R.subtract(x, R.const(1, "int64"))
            below: R.Tensor((), "int64") = cls.main(rest)
            y: R.Tensor((), "int64") = R.multiply(x, below)
        return y
'''
    assert run(text, np.int64(5)) == 120


def test_match_cast_is_checked_when_it_runs():
    text = '''
@R.function
def main(x: R.Tensor(ndim=2, dtype="float32")):
    n = T.int64()
    y = R.match_cast(x, R.Tensor((n, n), "float32"))
    return y
'''
    assert run(text, np.ones((2, 2), "float32")).shape == (2, 2)
    with pytest.raises(RuntimeCallError, match="dimension 1 is 3, n = 2 expected"):
        run(text, np.ones((2, 3), "float32"))


def test_unknown_library_functions_get_near_names():
    ul.register_func("tests.near", lambda x: x, override=True)
    with pytest.raises(RuntimeCallError, match="tests.neer.*\n.*tests.near"):
        run('''
@R.function
def main(x: R.Tensor((2,), "float32")):
    y = R.call_packed("tests.neer", x, sinfo_args=R.Tensor((2,), "float32"))
    return y
''', np.ones(2, "float32"))
