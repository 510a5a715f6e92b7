from unitylab.ir.module import as_module
from unitylab.ir.relax import DataflowBlock
from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse
from unitylab.transforms import ConvertToDataflow, ToNonDataflow

BEFORE = """
@R.function(pure=False)
def main(x: R.Tensor((2,), "float32")):
    a = R.exp(x)
    b = R.negative(a)
    R.print(R.str("here"))
    c = R.sqrt(b)
    with R.dataflow():
        d = R.exp(c)
        e = R.exp(d)
        R.output(e)
    return e
"""

AFTER = """
@R.function(pure=False)
def main(x: R.Tensor((2,), "float32")):
    with R.dataflow():
        a = R.exp(x)
        b = R.negative(a)
        R.output(b)
    R.print(R.str("here"))
    with R.dataflow():
        c = R.sqrt(b)
        d = R.exp(c)
        e = R.exp(d)
        R.output(e)
    return e
"""


def test_pure_rows_become_dataflow_blocks(obeys_contract):
    before = as_module(parse(BEFORE))
    after = obeys_contract(ConvertToDataflow(), before, places=2)
    assert_structural_equal(after, as_module(parse(AFTER)))


def test_a_short_row_stays():
    before = as_module(parse("""
@R.function
def main(x: R.Tensor((2,), "float32")):
    a = R.exp(x)
    return a
"""))
    assert ConvertToDataflow()(before) is before
    assert ConvertToDataflow(min_size=1)(before) is not before


def test_back_to_plain_blocks(obeys_contract):
    before = as_module(parse(AFTER))
    after = obeys_contract(ToNonDataflow(), before, places=2)
    assert not any(isinstance(b, DataflowBlock) for b in after["main"].body.blocks)
    assert "DataflowVar" not in {type(b.var).__name__ for b in after["main"].body.bindings}
