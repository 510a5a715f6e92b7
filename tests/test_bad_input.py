"""What a person may give by mistake to the public functions: one clear error of the hierarchy, that
says what was expected. Never an AttributeError from deep inside."""

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir.errors import RuntimeCallError, TransformError, UnityLabError

SCALE = """
@T.prim_func
def scale(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32")):
    for i in range(8):
        B[i] = A[i] * T.float32(2)
"""
GRAPH = """
@I.ir_module
class M:
    @R.function
    def main(x: R.Tensor(("n", 4), "float32")):
        with R.dataflow():
            y = R.sum(R.nn.relu(x), axis=1)
            R.output(y)
        return y
"""


@pytest.fixture(scope="module")
def program():
    return ul.parse(SCALE)


@pytest.fixture(scope="module")
def graph():
    return ul.parse(GRAPH)


@pytest.mark.parametrize("function", [
    ul.build, ul.interpret, ul.well_formed, ul.complaints, ul.structural_hash, ul.Schedule, ul.Session, ul.lab,
    ul.transforms.FuseOps(), ul.transforms.DefaultSchedule()],
    ids=lambda f: getattr(f, "__name__", type(f).__name__))
@pytest.mark.parametrize("value", [None, "text", 3, [1]], ids=str)
def test_something_else_than_a_module(function, value):
    with pytest.raises(UnityLabError, match=f"expected, not {type(value).__name__}"):
        function(value)


@pytest.mark.parametrize("give, message", [
    (lambda m: ul.build(m, pipeline="defualt"), "no pipeline is called 'defualt'"),
    (lambda m: ul.build(m, pipeline=3), "3 is not a pass"),
    (lambda m: ul.build(m, pipeline=None), "None is not a pass"),
    (lambda m: ul.build(m, pipeline=[3]), "3 is not a pass"),
    (lambda m: ul.build(m, pipeline=[lambda m: None]), "returned NoneType, not an IRModule"),
    (lambda m: ul.build(m, pipeline=[lambda m: 1 // 0]), "ZeroDivisionError"),
    (lambda m: ul.Sequential(3), "passes come in a list, not as 3"),
    (lambda m: ul.Sequential("FuseOps"), "passes come in a list"),
    (lambda m: ul.Sequential([3]), "3 is not a pass"),
    (lambda m: ul.Session(m).run("defualt"), "no pipeline is called 'defualt'"),
    (lambda m: ul.Session(m).run(None), "None is not a pass"),
])
def test_pipelines(graph, give, message):
    with pytest.raises(TransformError, match=message):
        give(graph)


@pytest.mark.parametrize("pipeline", ["default", "legalize", ul.transforms.LegalizeOps,
                                      [lambda m: m, *ul.pipelines.default]])
def test_pipelines_by_name_class_and_with_functions(graph, pipeline):
    x = np.arange(8, dtype="float32").reshape(2, 4) - 3
    want = np.maximum(x, 0).sum(1)
    np.testing.assert_allclose(ul.build(graph, pipeline=pipeline)["main"](x), want)


@pytest.mark.parametrize("sizes", [{"n": "x"}, {"n": -1}, {"n": 1.5}])
def test_sizes_of_a_session(graph, sizes):
    with pytest.raises(UnityLabError, match="the size 'n' is a number of elements, not"):
        ul.Session(graph, sizes=sizes)


def test_modules_of_plain_functions(program):
    mod = ul.IRModule({"scale": program})
    assert list(mod) == ["scale"] and ul.structural_equal(ul.parse(mod.script()), mod)
    with pytest.raises(UnityLabError, match="given by name, not as list"):
        ul.IRModule([program])


def test_names_of_library_functions():
    with pytest.raises(UnityLabError, match="has a name"):
        ul.register_func(3, print)
    with pytest.raises(UnityLabError, match="has a name"):
        ul.register_func(print)


@pytest.mark.parametrize("options", [{"repeats": -1}, {"warmup": -1}, {"seconds": -0.1}])
def test_negative_numbers_of_runs(program, options):
    a = np.ones(8, "float32")
    with pytest.raises(RuntimeCallError, match="not negative"):
        ul.build(program).time("scale", a, a.copy(), **options)


def test_json_of_something_else():
    with pytest.raises(UnityLabError, match="no JSON"):
        ul.IRModule.from_json(3)


# --- calls ----------------------------------------------------------------------------------

A = np.arange(8, dtype="float32")


def frozen(a):
    a = a.copy()
    a.flags.writeable = False
    return a


@pytest.mark.parametrize("make", [ul.build, ul.interpret])
@pytest.mark.parametrize("args, message", [
    ((A,), r"scale takes 2 arguments \(A, B\), 1 given"),
    (("abc", A), r"argument 0 \(A\) must be a .*, not str"),
    (([1.0] * 8, A), r"argument 0 \(A\) must be a .*, not list"),
    ((A.astype("float64"), A.copy()), "dtype float64, float32 expected"),
    ((A.astype(">f4"), A.copy()), "dtype >f4, float32 expected"),
    ((A[:7], A.copy()), "is 7, 8 expected"),
    ((A.reshape(2, 4), A.copy()), "has 2 dimensions"),
    ((A, frozen(A)), r"argument 1 \(B\) is written to, but the array is read-only"),
])
def test_calls_of_tensor_programs(program, make, args, message):
    with pytest.raises(RuntimeCallError, match=message):
        make(program)["scale"](*args)


@pytest.mark.parametrize("make", [ul.build, ul.interpret])
@pytest.mark.parametrize("args, message", [
    ((), r"main takes 1 arguments \(x\), 0 given"),
    (("x",), "argument 'x' must be a tensor, not str"),
    ((np.ones((2, 4)),), "argument 'x' has dtype float64, float32 expected"),
    ((np.ones((2, 5), "float32"),), "argument 'x': dimension 1 is 5, 4 expected"),
])
def test_calls_of_graph_functions(graph, make, args, message):
    with pytest.raises(RuntimeCallError, match=message):
        make(graph)["main"](*args)


@pytest.mark.parametrize("make", [ul.build, ul.interpret])
def test_arguments_by_name(program, graph, make):
    with pytest.raises(RuntimeCallError, match=r"scale takes no argument by name \(A, B\)"):
        make(program)["scale"](A=A, B=A)
    with pytest.raises(RuntimeCallError, match=r"main takes no argument by name \(x\)"):
        make(graph)["main"](x=A.reshape(2, 4))


@pytest.mark.parametrize("make", [ul.build, ul.interpret])
@pytest.mark.parametrize("x", [
    A[::-1], np.arange(16, dtype="float32")[::2], np.broadcast_to(np.float32(3), (8,)), frozen(A),
    np.zeros(33, "uint8")[1:].view("float32")], ids=["reversed", "strided", "broadcast",
                                                     "read-only", "unaligned"])
def test_inputs_lie_as_they_like(program, make, x):
    out = np.empty(8, "float32")
    make(program)["scale"](x, out)
    np.testing.assert_array_equal(out, x * 2)


@pytest.mark.parametrize("make", [ul.build, ul.interpret])
def test_what_is_there(program, make):
    made = make(program)
    assert "scale" in made and "nothing" not in made and list(made) == ["scale"]
    assert "scale" in repr(made)
