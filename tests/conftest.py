"""Programs that many tests use."""

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir import relax
from unitylab.ir.prim import Var
from unitylab.script import relax as R

RFC = '''
@I.ir_module
class Module:
    @T.prim_func
    def mm(x: T.handle, w: T.handle, y: T.handle):
        n, d, m = T.int64(), T.int64(), T.int64()
        X = T.match_buffer(x, (n, d), "float32")
        W = T.match_buffer(w, (d, m), "float32")
        Y = T.match_buffer(y, (n, m), "float32")
        for i, j, k in T.grid(n, m, d):
            with T.block("matmul"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    Y[vi, vj] = T.float32(0)
                Y[vi, vj] = Y[vi, vj] + X[vi, vk] * W[vk, vj]

    @R.function
    def main(x: R.Tensor(("n", "d"), "float32"), w: R.Tensor(("d", "m"), "float32")):
        n, d, m = T.int64(), T.int64(), T.int64()
        cls = Module
        with R.dataflow():
            lv0 = R.call_tir(cls.mm, (x, w), out_sinfo=R.Tensor((n, m), "float32"))
            lv1 = R.flatten(lv0)
            lv2 = R.exp(lv1)
            R.output(lv2)
        gv = R.call_packed("tests.halve", lv2, sinfo_args=R.Tensor((n * m,), "float32"))
        return gv
'''


@pytest.fixture
def rfc():
    """The program of the Unity RFC: tensor program, graph operators, library call."""
    ul.register_func("tests.halve", lambda x: x / 2, override=True)
    return ul.parse(RFC)


@pytest.fixture
def mlp():
    """A perceptron 12 -> 16 -> 4 with constant weights and a symbolic batch."""
    random = np.random.default_rng(0)
    w1, w2 = (random.standard_normal(s).astype("float32") for s in ((12, 16), (16, 4)))
    b1, b2 = (random.standard_normal(s).astype("float32") for s in ((16,), (4,)))
    bb, n = ul.BlockBuilder(), Var("n", "int64")
    x = relax.Var("x", R.Tensor((n, 12), "float32"))
    with bb.function("main", [x]):
        with bb.dataflow():
            h = bb.emit(R.nn.relu(R.add(R.matmul(x, w1), b1)))
            out = bb.emit_output(R.nn.softmax(R.add(R.matmul(h, w2), b2)))
        bb.emit_func_output(out)
    return bb.get()
