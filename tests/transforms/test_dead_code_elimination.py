from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse
from unitylab.transforms import DeadCodeElimination

BEFORE = """
@I.ir_module
class Module:
    @R.function(private=True)
    def unused(x: R.Tensor((2,), "float32")) -> R.Tensor((2,), "float32"):
        cls = Module
        y: R.Tensor((2,), "float32") = cls.inner(x)
        return y

    @R.function(private=True)
    def inner(x: R.Tensor((2,), "float32")) -> R.Tensor((2,), "float32"):
        return x

    @R.function
    def main(x: R.Tensor((2,), "float32")) -> R.Tensor((2,), "float32"):
        with R.dataflow():
            a = R.exp(x)
            b = R.negative(a)
            c = R.sqrt(x)
            R.output(c)
        return c
"""

AFTER = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((2,), "float32")) -> R.Tensor((2,), "float32"):
        with R.dataflow():
            c = R.sqrt(x)
            R.output(c)
        return c
"""


def test_unused_bindings_and_functions_go(same_results, obeys_contract):
    before = parse(BEFORE)
    after = obeys_contract(DeadCodeElimination(), before, places=4)
    assert_structural_equal(after, parse(AFTER))
    same_results(before, parse(AFTER), (2,))


def test_entry_functions_stay():
    after = DeadCodeElimination(entry_functions=["inner"])(parse(BEFORE))
    assert set(after) == {"inner", "main"}


def test_effects_stay():
    before = parse("""
@I.ir_module
class Module:
    @R.function(pure=False)
    def main(x: R.Tensor((2,), "float32")) -> R.Tensor((2,), "float32"):
        a = R.call_packed("f", x, sinfo_args=R.Tensor((2,), "float32"))
        R.print(R.str("hello"))
        return x
""")
    assert DeadCodeElimination()(before) is before


def test_a_cast_that_defines_sizes_stays():
    before = parse("""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(ndim=1, dtype="float32")) -> R.Tensor(ndim=1, dtype="float32"):
        n = T.int64()
        y = R.match_cast(x, R.Tensor((n,), "float32"))
        z = R.zeros(R.shape([n]), "float32")
        return z
""")
    assert DeadCodeElimination()(before) is before


def test_empty_blocks_go():
    after = DeadCodeElimination()(parse("""
@R.function
def main(x: R.Tensor((2,), "float32")) -> R.Tensor((2,), "float32"):
    with R.dataflow():
        a = R.exp(x)
        R.output(a)
    return x
"""))
    assert after["main"].body.blocks == ()


def test_inside_of_branches(same_results):
    before = parse("""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((2,), "float32")) -> R.Tensor((2,), "float32"):
        c = R.const(True, "bool")
        if c:
            u = R.exp(x)
            a = R.negative(x)
            r = a
        else:
            b = R.sqrt(x)
            r = b
        return r
""")
    after = DeadCodeElimination()(before)
    assert "exp" not in after.script() and "sqrt" in after.script()
    same_results(before, after, (2,))
