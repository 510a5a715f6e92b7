"""Programs in the spelling of courses, papers and blogs: they parse, verify, come back, and run."""

import numpy as np

import unitylab as ul
from unitylab.script import tir as T

RNG = np.random.default_rng(0)


def checked(text: str):
    mod = ul.parse(text)
    ul.well_formed(mod)
    for dialect in ("unity", "tvm"):
        ul.assert_structural_equal(ul.parse(mod.script(dialect=dialect)), mod)
    return mod


def data(*shape) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


MM_RELU = """
@tvm.script.ir_module
class MyModule:
    @T.prim_func
    def mm_relu(A: T.Buffer[(128, 128), "float32"],
                B: T.Buffer[(128, 128), "float32"],
                C: T.Buffer[(128, 128), "float32"]):
        T.func_attr({"global_symbol": "mm_relu", "tir.noalias": True})
        Y = T.alloc_buffer((128, 128), dtype="float32")
        for i, j, k in T.grid(128, 128, 128):
            with T.block("Y"):
                vi = T.axis.spatial(128, i)
                vj = T.axis.spatial(128, j)
                vk = T.axis.reduce(128, k)
                with T.init():
                    Y[vi, vj] = T.float32(0)
                Y[vi, vj] = Y[vi, vj] + A[vi, vk] * B[vk, vj]
        for i, j in T.grid(128, 128):
            with T.block("C"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = T.max(Y[vi, vj], T.float32(0))
"""


def test_a_product_and_relu_of_two_blocks():
    a, b, c = data(128, 128), data(128, 128), np.empty((128, 128), "float32")
    ul.build(checked(MM_RELU))["mm_relu"](a, b, c)
    np.testing.assert_allclose(c, np.maximum(a @ b, 0), rtol=1e-4, atol=1e-4)


LINEAR = """
@tvm.script.ir_module
class MyModule:
    @T.prim_func
    def relu0(x: T.handle, y: T.handle):
        n = T.var("int64")
        X = T.match_buffer(x, (1, n), "float32")
        Y = T.match_buffer(y, (1, n), "float32")
        for i, j in T.grid(1, n):
            with T.block("Y"):
                vi, vj = T.axis.remap("SS", [i, j])
                Y[vi, vj] = T.max(X[vi, vj], T.float32(0))

    @T.prim_func
    def linear0(x: T.handle, w: T.handle, b: T.handle, z: T.handle):
        m, n = T.var("int64"), T.var("int64")
        X = T.match_buffer(x, (1, m), "float32")
        W = T.match_buffer(w, (n, m), "float32")
        B = T.match_buffer(b, (n,), "float32")
        Z = T.match_buffer(z, (1, n), "float32")
        Y = T.alloc_buffer((1, n), "float32")
        for i, j, k in T.grid(1, n, m):
            with T.block("Y"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    Y[vi, vj] = T.float32(0)
                Y[vi, vj] = Y[vi, vj] + X[vi, vk] * W[vj, vk]
        for i, j in T.grid(1, n):
            with T.block("Z"):
                vi, vj = T.axis.remap("SS", [i, j])
                Z[vi, vj] = Y[vi, vj] + B[vj]

    @R.function
    def main(x: R.Tensor((1, 784), "float32"), w0: R.Tensor((128, 784), "float32"),
             b0: R.Tensor((128,), "float32"), w1: R.Tensor((10, 128), "float32"),
             b1: R.Tensor((10,), "float32")):
        cls = MyModule
        with R.dataflow():
            lv0 = {first}
            lv1 = {second}
            out = {third}
            R.output(out)
        return out
"""
TODAY = ('R.call_tir(cls.linear0, (x, w0, b0), out_sinfo=R.Tensor((1, 128), dtype="float32"))',
         'R.call_tir(cls.relu0, (lv0,), out_sinfo=R.Tensor((1, 128), dtype="float32"))',
         'R.call_tir(cls.linear0, (lv1, w1, b1), out_sinfo=R.Tensor((1, 10), dtype="float32"))')
BEFORE = ('R.call_tir(linear0, (x, w0, b0), (1, 128), dtype="float32")',
          'R.call_tir(relu0, (lv0,), R.Tensor((1, 128), dtype="float32"))',
          'R.call_tir(MyModule.linear0, (lv1, w1, b1), (1, 10), dtype="float32")')


def linear(calls):
    return checked(LINEAR.format(first=calls[0], second=calls[1], third=calls[2]))


