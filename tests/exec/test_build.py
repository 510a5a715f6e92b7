"""Whole modules: graph functions, library calls, every stage."""

import gc
import weakref

import numpy as np
import pytest

from tests.rfc import RFC, result
from unitylab.exec.build import build
from unitylab.interp.interpreter import interpret
from unitylab.interp.packed import register_func
from unitylab.ir import relax
from unitylab.ir.errors import BoundsError, BuildError, RuntimeCallError
from unitylab.ir.transform import Sequential
from unitylab.pipelines import legalize
from unitylab.schedule import DefaultSchedule
from unitylab.script import parse
from unitylab.transforms.relax.legalize_ops import LegalizeOps

RNG = np.random.default_rng(3)


def tensor(*shape, dtype="float32"):
    return RNG.standard_normal(shape).astype(dtype)


@pytest.fixture(scope="module")
def rfc():
    return build(parse(RFC))


@pytest.mark.parametrize("n, d, m", [(3, 4, 5), (16, 7, 9), (1, 1, 1), (2, 0, 2)])
def test_rfc_program_with_several_shapes_and_one_build(rfc, n, d, m):
    x, w = tensor(n, d), tensor(d, m)
    np.testing.assert_allclose(rfc["main"](x, w), result(x, w), rtol=1e-5)


def test_rfc_program_after_legalization(rfc):
    x, w = tensor(4, 6), tensor(6, 5)
    ex = build(LegalizeOps()(parse(RFC)))
    np.testing.assert_array_equal(ex["main"](x, w), rfc["main"](x, w))


def test_result_is_never_reused(rfc):
    x, w = tensor(4, 6), tensor(6, 5)
    first = rfc["main"](x, w)
    kept = first.copy()
    rfc["main"](tensor(4, 6), w)
    np.testing.assert_array_equal(first, kept)


def test_sizes_that_do_not_fit_are_named(rfc):
    with pytest.raises(RuntimeCallError, match="main: argument 'w': dimension 0 is 4, d = 3"):
        rfc["main"](tensor(2, 3), tensor(4, 3))


def test_wrong_dtype_rank_and_count(rfc):
    with pytest.raises(RuntimeCallError, match="argument 'x' has dtype float64, float32 expected"):
        rfc["main"](tensor(2, 3, dtype="float64"), tensor(3, 3))
    with pytest.raises(RuntimeCallError, match="'x' has 1 dimensions .*2 expected"):
        rfc["main"](tensor(3), tensor(3, 3))
    with pytest.raises(RuntimeCallError, match=r"main takes 2 arguments \(x, w\), 1 given"):
        rfc["main"](tensor(2, 3))
    with pytest.raises(RuntimeCallError, match="'x' must be a tensor, not str"):
        rfc["main"]("abc", tensor(3, 3))


def test_unknown_function(rfc):
    with pytest.raises(RuntimeCallError, match="no function 'nain'"):
        rfc["nain"]


def test_non_contiguous_arguments(rfc):
    x, w = tensor(6, 8), tensor(5, 6)
    got = rfc["main"](x[:, ::2], w.T[:4])
    np.testing.assert_allclose(got, result(x[:, ::2], w.T[:4]), rtol=1e-5)


def run_both(text: str, *args):
    """The result of the build, which equals the interpreter's."""
    mod = parse(text)
    want, got = interpret(mod)["main"](*args), build(mod)["main"](*args)
    for w, g in zip(flat(want), flat(got), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-6)
        assert getattr(g, "dtype", None) == getattr(w, "dtype", None)
    return got


def flat(value):
    return [x for v in value for x in flat(v)] if isinstance(value, tuple) else [value]


def test_intermediates_share_memory():
    text = """
@R.function
def main(x: R.Tensor(("n", 64), "float32")) -> R.Tensor(("n", 64), "float32"):
    n = T.int64()
    with R.dataflow():
        a = R.exp(x)
        b = R.add(a, x)
        c = R.multiply(b, b)
        d = R.add(c, a)
        e = R.subtract(d, x)
        R.output(e)
    return e
"""
    x = tensor(32, 64) * np.float32(0.1)
    run_both(text, x)
    plan = build(parse(text), pipeline=legalize)["main"]
    plan.fast = False  # activations of recipes do not wait among the idle ones
    plan(x)
    (act,), = plan.idle.values()
    assert len(plan.internals) == 4 and len(act.blobs) == 3


def test_branches():
    text = """
@R.function
def main(c: R.Tensor((), "bool"), x: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
    if c:
        y = R.exp(x)
        z = R.add(y, x)
    else:
        z = R.negative(x)
    return z
"""
    for c in (True, False):
        run_both(text, np.array(c), tensor(4))


