import numpy as np
import pytest

from unitylab.interp import interpret
from unitylab.ir import prim, te
from unitylab.ir.module import as_module
from unitylab.ir.relax import Call
from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse
from unitylab.transforms import LegalizeOps

BEFORE = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", 4), "float32"), w: R.Tensor((4, 3), "float32")):
        n = T.int64()
        with R.dataflow():
            lv = R.matmul(x, w)
            lv1 = R.add(lv, R.const(1.0, "float32"))
            gv = R.nn.relu(lv1)
            R.output(gv)
        return gv
"""

AFTER_ADD = """
@T.prim_func(private=True)
def add(lv: T.Buffer(("n", T.int64(3)), "float32"), T_add: T.Buffer(("n", T.int64(3)), "float32")):
    n = T.int64()
    T.func_attr({"tir.noalias": True})
    for i0, i1 in T.grid(n, T.int64(3)):
        with T.block("T_add"):
            v_i0, v_i1 = T.axis.remap("SS", [i0, i1])
            T_add[v_i0, v_i1] = lv[v_i0, v_i1] + T.float32(1)
"""


def callees(mod, func="main"):
    return [b.value.args[0].name for b in mod[func].body.bindings
            if isinstance(b.value, Call) and b.value.op.name == "relax.call_tir"]


def test_ops_become_call_tir_of_programs_named_after_them(same_results, obeys_contract):
    before = parse(BEFORE)
    after = obeys_contract(LegalizeOps(), before, places=3)
    assert callees(after) == ["matmul", "add", "relu"]
    same_results(before, after, (2, 4), (4, 3))
    same_results(before, after, (5, 4), (4, 3))


def test_a_constant_scalar_is_written_into_the_program():
    after = LegalizeOps()(parse(BEFORE))
    assert_structural_equal(after["add"], parse(AFTER_ADD))


def test_programs_own_their_symbolic_sizes():
    before = parse(BEFORE)
    after = LegalizeOps()(before)
    n = before["main"].params[0].struct_info.dims[0]
    assert after["main"].params[0].struct_info.dims[0] is n
    assert after["matmul"].params[0].shape[0] is not n


def test_equal_programs_are_shared():
    before = parse("""
@R.function
def main(x: R.Tensor((2, 3), "float32"), y: R.Tensor((2, 3), "float32")):
    a = R.add(x, y)
    b = R.add(a, y)
    c = R.exp(b)
    d = R.exp(c)
    return d
""")
    assert callees(LegalizeOps()(before)) == ["add", "add", "exp", "exp"]


def test_names_count_up_where_programs_differ():
    before = parse("""
@R.function
def main(x: R.Tensor((2, 3), "float32"), y: R.Tensor((3,), "float32")):
    a = R.add(x, y)
    b = R.add(a, a)
    return b
""")
    assert callees(LegalizeOps()(before)) == ["add", "add1"]


def test_skip_leaves_an_op_alone():
    before = parse(BEFORE)
    assert callees(LegalizeOps(skip=("matmul", "nn.relu"))(before)) == ["add"]
    assert LegalizeOps(skip=["matmul", "nn.relu", "add"])(before) is before


def test_rules_say_how_to_compute():
    def clipped(x):
        return te.compute(x.shape, lambda i, j: prim.minimum(x[i, j], prim.literal(0.5)))
    after = LegalizeOps(rules={"nn.relu": clipped})(parse(BEFORE))
    x = np.full((1, 4), 2, "float32")
    assert interpret(after)["main"](x, np.ones((4, 3), "float32")).max() == 0.5


def test_what_has_no_known_shape_stays():
    before = as_module(parse("""
@R.function
def main(x: R.Tensor(ndim=2, dtype="float32")):
    a = R.exp(x)
    return a
"""))
    assert LegalizeOps()(before) is before


def test_library_calls_stay():
    before = as_module(parse("""
@R.function(pure=False)
def main(x: R.Tensor((2,), "float32")):
    a = R.call_packed("f", x, sinfo_args=R.Tensor((2,), "float32"))
    b = R.call_dps_packed("g", (a,), out_sinfo=R.Tensor((2,), "float32"))
    return b
"""))
    assert LegalizeOps()(before) is before


def test_sizes_that_no_argument_has_are_passed():
    before = parse("""
@R.function
def main(x: R.Tensor(("n",), "float32"), s: R.Shape(["m"])):
    n = T.int64()
    m = T.int64()
    a = R.zeros(R.shape([n, m]), "float32")
    return a
""")
    after = LegalizeOps()(before)
    assert interpret(after)["main"](np.ones(2, "float32"), (3,)).shape == (2, 3)


@pytest.mark.parametrize("branch", [True, False])
def test_branches_are_legalized(branch):
    before = parse("""
@R.function
def main(c: R.Tensor((), "bool"), x: R.Tensor((2,), "float32")):
    if c:
        a = R.exp(x)
        r = a
    else:
        b = R.negative(x)
        r = b
    return r
""")
    after = LegalizeOps()(before)
    assert set(after) == {"main", "exp", "negative"}
    x = np.ones(2, "float32")
    np.testing.assert_allclose(interpret(after)["main"](np.array(branch), x),
                               np.exp(x) if branch else -x, rtol=1e-6)
