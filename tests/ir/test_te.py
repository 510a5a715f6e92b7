"""Tensor expressions become the tensor programs that one would write, and compute the same."""

from pathlib import Path

import numpy as np
import pytest

import unitylab as ul
from tests.ir.te_programs import PROGRAMS
from unitylab.ir import te

# what TVM 0.26 makes of the same programs (create_prim_func, shapes of int64), in our spelling
EXPECTED = dict(part.split("\n", 1) for part in Path(__file__).with_name("te_expected.txt")
                .read_text().split("=== ")[1:])

MATMUL = '''
@T.prim_func(private=True)
def f(a: T.handle, b: T.handle, c: T.handle):
    T.func_attr({"tir.noalias": True})
    n = T.int64()
    A = T.match_buffer(a, (n, T.int64(3)), "float32")
    B = T.match_buffer(b, (T.int64(3), T.int64(4)), "float32")
    C = T.match_buffer(c, (n, T.int64(4)), "float32")
    for i, j, k in T.grid(n, T.int64(4), T.int64(3)):
        with T.block("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            T.reads(A[vi, vk], B[vk, vj])
            T.writes(C[vi, vj])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
'''


def test_a_matmul_with_a_symbolic_size():
    n = te.var("n", dtype="int64")
    a, b = te.placeholder((n, 3), name="A"), te.placeholder((3, 4), name="B")
    k = te.reduce_axis((0, 3), name="k")
    c = te.compute((n, 4), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    func = te.create_prim_func([a, b, c])
    ul.assert_structural_equal(func, ul.parse(MATMUL))
    x, w = np.random.rand(2, 3).astype("float32"), np.random.rand(3, 4).astype("float32")
    out = np.empty((2, 4), "float32")
    ul.interpret(func)["main"](x, w, out)
    np.testing.assert_allclose(out, x @ w, rtol=1e-5)


def test_a_padding_is_guarded_by_conditions():
    a = te.placeholder((4,), dtype="int32", name="A")
    pad = te.compute((8,), lambda i: te.if_then_else(te.all(i >= 2, i < 6), a[i - 2],
                                                     te.const(-1, "int32")), name="P")
    edge = te.compute((8,), lambda i: te.if_then_else(te.any(i < 1, i > 6), 9, pad[i]), name="E")
    out = np.zeros(8, "int32")
    ul.interpret(te.create_prim_func([a, edge]))["main"](np.arange(4, dtype="int32"), out)
    assert out.tolist() == [9, -1, 0, 1, 2, 3, -1, 9]


def test_argmax_reduces_two_values_together():
    def combine(x, y):
        return (te.if_then_else(x[1] >= y[1], x[0], y[0]),
                te.if_then_else(x[1] >= y[1], x[1], y[1]))

    argmax = te.comm_reducer(combine, lambda t0, t1: (te.const(-1, t0), te.min_value(t1)))
    a, k = te.placeholder((3, 5), name="A"), te.reduce_axis((0, 5), name="k")
    at, top = te.compute((3,), lambda i: argmax((k.var, a[i, k]), axis=k), name="M")
    x, where, most = (np.random.rand(3, 5).astype("float32"), np.zeros(3, "int64"),
                      np.zeros(3, "float32"))
    ul.interpret(te.create_prim_func([a, at, top]))["main"](x, where, most)
    assert where.tolist() == x.argmax(1).tolist()
    np.testing.assert_array_equal(most, x.max(1))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_those_that_tvm_makes(name):
    func = te.create_prim_func(PROGRAMS[name]())
    ul.well_formed(func)
    expected = ul.parse(EXPECTED[name])
    ul.assert_structural_equal(func, expected)
    ours, theirs = (f.script().split("\ndef ")[1].split("):", 1)[1] for f in (func, expected))
    assert ours == theirs, "the names of blocks and variables differ"


def test_a_condition_of_a_reduction_counts():
    a, k = te.placeholder((8,), name="A"), te.reduce_axis((0, 8), name="k")
    o = te.compute((1,), lambda i: te.sum(a[k], axis=k, where=k < 5), name="O")
    x, out = np.arange(8, dtype="float32"), np.zeros(1, "float32")
    ul.interpret(te.create_prim_func([a, o]))["main"](x, out)
    assert out[0] == 10


def test_an_axis_stands_in_arithmetic_for_its_variable():
    k = te.reduce_axis((0, 4), name="k")
    for made, plain in ((k + 1, k.var + 1), (2 * k, 2 * k.var), (-k, -k.var), (k // 2, k.var // 2),
                        (7 - k % 3, 7 - k.var % 3), (k >= 1, k.var >= 1), (k + k, k.var + k.var)):
        ul.assert_structural_equal(made, plain)
