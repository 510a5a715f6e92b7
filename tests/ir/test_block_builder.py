"""`BlockBuilder` makes the programs that one would write; misuse is one clear error."""

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir import prim, relax, te
from unitylab.ir.errors import StructInfoError, WellFormedError
from unitylab.ir.relax import DataflowVar, If, Tuple, TupleGetItem, VarBinding
from unitylab.script import relax as R


def size(name):
    return prim.Var(name, "int64")


@pytest.fixture
def x():
    return relax.Var("x", R.Tensor((size("n"), 4), "float32"))


@pytest.fixture
def bb():
    return ul.BlockBuilder()


def expect(bb, text):
    """The module built is well formed and is the one written."""
    mod = bb.get()
    ul.well_formed(mod)
    ul.assert_structural_equal(mod, ul.parse(text))
    return mod


def test_nested_calls_get_a_variable_each(bb, x):
    with bb.function("main", [x]):
        with bb.dataflow():
            out = bb.emit_output(R.nn.relu(R.add(R.exp(x), R.tanh(x))))
        gv = bb.emit_func_output(out)
    assert gv.name == "main"
    expect(bb, '''
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", 4), "float32")):
        with R.dataflow():
            lv = R.exp(x)
            lv1 = R.tanh(x)
            lv2 = R.add(lv, lv1)
            gv = R.nn.relu(lv2)
            R.output(gv)
        return gv
''')


def test_names_are_counted_as_in_tvm(bb, x):
    with bb.function("main", x):
        with bb.dataflow():
            names = [bb.emit(R.exp(x)).name, bb.emit(R.exp(x)).name, bb.emit(R.exp(x), "h").name,
                     bb.emit(R.exp(x), name_hint="h").name, bb.emit_output(x).name]
        names += [bb.emit(R.exp(x)).name, bb.get_unique_name("x")]
        bb.emit_func_output(x)
    assert names == ["lv", "lv1", "h", "h1", "gv", "gv1", "x1"]


def test_struct_info_is_inferred_and_bindings_are_found(bb, x):
    with bb.function("main", [x]):
        y = bb.emit(R.matmul(x, R.permute_dims(x)))
        assert y.struct_info.script() == 'R.Tensor((n, n), dtype="float32")'
        assert bb.lookup_binding(y).op.name == "relax.matmul"
        assert bb.lookup_binding(x) is None
        bb.emit_func_output(y)


def test_tuples_nest_and_lists_are_tuples(bb, x):
    with bb.function("main", [x]):
        pair = bb.emit(Tuple((R.exp(x), Tuple((x, R.tanh(x))))))
        last = bb.emit(TupleGetItem(TupleGetItem(pair, 1), 1))
        bb.emit_func_output([last, (x, last)])
    mod = expect(bb, '''
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", 4), "float32")):
        gv = R.exp(x)
        gv1 = R.tanh(x)
        gv2 = (gv, (x, gv1))
        gv3 = gv2[1]
        gv4 = gv3[1]
        return (gv4, (x, gv4))
''')
    a = np.random.rand(2, 4).astype("float32")
    first, (second, _) = ul.interpret(mod)["main"](a)
    np.testing.assert_allclose(first, np.tanh(a), rtol=1e-6)
    np.testing.assert_array_equal(second, a)


def test_match_cast_makes_sizes_known_and_callers_do_not_see_them(bb):
    y = relax.Var("y", R.Tensor(ndim=2, dtype="float32"))
    m = size("m")
    with bb.function("main", [y]):
        z = bb.match_cast(R.exp(y), R.Tensor((m, m), "float32"))
        out = bb.emit(R.matmul(z, z))
        bb.emit_func_output(out)
    assert out.struct_info.dims == (m, m)
    assert bb.get()["main"].ret_struct_info.script() == 'R.Tensor(dtype="float32", ndim=2)'
    a = np.random.rand(3, 3).astype("float32")
    np.testing.assert_allclose(ul.interpret(bb.get())["main"](a), np.exp(a) @ np.exp(a), rtol=1e-5)
    with pytest.raises(ul.UnityLabError):
        ul.interpret(bb.get())["main"](np.zeros((2, 3), "float32"))


def test_branches_become_sequences(bb, x):
    flag = relax.Var("flag", R.Tensor((), "bool"))
    with bb.function("main", [x, flag]):
        out = bb.emit(If(flag, R.exp(R.tanh(x)), R.add(x, x)))
        bb.emit_func_output(out)
    mod = expect(bb, '''
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", 4), "float32"), flag: R.Tensor((), "bool")):
        if flag:
            gv = R.tanh(x)
            gv1 = R.exp(gv)
            out = gv1
        else:
            gv2 = R.add(x, x)
            out = gv2
        return out
''')
    a = np.random.rand(2, 4).astype("float32")
    np.testing.assert_allclose(ul.interpret(mod)["main"](a, np.array(False)), a + a)


