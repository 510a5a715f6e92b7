import numpy as np
import pytest

import unitylab as ul
from unitylab.ir import prim
from unitylab.ir.module import as_module
from unitylab.ir.visitor import collect
from unitylab.schedule import default_schedule
from unitylab.script import parse
from unitylab.transforms.tir.lower_blocks import LowerBlocks
from unitylab.transforms.tir.lower_transposed_tiles import LowerTransposedTiles


def transpose(n, m, dtype="float32", value="x[b, a]"):
    return parse(f'''
@T.prim_func
def main(x: T.Buffer(({m}, {n}), "{dtype}"), y: T.Buffer(({n}, {m}), "{dtype}")):
    for i, j in T.grid({n}, {m}):
        with T.block("t"):
            a, b = T.axis.remap("SS", [i, j])
            y[a, b] = {value}
''')


SHAPES = [(16, 16), (48, 32), (8, 24), (12, 20), (7, 17), (1, 33), (1000, 64), (1023, 5)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "float16", "int8"])
def test_transposes_of_any_shape(dtype):
    for n, m in SHAPES:
        x = (np.random.default_rng(0).standard_normal((m, n)) * 50).astype(dtype)
        y = np.zeros((n, m), dtype)
        ul.build(default_schedule(transpose(n, m, dtype)))["main"](x, y)
        np.testing.assert_array_equal(y, x.T)


def test_tiles_are_transposed_by_shuffles():
    lowered = LowerBlocks()(as_module(default_schedule(transpose(32, 32))))
    after = LowerTransposedTiles()(lowered)
    assert len({id(s) for s in collect(after["main"].body, prim.Shuffle)}) == 64
    assert LowerTransposedTiles()(after) is after


def test_arithmetic_on_the_way():
    x = np.random.default_rng(0).standard_normal((32, 16)).astype("float32")
    y = np.zeros((16, 32), "float32")
    ul.build(default_schedule(transpose(16, 32, value="x[b, a] * x[b, a] + T.float32(1)")))[
        "main"](x, y)
    np.testing.assert_allclose(y, x.T * x.T + 1, rtol=1e-6)


@pytest.mark.parametrize("shift", [0, 1])
def test_stores_past_the_caches_at_any_address(shift):
    sch = ul.Schedule(transpose(64, 64))
    i, j = sch.get_loops(sch.get_block("t"))
    (i0, i1), (j0, j1) = sch.split(i, [None, 16]), sch.split(j, [None, 16])
    sch.reorder(i0, j0, i1, j1)
    sch.vectorize(i1)
    sch.vectorize(j1)
    sch.annotate(j0, "nontemporal", True)
    ex = ul.build(sch.mod)
    assert "!nontemporal" in ex.source("llvm")
    x = np.random.default_rng(0).standard_normal((64, 64)).astype("float32")
    raw = np.zeros(64 * 64 + 17, "float32")
    begin = -raw.ctypes.data % 64 // 4 + shift
    y = raw[begin:begin + 64 * 64].reshape(64, 64)
    ex["main"](x, y)
    np.testing.assert_array_equal(y, x.T)
