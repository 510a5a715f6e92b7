"""Operations and bytes of tensor programs, against figures worked out by hand."""

from textwrap import indent

import numpy as np
import pytest

import unitylab as ul
from unitylab.exec import machine as limits
from unitylab.exec.timing import rate
from unitylab.exec.work import Work, work_of
from unitylab.schedule import Schedule
from unitylab.script import parse

MATMUL = """
@T.prim_func
def mm(A: T.Buffer((48, 32), "float32"), B: T.Buffer((32, 64), "float32"),
       C: T.Buffer((48, 64), "float32")):
    for i, j, k in T.grid(48, 64, 32):
        with T.block("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
"""
MATMUL_FLOPS = 2 * 48 * 64 * 32
MATMUL_BYTES = 4 * (48 * 32 + 32 * 64 + 48 * 64)


def only(mod):
    return next(iter(mod.prim_funcs.values()))


def func(text):
    return parse(text)


def test_matmul():
    assert work_of(func(MATMUL)) == Work(MATMUL_FLOPS, MATMUL_BYTES)


def _tiled(sch):
    i, j, k = sch.get_loops(sch.get_block("C"))
    (i0, i1), (j0, j1) = sch.split(i, [None, 8]), sch.split(j, [None, 16])
    sch.reorder(i0, j0, k, i1, j1)
    sch.vectorize(j1)
    sch.unroll(i1)
    sch.parallel(i0)


def _uneven(sch):
    i, j, _ = sch.get_loops(sch.get_block("C"))
    sch.split(i, [None, 9])
    sch.split(j, [None, 7])


def _decomposed(sch):
    i, j, k = sch.get_loops(sch.get_block("C"))
    sch.reorder(i, k, j)
    sch.decompose_reduction(sch.get_block("C"), k)


def _cached(sch):
    sch.cache_read(sch.get_block("C"), 1, "global")
    sch.cache_write(sch.get_block("C"), 0, "global")


@pytest.mark.parametrize("steps", [_tiled, _uneven, _decomposed, _cached])
def test_schedules_keep_the_work(steps):
    sch = Schedule(parse(MATMUL))
    steps(sch)
    assert work_of(only(sch.mod)) == Work(MATMUL_FLOPS, MATMUL_BYTES)


def test_lanes_of_vectors_count():
    f = func("""
@T.prim_func
def f(A: T.Buffer((64,), "float32"), B: T.Buffer((64,), "float32")):
    for i in range(16):
        B[T.Ramp(i * 4, 1, 4)] = A[T.Ramp(i * 4, 1, 4)] * T.Broadcast(T.float32(2), 4)
""")
    assert work_of(f) == Work(64, 512)


SOFTMAX = """
@T.prim_func
def softmax(a: T.handle, b: T.handle):
    n, m = T.int64(), T.int64()
    A = T.match_buffer(a, (n, m), "float32")
    B = T.match_buffer(b, (n, m), "float32")
    top = T.alloc_buffer((n,), "float32")
    total = T.alloc_buffer((n,), "float32")
    for i in range(n):
        top[i] = T.float32(-3e38)
        for j in range(m):
            top[i] = T.max(top[i], A[i, j])
        total[i] = T.float32(0)
        for j in range(m):
            total[i] = total[i] + T.exp(A[i, j] - top[i])
        for j in range(m):
            B[i, j] = T.exp(A[i, j] - top[i]) / total[i]
"""


def test_softmax_with_symbolic_sizes():
    f = func(SOFTMAX)
    n, m = f.buffers[0].shape
    # max 1; subtract, exp, add 3; subtract, exp, divide 3
    assert work_of(f, {n: 5, m: 100}) == Work(7 * 5 * 100, 2 * 4 * 5 * 100)
    assert work_of(f, {n: 3, m: 8}) == Work(7 * 3 * 8, 2 * 4 * 3 * 8)
    assert work_of(f) == Work(None, None)


def test_extents_that_depend_on_outer_loops():
    f = func("""
@T.prim_func
def f(A: T.Buffer((30, 30), "float32"), B: T.Buffer((30,), "float32")):
    for i in range(30):
        B[i] = T.float32(0)
        for j in range(i + 1):
            B[i] = B[i] + A[i, j]
""")
    triangle = 30 * 31 // 2
    assert work_of(f) == Work(triangle, 4 * triangle + 4 * 30)


def test_long_triangles_are_sampled_exactly_where_they_are_linear():
    f = func("""
@T.prim_func
def f(A: T.Buffer((1000000,), "float32")):
    for i in range(1000000):
        for j in range(i):
            A[i] = A[i] + T.float32(1)
""")
    assert work_of(f).flops == pytest.approx(1e6 * (1e6 - 1) / 2, rel=1e-5)


def test_integers_count_as_data_and_not_as_indices():
    f = func("""
@T.prim_func
def f(A: T.Buffer((64,), "int8"), B: T.Buffer((64,), "int32"), I: T.Buffer((8,), "int32")):
    for i in range(64):
        B[i] = B[i] + T.Cast("int32", A[63 - i]) * T.Cast("int32", A[i])
    for i in range(8):
        I[i] = i * 3 + 1
""")
    assert work_of(f) == Work(128, 64 + 256 + 32)