def test_emit_te_adds_a_program_with_sizes_of_its_own_and_shares_equal_ones(bb, x):
    def twice(a):
        return te.compute(a.shape, lambda *i: a[i] * 2.0, name="twice")

    with bb.function("main", [x]):
        y = bb.emit_te(twice, x)
        z = bb.emit_te(twice, R.exp(y), primfunc_name_hint="again")
        bb.emit_func_output(z)
    mod = bb.get()
    ul.well_formed(mod)
    assert list(mod.prim_funcs) == ["twice"]
    assert mod["twice"].buffers[0].shape[0] is not x.struct_info.dims[0]
    a = np.random.rand(2, 4).astype("float32")
    np.testing.assert_allclose(ul.build(mod)["main"](a), 2 * np.exp(2 * a), rtol=1e-5)


def test_call_te_with_lists_several_outputs_attributes_and_a_size_that_inputs_do_not_tell(bb, x):
    n = x.struct_info.dims[0]
    flat = relax.Var("flat", R.Tensor((n * 4,), "float32"))

    def both(parts, scale=1.0):
        a, b = parts
        s = te.compute(a.shape, lambda i, j: a[i, j] * scale, name="s")
        return s, te.compute(b.shape, lambda i: b[i] + 1.0, name="t")

    with bb.function("main", [x, flat]):
        out = bb.emit(bb.call_te(both, [x, flat], scale=3.0, primfunc_attrs={"kind": "pair"}))
        bb.emit_func_output(out)
    mod = bb.get()
    ul.well_formed(mod)
    assert mod["both"].attrs["kind"] == "pair"
    a, b = np.random.rand(2, 4).astype("float32"), np.random.rand(8).astype("float32")
    s, t = ul.interpret(mod)["main"](a, b)
    np.testing.assert_allclose(s, a * 3, rtol=1e-6)
    np.testing.assert_allclose(t, b + 1, rtol=1e-6)


def test_several_functions_private_ones_and_attributes(bb, x):
    with bb.function("helper", [x], private=True, attrs={"Primitive": 1}):
        helper = bb.emit_func_output(R.exp(x))
    y = relax.Var("y", R.Tensor((3, 4), "float32"))
    with bb.function("main", [y], {"num_input": 1}, pure=True):
        out = bb.emit(relax.Call(helper, (y,)))
        bb.emit_func_output(out)
    assert out.struct_info.script() == 'R.Tensor((3, 4), dtype="float32")'
    mod = bb.get()
    assert dict(mod["helper"].attrs) == {"Primitive": 1}
    assert dict(mod["main"].attrs) == {"global_symbol": "main", "num_input": 1}
    ul.well_formed(mod)


def test_parameters_may_be_named_at_the_end(bb, x):
    with bb.function("main"):
        bb.emit_func_output(bb.emit(R.exp(x)), params=[x])
    assert bb.get()["main"].params == (x,)


def test_add_func_and_update_func(bb, x):
    func = ul.parse('@T.prim_func(private=True)\ndef f(A: T.Buffer((2,), "int32")):\n    A[0] = 1')
    other = ul.parse('@T.prim_func(private=True)\ndef f(A: T.Buffer((2,), "int32")):\n    A[0] = 2')
    names = [bb.add_func(f, "f").name for f in (func, func, other)]
    assert names == ["f", "f", "f1"]
    bb.update_func(bb.add_func(func, "f"), other)
    ul.assert_structural_equal(bb.get()["f"], other)


def test_emit_normalized_takes_bindings_as_they_are(bb, x):
    v = relax.Var("v", x.struct_info)
    with bb.function("main", [x]):
        bb.emit_normalized(VarBinding(v, R.exp(x)))
        assert bb.get_unique_name("v") == "v1"
        bb.emit_func_output(v)
    ul.well_formed(bb.get())


# --- misuse: one clear error each, and the builder goes on ---------------------------------------

def outside(bb, x):
    bb.emit(R.exp(x))


def te_outside(bb, x):
    bb.emit_te(lambda a: a, x)


def no_output(bb, x):
    with bb.function("main", [x]):
        bb.emit(x)


def output_outside_of_dataflow(bb, x):
    with bb.function("main", [x]):
        bb.emit_output(x)


def output_inside_of_dataflow(bb, x):
    with bb.function("main", [x]), bb.dataflow():
        bb.emit_func_output(x)


