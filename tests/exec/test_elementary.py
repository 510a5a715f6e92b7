"""Our own elementary functions: errors in units of the last place, special values."""

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


def ulps(got: np.ndarray, want: np.ndarray) -> float:
    """The largest error, in units of the last place of the right result."""
    return float(np.max(np.abs(got.astype("f8") - want) / np.spacing(want.astype("f4"))))


@pytest.mark.parametrize("low, high", [(-1, 1), (-87, 88.7), (-103.9, -87)])
def test_exp_is_within_two_ulps(low, high):
    x = np.random.default_rng(0).uniform(low, high, 200_000).astype("float32")
    assert ulps(apply("exp", x), np.exp(x.astype("f8"))) <= 2


def test_exp_of_special_values():
    x = np.array([0, -0.0, np.inf, -np.inf, np.nan, 88.73, 200, -104, -1e30, 88.72], "float32")
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(apply("exp", x), np.exp(x), rtol=1e-6)


def test_exp_of_vectors_is_vector_code():
    assert "llvm.exp" not in build(parse("""
@T.prim_func
def f(A: T.Buffer((64,), "float32")):
    for i in T.vectorized(64):
        A[i] = T.exp(A[i])
""")).source("llvm")
