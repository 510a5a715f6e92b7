"""Parallel loops on an OpenMP runtime."""

import os
import subprocess
import sys
from ctypes.util import find_library
from importlib import metadata
from textwrap import indent

import numpy as np
import pytest

from unitylab.exec.build import build
from unitylab.exec.llvm.openmp import GOMP, KMPC, openmp_interface
from unitylab.exec.llvm.races import why_dependent
from unitylab.ir.errors import BoundsError
from unitylab.ir.module import as_module
from unitylab.ir.tir import For
from unitylab.ir.visitor import collect
from unitylab.pipelines import lower
from unitylab.script import parse

ROWS = """
@T.prim_func
def f(a: T.handle, b: T.handle, s: T.float32):
    n, m = T.int64(), T.int64()
    A = T.match_buffer(a, (n, m), "float32")
    B = T.match_buffer(b, (n,), "float32")
    C = T.alloc_buffer((m,), "float32")
    for i in T.parallel(n):
        for j in range(m):
            with T.block("scale"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vj] = A[vi, vj] * s
        for j in range(m):
            with T.block("sum"):
                vi, vj = T.axis.remap("SR", [i, j])
                with T.init():
                    B[vi] = T.float32(0)
                B[vi] = B[vi] + C[vj]
"""


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("n, m", [(0, 3), (1, 4), (7, 33), (64, 20_000)])
def test_rows_with_a_buffer_for_each_thread(n, m, threads):
    ex = build(parse(ROWS), f"native -threads={threads}")
    x = np.random.default_rng(0).standard_normal((n, m)).astype("float32")
    out = np.empty(n, "float32")
    ex["f"](x, out, 0.5)
    np.testing.assert_allclose(out, x.sum(1) / 2, rtol=1e-4, atol=1e-3)


def test_several_threads_really_run():
    if not openmp_interface():
        pytest.skip("no OpenMP runtime in this environment")
    fork = {KMPC: "__kmpc_fork_call", GOMP: "GOMP_parallel"}[openmp_interface()]
    text = build(parse(ROWS), "native -threads=2").source("llvm-input")
    assert fork in text
    assert fork not in build(parse(ROWS), "native -threads=1").source("llvm-input")


def test_error_in_a_thread_is_raised():
    ex = build(parse("""
@T.prim_func
def f(A: T.Buffer((64,), "float32"), I: T.Buffer((64,), "int32"), B: T.Buffer((64,), "float32")):
    for i in T.parallel(64):
        B[i] = A[I[i]]
"""), "native -threads=2")
    x, out = np.arange(64, dtype="float32"), np.empty(64, "float32")
    index = np.arange(64, dtype="int32")[::-1].copy()
    ex["f"](x, index, out)
    np.testing.assert_array_equal(out, x[::-1])
    index[50] = 64
    with pytest.raises(BoundsError, match="index 64 is outside of dimension 0 of 'A'"):
        ex["f"](x, index, out)
    index[50] = 0
    ex["f"](x, index, out)


def test_parallel_within_parallel():
    ex = build(parse("""
@T.prim_func
def f(A: T.Buffer((8, 8), "float32"), B: T.Buffer((8, 8), "float32")):
    for i in T.parallel(8):
        for j in T.parallel(8):
            B[i, j] = A[j, i]
"""), "native -threads=2")
    x, out = np.arange(64, dtype="float32").reshape(8, 8), np.empty((8, 8), "float32")
    ex["f"](x, out)
    np.testing.assert_array_equal(out, x.T)


OTHER_RUNTIME = """
import numpy as np
import unitylab as ul
from unitylab.exec.llvm.openmp import openmp_interface

ex = ul.build(ul.parse(PROGRAM), "native -threads=2")
x = np.random.default_rng(0).standard_normal((64, 20_000)).astype("float32")
out = np.empty(64, "float32")
for _ in range(3):
    ex["f"](x, out, 0.5)
    np.testing.assert_allclose(out, x.sum(1) / 2, rtol=1e-4, atol=1e-3)
text = ex.source("llvm-input")
print(repr(openmp_interface()), "GOMP_parallel" in text, "__kmpc_fork_call" in text)
"""


def with_runtime(library: str) -> str:
    """What a process says whose threads come from `library`."""
    environment = os.environ | {"UNITYLAB_OPENMP": library}
    done = subprocess.run([sys.executable, "-c", f"PROGRAM = {ROWS!r}{OTHER_RUNTIME}"],
                          env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def libgomp() -> str | None:
    """GCC's runtime: scikit-learn's wheel carries one, systems have one."""
    try:
        files = metadata.files("scikit-learn") or []
    except metadata.PackageNotFoundError:
        files = []
    ours = [str(f.locate()) for f in files if f.name.startswith("libgomp")]
    return ours[0] if ours else find_library("gomp")


def test_threads_of_gccs_runtime():
    library = libgomp()
    if library is None:
        pytest.skip("no libgomp on this machine")
    assert with_runtime(library) == "'gomp' True False"


def test_no_runtime_runs_the_loops_serially():
    assert with_runtime("none") == "'' False False"
    assert with_runtime("libnotthere.so") == "'' False False"


HEAD = """
@T.prim_func
def f(A: T.Buffer((64,), "float32"), I: T.Buffer((64,), "int32"), B: T.Buffer((64,), "float32"),
      C: T.Buffer((8, 64), "float32")):
"""
APART = {
    "in place": "B[i] = B[i] + A[63 - i]", "mirrored": "B[63 - i] = A[i]",
    "digits of one index": "B[i // 8 * 8 + i % 8] = A[i]", "digits": "C[i // 8, i % 8] = A[I[i]]",
    "triangle": "for j in range(i):\n    C[j % 8, i] = A[j]",
    "vectors": "for j in T.vectorized(8):\n    C[j, i] = C[j, i] * A[j]",
    "tiles": "for j in range(4):\n    for k in range(4):\n"
             "        C[i // 16 * 2 + j // 2, i % 16 * 4 + k] = A[i // 4 % 4 * 12 + j + k]",
    "branches": "if i < 1:\n    B[0] = A[1]\nelse:\n    B[i] = A[i]",
    "a name": "x: T.int32 = i * 1\nB[x] = A[x]"}
SHARED = {
    "one element": "B[0] = A[i]", "pairs": "B[i // 2] = A[i]", "wrapped": "B[i % 8] = A[i]",
    "neighbours": "B[i] = B[(i + 1) % 64]", "scatter": "B[I[i]] = A[i]",
    "two stores": "B[i] = A[i]\nB[T.min(i + 1, 63)] = A[i]",
    "digits that overlap": "C[i % 8, i // 16] = A[i]",
    "tiles that overlap": "for j in range(3):\n    B[T.min(i * 2 + j, 63)] = A[i]",
    "a loaded name": "x: T.int32 = I[i]\nB[x] = A[i]",
    "a loop that seldom runs": "for j in range(i):\n    C[0, i] = A[j]\nB[0] = A[i]"}


@pytest.mark.parametrize("body", APART.values(), ids=APART)
def test_iterations_that_are_proven_apart_run_at_the_same_time(body):
    assert reasons(body) == [None]


@pytest.mark.parametrize("body", SHARED.values(), ids=SHARED)
def test_iterations_that_may_meet_run_one_by_one(body):
    assert [r is not None and "may touch the same element" in r for r in reasons(body)] == [True]


def reasons(body):
    text = HEAD + indent(f"for i in T.parallel(64):\n{indent(body, '    ')}", "    ")
    lowered = lower(as_module(parse(text)))
    return [why_dependent(l) for l in collect(lowered["f"], For) if l.kind == "parallel"]
