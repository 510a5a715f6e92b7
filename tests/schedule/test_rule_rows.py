"""Rules for what moves memory: windows, prefix sums, choices, copies with conditions.

Each result is compared with the operator's reference in the interpreter, at even and odd sizes."""

import numpy as np
import pytest

import unitylab as ul
from unitylab import pipelines
from unitylab.schedule import TargetInfo, default_schedule

TARGETS = ["native -threads=1", "native -threads=2", "native -threads=1 -mcpu=x86-64-v3"]


def graph(expression: str, *shapes, dtype="float32") -> ul.IRModule:
    params = ", ".join(f'x{k}: R.Tensor({s}, "{dtype}")' for k, s in enumerate(shapes))
    sizes = {d for s in shapes if isinstance(s, tuple) for d in s if isinstance(d, str)}
    head = "".join(f"    {d} = T.int64()\n" for d in sorted(sizes))
    text = f"@R.function\ndef main({params}):\n{head}    y = {expression}\n    return y\n"
    return ul.parse(text)


def both(mod: ul.IRModule, *arrays, target: str = TARGETS[0], rtol=1e-5) -> ul.IRModule:
    """Compares the default schedule with the interpreter; gives the scheduled module."""
    want = ul.interpret(mod)["main"](*arrays)
    ex = ul.build(mod, target)
    for _ in range(2):
        np.testing.assert_allclose(ex["main"](*arrays), want, rtol=rtol, atol=1e-5)
    return ex.compiled


def floats(*shape) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("target", TARGETS[:2])
@pytest.mark.parametrize("size, window, stride, pad", [
    (16, 3, 2, 1), (17, 3, 2, 1), (33, 2, 2, 0), (19, 3, 1, 1), (40, 5, 3, 2), (25, 1, 4, 0),
    (12, 7, 1, 3)])
@pytest.mark.parametrize("op", ["max", "avg"])
def test_pools(op, size, window, stride, pad, target):
    mod = graph(f"R.nn.{op}_pool2d(x0, pool_size=[{window}, {window}], "
                f"strides=[{stride}, {stride}], padding=[{pad}, {pad}, {pad}, {pad}])",
                (2, 3, size, size))
    both(mod, floats(2, 3, size, size), target=target)


def test_pools_run_in_vectors():
    mod = graph("R.nn.max_pool2d(x0, pool_size=[3, 3], strides=[2, 2], padding=[1, 1, 1, 1])",
                (1, 4, 112, 112))
    script = both(mod, floats(1, 4, 112, 112)).script()
    assert "pool_max_init" in script and script.count('annotations={"lanes": 64}') == 2
    assert script.index("pad_temp[v_i0") < script.index("pool_max_init")
    assembly = ul.build(mod, TARGETS[0]).source("asm")
    assert "vmaxps" in assembly or "fmax" in assembly


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("shape, axis", [
    ((5, 100), 1), ((8, 33), 1), ((100,), 0), ((7, 30), 0), ((3, 5, 16), 1), ((2, 3, 4, 9), 3),
    ((1, 1), 1), ((4, 1), 0), ((16, 70), -1)])
def test_prefix_sums(shape, axis, exclusive, target):
    mod = graph(f"R.cumsum(x0, axis={axis}, exclusive={exclusive})", shape)
    after = both(mod, floats(*shape), target=target)
    assert "v_k" not in after.script() or shape[axis] == 1


def test_prefix_sums_of_unknown_sizes():
    for axis in (0, 1):
        mod = graph(f"R.cumsum(x0, axis={axis})", ("n", "m"))
        for shape in ((3, 5), (64, 100), (1, 1), (0, 3), (3, 0)):
            both(mod, floats(*shape))


def test_a_triangular_sum_that_is_no_prefix_sum_stays_a_reduction():
    text = """
@T.prim_func
def main(x: T.Buffer((8, 16), "float32"), y: T.Buffer((8, 16), "float32")):
    for i, j, k in T.grid(8, 16, 16):
        with T.block("y"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                y[vi, vj] = T.float32(0)
            y[vi, vj] = y[vi, vj] + T.Select(vk <= vj, x[vi, (vk + vj) % 16], T.float32(0))
"""
    func = ul.parse(text)
    x, want, got = floats(8, 16), np.zeros((8, 16), "f"), np.zeros((8, 16), "f")
    scheduled = default_schedule(func, TargetInfo())
    ul.interpret(func)["main"](x, want)
    ul.build(scheduled, TARGETS[0])["main"](x, got)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    assert "v_k" in scheduled.script() or "vk" in scheduled.script()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("op", ["argmax", "argmin"])
@pytest.mark.parametrize("n", [1, 2, 7, 31, 32, 33, 64, 100, 1000])
def test_choices(op, n, dtype):
    x = np.random.default_rng(n).integers(-9, 9, (3, n)).astype(dtype)  # with many equal ones
    both(graph(f"R.{op}(x0, axis=1)", (3, n), dtype=dtype), x)
    both(graph(f"R.{op}(x0, axis=0)", (n, 3), dtype=dtype), np.ascontiguousarray(x.T))


def test_choices_among_equal_and_extreme_values():
    mod = graph("R.argmax(x0, axis=1)", ("n", 200))
    lowest = np.full((4, 200), np.finfo("f").min, np.float32)
    lowest[1, 77] = lowest[2, 150] = 0
    lowest[3, :] = -np.inf
    got = ul.build(mod, TARGETS[0])["main"](lowest)
    assert list(got[:3]) == [0, 77, 150]
    assert list(got) == list(ul.interpret(mod)["main"](lowest))