def test_calls_of_symbolic_tensor_programs():
    x, w0, b0, w1, b1 = data(1, 784), data(128, 784), data(128), data(10, 128), data(10)
    found = ul.build(linear(TODAY))["main"](x, w0, b0, w1, b1)
    want = np.maximum(x @ w0.T + b0, 0) @ w1.T + b1
    np.testing.assert_allclose(np.asarray(found), want, rtol=1e-3, atol=1e-3)


def test_the_first_spelling_of_calls_means_the_same():
    ul.assert_structural_equal(linear(BEFORE), linear(TODAY))


PACKED = """
@tvm.script.ir_module
class MyModule:
    @R.function
    def main(x: R.Tensor((1, 784), "float32"), w: R.Tensor((10, 784), "float32"),
             b: R.Tensor((10,), "float32")):
        with R.dataflow():
            lv0 = R.call_dps_packed("env.linear", (x, w, b),
                                    out_sinfo=R.Tensor((1, 10), dtype="float32"))
            lv1 = R.call_dps_packed("env.relu", (lv0,), R.Tensor((1, 10), dtype="float32"))
            R.output(lv1)
        return lv1
"""


def test_library_functions_write_their_results():
    @ul.register_func("env.linear", override=True)
    def linear_into(x, w, b, out):
        out[:] = x @ w.T + b

    @ul.register_func("env.relu", override=True)
    def relu_into(x, out):
        np.maximum(x, 0, out=out)

    x, w, b = data(1, 784), data(10, 784), data(10)
    found = ul.build(checked(PACKED))["main"](x, w, b)
    np.testing.assert_allclose(np.asarray(found), np.maximum(x @ w.T + b, 0), rtol=1e-4, atol=1e-4)


RFC = """
@tvm.script.ir_module
class MyIRModule:
    @T.prim_func
    def tir_exp_func(x: T.handle, y: T.handle):
        n = T.var("int64")
        X = T.match_buffer(x, (n,), "float32")
        Y = T.match_buffer(y, (n,), "float32")
        for i in T.grid(n):
            with T.block("exp"):
                vi = T.axis.S(n, i)
                Y[vi] = T.exp(X[vi], dtype="float32")

    @R.function
    def relax_func(x: R.Tensor[(n, k), "float32"], w: R.Tensor[(k, m), "float32"]):
        n, k, m = T.var("int64"), T.var("int64"), T.var("int64")
        with R.dataflow():
            lv0 = R.matmul(x, w)
            lv1: R.Tensor[(n * m,), "float32"] = R.flatten(lv0)
            lv2: R.Shape = R.shape([n * m])
            gv0 = R.call_tir(tir_exp_func, [lv1], (n * m,), dtype="float32")
            R.output(gv0)
        return gv0
"""


def test_the_program_of_the_proposal_in_its_own_spelling():
    x, w = data(3, 4), data(4, 5)
    found = ul.build(checked(RFC))["relax_func"](x, w)
    np.testing.assert_allclose(np.asarray(found), np.exp((x @ w).ravel()), rtol=1e-4)


EXTERN = """
@I.ir_module
class Module:
    sort = R.ExternFunc("env.sort")

    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
        cls = Module
        y = R.call_packed(cls.sort, x, sinfo_args=R.Tensor((4,), "float32"))
        return y
"""


def test_a_module_may_name_library_functions():
    ul.register_func("env.sort", override=True)(lambda x: np.sort(x))
    x = data(4)
    np.testing.assert_array_equal(ul.build(checked(EXTERN))["main"](x), np.sort(x))


def test_a_view_of_other_elements():
    func = checked("""
@T.prim_func
def f(A: T.Buffer((4,), "float32"), B: T.Buffer((4,), "int32")):
    bits = A.view("int32")
    for i in range(4):
        B[i] = bits[i]
""")
    a, b = data(4), np.zeros(4, "int32")
    ul.build(func)["f"](a, b)
    np.testing.assert_array_equal(b, a.view("int32"))


def test_cells_see_python_values():
    n, dtype, shape, fast = 8, "float32", (8, 4), True

    @T.prim_func
    def scaled(A: T.Buffer(shape, dtype), B: T.Buffer((n, 4), dtype)):
        for i, j in T.grid(n, 4):
            with T.block("b"):
                vi, vj = T.axis.remap("SS", [i, j])
                if fast:
                    B[vi, vj] = A[vi, vj] * T.float32(n)
                else:
                    B[vi, vj] = T.float32(0)

    a, b = data(8, 4), np.empty((8, 4), "float32")
    ul.build(scaled)["scaled"](a, b)
    np.testing.assert_allclose(b, a * 8, rtol=1e-6)
    assert "if" not in scaled.script()