def test_recursion_and_calls_of_graph_functions():
    text = """
@I.ir_module
class M:
    @R.function
    def power(n: R.Tensor((), "int32"),
              x: R.Tensor(("k",), "float32")) -> R.Tensor(("k",), "float32"):
        k = T.int64()
        cls = M
        done = R.equal(n, R.const(0, "int32"))
        if done:
            r = R.ones_like(x)
        else:
            less = R.subtract(n, R.const(1, "int32"))
            rest: R.Tensor((k,), "float32") = cls.power(less, x)
            r = R.multiply(rest, x)
        return r

    @R.function
    def main(x: R.Tensor(("k",), "float32")) -> R.Tensor(("k",), "float32"):
        k = T.int64()
        cls = M
        y: R.Tensor((k,), "float32") = cls.power(R.const(3, "int32"), x)
        return y
"""
    x = tensor(5)
    np.testing.assert_allclose(run_both(text, x), x ** 3, rtol=1e-5)


def test_closure_captures_values_and_sizes():
    text = """
@R.function
def main(x: R.Tensor(("n",), "float32"),
         y: R.Tensor(("n",), "float32")) -> R.Tensor(("n",), "float32"):
    n = T.int64()
    @R.function
    def add_x(z: R.Tensor((n,), "float32")) -> R.Tensor((n,), "float32"):
        r: R.Tensor((n,), "float32") = R.add(z, x)
        return r
    s: R.Tensor((n,), "float32") = add_x(y)
    return s
"""
    x, y = tensor(6), tensor(6)
    np.testing.assert_array_equal(run_both(text, x, y), x + y)


def test_local_function_that_calls_itself():
    text = """
@R.function
def main(x: R.Tensor((), "int32")) -> R.Tensor((), "int32"):
    @R.function
    def factorial(n: R.Tensor((), "int32")) -> R.Tensor((), "int32"):
        done = R.equal(n, R.const(0, "int32"))
        if done:
            r = R.const(1, "int32")
        else:
            less = R.subtract(n, R.const(1, "int32"))
            rest: R.Tensor((), "int32") = factorial(less)
            r = R.multiply(rest, n)
        return r
    s: R.Tensor((), "int32") = factorial(x)
    return s
"""
    assert build(parse(text))["main"](np.array(5, "int32")) == 120


def test_tuples_in_and_out():
    text = """
@R.function
def main(t: R.Tuple(R.Tensor((3,), "float32"), R.Tensor((3,), "float32"))):
    a = t[0]
    b = t[1]
    s = R.add(a, b)
    return (s, (a, R.const(1.5)))
"""
    a, b = tensor(3), tensor(3)
    got = run_both(text, (a, b))
    assert isinstance(got, tuple) and isinstance(got[1], tuple)


def test_match_cast_is_checked_when_run():
    text = """
@R.function
def main(x: R.Tensor(ndim=1, dtype="float32")) -> R.Tensor(ndim=1, dtype="float32"):
    n = T.int64()
    y = R.match_cast(x, R.Tensor((n * 2,), "float32"))
    z = R.add(y, y)
    return z
""".replace("n * 2", "n")
    run_both(text, tensor(6))
    fixed = text.replace("    n = T.int64()\n", "").replace("(n,)", "(4,)")
    run_both(fixed, tensor(4))
    with pytest.raises(RuntimeCallError, match="match_cast of 'y': dimension 0 is 6, 4 expected"):
        build(parse(fixed))["main"](tensor(6))


def test_constants():
    y = tensor(4, 3)
    mod = parse("""
@R.function
def main(x: R.Tensor((4, 3), "float32")) -> R.Tensor((4, 3), "float32"):
    z = R.add(x, R.const(2.0))
    return z
""")
    assert relax.Constant is not None
    np.testing.assert_allclose(build(mod)["main"](y), y + 2, rtol=1e-6)


def test_library_call_into_given_outputs():
    register_func("test_build.into", lambda x, out: np.multiply(x, 3, out=out), override=True)
    text = """
@R.function
def main(x: R.Tensor(("n",), "float32")) -> R.Tensor(("n",), "float32"):
    n = T.int64()
    y = R.call_dps_packed("test_build.into", (x,), out_sinfo=R.Tensor((n,), "float32"))
    return y
"""
    x = tensor(4)
    np.testing.assert_array_equal(run_both(text, x), x * 3)


CALL = """
@R.function(pure=False)
def main(x: R.Tensor((3,), "float32")) -> R.Tensor((3,), "float32"):
    y = R.call_packed("{}", x, sinfo_args=R.Tensor((3,), "float32"))
    return y
"""


def test_library_results_are_checked():
    register_func("test_build.short", lambda x: x[:2], override=True)
    with pytest.raises(RuntimeCallError, match="result of test_build.short: dimension 0 is 2"):
        build(parse(CALL.format("test_build.short")))["main"](tensor(3))


def test_library_errors_are_named():
    def broken(x):
        raise ZeroDivisionError("oh")
    register_func("test_build.broken", broken, override=True)
    with pytest.raises(RuntimeCallError, match="test_build.broken failed: ZeroDivisionError: oh"):
        build(parse(CALL.format("test_build.broken")))["main"](tensor(3))
    with pytest.raises(RuntimeCallError, match="no library function.*test_build.nothing"):
        build(parse(CALL.format("test_build.nothing")))["main"](tensor(3))


