"""Programs for schedules, and the check that a schedule changed no result."""

import numpy as np

from unitylab.interp import interpret
from unitylab.ir.module import as_module
from unitylab.ir.prim import Var, as_int

MATMUL_RELU = """
@T.prim_func
def main(A: T.Buffer((12, 8)), B: T.Buffer((8, 10)), D: T.Buffer((12, 10))):
    with T.block("root"):
        C = T.alloc_buffer((12, 10))
        for i, j, k in T.grid(12, 10, 8):
            with T.block("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
        for i, j in T.grid(12, 10):
            with T.block("D"):
                vi, vj = T.axis.remap("SS", [i, j])
                D[vi, vj] = T.max(C[vi, vj], T.float32(0))
"""

CHAIN = """
@T.prim_func
def main(A: T.Buffer((9, 7)), D: T.Buffer((9, 7))):
    with T.block("root"):
        B = T.alloc_buffer((9, 7))
        C = T.alloc_buffer((9, 7))
        for i, j in T.grid(9, 7):
            with T.block("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = A[vi, vj] * T.float32(2)
        for i, j in T.grid(9, 7):
            with T.block("C"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = B[vi, 6 - vj] + T.float32(1)
        for i, j in T.grid(9, 7):
            with T.block("D"):
                vi, vj = T.axis.remap("SS", [i, j])
                D[vi, vj] = C[vi, vj] - B[vi, vj]
"""

ROWS = """
@T.prim_func
def main(A: T.Buffer((6, 5)), D: T.Buffer((6, 5))):
    with T.block("root"):
        S = T.alloc_buffer((6,))
        E = T.alloc_buffer((6, 5))
        for i, j in T.grid(6, 5):
            with T.block("E"):
                vi, vj = T.axis.remap("SS", [i, j])
                E[vi, vj] = A[vi, vj] * A[vi, vj]
        for i, j in T.grid(6, 5):
            with T.block("S"):
                vi, vj = T.axis.remap("SR", [i, j])
                with T.init():
                    S[vi] = T.float32(0)
                S[vi] = S[vi] + E[vi, vj]
        for i, j in T.grid(6, 5):
            with T.block("D"):
                vi, vj = T.axis.remap("SS", [i, j])
                D[vi, vj] = E[vi, vj] - S[vi]
"""

PROGRAMS = {"matmul_relu": MATMUL_RELU, "chain": CHAIN, "rows": ROWS}


def run(program, seed=0, **sizes):
    """All buffers after a run of the interpreter on random inputs."""
    mod = as_module(program)
    func = mod["main"]
    rng = np.random.default_rng(seed)

    def size(d):
        return sizes[d.name] if isinstance(d, Var) else as_int(d)

    arrays = [rng.standard_normal([size(d) for d in b.shape]).astype(b.dtype.numpy)
              for b in func.buffers]
    interpret(mod)["main"](*arrays)
    return arrays


def assert_same_results(a, b, **sizes):
    for x, y in zip(run(a, **sizes), run(b, **sizes)):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
