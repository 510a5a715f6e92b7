from unitylab.ir.module import as_module
from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse
from unitylab.transforms import EliminateCommonSubexpr

HEAD = """
@R.function
def main(x: R.Tensor(("n", 2), "float32"), y: R.Tensor(("n", 2), "float32")):
    n = T.int64()
"""


def main(*lines):
    return as_module(parse(HEAD + "\n".join(f"    {line}" for line in lines)))


def test_the_second_reads_the_first(same_results, obeys_contract):
    before = main("a = R.add(x, y)", "b = R.add(x, y)", "c = R.multiply(a, b)",
                  "d = R.multiply(b, a)", "e = R.subtract(c, d)", "return e")
    after = obeys_contract(EliminateCommonSubexpr(), before, places=2)
    assert_structural_equal(after, main(
        "a = R.add(x, y)", "b = a", "c = R.multiply(a, a)", "d = c", "e = R.subtract(c, c)",
        "return e"))
    same_results(before, after, (3, 2), (3, 2))


def test_other_attributes_or_arguments_differ():
    before = main("a = R.sum(x, axis=0)", "b = R.sum(x, axis=1)", "c = R.sum(y, axis=0)",
                  "return (a, b, c)")
    assert EliminateCommonSubexpr()(before) is before


def test_effects_happen_twice():
    before = as_module(parse("""
@R.function(pure=False)
def main(x: R.Tensor((2,), "float32")):
    a = R.call_packed("f", x, sinfo_args=R.Tensor((2,), "float32"))
    b = R.call_packed("f", x, sinfo_args=R.Tensor((2,), "float32"))
    return (a, b)
"""))
    assert EliminateCommonSubexpr()(before) is before


def test_call_only_looks_at_calls_alone():
    before = main("t = (x, y)", "u = (x, y)", "return (t, u)")
    assert EliminateCommonSubexpr(call_only=True)(before) is before
    assert EliminateCommonSubexpr()(before) is not before


def test_a_local_value_is_not_read_outside_of_its_block(same_results):
    before = main("with R.dataflow():", "    a = R.exp(x)", "    g = R.exp(x)",
                  "    h = R.add(a, g)", "    R.output(g, h)", "z = R.add(g, h)", "return z")
    after = EliminateCommonSubexpr()(before)
    assert after is not before
    same_results(before, after, (3, 2), (3, 2))


def test_a_branch_does_not_lend_to_what_follows(same_results):
    before = as_module(parse("""
@R.function
def main(x: R.Tensor((2,), "float32")):
    c = R.const(True, "bool")
    if c:
        a = R.exp(x)
        r = a
    else:
        b = R.sqrt(x)
        r = b
    d = R.exp(x)
    e = R.add(r, d)
    return e
"""))
    assert EliminateCommonSubexpr()(before) is before