def test_call_tir_with_a_wrong_declared_shape_is_refused_when_run():
    mod = parse(RFC.replace("R.Tensor((n, m), \"float32\")", "R.Tensor((n, d), \"float32\")", 1))
    with pytest.raises(RuntimeCallError, match=r"mm: argument 2 \(Y\): dimension 1 \(m\) is 3, "
                                               r"but m is 5 from argument 1"):
        build(mod)["main"](tensor(2, 3), tensor(3, 5))


def test_tensor_program_is_called_with_its_output():
    ex = build(parse(RFC))
    x, w, out = tensor(3, 4), tensor(4, 2), np.empty((3, 2), "float32")
    assert ex["mm"](x, w, out) is None
    np.testing.assert_allclose(out, x @ w, rtol=1e-5)


def test_equal_kernels_are_compiled_once():
    a, b = build(parse(RFC)), build(parse(RFC))
    assert a.kernels["mm"].kernel.code is b.kernels["mm"].kernel.code


def test_sources():
    ex = build(parse(RFC))
    assert "define" in ex.source("llvm", "mm") and "mm" in ex.source("asm", func="mm")
    with pytest.raises(BuildError, match="no tensor program is called 'x'"):
        ex.source("llvm", "x")


def test_timing_and_profile():
    ex = build(parse(RFC), pipeline=legalize)
    x, w = tensor(8, 8), tensor(8, 8)
    timing = ex.time("main", x, w, repeats=10)
    assert timing.runs == 10 and 0 < timing.min <= timing.p10 <= timing.median <= timing.p90
    steps = ex.profile("main", x, w)
    assert [s.label for s in steps] == ["lv0", "lv1", "lv2", "gv"]
    assert [s.kind for s in steps] == ["kernel", "kernel", "kernel", "library"]


def test_operators_are_fused_and_scheduled_by_default():
    mod = parse("""
@R.function
def main(x: R.Tensor((64, 64), "float32"), w: R.Tensor((64, 64), "float32")):
    with R.dataflow():
        y = R.nn.relu(R.matmul(x, w))
        R.output(y)
    return y
""")
    x, w = tensor(64, 64), tensor(64, 64)
    whole, apart = build(mod, "native -threads=1"), build(mod, pipeline=legalize)
    assert len(whole.profile("main", x, w)) == 1 and len(apart.profile("main", x, w)) == 2
    assert whole.mod["main"] is mod and "T.vectorized" in whole.compiled.script()
    assert "T.parallel" not in whole.compiled.script()
    np.testing.assert_allclose(whole["main"](x, w), np.maximum(x @ w, 0), rtol=1e-4, atol=1e-5)


def test_programs_that_are_there_already_stay_as_they_are_written():
    ex = build(parse(RFC))
    assert ex.compiled["mm"] is ex.mod["mm"]
    assert "mm" in ex.kernels


@pytest.mark.parametrize("pipeline", [DefaultSchedule(), [*legalize, DefaultSchedule()],
                                      Sequential([Sequential(legalize), DefaultSchedule()])])
def test_a_pipeline_is_a_pass_or_passes_and_takes_the_target_of_the_build(pipeline):
    mod, (x, w) = parse(RFC), (tensor(4, 6), tensor(6, 5))
    ex = build(mod, "native -threads=1", pipeline=pipeline)
    assert ex.compiled["mm"] is mod["mm"] and "T.parallel" not in ex.compiled.script()
    np.testing.assert_allclose(ex["main"](x, w), result(x, w), rtol=1e-5)


def test_operators_without_a_program_run_their_reference():
    text = """
@R.function
def main(x: R.Tensor(ndim=2, dtype="float32")) -> R.Tensor(ndim=2, dtype="float32"):
    y = R.exp(x)
    z = R.add(y, y)
    return z
"""
    run_both(text, tensor(3, 4))


def test_an_equal_program_is_compiled_once_and_errors_name_their_own_buffers():
    text = """
@T.prim_func
def {f}({a}: T.Buffer((4,), "float32"), {b}: T.Buffer((4,), "float32"), k: T.int32):
    {b}[k] = {a}[k]
"""
    x, y = np.zeros(4, "float32"), np.zeros(4, "float32")
    first = build(parse(text.format(f="first", a="A", b="B")))
    second = build(parse(text.format(f="second", a="P", b="Q")))
    assert first.kernels["first"].kernel.code is second.kernels["second"].kernel.code
    with pytest.raises(BoundsError, match=r"first: index 9 is outside of dimension 0 of '[AB]'"):
        first["first"](x, y, 9)
    with pytest.raises(BoundsError, match=r"second: index 9 is outside of dimension 0 of '[PQ]'"):
        second["second"](x, y, 9)
    with pytest.raises(RuntimeCallError, match=r"argument 0 \(P\)"):
        second["second"](x.astype("float64"), y, 1)


def test_a_module_that_is_built_again_is_not_lowered_again():
    mod = parse("""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        return R.exp(x)
""")
    first = build(mod).compiled
    assert first is not mod and build(mod).compiled is first
    assert build(mod, pipeline=legalize).compiled is not first
    own = [*legalize, lambda m: m]
    assert build(mod, pipeline=own).compiled is not build(mod, pipeline=own).compiled
    alive = weakref.ref(mod)
    del mod
    gc.collect()
    assert alive() is None
