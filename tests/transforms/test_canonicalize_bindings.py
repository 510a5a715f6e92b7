import pytest

from unitylab.ir.module import as_module
from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse
from unitylab.transforms import CanonicalizeBindings


def main(signature, *lines):
    return as_module(parse(f"@R.function\ndef main({signature}):\n"
                           + "\n".join(f"    {line}" for line in lines)))


X = 'x: R.Tensor((2, 3), "float32"), y: R.Tensor((2, 3), "float32")'


@pytest.mark.parametrize("before, after", [
    (["a = x", "b = a", "c = R.add(a, b)", "return c"], ["c = R.add(x, x)", "return c"]),
    (["t = (x, y)", "a = t[0]", "b = t[1]", "c = R.add(a, b)", "return c"],
     ["t = (x, y)", "c = R.add(x, y)", "return c"]),
    (["with R.dataflow():", "    a = R.exp(x)", "    g = a", "    R.output(g)", "return g"],
     ["with R.dataflow():", "    g = R.exp(x)", "    R.output(g)", "return g"]),
    (["with R.dataflow():", "    a = R.exp(x)", "    g = R.exp(a)", "    R.output(a, g)",
      "return g"],
     ["with R.dataflow():", "    a = R.exp(x)", "    g = R.exp(a)", "    R.output(g)",
      "return g"]),
    (["a = R.match_cast(x, R.Tensor((2, 3), 'float32'))", "b = R.exp(a)", "return b"],
     ["b = R.exp(x)", "return b"]),
])
def test_bindings_that_say_nothing_go(same_results, obeys_contract, before, after):
    before, after = main(X, *before), main(X, *after)
    assert_structural_equal(obeys_contract(CanonicalizeBindings(), before), after)
    same_results(before, after, (2, 3), (2, 3))


def test_a_tuple_taken_apart_and_put_together():
    before = main('t: R.Tuple(R.Tensor((2,), "float32"), R.Tensor((2,), "float32"))',
                  "a = t[0]", "b = t[1]", "c = (a, b)", "return c")
    after = CanonicalizeBindings()(before)
    assert after["main"].body.body is after["main"].params[0]


def test_the_first_fields_of_a_longer_tuple_are_kept():
    one = 'R.Tensor((2,), "float32")'
    before = main(f"t: R.Tuple({one}, {one}, {one})", "a = t[0]", "b = t[1]", "c = (a, b)",
                  "return c")
    assert CanonicalizeBindings()(before) is before


def test_a_cast_of_a_known_shape_gives_its_sizes_values(same_results):
    before = main('x: R.Tensor(("m", "n"), "float32")', "m = T.int64()", "n = T.int64()",
                  "o = T.int64()", "p = T.int64()",
                  'z = R.match_cast(x, R.Tensor((o, p), "float32"))',
                  "a = R.zeros(R.shape([o, p]), 'float32')", "b = R.add(z, a)", "return b")
    after = CanonicalizeBindings()(before)
    assert "match_cast" not in after.script()
    x = after["main"].params[0].struct_info
    assert after["main"].body.bindings[0].value.args[0].values == x.dims
    same_results(before, after, (2, 3))


def test_a_cast_that_checks_a_size_stays():
    before = main('x: R.Tensor(("m", "n"), "float32")', "m = T.int64()", "n = T.int64()",
                  'z = R.match_cast(x, R.Tensor((m, m), "float32"))', "return z")
    assert CanonicalizeBindings()(before) is before


def test_constants_are_read_directly():
    before = main(X, "a = R.const(1.0, 'float32')", "b = R.add(x, a)", "return b")
    after = CanonicalizeBindings()(before)
    assert type(after["main"].body.bindings[-1].value.args[1]).__name__ == "Constant"


def test_inside_of_branches(same_results):
    before = main(X, "c = R.const(True, 'bool')", "if c:", "    a = x", "    b = R.exp(a)",
                  "    r = b", "else:", "    d = y", "    e = R.exp(d)", "    r = e", "return r")
    after = CanonicalizeBindings()(before)
    assert after is not before
    same_results(before, after, (2, 3), (2, 3))


def test_struct_info_is_refined_where_the_copy_hid_it():
    before = main('x: R.Tensor(("n", 16), "int32")', "n = T.int64()",
                  'b: R.Tensor(ndim=2, dtype="int32") = x', "c = R.add(b, b)", "return c")
    after = CanonicalizeBindings()(before)
    assert after["main"].body.bindings[0].var.struct_info.dims is not None
    assert after["main"].ret_struct_info.dims is not None
