from unitylab import ops  # noqa: F401
from unitylab.ir.module import as_module
from unitylab.ir.node import FrozenDict
from unitylab.ir.op import get_op
from unitylab.ir.relax import DataflowBlock, DataflowVar, Function, SeqExpr, Var, VarBinding
from unitylab.ir.struct_info import tensor_info
from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse
from unitylab.transforms import Normalize

exp, add = get_op("exp"), get_op("add")


def function(x, blocks, body):
    return as_module(Function((x,), SeqExpr(tuple(blocks), body), tensor_info((2,), "float32"),
                              attrs=FrozenDict({"global_symbol": "main"})))


def test_nested_calls_are_bound(same_results, obeys_contract):
    x = Var("x", tensor_info((2,), "float32"))
    before = function(x, [], add(exp(x), exp(exp(x))))
    after = obeys_contract(Normalize(), before)
    assert_structural_equal(after, as_module(parse("""
@R.function
def main(x: R.Tensor((2,), "float32")) -> R.Tensor((2,), "float32"):
    gv = R.exp(x)
    gv1 = R.exp(x)
    gv2 = R.exp(gv1)
    gv3 = R.add(gv, gv2)
    return gv3
""")))
    same_results(before, after, (2,))


def test_struct_info_is_inferred_in_dataflow_blocks():
    x, y = Var("x", tensor_info((2,), "float32")), Var("y")
    block = DataflowBlock((VarBinding(y, exp(exp(x))),))
    after = Normalize()(function(x, [block], y))
    first, second = after["main"].body.bindings
    assert isinstance(first.var, DataflowVar) and not isinstance(second.var, DataflowVar)
    assert second.var.struct_info.dims[0].value == 2
    assert after["main"].body.body is second.var