@pytest.mark.parametrize("sizes", [(100, 37), (1, 1), (64, 64), (3, 130, 5), (16, 1, 1, 16)])
@pytest.mark.parametrize("axis", [0, 1])
def test_concatenations(sizes, axis):
    shapes = [(s, 7) if axis == 0 else (7, s) for s in sizes]
    names = ", ".join(f"x{k}" for k in range(len(sizes)))
    mod = graph(f"R.concat(({names}), axis={axis})", *shapes)
    for target in TARGETS:
        both(mod, *(floats(*s) for s in shapes), target=target)


@pytest.mark.parametrize("pad", [(1, 1), (0, 3), (5, 0), (0, 0), (70, 65)])
@pytest.mark.parametrize("width", [1, 7, 64, 100])
def test_paddings(width, pad):
    mod = graph(f"R.nn.pad(x0, pad_width=[1, 2, {pad[0]}, {pad[1]}])", (5, width))
    for target in TARGETS:
        both(mod, floats(5, width), target=target)


@pytest.mark.parametrize("expression, shapes", [
    ("R.nn.softmax(x0, axis=0)", [(37, 45)]), ("R.nn.softmax(x0, axis=1)", [(3, 37, 5)]),
    ("R.nn.log_softmax(x0, axis=-1)", [(5, 77)]),
    ("R.nn.layer_norm(x0, x1, x2, axes=[-2, -1], epsilon=1e-5)", [(3, 6, 11), (6, 11), (6, 11)]),
    ("R.mean(x0, axis=[2, 3], keepdims=True)", [(2, 33, 7, 7)]),
    ("R.nn.relu(R.add(x0, x1))", [(2, 5, 7, 7), (2, 5, 7, 7)]),
    ("R.max(x0, axis=[1])", [(5, 9, 33)]), ("R.tile(x0, repeats=[2, 3])", [(3, 100)]),
    ("R.tile(x0, repeats=[2, 3])", [(3, 7)]), ("R.tile(x0, repeats=[1, 30])", [(3, 65)]),
    ("R.take(x0, R.const([3, 0, 2, 2], 'int64'), axis=1)", [(5, 4)])])
def test_other_axes_and_odd_shapes(expression, shapes):
    for target in TARGETS:
        both(graph(expression, *shapes), *(floats(*s) for s in shapes), target=target, rtol=2e-5)


def test_large_rows_are_streamed_and_fetched_ahead():
    mod = ul.Sequential(pipelines.default)(graph("R.nn.softmax(x0, axis=-1)", (1 << 14, 2048)))
    script = mod.script()
    assert '"prefetch": 8192' in script and '"nontemporal": True' in script
    small = ul.Sequential(pipelines.default)(graph("R.nn.softmax(x0, axis=-1)", (16, 64)))
    assert "nontemporal" not in small.script()


@pytest.mark.parametrize("shape", [(2, 64, 7, 7), (1, 3, 5, 5), (4, 1, 3), (1, 1, 1, 1), (3, 9)])
def test_images_of_odd_sizes_are_walked_in_whole_vectors(shape):
    mod = graph("R.nn.relu(R.add(x0, x1))", shape, shape)
    for target in TARGETS:
        both(mod, floats(*shape), floats(*shape)[::-1].copy(), target=target)
    source = ul.build(mod, TARGETS[0]).source("llvm-input")
    assert "sdiv <" not in source and "insertelement <64 x float>" not in source


def test_sums_over_several_axes_are_walked_in_whole_vectors():
    mod = graph("R.mean(x0, axis=[2, 3], keepdims=True)", (2, 33, 7, 7))
    assert "load <32 x float>" in ul.build(mod, TARGETS[0]).source("llvm-input")


@pytest.mark.parametrize("shape, axes", [
    ((101, 77), (1, 0)), ((33, 400), (1, 0)), ((3, 63, 65), (0, 2, 1)), ((40, 5, 36), (2, 1, 0)),
    ((4096, 3), (1, 0)), ((2, 64, 36), (0, 2, 1)), ((300, 301), (1, 0))])
def test_transposes_of_odd_sizes(shape, axes):
    mod = graph(f"R.permute_dims(x0, axes={list(axes)})", shape)
    for target in TARGETS:
        both(mod, floats(*shape), target=target)


def test_transposes_of_unknown_sizes():
    mod = graph("R.permute_dims(x0, axes=[1, 0])", ("n", "m"))
    for shape in ((3, 5), (64, 100), (1, 1), (0, 3), (100, 33), (32, 16)):
        both(mod, floats(*shape))


@pytest.mark.parametrize("target, pieces", [
    ("native -threads=1 -mcpu=x86-64-v3", 2), ("native -threads=4 -mcpu=x86-64-v3", 4)])
def test_column_sums_stay_in_the_first_cache(target, pieces):
    """Rows are read in pieces as long as the sums fit, or as threads share them out."""
    program = ul.transforms.LegalizeOps()(graph("R.sum(x0, axis=[0])", (100, 8192)))
    func = next(iter(program.prim_funcs.values()))
    script = default_schedule(func, TargetInfo.of(target)).script()
    assert f"T.parallel(T.int64({pieces}))" in script or f"range(T.int64({pieces}))" in script


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", [(100, 8192), (7, 10112), (33, 9001), (2, 5, 4100)])
def test_column_sums_of_long_rows(shape, target):
    both(graph("R.sum(x0, axis=[-2])", shape), floats(*shape), target=target, rtol=1e-4)
