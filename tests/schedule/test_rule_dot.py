"""Contractions of narrow numbers: exact sums, odd shapes, every sign, other processors, bfloat16."""

import ml_dtypes
import numpy as np
import pytest
from schedule_programs import assert_same_results

import unitylab as ul
from unitylab.ir import prim, te
from unitylab.ir.dtypes import INT64
from unitylab.ir.prim import Call, Var
from unitylab.ir.visitor import collect
from unitylab.schedule import TargetInfo, default_schedule
from unitylab.target import Cpu, cpu_of

SIGNS = [("int8", "int8"), ("uint8", "int8"), ("int8", "uint8"), ("uint8", "uint8"),
         ("int16", "int8")]


def matmul(m, k, n, x="int8", y="int8", to="int32", batch=(), left="mk", right="kn",
           epilogue=None):
    sizes = {"m": m, "k": k, "n": n}
    A = te.placeholder((*batch, *(sizes[c] for c in left)), x, name="A")
    B = te.placeholder((*batch, *(sizes[c] for c in right)), y, name="B")
    r = te.reduce_axis((0, k), "k")

    def rule(*i):
        at = {"m": i[-2], "n": i[-1], "k": r.var}
        a, b = A[(*i[:-2], *(at[c] for c in left))], B[(*i[:-2], *(at[c] for c in right))]
        return te.sum(a.astype(to) * b.astype(to), axis=r)
    C = te.compute((*batch, m, n), rule, name="C")
    if epilogue is None:
        return te.create_prim_func([A, B, C], "main")
    D = te.compute((*batch, m, n), lambda *i: epilogue(C[i]), name="D")
    return te.create_prim_func([A, B, D], "main")


def extremes(shape, dtype, seed):
    info = np.iinfo(dtype)
    values = np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)
    values[..., ::3] = info.min
    values[..., 1::7] = info.max
    return values


def dots(func):
    return [c for c in collect(func.body, Call) if c.op == "dot"]


def check(func, target="native -threads=1", **sizes):
    """Machine code of the scheduled program against NumPy's sums in 64 bits."""
    new = default_schedule(func, TargetInfo.of(target))
    assert dots(new)
    shapes = [[sizes.get(getattr(d, "name", ""), 0) or prim.as_int(d) for d in b.shape]
              for b in func.buffers]
    arrays = [extremes(s, b.dtype, k) for k, (s, b) in enumerate(zip(shapes, func.buffers))]
    want = [a.copy() for a in arrays]
    ul.build(func, "native -threads=1")["main"](*want)
    ul.build(new, target)["main"](*arrays)
    np.testing.assert_array_equal(arrays[-1], want[-1])
    return arrays


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("left, right", [("mk", "kn"), ("km", "kn"), ("mk", "nk")])
@pytest.mark.parametrize("shape", [(1, 7, 17), (7, 17, 33), (40, 128, 31), (33, 4, 8),
                                   (127, 5, 64), (65, 301, 47)])
def test_odd_shapes(shape, left, right, threads):
    check(matmul(*shape, left=left, right=right), f"native -threads={threads}")


@pytest.mark.parametrize("x, y", SIGNS)
@pytest.mark.parametrize("k", [16, 19])
def test_every_sign_is_exact(x, y, k):
    a, b, got = check(matmul(24, k, 40, x, y))
    np.testing.assert_array_equal(got, a.astype(np.int64) @ b.astype(np.int64))


def test_the_largest_products():
    """-128 * -128 everywhere: pairs of them leave 16 bits."""
    func = matmul(16, 64, 32)
    a, b, c = np.full((16, 64), -128, "int8"), np.full((64, 32), -128, "int8"), np.empty(
        (16, 32), "int32")
    for cpu in ("", *(["x86-64", "x86-64-v3"] if cpu_of().x86 else [])):
        target = "native -threads=1" + (f" -mcpu={cpu}" if cpu else "")
        ul.build(default_schedule(func, TargetInfo.of(target)), target)["main"](a, b, c)
        assert (c == 64 * 128 * 128).all()


@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v2", "x86-64-v3"])
@pytest.mark.parametrize("x, y", SIGNS)
def test_processors_without_dot_products(cpu, x, y):
    if not cpu_of().x86:
        pytest.skip("these processors are of another family")
    check(matmul(33, 21, 47, x, y), f"native -threads=1 -mcpu={cpu}")


@pytest.mark.parametrize("pairs", [[("int8", "int8"), ("uint8", "uint8")], [("uint8", "int8")]])
@pytest.mark.parametrize("x, y", SIGNS)
def test_the_meaning_for_processors_of_every_kind(pairs, x, y):
    """What is written for arm64's sdot and udot, and for x86's vpdpbusd, in the interpreter."""
    func = matmul(9, 10, 20, x, y)
    cpu = Cpu(vector_bytes=16, dots=tuple(pairs))
    new = default_schedule(func, TargetInfo(1, cpu))
    assert dots(new)
    assert_same_results(func, new)


def test_batch_and_epilogue():
    check(matmul(9, 13, 24, batch=(3,)), "native -threads=2")
    check(matmul(48, 65, 47, epilogue=lambda v: prim.maximum(v, 0) + 1))


@pytest.mark.parametrize("m, k, n", [(1, 9, 16), (8, 16, 33), (33, 6, 65)])
def test_symbolic_sizes(m, k, n):
    func = matmul(Var("m", INT64), Var("k", INT64), Var("n", INT64))
    check(func, "native -threads=2", m=m, k=k, n=n)


@pytest.mark.parametrize("channels, groups", [(8, 1), (3, 1), (8, 2)])
def test_convolutions(channels, groups):
    text = f"""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, {channels}, 9, 10), "int8"),
             w: R.Tensor((6, {channels // groups}, 3, 3), "int8")):
        with R.dataflow():
            y = R.nn.conv2d(x, w, padding=1, groups={groups}, out_dtype="int32")
            R.output(y)
        return y
"""
    mod = ul.parse(text)
    x, w = extremes((1, channels, 9, 10), "int8", 0), extremes(
        (6, channels // groups, 3, 3), "int8", 1)
    got = ul.build(ul.Sequential(ul.pipelines.default)(mod))["main"](x, w)
    np.testing.assert_array_equal(got, ul.interpret(mod)["main"](x, w))


@pytest.mark.parametrize("cpu", [Cpu(dots=(("bfloat16", "bfloat16"),)), cpu_of()])
@pytest.mark.parametrize("shape", [(1, 7, 17), (16, 32, 40), (33, 65, 47)])
@pytest.mark.parametrize("right", ["kn", "nk"])
def test_bfloat16(cpu, shape, right):
    m, k, n = shape
    func = matmul(m, k, n, "bfloat16", "bfloat16", "float32", right=right)
    new = default_schedule(func, TargetInfo(1, cpu))
    assert bool(dots(new)) == (("bfloat16", "bfloat16") in cpu.dots)
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(s).astype(ml_dtypes.bfloat16)
            for s in ((m, k), (k, n) if right == "kn" else (n, k)))
    meaning, got = np.empty((m, n), np.float32), np.empty((m, n), np.float32)
    ul.interpret(func)["main"](a, b, meaning)
    ul.build(new)["main"](a, b, got)
    np.testing.assert_allclose(got, meaning, rtol=1e-5, atol=1e-5)
