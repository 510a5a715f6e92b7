"""The nest of contractions: packing, tiles, odd and symbolic sizes, epilogues."""

import numpy as np
import pytest
from schedule_programs import assert_same_results

import unitylab as ul
from unitylab.ir import prim, te
from unitylab.ir.dtypes import INT64
from unitylab.ir.prim import Var
from unitylab.schedule import TargetInfo, default_schedule


def matmul(m, k, n, batch=(), left="mk", right="kn", dtype="float32", epilogue=None):
    """C = A @ B, with either side stored transposed."""
    sizes = {"m": m, "k": k, "n": n}
    A = te.placeholder((*batch, *(sizes[c] for c in left)), dtype, name="A")
    B = te.placeholder((*batch, *(sizes[c] for c in right)), dtype, name="B")
    bias, r = te.placeholder((n,), dtype, name="bias"), te.reduce_axis((0, k), "k")

    def rule(*i):
        at = {"m": i[-2], "n": i[-1], "k": r.var}
        return te.sum(A[(*i[:-2], *(at[c] for c in left))]
                      * B[(*i[:-2], *(at[c] for c in right))], axis=r)
    C = te.compute((*batch, m, n), rule, name="C")
    if epilogue is None:
        return te.create_prim_func([A, B, C], "main")
    D = te.compute((*batch, m, n), lambda *i: epilogue(C[i] + bias[i[-1]]), name="D")
    return te.create_prim_func([A, B, bias, D], "main")


def check(func, threads=1, **sizes):
    """Machine code of the scheduled program against NumPy."""
    new = default_schedule(func, TargetInfo(threads))
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal([sizes.get(getattr(d, "name", ""), 0) or prim.as_int(d)
                                   for d in b.shape]).astype(b.dtype.numpy)
              for b in func.buffers]
    want = [a.copy() for a in arrays]
    ul.build(func, "native -threads=1")["main"](*want)
    ul.build(new, f"native -threads={threads}")["main"](*arrays)
    tolerance = 1e-4 if arrays[-1].dtype == "float32" else 1e-9
    np.testing.assert_allclose(arrays[-1], want[-1], rtol=tolerance, atol=tolerance)


SHAPES = [(1, 7, 17), (7, 17, 33), (33, 4, 8), (40, 129, 31), (64, 33, 129), (127, 5, 64),
          (65, 300, 47), (13, 16, 9)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("left,right", [("mk", "kn"), ("km", "kn"), ("mk", "nk")])
@pytest.mark.parametrize("shape", SHAPES)
def test_odd_shapes(shape, left, right, threads):
    check(matmul(*shape, left=left, right=right), threads)


@pytest.mark.parametrize("shape", [(1, 600, 700), (5, 300, 513), (16, 512, 1024), (31, 257, 300)])
@pytest.mark.parametrize("threads", [1, 2])
def test_few_rows(shape, threads):
    check(matmul(*shape), threads)
    check(matmul(*shape, epilogue=lambda v: prim.maximum(v, 0.0)), threads)


@pytest.mark.parametrize("shape", [(9, 5, 10), (48, 65, 47), (64, 16, 96)])
def test_epilogue_and_batch(shape):
    check(matmul(*shape, batch=(3,), epilogue=lambda v: prim.maximum(v, 0.0)), 2)
    check(matmul(*shape, batch=(2, 2), right="nk"))


@pytest.mark.parametrize("dtype", ["float64", "int32"])
def test_other_types(dtype):
    check(matmul(40, 33, 37, dtype=dtype))


@pytest.mark.parametrize("m", [1, 7, 8, 33, 64])
@pytest.mark.parametrize("n", [1, 17, 32, 65])
def test_symbolic_sizes(m, n):
    func = matmul(Var("m", INT64), 9, Var("n", INT64), epilogue=lambda v: prim.maximum(v, 0.0))
    check(func, 2, m=m, n=n)


def test_a_symbolic_depth():
    check(matmul(17, Var("k", INT64), 40), k=13)


def test_the_interpreter_agrees():
    for func in (matmul(33, 5, 35), matmul(7, 4, 9, right="nk")):
        assert_same_results(func, default_schedule(func))
