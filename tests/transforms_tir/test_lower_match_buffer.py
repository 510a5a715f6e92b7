import numpy as np

from unitylab.interp.interpreter import interpret
from unitylab.ir import tir
from unitylab.ir.visitor import collect
from unitylab.script import parse
from unitylab.transforms.tir.lower_match_buffer import LowerMatchBuffer

TEXT = """
@T.prim_func
def main(A: T.Buffer((8, 16), "float32"), B: T.Buffer((8, 16), "float32")):
    for i, j in T.grid(4, 2):
        with T.block("tile"):
            vi, vj = T.axis.remap("SS", [i, j])
            X = T.match_buffer(A[vi * 2:vi * 2 + 2, vj * 8:vj * 8 + 8], (2, 8), "float32")
            Y = T.match_buffer(B[vi * 2 + 1, vj * 8:vj * 8 + 8], (8,), "float32")
            for k in range(8):
                with T.block("row"):
                    vk = T.axis.spatial(8, k)
                    Z = T.match_buffer(Y[vk:vk + 1], (1,), "float32")
                    Z[0] = X[1, vk] + X[0, vk]
"""


def test_views_become_accesses_of_what_they_view():
    before = parse(TEXT)
    after = LowerMatchBuffer()(before)
    names = {s.buffer.name for s in collect(after["main"].body, (tir.BufferStore, tir.BufferLoad))}
    assert names == {"A", "B"}
    a = np.random.default_rng(0).standard_normal((8, 16)).astype("float32")
    b1, b2 = np.zeros((8, 16), "float32"), np.zeros((8, 16), "float32")
    interpret(before)["main"](a, b1)
    interpret(after)["main"](a, b2)
    assert b1.any()
    np.testing.assert_array_equal(b1, b2)
