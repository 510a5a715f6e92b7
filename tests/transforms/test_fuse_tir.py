import numpy as np

from unitylab.interp import interpret
from unitylab.ir.relax import Call
from unitylab.ir.structural import assert_structural_equal
from unitylab.ir.tir import BlockRealize
from unitylab.ir.transform import Sequential
from unitylab.ir.visitor import walk
from unitylab.script import parse
from unitylab.transforms import AnnotateTIROpPattern, FuseOps, FuseTIR, LegalizeOps

PREPARE = Sequential((LegalizeOps(), AnnotateTIROpPattern(), FuseOps()))

BEFORE = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def scale(A: T.Buffer(("n",), "float32"), B: T.Buffer(("n",), "float32")):
        n = T.int64()
        for i in range(n):
            with T.block("b"):
                v = T.axis.spatial(n, i)
                B[v] = A[v] * T.float32(2)

    @R.function(private=True)
    def fused(x: R.Tensor(("m",), "float32")) -> R.Tensor(("m",), "float32"):
        m = T.int64()
        R.func_attr({"Primitive": True})
        cls = Module
        with R.dataflow():
            y = R.call_tir(cls.scale, (x,), out_sinfo=R.Tensor((m,), "float32"))
            z = R.call_tir(cls.scale, (y,), out_sinfo=R.Tensor((m,), "float32"))
            R.output(z)
        return z

    @R.function
    def main(x: R.Tensor(("k",), "float32")) -> R.Tensor(("k",), "float32"):
        k = T.int64()
        cls = Module
        with R.dataflow():
            gv: R.Tensor((k,), "float32") = cls.fused(x)
            R.output(gv)
        return gv
"""

AFTER = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def fused(x: T.Buffer(("n",), "float32"), B_intermediate_1: T.Buffer(("n",), "float32")):
        n = T.int64()
        T.func_attr({"tir.noalias": True})
        with T.block("root"):
            B_intermediate = T.alloc_buffer((n,))
            for i in range(n):
                with T.block("b"):
                    v = T.axis.spatial(n, i)
                    B_intermediate[v] = x[v] * T.float32(2)
            for i in range(n):
                with T.block("b1"):
                    v = T.axis.spatial(n, i)
                    B_intermediate_1[v] = B_intermediate[v] * T.float32(2)

    @R.function
    def main(x: R.Tensor(("k",), "float32")) -> R.Tensor(("k",), "float32"):
        k = T.int64()
        cls = Module
        with R.dataflow():
            gv = R.call_tir(cls.fused, (x,), out_sinfo=R.Tensor((k,), "float32"))
            R.output(gv)
        return gv
"""


def test_programs_become_one(same_results, obeys_contract):
    before = parse(BEFORE)
    after = obeys_contract(FuseTIR(), before, places=1)
    assert_structural_equal(after, parse(AFTER))
    same_results(before, after, (5,))


def block_names(func):
    return [n.block.name for n in walk(func) if isinstance(n, BlockRealize)]


def fused(text):
    before = parse(text)
    return before, Sequential((PREPARE, FuseTIR()))(before)


def test_matmul_with_epilogue(same_results):
    before, after = fused("""
@R.function
def main(x: R.Tensor(("n", 4), "float32"), w: R.Tensor((4, 3), "float32"),
         b: R.Tensor((3,), "float32")):
    n = T.int64()
    with R.dataflow():
        lv = R.matmul(x, w)
        lv1 = R.add(lv, b)
        gv = R.nn.relu(lv1)
        R.output(gv)
    return gv
""")
    assert set(after) == {"main", "fused_matmul_add_relu"}
    assert len(block_names(after["fused_matmul_add_relu"])) == 4
    for n in (1, 6):
        same_results(before, after, (n, 4), (4, 3), (3,))


def test_sizes_that_no_buffer_determines_are_passed():
    before, after = fused("""
@R.function
def main(x: R.Tensor(("n",), "float32"), s: R.Shape(["m", "k"])):
    n = T.int64()
    m = T.int64()
    k = T.int64()
    with R.dataflow():
        lv = R.zeros(R.shape([m, k]), "float32")
        lv1 = R.exp(lv)
        gv = R.add(lv1, R.const(1.0, "float32"))
        R.output(gv)
    return gv
""")
    assert len(after) == 2
    got = interpret(after)["main"](np.ones(2, "float32"), (2, 3))
    np.testing.assert_allclose(got, np.full((2, 3), 2, "float32"))


def test_several_outputs_and_tuples(same_results):
    before, after = fused("""
@R.function
def main(x: R.Tensor(("n", 8), "float32")):
    n = T.int64()
    with R.dataflow():
        lv = R.split(x, 2, axis=1)
        lv1 = lv[0]
        lv2 = lv[1]
        lv3 = R.exp(lv1)
        gv = R.multiply(lv3, lv2)
        R.output(gv)
    return gv
""")
    same_results(before, after, (3, 8))


def test_a_function_that_returns_a_tuple(same_results):
    before = parse(BEFORE.replace("        return z", "        return (y, z)")
                   .replace('-> R.Tensor(("m",), "float32")',
                            '-> R.Tuple(R.Tensor(("m",), "float32"), R.Tensor(("m",), "float32"))')
                   .replace('-> R.Tensor(("k",), "float32")', "")
                   .replace("R.output(z)", "R.output(y, z)")
                   .replace('gv: R.Tensor((k,), "float32")', "gv"))
    after = FuseTIR()(before)
    assert set(after) == {"fused", "main"}
    assert len(after["fused"].buffers) == 3
    same_results(before, after, (4,))


def test_library_calls_stay_a_graph_function():
    before = parse("""
@I.ir_module
class Module:
    @R.function(private=True)
    def fused(x: R.Tensor((2,), "float32")) -> R.Tensor((2,), "float32"):
        R.func_attr({"Primitive": True})
        with R.dataflow():
            y = R.call_dps_packed("f", (x,), out_sinfo=R.Tensor((2,), "float32"))
            R.output(y)
        return y

    @R.function
    def main(x: R.Tensor((2,), "float32")) -> R.Tensor((2,), "float32"):
        cls = Module
        gv: R.Tensor((2,), "float32") = cls.fused(x)
        return gv
""")
    assert FuseTIR()(before) is before


def test_calls_outside_of_dataflow_blocks_are_rewritten_too():
    text = BEFORE.replace("        with R.dataflow():\n            gv: R.Tensor((k,), \"float32\") ="
                          " cls.fused(x)\n            R.output(gv)\n",
                          "        gv: R.Tensor((k,), \"float32\") = cls.fused(x)\n")
    after = FuseTIR()(parse(text))
    assert [b.value.op.name for b in after["main"].body.bindings
            if isinstance(b.value, Call)] == ["relax.call_tir"]
