"""Measured times: repeats, quantiles, cold caches."""

import numpy as np
import pytest

from unitylab.exec.build import build
from unitylab.ir.errors import RuntimeCallError
from unitylab.script import parse


@pytest.fixture(scope="module")
def executable():
    return build(parse("""
@T.prim_func
def f(A: T.Buffer((65536,), "float32"), B: T.Buffer((65536,), "float32")):
    for i in range(65536):
        B[i] = A[i] + T.float32(1)
"""), "native -threads=1")


def arrays():
    return np.zeros(65536, "f4"), np.zeros(65536, "f4")


def test_quantiles_are_of_the_runs(executable):
    t = executable.time("f", *arrays(), repeats=20)
    assert t.runs == len(t.times) == 20 and list(t.times) == sorted(t.times)
    assert t.quantile(0) == t.min <= t.p10 <= t.median == t.quantile(0.5) <= t.p90
    assert t.quantile(1) == t.times[-1] and "20 runs" in str(t)
    with pytest.raises(RuntimeCallError, match="between 0 and 1"):
        t.quantile(2)


def test_cold_caches_take_longer(executable):
    args = arrays()
    warm = executable.time("f", *args, repeats=30)
    cold = executable.time("f", *args, repeats=10, flush_cache=True)
    assert cold.min > 1.2 * warm.min
