import numpy as np

from unitylab.interp import interpret
from unitylab.ir.module import as_module
from unitylab.ir.relax import Constant, Tuple
from unitylab.script import parse
from unitylab.transforms import FoldConstant, LegalizeOps

BEFORE = """
@R.function
def main(x: R.Tensor(("n", 2), "float32")):
    n = T.int64()
    with R.dataflow():
        w = R.permute_dims(R.const([[1, 2], [3, 4]], "float32"))
        v = R.add(w, R.const(1.0, "float32"))
        gv = R.matmul(x, v)
        R.output(gv)
    return gv
"""


def values(mod):
    return [b.value for b in mod["main"].body.bindings]


def test_operators_of_constants(same_results, obeys_contract):
    before = as_module(parse(BEFORE))
    after = obeys_contract(FoldConstant(), before, places=2)
    v = values(after)[1]
    np.testing.assert_array_equal(v.data, [[2, 4], [3, 5]])
    same_results(before, after, (3, 2))


def test_tensor_programs_of_constants(same_results):
    before = LegalizeOps()(parse(BEFORE))
    after = FoldConstant()(before)
    assert [isinstance(v, Constant) for v in values(after)] == [True, True, False]
    same_results(before, after, (3, 2))


def test_the_evaluator_can_be_given():
    asked = []

    def evaluate(mod):
        asked.append(mod)
        return interpret(mod)
    FoldConstant(evaluate=evaluate)(parse(BEFORE))
    assert len(asked) == 2


def test_large_results_are_not_computed():
    before = as_module(parse(BEFORE))
    assert FoldConstant(max_elements=3)(before) is before
    programs = LegalizeOps()(before)
    assert FoldConstant(max_iterations=3)(programs) is programs


def test_creation_folds_only_small_results():
    text = """
@R.function
def main():
    a = R.zeros(R.shape([{size}]), "float32")
    return a
"""
    assert isinstance(values(FoldConstant()(parse(text.format(size=4))))[0], Constant)
    big = as_module(parse(text.format(size=4096)))
    assert FoldConstant()(big) is big


def test_tuples_are_folded_by_field():
    after = FoldConstant()(parse("""
@R.function
def main():
    t = R.split(R.const([1, 2, 3, 4], "float32"), 2, axis=0)
    a = t[1]
    b = R.negative(a)
    return b
"""))
    assert isinstance(values(after)[0], Tuple)
    np.testing.assert_array_equal(values(after)[2].data, [-3, -4])


def test_symbolic_sizes_and_effects_stay():
    before = as_module(parse("""
@R.function(pure=False)
def main(x: R.Tensor(("n",), "float32")):
    n = T.int64()
    a = R.zeros(R.shape([n]), "float32")
    b = R.call_packed("f", R.const(1.0, "float32"), sinfo_args=R.Tensor((), "float32"))
    return (a, b)
"""))
    assert FoldConstant()(before) is before
