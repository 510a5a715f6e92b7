"""Our own elementary functions: errors in units of the last place, special values."""

import math
import re

import numpy as np
import pytest

from unitylab.exec.build import build
from unitylab.script import parse


def apply(name: str, x: np.ndarray) -> np.ndarray:
    f = build(parse(f"""
@T.prim_func
def f(a: T.handle, b: T.handle):
    n = T.int64()
    A = T.match_buffer(a, (n,), "{x.dtype}")
    B = T.match_buffer(b, (n,), "{x.dtype}")
    for i in range(n):
        B[i] = T.{name}(A[i])
"""), "native -threads=1")["f"]
    out = np.empty_like(x)
    f(x, out)
    return out


def samples(dtype: str) -> np.ndarray:
    """Every exponent with both signs, subnormals, NaN payloads, and dense parts near zero."""
    rng = np.random.default_rng(0)
    bits = {"float32": np.uint32, "float64": np.uint64}[dtype]
    n = 100_000
    return np.concatenate([
        rng.integers(0, np.iinfo(bits).max, n, dtype=bits).view(dtype),
        *[rng.uniform(-w, w, n).astype(dtype) for w in (0.5, 10, 110, 750)],
        rng.normal(1, 0.01, n).astype(dtype),
        np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 88.72, 88.73, -103.9, -104], dtype)])


def assert_within(got: np.ndarray, want: np.ndarray, ulps: float) -> None:
    """Infinities, NaN and the signs of zeros as they should be, other results within `ulps`."""
    right = want.astype(got.dtype)
    special = ~np.isfinite(right) | ~np.isfinite(got)
    np.testing.assert_array_equal(got[special], right[special])
    zero = (right == 0) & (got == 0)
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(right[zero]))
    error = np.abs(got.astype(want.dtype) - want)[~special] / np.spacing(np.abs(right[~special]))
    assert error.max() <= ulps


def _sigmoid(x):
    return np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))


def _erf(x):
    return np.array([math.erf(v) for v in x])


BOTH = {"exp": (np.exp, 1.5), "exp2": (np.exp2, 1.5), "log": (np.log, 1.5), "log1p": (np.log1p, 2),
        "expm1": (np.expm1, 3), "tanh": (np.tanh, 3.5), "sigmoid": (_sigmoid, 3),
        "rsqrt": (lambda x: 1 / np.sqrt(x), 2)}
SINGLE = {"log2": (np.log2, 2.5), "log10": (np.log10, 2.5), "erf": (_erf, 3),
          "exp10": (lambda x: np.power(10.0, x), 1.5),
          "sin": (np.sin, 2), "cos": (np.cos, 2), "tan": (np.tan, 4), "atan": (np.arctan, 2)}
SINGLES = {**BOTH, **SINGLE}


@pytest.mark.parametrize("name", SINGLES)
def test_float32_over_the_whole_range(name):
    reference, ulps = SINGLES[name]
    x = samples("float32")
    with np.errstate(all="ignore"):
        assert_within(apply(name, x), reference(x.astype("f8")), ulps)


@pytest.mark.parametrize("lanes", [4, 16, 24, 64])
@pytest.mark.parametrize("name", ["exp", "exp2", "sin", "cos", "tan", "atan"])
def test_explicit_vectors(name, lanes):
    """The same in vectors of any length, a single lane of which may be far out."""
    f = build(parse(f"""
@T.prim_func
def f(A: T.Buffer((960,), "float32"), B: T.Buffer((960,), "float32")):
    for i in range({960 // lanes}):
        for j in T.vectorized({lanes}):
            B[i * {lanes} + j] = T.{name}(A[i * {lanes} + j])
"""), "native -threads=1")["f"]
    reference, ulps = SINGLES[name]
    x = np.random.default_rng(lanes).uniform(-90, 90, 960).astype("f4")
    x[[5, 700]] = 1e30, np.nan
    got = np.empty_like(x)
    f(x, got)
    with np.errstate(all="ignore"):
        assert_within(got, reference(x.astype("f8")), ulps)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="no wider floats here")
@pytest.mark.parametrize("name", BOTH)
def test_float64_over_the_whole_range(name):
    reference, ulps = BOTH[name]
    x = samples("float64")
    with np.errstate(all="ignore"):
        assert_within(apply(name, x), reference(x.astype(np.longdouble)), ulps)


def test_pow_over_the_whole_range():
    rng = np.random.default_rng(1)
    x = samples("float32")
    y = rng.permutation(x)
    odd = [0, -0.0, 1, -1, 2, -2, 3, 0.5, -0.5, np.inf, -np.inf, np.nan, 1e30, 2.5]
    x = np.concatenate([x, np.abs(x), np.repeat(odd, len(odd)), rng.uniform(-9, 9, 9000)])
    y = np.concatenate([y, rng.uniform(-3, 3, len(y)), np.tile(odd, len(odd)),
                        np.repeat(np.arange(-9, 9), 500)])
    with np.errstate(invalid="ignore"):
        x, y = x.astype("float32"), y.astype("float32")
    f = build(parse("""
@T.prim_func
def f(a: T.handle, b: T.handle, c: T.handle):
    n = T.int64()
    A = T.match_buffer(a, (n,), "float32")
    B = T.match_buffer(b, (n,), "float32")
    C = T.match_buffer(c, (n,), "float32")
    for i in range(n):
        C[i] = T.pow(A[i], B[i])
"""), "native -threads=1")["f"]
    out = np.empty_like(x)
    f(x, y, out)
    with np.errstate(all="ignore"):
        assert_within(out, np.power(x.astype("f8"), y.astype("f8")), 1.5)


@pytest.mark.parametrize("name", SINGLES)
def test_loops_become_vector_code_without_calls(name):
    asm = build(parse(f"""
@T.prim_func
def f(A: T.Buffer((4096,), "float32"), B: T.Buffer((4096,), "float32")):
    for i in range(4096):
        B[i] = T.{name}(A[i])
"""), "native -threads=1")
    calls = [line for line in asm.source("asm").splitlines() if "call" in line and "kernel" not in
             line and not line.lstrip().startswith((".", "#"))]
    assert not calls
    assert re.search(r"<\d+ x float>", asm.source("llvm"))
