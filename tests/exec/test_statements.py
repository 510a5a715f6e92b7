"""Loops, branches and allocations in machine code."""

import numpy as np
import pytest

from unitylab.exec.build import build
from unitylab.exec.executable import Executable
from unitylab.ir.errors import BoundsError, RuntimeCallError
from unitylab.script import parse


def program(body: str, params: str = 'A: T.Buffer((16,), "float32"), '
                                     'B: T.Buffer((16,), "float32")') -> Executable:
    """A tensor program `f` with some lines as body, built for one thread."""
    lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
    return build(parse(f"@T.prim_func\ndef f({params}):\n{lines}\n"), "native -threads=1")


X = np.arange(16, dtype="float32")


def run(ex: Executable, *inputs, out=None):
    out = np.full_like(X, -1) if out is None else out
    ex["f"](*inputs, out)
    return out


@pytest.mark.parametrize("kind", ["range", "T.serial", "T.unroll", "T.vectorized", "T.parallel"])
def test_every_kind_of_loop_gives_the_same(kind):
    ex = program(f"for i in {kind}(16):\n    B[i] = A[i] * T.float32(2) + T.float32(1)")
    np.testing.assert_array_equal(run(ex, X), X * 2 + 1)


def test_thread_binding_runs_serially():
    ex = program('for i in T.thread_binding(16, thread="threadIdx.x"):\n    B[i] = A[15 - i]')
    np.testing.assert_array_equal(run(ex, X), X[::-1])


def test_loop_with_a_begin():
    out = run(program("for i in range(4, 12):\n    B[i] = A[i]"), X)
    np.testing.assert_array_equal(out, np.where((X >= 4) & (X < 12), X, -1))


def test_loop_without_iterations_does_nothing():
    np.testing.assert_array_equal(run(program("for i in range(0):\n    B[i] = A[i]"), X),
                                  np.full(16, -1, "float32"))


def test_branch_and_else():
    ex = program("for i in range(16):\n    if i % 3 == 0:\n        B[i] = A[i]\n"
                 "    else:\n        B[i] = T.float32(0)")
    np.testing.assert_array_equal(run(ex, X), np.where(np.arange(16) % 3 == 0, X, 0))


def test_while_loop():
    ex = program("i = T.alloc_buffer((1,), \"int32\")\ni[0] = 0\nwhile i[0] < 16:\n"
                 "    B[i[0]] = A[i[0]]\n    i[0] = i[0] + 1")
    np.testing.assert_array_equal(run(ex, X), X)


@pytest.mark.parametrize("lanes", [3, 16, 100, 129])
def test_vectorized_loops_of_any_length(lanes):
    text = f'A: T.Buffer(({lanes},), "float32"), B: T.Buffer(({lanes},), "float32")'
    ex = program(f"for i in T.vectorized({lanes}):\n    B[i] = A[i] + T.float32(1)", text)
    x = np.arange(lanes, dtype="float32")
    np.testing.assert_array_equal(run(ex, x, out=np.empty_like(x)), x + 1)


def test_vectorized_loop_with_a_condition_masks_lanes():
    ex = program("for i in T.vectorized(16):\n    if i < 13:\n        B[i] = A[i] + T.float32(1)")
    np.testing.assert_array_equal(run(ex, X), np.where(X < 13, X + 1, -1))


def test_lanes_that_are_masked_out_touch_no_memory():
    ex = program("for i in T.vectorized(16):\n    if i < 15:\n        B[i] = A[i + 1]")
    np.testing.assert_array_equal(run(ex, X), np.append(X[1:], -1))
    wrong = program("for i in T.vectorized(16):\n    if i < 15:\n        B[i] = A[i + 2]")
    with pytest.raises(BoundsError, match="index 16"):
        run(wrong, X)


def test_vectorized_gather_and_stride():
    ex = program("for i in T.vectorized(8):\n    B[i * 2] = A[15 - i]\n"
                 "    B[i * 2 + 1] = A[i // 2]")
    want = np.empty(16, "float32")
    want[::2], want[1::2] = X[15:7:-1], X[np.arange(8) // 2]
    np.testing.assert_array_equal(run(ex, X), want)


def test_vectorized_loop_with_a_dependence_runs_in_order():
    ex = program("for i in T.vectorized(15):\n    B[i + 1] = B[i] + A[i]")
    out = np.zeros(16, "float32")
    np.testing.assert_array_equal(run(ex, X, out=out), np.concatenate([[0], np.cumsum(X[:15])]))


def test_register_tile_of_a_matmul():
    ex = program("""
for i0, j0 in T.grid(4, 2):
    for i1 in T.unroll(4):
        for j1 in T.vectorized(16):
            C[i0 * 4 + i1, j0 * 16 + j1] = T.float32(0)
    for k in range(8):
        for i1 in T.unroll(4):
            for j1 in T.vectorized(16):
                C[i0 * 4 + i1, j0 * 16 + j1] = C[i0 * 4 + i1, j0 * 16 + j1] + \
A[i0 * 4 + i1, k] * B[k, j0 * 16 + j1]
""", 'A: T.Buffer((16, 8), "float32"), B: T.Buffer((8, 32), "float32"), '
                 'C: T.Buffer((16, 32), "float32")')
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(s).astype("float32") for s in ((16, 8), (8, 32)))
    np.testing.assert_allclose(run(ex, a, b, out=np.empty((16, 32), "float32")), a @ b, rtol=1e-5,
                               atol=1e-6)
    assert "fma" in ex.source("asm")


