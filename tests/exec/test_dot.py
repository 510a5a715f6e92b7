"""`T.dot`: sums of products of neighbours, in the interpreter and in machine code of many CPUs."""

import ml_dtypes
import numpy as np
import pytest

import unitylab as ul
from unitylab.exec.llvm.functions import emit_unit
from unitylab.exec.llvm.jit import listing
from unitylab.ir.errors import UnityLabError
from unitylab.ir.module import as_module
from unitylab.pipelines.lower import lower
from unitylab.target import cpu_of

PROGRAM = """
@T.prim_func
def main(C: T.Buffer(({n},), "{to}"), A: T.Buffer(({m},), "{x}"), B: T.Buffer(({m},), "{y}")):
    C[T.Ramp(0, 1, {n})] = T.dot(C[T.Ramp(0, 1, {n})], A[T.Ramp(0, 1, {m})], B[T.Ramp(0, 1, {m})])
"""
NATIVE = ["native", *[f"native -mcpu={c}" for c in ("x86-64", "x86-64-v2", "x86-64-v3")]]


def program(n, group, x, y, to="int32"):
    return ul.parse(PROGRAM.format(n=n, m=n * group, x=x, y=y, to=to))


def integers(dtype, size, seed):
    """Every extreme, and what lies between."""
    info = np.iinfo(dtype)
    values = np.random.default_rng(seed).integers(info.min, info.max + 1, size).astype(dtype)
    values[::3] = info.min
    values[1::5] = info.max
    return values


@pytest.mark.parametrize("target", NATIVE)
@pytest.mark.parametrize("x, y", [("int8", "int8"), ("uint8", "int8"), ("int8", "uint8"),
                                  ("uint8", "uint8"), ("int16", "int16")])
@pytest.mark.parametrize("n", [4, 7, 16, 40])
def test_integers_are_exact(n, x, y, target):
    if target != "native" and not cpu_of().x86:
        pytest.skip("these processors are of another family")
    group = 2 if x == "int16" else 4
    func = program(n, group, x, y)
    a, b = integers(x, n * group, 0), integers(y, n * group, 1)
    start = integers("int32", n, 2)
    products = a.astype(np.int64).reshape(n, group) * b.astype(np.int64).reshape(n, group)
    want = (start + products.sum(1)).astype(np.int32)
    got, meaning = start.copy(), start.copy()
    ul.build(func, target)["main"](got, a, b)
    ul.interpret(func)["main"](meaning, a, b)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(meaning, want)


@pytest.mark.parametrize("n", [4, 16, 19])
@pytest.mark.parametrize("x", ["bfloat16", "float16", "float32"])
def test_floats(n, x):
    func = program(n, 2, x, x, "float32")
    rng = np.random.default_rng(n)
    kind = ml_dtypes.bfloat16 if x == "bfloat16" else x
    a, b = (rng.standard_normal(2 * n).astype(kind) for _ in range(2))
    start = rng.standard_normal(n).astype(np.float32)
    want = start + (a.astype(float) * b.astype(float)).reshape(n, 2).sum(1)
    for run in (ul.build(func), ul.interpret(func)):
        got = start.copy()
        run["main"](got, a, b)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("triple, cpu, x, y, found", [
    ("x86_64-linux-gnu", "znver4", "uint8", "int8", "vpdpbusd"),
    ("x86_64-linux-gnu", "znver4", "int8", "uint8", "vpdpbusd"),
    ("x86_64-linux-gnu", "znver4", "bfloat16", "bfloat16", "vdpbf16ps"),
    ("x86_64-linux-gnu", "x86-64-v4", "int16", "int16", "vpmaddwd"),
    ("x86_64-linux-gnu", "alderlake", "uint8", "int8", "vpdpbusd"),
    ("x86_64-linux-gnu", "x86-64-v3", "int16", "int16", "vpmaddwd"),
    ("x86_64-linux-gnu", "x86-64", "int16", "int16", "pmaddwd"),
    ("aarch64-linux-gnu", "neoverse-n1", "int8", "int8", "sdot"),
    ("aarch64-linux-gnu", "neoverse-n1", "uint8", "uint8", "udot"),
    ("aarch64-linux-gnu", "neoverse-v2", "uint8", "int8", "usdot"),
    ("aarch64-linux-gnu", "neoverse-v2", "bfloat16", "bfloat16", "bfdot"),
    ("aarch64-linux-gnu", "generic", "int8", "int8", "smull"),
])
def test_the_instruction_of_each_processor(triple, cpu, x, y, found):
    group = 4 if x.endswith("8") else 2
    func = program(16, group, x, y, "float32" if x == "bfloat16" else "int32")
    unit = emit_unit(lower(as_module(func)), "main", "main.entry", cpu=cpu_of(cpu, triple))
    assert found in listing(str(unit.module), cpu, triple)[1]


def test_lanes_that_do_not_fit():
    text = PROGRAM.format(n=8, m=20, x="int8", y="int8", to="int32")
    with pytest.raises(UnityLabError, match="T.dot"):
        ul.build(ul.parse(text))
