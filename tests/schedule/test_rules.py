"""Default schedules: the pattern that each kernel gets, and unchanged results."""

import numpy as np
import pytest
from schedule_programs import PROGRAMS, assert_same_results, run

from unitylab.ir import prim, te
from unitylab.ir.dtypes import INT64
from unitylab.ir.module import as_module
from unitylab.ir.prim import Var
from unitylab.ir.tir import For
from unitylab.ir.visitor import collect
from unitylab.schedule import DefaultSchedule, TargetInfo, default_schedule
from unitylab.script import parse


def layer(n, k, m):
    """relu(A @ B + bias)"""
    A, B = te.placeholder((n, k), name="A"), te.placeholder((k, m), name="B")
    bias, r = te.placeholder((m,), name="bias"), te.reduce_axis((0, k), "k")
    C = te.compute((n, m), lambda i, j: te.sum(A[i, r] * B[r, j], axis=r), name="C")
    D = te.compute((n, m), lambda i, j: C[i, j] + bias[j], name="D")
    E = te.compute((n, m), lambda i, j: prim.maximum(D[i, j], 0.0), name="E")
    return te.create_prim_func([A, B, bias, E], "main")


def softmax(n, m):
    A = te.placeholder((n, m), name="A")
    k, k2 = te.reduce_axis((0, m), "k"), te.reduce_axis((0, m), "k2")
    M = te.compute((n,), lambda i: te.max(A[i, k], axis=k), name="M")
    X = te.compute((n, m), lambda i, j: prim.call_intrin("float32", "exp", A[i, j] - M[i]),
                   name="X")
    S = te.compute((n,), lambda i: te.sum(X[i, k2], axis=k2), name="S")
    O = te.compute((n, m), lambda i, j: X[i, j] / S[i], name="O")
    return te.create_prim_func([A, O], "main")


def conv2d(channels, size, filters):
    A = te.placeholder((2, channels, size + 2, size + 2), name="A")
    W = te.placeholder((filters, channels, 3, 3), name="W")
    rc, ry, rx = (te.reduce_axis((0, e), n) for e, n in ((channels, "rc"), (3, "ry"), (3, "rx")))
    C = te.compute((2, filters, size, size), lambda n, f, y, x: te.sum(
        A[n, rc, y + ry.var, x + rx.var] * W[f, rc, ry, rx], axis=(rc, ry, rx)), name="C")
    D = te.compute((2, filters, size, size), lambda n, f, y, x: prim.maximum(C[n, f, y, x], 0.0),
                   name="D")
    return te.create_prim_func([A, W, D], "main")


def column_sums(n, m):
    A, k = te.placeholder((n, m), name="A"), te.reduce_axis((0, n), "k")
    return te.create_prim_func(
        [A, te.compute((m,), lambda j: te.sum(A[k, j], axis=k), name="C")], "main")


def transpose(n, m):
    A = te.placeholder((n, m), name="A")
    return te.create_prim_func([A, te.compute((m, n), lambda i, j: A[j, i], name="B")], "main")


KERNELS = {"layer": layer(16, 8, 32), "narrow": layer(9, 5, 10), "odd": layer(5, 3, 7),
           "softmax": softmax(6, 10), "conv2d": conv2d(3, 8, 4), "columns": column_sums(8, 40),
           "transpose": transpose(6, 9), **{k: parse(v) for k, v in PROGRAMS.items()}}


def kinds(func):
    return {l.loop_var.name: l.kind for l in collect(func.body, For)}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", KERNELS)
def test_results_stay(name, threads):
    func = KERNELS[name]
    assert_same_results(func, default_schedule(func, TargetInfo(threads)))


@pytest.mark.parametrize("n", [1, 7, 8, 9, 24])
def test_a_symbolic_number_of_rows(n):
    func = layer(Var("n", INT64), 4, 16)
    assert_same_results(func, default_schedule(func), n=n)


def test_matmul_gets_a_register_tile():
    new = default_schedule(layer(16, 8, 32))
    found = kinds(new)
    assert found["i"] == "unrolled" and found["j"] == "vectorized" and found["v_k"] == "serial"
    assert isinstance(new.root.body, For), "the epilogue is inside of the tile loops"


def test_full_tiles_of_a_symbolic_number_of_rows_have_no_predicate():
    new = default_schedule(layer(Var("n", INT64), 4, 16))
    main, tail = new.root.body.stmts
    assert "T.where" not in new.script() and "if " not in main.script()
    assert "range(n - n // T.int64(8) * T.int64(8))" in tail.script(), "rows by themselves"


def test_softmax_is_one_pass_over_the_rows():
    body = default_schedule(softmax(6, 10)).root.body
    assert isinstance(body, For) and body.extent.value == 6


def test_column_sums_are_vectors_over_columns():
    loops = collect(default_schedule(column_sums(8, 32)).body, For)
    assert [l.loop_var.name for l in loops if "lanes" in l.annotations] == ["j_init", "j"]


def test_small_work_stays_on_one_thread_and_large_does_not():
    assert "parallel" not in kinds(default_schedule(layer(16, 8, 32), TargetInfo(2))).values()
    assert "parallel" in kinds(default_schedule(layer(256, 64, 128), TargetInfo(2))).values()


def test_the_pass_schedules_once_and_keeps_plain_loops():
    mod = as_module(layer(16, 8, 32))
    once = DefaultSchedule()(mod)
    assert once["main"].attrs["tir.is_scheduled"]
    assert DefaultSchedule()(once) is once
    plain = as_module(parse("""
@T.prim_func
def main(A: T.Buffer((8,))):
    for i in range(8):
        A[i] = T.float32(0)
"""))
    assert DefaultSchedule()(plain) is plain


def test_every_step_is_recorded():
    mod = as_module(layer(16, 8, 32))
    place, = DefaultSchedule().applicable(mod)
    assert place.rule == "schedule" and place.before[0] is mod["main"]


def test_numpy_agrees():
    a, b, bias, out = run(default_schedule(layer(16, 8, 32)))
    np.testing.assert_allclose(out, np.maximum(a @ b + bias, 0), rtol=1e-5, atol=1e-5)
