import numpy as np
import pytest

from unitylab.interp import interpret
from unitylab.ir.errors import TransformError
from unitylab.script import parse
from unitylab.transforms import BindParams

MAIN = """
@R.function
def main(x: R.Tensor(("n", 4), "float32"), w: R.Tensor((4, "m"), "float32")):
    n = T.int64()
    m = T.int64()
    y = R.matmul(x, w)
    z = R.zeros(R.shape([m]), "float32")
    u = R.add(y, z)
    return u
"""


def test_parameters_become_constants():
    before = parse(MAIN)
    w = np.arange(12, dtype="float32").reshape(4, 3)
    pass_ = BindParams("main", {"w": w})
    after = pass_(before)
    assert [p.name for p in after["main"].params] == ["x"]
    assert after["main"].ret_struct_info.dims[1].value == 3
    x = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(interpret(after)["main"](x), x @ w)
    assert [r.place.name for r in pass_.applicable(before)] == ["w"]
    assert BindParams("main", {})(after) is after


def test_one_place_is_one_parameter():
    pass_ = BindParams("main", {"w": np.ones((4, 3), "float32"), "x": np.ones((2, 4), "float32")})
    before = parse(MAIN)
    one = pass_(before, only=pass_.applicable(before)[1])
    assert [p.name for p in one["main"].params] == ["x"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(TransformError, match="'w' cannot be bound: dimension 0 is 5, 4 expected"):
        BindParams("main", {"w": np.ones((5, 3), "float32")})(parse(MAIN))
    with pytest.raises(TransformError, match="dtype float32 expected, float64 given"):
        BindParams("main", {"w": np.ones((4, 3))})(parse(MAIN))
    with pytest.raises(TransformError, match="main has no parameter 'v'"):
        BindParams("main", {"v": np.ones((4, 3), "float32")})(parse(MAIN))