def test_reduction_block_with_init():
    ex = program("""
for i, k in T.grid(4, 4):
    with T.block("sum"):
        vi, vk = T.axis.remap("SR", [i, k])
        with T.init():
            B[vi] = T.float32(0)
        B[vi] = B[vi] + A[vi * 4 + vk]
""")
    np.testing.assert_allclose(run(ex, X)[:4], X.reshape(4, 4).sum(1))


def test_reduction_loop_outside_of_the_spatial_one():
    ex = program("""
for k, i in T.grid(4, 4):
    with T.block("sum"):
        vk, vi = T.axis.remap("RS", [k, i])
        with T.init():
            B[vi] = T.float32(10)
        B[vi] = B[vi] + A[vi * 4 + vk]
""")
    np.testing.assert_allclose(run(ex, X)[:4], X.reshape(4, 4).sum(1) + 10)


def test_allocation_on_the_heap_with_a_symbolic_size():
    ex = build(parse("""
@T.prim_func
def f(a: T.handle, b: T.handle):
    n = T.int64()
    A = T.match_buffer(a, (n,), "float64")
    B = T.match_buffer(b, (n,), "float64")
    C = T.alloc_buffer((n,), "float64")
    for i in range(n):
        C[i] = A[i] * 2.0
    for i in range(n):
        B[i] = C[n - 1 - i]
"""))
    for n in (0, 1, 100_000):
        x = np.arange(n, dtype="float64")
        out = np.empty(n)
        ex["f"](x, out)
        np.testing.assert_array_equal(out, 2 * x[::-1])


def test_allocation_that_no_machine_has_is_an_error():
    ex = program('C = T.alloc_buffer((n, n), "float32")\nC[0, 0] = A[0]\nA[0] = C[0, 0]',
                 'A: T.Buffer((1,), "float32"), n: T.int64')
    with pytest.raises(RuntimeCallError, match="no memory for 'C'"):
        ex["f"](np.ones(1, "float32"), 2**40)
    with pytest.raises(RuntimeCallError, match="no memory for 'C'"):
        ex["f"](np.ones(1, "float32"), -5)


def test_store_out_of_bounds_names_buffer_index_block_and_line():
    ex = program("""
for i in range(16):
    with T.block("shift"):
        vi = T.axis.spatial(16, i)
        B[vi + 1] = A[vi]
""")
    with pytest.raises(BoundsError, match=r":6:.*index 16 is outside of dimension 0 of 'B', which "
                                          r"has size 16 in block 'shift'"):
        run(ex, X)


def test_load_through_an_index_buffer_is_checked():
    ex = program("for i in range(4):\n    B[i] = A[I[i]]",
                 'A: T.Buffer((16,), "float32"), I: T.Buffer((4,), "int32"), '
                 'B: T.Buffer((4,), "float32")')
    out = np.empty(4, "float32")
    ex["f"](X, np.array([3, 0, 15, 7], "int32"), out)
    np.testing.assert_array_equal(out, [3, 0, 15, 7])
    for wrong in (16, -1):
        with pytest.raises(BoundsError, match=f"index {wrong} .*'A'"):
            ex["f"](X, np.array([3, 0, wrong, 7], "int32"), out)


def test_vectorized_gather_is_checked():
    ex = program("for i in T.vectorized(4):\n    B[i] = A[I[i]]",
                 'A: T.Buffer((16,), "float32"), I: T.Buffer((4,), "int32"), '
                 'B: T.Buffer((4,), "float32")')
    out = np.empty(4, "float32")
    ex["f"](X, np.array([3, 0, 15, 7], "int32"), out)
    np.testing.assert_array_equal(out, [3, 0, 15, 7])
    with pytest.raises(BoundsError, match="index 99"):
        ex["f"](X, np.array([3, 0, 99, 7], "int32"), out)