def nested_dataflow(bb, x):
    with bb.function("main", [x]), bb.dataflow(), bb.dataflow():
        pass


def dataflow_outside(bb, x):
    with bb.dataflow():
        pass


def after_the_result(bb, x):
    with bb.function("main", [x]):
        bb.emit_func_output(x)
        bb.emit(x)


def two_results(bb, x):
    with bb.function("main", [x]):
        bb.emit_func_output(x)
        bb.emit_func_output(x)


def ended_variable(bb, x):
    with bb.function("main", [x]):
        with bb.dataflow():
            lv = bb.emit(R.exp(x))
        bb.emit(R.tanh(lv))


def stranger(bb, x):
    with bb.function("main", [x]):
        bb.emit(R.exp(relax.Var("xx", x.struct_info)))


def stranger_at_the_end(bb, x):
    with bb.function("main"):
        bb.emit_func_output(bb.emit(R.exp(x)), params=[])


def no_parameters(bb, x):
    with bb.function("main"):
        bb.emit_func_output(x)


def parameters_twice(bb, x):
    with bb.function("main", [x]):
        bb.emit_func_output(x, params=[x])


def same_name(bb, x):
    for _ in range(2):
        with bb.function("main", [x]):
            bb.emit_func_output(x)


def in_a_dataflow_block(bb, x):
    with bb.function("main", [x]), bb.dataflow(), bb.function("inner", [x]):
        pass


def no_variable(bb, x):
    with bb.function("main", ["x"]):
        pass


def no_info(bb, x):
    with bb.function("main", [relax.Var("y")]):
        pass


def double_name(bb, x):
    with bb.function("main", [x, relax.Var("x", x.struct_info)]):
        pass


def no_info_cast(bb, x):
    with bb.function("main", [x]):
        bb.match_cast(x, (2, 4))


def no_binding(bb, x):
    with bb.function("main", [x]):
        bb.emit_normalized(x)


def dataflow_variable_outside(bb, x):
    with bb.function("main", [x]):
        bb.emit_normalized(VarBinding(DataflowVar("v", x.struct_info), x))


def unknown_update(bb, x):
    bb.update_func("mian", relax.Function((), relax.SeqExpr((), Tuple(()))))


def no_function(bb, x):
    bb.add_func(x, "f")


def no_value(bb, x):
    with bb.function("main", [x]):
        bb.emit(object())


def bad_shapes(bb, x):
    with bb.function("main", [x]):
        bb.emit(R.matmul(x, np.zeros((3, 3), "float32")))


MISUSE = [
    (outside, "emit belongs inside of a function"),
    (te_outside, "emit_te belongs inside of a function"), (no_output, "'main' has no result"),
    (output_outside_of_dataflow, "emit_output belongs inside of a dataflow block"),
    (output_inside_of_dataflow, "emit_func_output stands inside of a dataflow block"),
    (nested_dataflow, "do not nest"), (dataflow_outside, "dataflow belongs inside"),
    (after_the_result, "emit comes after the result"),
    (two_results, "emit_func_output comes after the result"),
    (ended_variable, "'lv' is used after its block"), (stranger, "'xx' is bound nowhere"),
    (stranger_at_the_end, "'x' is bound nowhere"), (no_parameters, "'main' has no parameters"),
    (parameters_twice, "given twice"), (same_name, "has a function 'main' already"),
    (in_a_dataflow_block, "'inner' begins inside"), (no_variable, "parameter 0 is no graph var"),
    (no_info, "'y' has no struct info"), (double_name, "two parameters are called 'x'"),
    (no_info_cast, "takes a struct info, not tuple"), (no_binding, "takes a binding, not Var"),
    (dataflow_variable_outside, "'v' is bound outside of"), (unknown_update, "no function 'mian'"),
    (no_function, "add_func takes a function, not Var"), (no_value, "object cannot stand in a"),
    (bad_shapes, "matmul"),
]


@pytest.mark.parametrize(("misuse", "message"), MISUSE, ids=lambda m: getattr(m, "__name__", ""))
def test_misuse_is_one_clear_error_and_the_builder_goes_on(bb, x, misuse, message):
    with pytest.raises(WellFormedError, match=message):
        misuse(bb, x)
    with bb.function("next", [x]):
        bb.emit_func_output(bb.emit(R.exp(x)))
    assert "next" in bb.get()
    assert set(bb.get()) <= {"next", "main"}


def test_a_failed_function_leaves_no_trace(bb, x):
    with pytest.raises(StructInfoError):
        bad_shapes(bb, x)
    assert not len(bb.get())