def test_the_dearer_branch_counts():
    f = func("""
@T.prim_func
def f(A: T.Buffer((64,), "float32"), B: T.Buffer((64,), "float32")):
    for i in range(64):
        if i < 3:
            B[i] = T.float32(0)
        else:
            B[i] = T.if_then_else(i < 60, T.sqrt(A[i]) + T.float32(1), A[i])
""")
    assert work_of(f) == Work(128, 512)


def test_names_for_values_and_sides_never_taken():
    f = func("""
@T.prim_func
def f(A: T.Buffer((64,), "int32"), B: T.Buffer((64,), "int32")):
    for i in range(64):
        x: T.int32 = A[i]
        y: T.int32 = i * 3
        if T.bool(False):
            B[i] = x * x * x
        else:
            B[i] = x * x + y
""")
    assert work_of(f) == Work(128, 512)


def test_a_gather_moves_only_what_it_reads():
    f = func("""
@T.prim_func
def f(W: T.Buffer((50000, 16), "float32"), I: T.Buffer((10,), "int64"),
      B: T.Buffer((10, 16), "float32")):
    for i, j in T.grid(10, 16):
        B[i, j] = W[I[i], j]
""")
    assert work_of(f) == Work(0, 4 * 160 + 8 * 10 + 4 * 160)


def test_what_depends_on_data_is_unknown():
    f = func("""
@T.prim_func
def f(N: T.Buffer((1,), "int32"), B: T.Buffer((10,), "float32")):
    for i in range(N[0]):
        B[i] = B[i] + T.float32(1)
""")
    assert work_of(f) == Work(None, 4 + 40)


MODULE = f"""
@I.ir_module
class M:
{indent(MATMUL, "    ")}
    @R.function
    def main(x: R.Tensor((48, 32), "float32"), w: R.Tensor((32, 64), "float32")
             ) -> R.Tensor((48, 64), "float32"):
        cls = M
        y = R.call_tir(cls.mm, (x, w), out_sinfo=R.Tensor((48, 64), "float32"))
        z = R.nn.relu(y)
        return z
"""


def test_timing_and_profile_know_the_work():
    x, w = np.ones((48, 32), "f4"), np.ones((32, 64), "f4")
    ex = ul.build(parse(MODULE), "native -threads=1")
    t = ex.time("mm", x, w, np.zeros((48, 64), "f4"), repeats=5)
    assert (t.flops, t.bytes) == (MATMUL_FLOPS, MATMUL_BYTES)
    assert t.gflops == pytest.approx(MATMUL_FLOPS / t.median / 1e9)
    assert t.gbytes == pytest.approx(MATMUL_BYTES / t.median / 1e9)
    assert "FLOP/s" in str(t) or "B/s" in str(t)
    profile = ex.profile("main", x, w)
    relu = Work(48 * 64, 2 * 4 * 48 * 64)
    assert [(s.label, s.flops, s.bytes) for s in profile] == \
        [("y", MATMUL_FLOPS, MATMUL_BYTES), ("z", relu.flops, relu.bytes)]
    whole = ex.time("main", x, w, repeats=5)
    assert Work(whole.flops, whole.bytes) == Work(MATMUL_FLOPS, MATMUL_BYTES) + relu
    assert str(profile).splitlines()[0].split()[:2] == ["step", "kind"]
    assert "<table" in profile._repr_html_() and "y" in profile._repr_html_()


def test_shares_come_from_a_kept_measurement_only(tmp_path, monkeypatch):
    monkeypatch.setenv("UNITYLAB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(limits, "_flops", lambda: pytest.fail("measured silently"))
    ex = ul.build(parse(MATMUL), "native -threads=1")
    args = [np.ones((48, 32), "f4"), np.ones((32, 64), "f4"), np.zeros((48, 64), "f4")]
    assert "%" not in str(ex.time("mm", *args, repeats=5))
    monkeypatch.setattr(limits, "_flops", lambda: 1e11)
    monkeypatch.setattr(limits, "_memory", lambda: (1e10, 1e10))
    ul.machine(remeasure=True)
    t = ex.time("mm", *args, repeats=5)
    assert t.peak == 1e11 and t.copy == 1e10
    assert f"({100 * t.gflops / 100:.0f} % of peak)" in str(t)


def test_the_rate_shown_is_that_of_the_nearer_limit():
    matmul = rate(1e-3, 2 * 1024**3, 3 * 4 * 1024**2, 3e12, 5e10)
    assert matmul == "2.15 TFLOP/s (72 % of peak)"
    assert rate(1e-3, 10**6, 8 * 10**6, 1e11, 1e10) == "8 GB/s (80 % of copy)"
    assert rate(1e-3, 10**6, 8 * 10**6) == "8 GB/s"
    assert rate(1e-6, 0, 8000, 1e11, 1e10) == "8 GB/s"  # a cache holds it: no share
    assert rate(1e-3, None, None, 1e11, 1e10) == ""
