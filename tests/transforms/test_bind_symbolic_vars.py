import pytest

from unitylab.ir.errors import TransformError
from unitylab.script import parse
from unitylab.transforms import BindSymbolicVars

MAIN = """
@R.function
def main(x: R.Tensor(("n", "m"), "float32")):
    n = T.int64()
    m = T.int64()
    y = R.reshape(x, R.shape([n * m]))
    z = R.exp(y)
    return z
"""


def test_sizes_become_numbers(same_results):
    before = parse(MAIN)
    pass_ = BindSymbolicVars({"n": 3, "m": 4})
    after = pass_(before)
    main = after["main"]
    assert [d.value for d in main.params[0].struct_info.dims] == [3, 4]
    assert [b.var.struct_info.dims[0].value for b in main.body.bindings] == [12, 12]
    assert [b.value.struct_info.dims[0].value for b in main.body.bindings] == [12, 12]
    assert main.ret_struct_info.dims[0].value == 12
    same_results(before, after, (3, 4))
    assert len(pass_.applicable(before)) == 2


def test_one_size_alone():
    before = parse(MAIN)
    after = BindSymbolicVars({"n": 3}, "main")(before)
    assert after["main"].params[0].struct_info.dims[1].name == "m"


def test_an_unknown_size_is_refused():
    with pytest.raises(TransformError, match="no symbolic size is called 'k'"):
        BindSymbolicVars({"k": 3})(parse(MAIN))
