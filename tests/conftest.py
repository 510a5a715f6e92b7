"""Programs that many tests use."""

import numpy as np
import pytest

import unitylab as ul
from tests.rfc import RFC
from unitylab.ir import relax
from unitylab.ir.prim import Var
from unitylab.script import relax as R


@pytest.fixture
def rfc():
    """The program of the Unity RFC as a module."""
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
