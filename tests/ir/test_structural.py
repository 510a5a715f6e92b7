"""Structural equality and hash: renaming, names of functions, sharing, and what a mismatch says."""

import time

import pytest

import unitylab as ul
from unitylab.ir import prim
from unitylab.ir.errors import StructuralMismatch
from unitylab.ir.structural import differences
from unitylab.ir.visitor import substitute

PROGRAM = '''
@I.ir_module
class M:
    @T.prim_func
    def double(A: T.Buffer((16,), "float32"), B: T.Buffer((16,), "float32")):
        for i in range(16):
            B[i] = A[i] * T.float32(2)

    @T.prim_func
    def inc(A: T.Buffer((16,), "float32"), B: T.Buffer((16,), "float32")):
        for i in range(16):
            B[i] = A[i] + T.float32(1)

    @R.function
    def main(x: R.Tensor((16,), "float32")):
        with R.dataflow():
            y = R.call_tir(cls.double, (x,), out_sinfo=R.Tensor((16,), "float32"))
            z = R.call_tir(cls.inc, (y,), out_sinfo=R.Tensor((16,), "float32"))
            R.output(z)
        return z
'''


def changed(*pairs):
    text = PROGRAM
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return ul.parse(text)


def same(a, b, **options):
    """Equality, which must be symmetric and agree with the hash."""
    found = ul.structural_equal(a, b, **options)
    assert ul.structural_equal(b, a, **options) == found
    if found:
        assert ul.structural_hash(a, **options) == ul.structural_hash(b, **options)
    return found


def test_names_of_variables_never_count():
    assert same(ul.parse(PROGRAM), changed(("A", "In"), ("z", "result")))


def test_names_of_functions_count_unless_told():
    a, b = ul.parse(PROGRAM), changed(("double", "twice"), ("inc", "plus_one"), ("main", "go"))
    assert not same(a, b)
    assert same(a, b, names=False)


def test_without_names_the_order_of_functions_does_not_count():
    a = ul.parse(PROGRAM)
    b = changed(("double", "zz"), ("inc", "aa"))
    b = b.replace(functions=type(b.functions)(reversed(b.functions.items())))
    assert same(a, b, names=False)


def test_without_names_what_is_called_still_counts():
    a = ul.parse(PROGRAM)
    assert not same(a, changed(("cls.inc", "cls.double")), names=False)
    swapped = changed(("cls.inc", "cls.tmp"), ("cls.double", "cls.inc"), ("cls.tmp", "cls.double"))
    assert not same(a, swapped, names=False)


def test_without_names_two_functions_are_not_one():
    """One program calls two equal functions, the other calls one of them twice."""
    equal = ("A[i] + T.float32(1)", "A[i] * T.float32(2)")
    a, b = changed(equal), changed(equal, ("cls.inc", "cls.double"))
    assert not same(a, b, names=False)
    assert same(a, changed(equal, ("double", "p"), ("inc", "q")), names=False)


def test_without_names_a_global_symbol_may_differ():
    text = '@T.prim_func\ndef f(A: T.Buffer((4,), "int32")):\n' \
           '    T.func_attr({"global_symbol": "f"})\n    A[0] = 1\n'
    a, b = ul.parse(text), ul.parse(text.replace('"f"', '"g"'))
    assert not same(a, b)
    assert same(a, b, names=False)


def test_without_names_attributes_of_the_module_count():
    a = ul.parse(PROGRAM)
    b = a.replace(attrs=a.attrs.updated(version=1))
    assert not same(a, b, names=False)


def test_free_variables_are_themselves():
    x, y = prim.Var("x", "int32"), prim.Var("x", "int32")
    assert same(x + 1, x + 1)
    assert not same(x + 1, y + 1)
    assert ul.structural_equal(x + 1, y + 1, map_free_vars=True)
    assert not ul.structural_equal(x + y, x + x, map_free_vars=True)


def shared(x, depth):
    e = x + 1
    for _ in range(depth):
        e = e * e
    return e


def test_shared_expressions_are_compared_and_hashed_once():
    """2**60 places, 61 nodes."""
    x = prim.Var("x", "int32")
    start = time.perf_counter()
    assert same(shared(x, 60), shared(x, 60))
    assert not same(shared(x, 60), shared(x, 61))
    assert time.perf_counter() - start < 2


