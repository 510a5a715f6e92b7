import numpy as np
import pytest

import unitylab as ul
from unitylab.ir import prim
from unitylab.ir.visitor import collect
from unitylab.script import parse
from unitylab.transforms.tir.lower_blocks import LowerBlocks
from unitylab.transforms.tir.lower_lanes import LowerLanes

SIZES = [1, 2, 7, 16, 17, 33, 64, 65, 100, 1000, 1023]


def reduction(n, dtype, op, start):
    size, head = (n, "") if isinstance(n, int) else ("n", ", n: T.int64")
    return parse(f'''
@T.prim_func
def main(x: T.Buffer(({size},), "{dtype}"), s: T.Buffer((1,), "{dtype}")):
    s[0] = T.Cast("{dtype}", {start})
    for k in T.serial({size}, annotations={{"lanes": 64}}):
        s[0] = {op}
''' if isinstance(n, int) else f'''
@T.prim_func
def main(xp: T.handle, s: T.Buffer((1,), "{dtype}")):
    n = T.int64()
    x = T.match_buffer(xp, (n,), "{dtype}")
    s[0] = T.Cast("{dtype}", {start})
    for k in T.serial(n, annotations={{"lanes": 64}}):
        s[0] = {op}
''')


OPS = {"sum": ("s[0] + x[k]", 0, np.sum), "max": ("T.max(s[0], x[k])", -5, np.max),
       "min": ("T.min(s[0], x[k])", 5, np.min)}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "float16"])
def test_reductions_of_any_length(op, dtype):
    text, start, reference = OPS[op]
    for n in SIZES:
        x = np.random.default_rng(n).integers(-4, 5, n).astype(dtype)
        s = np.zeros(1, dtype)
        ul.build(reduction(n, dtype, text, start))["main"](x, s)
        assert s[0] == reference(x)


@pytest.mark.parametrize("op", OPS)
def test_reductions_of_unknown_length(op):
    text, start, reference = OPS[op]
    run = ul.build(reduction("n", "float32", text, start))["main"]
    for n in SIZES:
        x = np.random.default_rng(n).integers(-4, 5, n).astype("float32")
        s = np.zeros(1, "float32")
        run(x, s)
        assert s[0] == reference(x)


def test_partial_results_are_kept_in_lanes():
    mod = reduction(128, "float32", "s[0] + x[k]", 0)
    after = LowerLanes()(LowerBlocks()(ul.ir.module.as_module(mod)))
    assert collect(after["main"].body, prim.Shuffle)
    assert LowerLanes()(after) is after


def test_elementwise_loops_of_odd_length():
    for n in SIZES:
        mod = parse(f'''
@T.prim_func
def main(x: T.Buffer(({n},), "float32"), y: T.Buffer(({n},), "float32"),
         d: T.Buffer((1,), "float32")):
    for k in T.serial({n}, annotations={{"lanes": 64, "reciprocal": T.bool(True)}}):
        y[k] = x[k] / d[0] + T.float32(1)
''')
        x = np.random.default_rng(n).standard_normal(n).astype("float32")
        y = np.zeros(n, "float32")
        ul.build(mod)["main"](x, y, np.float32([3]))
        np.testing.assert_allclose(y, x / np.float32(3) + 1, rtol=2e-7, atol=2e-7)


def test_a_recurrence_stays_serial():
    mod = parse('''
@T.prim_func
def main(x: T.Buffer((65,), "float32")):
    for k in T.serial(64, annotations={"lanes": 64}):
        x[k + 1] = x[k] + T.float32(1)
''')
    x = np.zeros(65, "float32")
    ul.build(mod)["main"](x)
    np.testing.assert_array_equal(x, np.arange(65))
