"""Rows, columns, copies through the default pipeline against NumPy: odd shapes, unknown sizes."""

import numpy as np
import pytest

import unitylab as ul

SHAPES = [(1, 1), (3, 7), (17, 33), (5, 1000), (33, 1023), (64, 17), (1000, 5), (2, 4096)]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm(x):
    c = x - x.mean(-1, keepdims=True)
    return c / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)


GRAPHS = {
    "softmax": ("R.nn.softmax(x, axis=-1)", softmax),
    "log_softmax": ("R.nn.log_softmax(x, axis=-1)", lambda x: np.log(softmax(x))),
    "layer_norm": ("R.nn.layer_norm(x, R.ones((m,), '{t}'), R.zeros((m,), '{t}'), axes=[-1], "
                   "epsilon=1e-5)", layer_norm),
    "rows": ("R.sum(x, axis=[1])", lambda x: x.sum(1)),
    "columns": ("R.sum(x, axis=[0])", lambda x: x.sum(0)),
    "largest of columns": ("R.max(x, axis=[0])", lambda x: x.max(0)),
    "everything": ("R.sum(x)", lambda x: x.sum()),
    "variance": ("R.variance(x, axis=[1])", lambda x: x.var(1)),
    "transpose": ("R.permute_dims(x, axes=[1, 0])", lambda x: x.T),
    "chain": ("R.add(R.multiply(x, R.tanh(x)), x)", lambda x: x * np.tanh(x) + x),
}


def module(graph: str, n, m, dtype: str):
    text = graph.replace("{t}", dtype).replace("(m,)", f"({m},)")
    n, m = (repr(d) if isinstance(d, str) else d for d in (n, m))
    return ul.parse(f'''
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(({n}, {m}), "{dtype}")):
        {"" if isinstance(n, int) else "n, m = T.int64(), T.int64()"}
        with R.dataflow():
            o = {text}
            R.output(o)
        return o
''')


def check(run, reference, shape, dtype: str) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    want = reference(x.astype("float64"))
    near = {"float64": 1e-9, "float32": 3e-4, "float16": 3e-2}[dtype]
    np.testing.assert_allclose(np.asarray(run(x), "float64"), want, rtol=near, atol=near)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GRAPHS)
def test_shapes_that_do_not_fit_vectors(name, dtype):
    graph, reference = GRAPHS[name]
    for shape in SHAPES:
        mod = ul.Sequential(ul.pipelines.default)(module(graph, *shape, dtype))
        check(ul.build(mod)["main"], reference, shape, dtype)


@pytest.mark.parametrize("name", [g for g in GRAPHS if g != "layer_norm"])
def test_sizes_that_only_the_call_knows(name):
    graph, reference = GRAPHS[name]
    run = ul.build(ul.Sequential(ul.pipelines.default)(module(graph, "n", "m", "float32")))["main"]
    for shape in SHAPES:
        check(run, reference, shape, "float32")


@pytest.mark.parametrize("name", ["softmax", "transpose", "largest of columns", "chain"])
def test_half_precision(name):
    graph, reference = GRAPHS[name]
    mod = ul.Sequential(ul.pipelines.default)(module(graph, 17, 100, "float16"))
    check(ul.build(mod)["main"], reference, (17, 100), "float16")


@pytest.mark.parametrize("name", ["rows", "columns", "everything", "transpose"])
def test_integers_are_exact(name):
    graph, reference = GRAPHS[name]
    x = np.random.default_rng(0).integers(-9, 9, (33, 1023), dtype="int32")
    mod = ul.Sequential(ul.pipelines.default)(module(graph, 33, 1023, "int32"))
    np.testing.assert_array_equal(ul.build(mod)["main"](x), reference(x))