def test_sharing_does_not_count():
    """The hash of an expression that is shared under a binder equals that of copies."""
    x = prim.Var("x", "int32")
    once = x + 1
    a = prim.Let(x, prim.literal(3), once * once)
    b = prim.Let(x, prim.literal(3), (x + 1) * (x + 1))
    assert same(a, b)
    assert same(prim.Add(once, a), prim.Add(x + 1, b))


def test_a_mismatch_marks_the_places_in_both_programs():
    a, b = ul.parse(PROGRAM), changed(("T.float32(2)", "T.float32(3)"), ("A[i] +", "A[i] -"))
    with pytest.raises(StructuralMismatch) as found:
        ul.assert_structural_equal(a, b)
    left, right = str(found.value).split("--- left\n")[1].split("--- right\n")
    assert marked(left) == ["T.float32(2.0)", "A[i] + T.float32(1.0)"]
    assert marked(right) == ["T.float32(3.0)", "A[i] - T.float32(1.0)"]
    assert "R.output" not in left, "only the lines around the places are shown"


def marked(text):
    """The pieces of the lines that have carets below them."""
    lines = text.splitlines()
    pieces = []
    for line, below in zip(lines, lines[1:]):
        if "^" in below:
            pieces.append(line[below.index("^"):below.rindex("^") + 1])
    return pieces


def test_a_mismatch_gives_path_and_values():
    b = changed(("T.float32(2)", "T.float32(3)"))
    with pytest.raises(AssertionError, match=r"(?s)differ at functions\['double'\]\.body\.body"
                                             r"\.value\.b\.value:\n  left:  2\.0\n  right: 3\.0"):
        ul.assert_structural_equal(ul.parse(PROGRAM), b)


def test_a_missing_function_is_named():
    a = ul.parse(PROGRAM)
    b = a.with_functions({"inc": None})
    with pytest.raises(StructuralMismatch, match=r"(?s)functions\['inc'\].*right: nothing"):
        ul.assert_structural_equal(a, b)


def test_an_inserted_statement_is_the_first_difference():
    more = "            y = R.exp(y)\n"
    a, b = ul.parse(PROGRAM), changed(("            z =", f"{more}            z ="))
    with pytest.raises(StructuralMismatch) as found:
        ul.assert_structural_equal(a, b)
    assert "R.exp(y)" in str(found.value)
    assert ".blocks[0].bindings[1]" in differences(a, b)[0].path


def test_a_mismatch_is_text_in_a_notebook_too():
    with pytest.raises(StructuralMismatch) as found:
        ul.assert_structural_equal(ul.parse(PROGRAM), changed(("range(16)", "range(15)")))
    assert "^^" in found.value._repr_html_()
    assert "--- right" in "\n".join(found.value._render_traceback_())


def test_equal_programs_raise_nothing():
    assert ul.assert_structural_equal(ul.parse(PROGRAM), ul.parse(PROGRAM)) is None


def chain(x, depth):
    for k in range(depth):
        x = prim.Add(x, prim.literal(k))
    return x


def test_deep_expressions_are_compared_and_hashed():
    x = prim.Var("x", "int32")
    assert same(chain(x, 5000), chain(x, 5000))
    assert not same(chain(x, 5000), chain(x + 1, 5000))
    with pytest.raises(StructuralMismatch, match="the programs differ at a.a.a"):
        ul.assert_structural_equal(chain(x, 5000), chain(x + 1, 5000))


def test_a_mismatch_with_what_is_no_program():
    with pytest.raises(StructuralMismatch, match="(?s)  left:  def main.*right: 3.*right\n  a int"):
        ul.assert_structural_equal(ul.parse(PROGRAM)["main"], 3)


def test_a_variable_that_two_functions_bind_is_bound_anew_in_each():
    def function(n):
        return ul.parse(f"""
@T.prim_func(private=True)
def f(a: T.handle):
    n = T.int64()
    A = T.match_buffer(a, (n,), "float32")
    for i in range(n):
        A[i] = T.float32({n})
""")

    one, two = function(1), function(2)
    size, own = one.buffers[0].shape[0], two.buffers[0].shape[0]
    shared = ul.IRModule().with_functions({"f": one, "g": substitute(two, {own: size})})
    apart = ul.IRModule().with_functions({"f": one, "g": two})
    for names in (True, False):
        assert ul.structural_equal(shared, apart, names=names)
        assert ul.structural_hash(shared, names=names) == ul.structural_hash(apart, names=names)
    assert not ul.structural_equal(shared, apart.with_functions({"g": one}))