def test_vector_store_past_the_end_is_an_error():
    ex = program("for i in T.vectorized(32):\n    B[i] = A[0]")
    with pytest.raises(BoundsError, match="index 31 is outside of dimension 0 of 'B'"):
        run(ex, X)


def test_division_by_zero_is_an_error():
    ex = program("for i in range(4):\n    B[i] = 100 // A[i]",
                 'A: T.Buffer((4,), "int32"), B: T.Buffer((4,), "int32")')
    out = np.empty(4, "int32")
    ex["f"](np.array([1, -3, 7, 100], "int32"), out)
    np.testing.assert_array_equal(out, [100, -34, 14, 1])
    with pytest.raises(RuntimeCallError, match="division by zero"):
        ex["f"](np.array([1, 0, 7, 100], "int32"), out)


def test_failed_assertion_says_why():
    ex = program('assert A[0] > T.float32(0), "A must be positive"\nB[0] = A[0]')
    with pytest.raises(RuntimeCallError, match="assertion failed: A must be positive"):
        run(ex, -X)


def test_a_call_after_an_error_works():
    ex = program("for i in range(4):\n    B[i] = A[I[i]]",
                 'A: T.Buffer((16,), "float32"), I: T.Buffer((4,), "int32"), '
                 'B: T.Buffer((4,), "float32")')
    out = np.empty(4, "float32")
    with pytest.raises(BoundsError):
        ex["f"](X, np.array([3, 0, 99, 7], "int32"), out)
    ex["f"](X, np.array([1, 2, 3, 4], "int32"), out)
    np.testing.assert_array_equal(out, [1, 2, 3, 4])


def test_predicate_of_a_block():
    ex = program("""
for i0, i1 in T.grid(4, 5):
    with T.block("copy"):
        T.where(i0 * 5 + i1 < 16)
        vi = T.axis.spatial(16, i0 * 5 + i1)
        B[vi] = A[vi]
""")
    np.testing.assert_array_equal(run(ex, X), X)
    assert "cmpxchg" not in ex.source("llvm-input"), "proven: no check"


def test_view_of_a_region():
    ex = program("""
for i0, i1 in T.grid(4, 4):
    with T.block("copy"):
        vi, vj = T.axis.remap("SS", [i0, i1])
        W = T.match_buffer(B[vi * 4:vi * 4 + 4], (4,), "float32")
        W[vj] = A[vi * 4 + vj] + T.float32(1)
""")
    np.testing.assert_array_equal(run(ex, X), X + 1)


def test_call_of_another_tensor_program():
    ex = build(parse("""
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def square(x: T.float32) -> T.float32:
        y: T.float32 = x * x
        return y

    @T.prim_func
    def main(A: T.Buffer((16,), "float32"), B: T.Buffer((16,), "float32")):
        for i in range(16):
            B[i] = Module.square(A[i])
"""))
    out = np.empty(16, "float32")
    ex["main"](X, out)
    np.testing.assert_array_equal(out, X * X)


@pytest.mark.parametrize("step", [2, 3, 4, 5])
@pytest.mark.parametrize("lanes", [4, 5, 8, 16, 33, 64])
def test_vectors_of_every_nth_element(step, lanes):
    """All that lies between is loaded, and nothing behind the last element."""
    n = (lanes - 1) * step + 1
    f = build(parse(f"""
@T.prim_func
def main(x: T.Buffer(({n},), "float32"), y: T.Buffer(({lanes},), "float32")):
    for k in T.vectorized({lanes}):
        y[k] = x[k * {step}]
"""), "native -threads=1")["main"]
    x, y = np.arange(n, dtype=np.float32), np.zeros(lanes, np.float32)
    f(x, y)
    assert np.array_equal(y, x[::step])


@pytest.mark.parametrize("rows", [9, 8])
def test_digits_of_one_index_are_contiguous(rows):
    """x[f // 7, f % 7] walks along memory; where that index is too large, the digit is named."""
    ex = build(parse(f"""
@T.prim_func
def main(x: T.Buffer((2, {rows}, 7), "float32"), y: T.Buffer((2, 63), "float32")):
    for i in range(2):
        for f in T.vectorized(63):
            y[i, f] = x[(i * 63 + f) // 63, (i * 63 + f) % 63 // 7, (i * 63 + f) % 7]
"""), "native -threads=1")
    x, y = np.arange(14 * rows, dtype=np.float32).reshape(2, rows, 7), np.zeros((2, 63), "f")
    if rows == 9:
        ex["main"](x, y)
        assert np.array_equal(y, x.reshape(2, 63))
        assert "load <63 x float>" in ex.source("llvm-input")
    else:
        with pytest.raises(BoundsError, match="index 8 is outside of dimension 1 of 'x'"):
            ex["main"](x, y)
