"""Convolutions under the default pipeline, against the NumPy reference of the operator."""

import numpy as np
import pytest

import unitylab as ul
from unitylab.schedule import DefaultSchedule

MODULE = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor({x}, "float32"), w: R.Tensor({w}, "float32")):
        with R.dataflow():
            z = R.nn.conv2d(x, w, strides={s}, padding={p}, dilation={d}, groups={g})
            y = R.nn.relu(z)
            R.output(y)
        return y
"""

# data, weight, strides, padding, dilation, groups
CASES = [((1, 8, 14, 14), (16, 8, 3, 3), 1, 1, 1, 1), ((2, 3, 31, 29), (7, 3, 7, 7), 2, 3, 1, 1),
         ((1, 12, 17, 19), (12, 1, 3, 3), 1, 1, 1, 12), ((1, 16, 9, 9), (24, 16, 1, 1), 1, 0, 1, 1),
         ((1, 16, 9, 9), (24, 16, 1, 1), 2, 0, 1, 1), ((1, 8, 20, 20), (8, 2, 3, 3), 1, 1, 1, 4),
         ((1, 4, 20, 21), (5, 4, 3, 3), 1, 2, 2, 1), ((1, 32, 7, 7), (16, 32, 3, 3), 1, 1, 1, 1),
         ((3, 4, 5, 40), (9, 4, 2, 3), 1, 0, 1, 1)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_convolutions(case, threads):
    x, w, s, p, d, g = case
    mod = ul.parse(MODULE.format(x=x, w=w, s=s, p=p, d=d, g=g))
    passes = [DefaultSchedule(threads) if isinstance(q, DefaultSchedule) else q
              for q in ul.pipelines.default]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape, dtype=np.float32) for shape in (x, w)]
    got = ul.build(ul.Sequential(passes)(mod), f"native -threads={threads}")["main"](*arrays)
    want = ul.interpret(mod)["main"](*arrays)
    np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-3, atol=1e-3)
