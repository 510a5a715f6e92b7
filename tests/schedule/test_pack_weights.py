"""Constant weights in the layout that the programs which read them ask for."""

from __future__ import annotations

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir.relax import Constant
from unitylab.ir.visitor import collect
from unitylab.schedule import DefaultSchedule, PackWeights, TargetInfo
from unitylab.schedule.rules.weights import wishes

MODULE = """
@I.ir_module
class Module:
    @R.function
    def main({params}):
        with R.dataflow():
            {lines}
            R.output(y)
        return y
"""
BEFORE = ul.pipelines.default[:[p.name for p in ul.pipelines.default].index("PackWeights")]


def module(*lines: str, **shapes) -> ul.IRModule:
    params = ", ".join(f'{k}: R.Tensor({s}, "float32")' for k, s in shapes.items())
    return ul.parse(MODULE.format(params=params, lines="\n            ".join(lines)))


def arrays_for(shapes) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {k: rng.standard_normal(s, dtype=np.float32) for k, s in shapes.items()}


def bound(mod: ul.IRModule, arrays: dict, *weights: str) -> ul.IRModule:
    return ul.transforms.BindParams("main", {w: arrays[w] for w in weights})(mod)


def fused(mod: ul.IRModule) -> ul.IRModule:
    """As PackWeights meets it."""
    return ul.Sequential(BEFORE)(mod)


def check(mod: ul.IRModule, arrays: dict, weights: tuple[str, ...], threads: int = 1):
    """The module after the default pipeline, which gives what the module gives."""
    passes = [DefaultSchedule(threads) if isinstance(p, DefaultSchedule) else p
              for p in ul.pipelines.default]
    new = ul.Sequential(passes)(bound(mod, arrays, *weights))
    ul.well_formed(new)
    rest = [a for k, a in arrays.items() if k not in weights]
    got = np.asarray(ul.build(new, f"native -threads={threads}")["main"](*rest))
    want = np.asarray(ul.interpret(mod)["main"](*arrays.values()))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    return new


PRODUCTS = [
    (["y = R.linear(x, w)"], {"x": (64, 96), "w": (128, 96)}),
    (["y = R.linear(x, w)"], {"x": (37, 50), "w": (77, 50)}),       # a panel that is not full
    (["y = R.linear(x, w)"], {"x": (1, 300), "w": (200, 300)}),
    (["y = R.linear(x, w)"], {"x": (2, 3, 300), "w": (65, 300)}),
    (["y = R.matmul(x, w)"], {"x": (40, 70), "w": (70, 90)}),
    (["y = R.matmul(x, w)"], {"x": (3, 40, 70), "w": (3, 70, 90)}),  # a matrix for each batch
    (["z = R.linear(x, w, b)", "y = R.nn.gelu(z)"], {"x": (9, 33), "w": (64, 33), "b": (64,)}),
    (["h = R.nn.relu(R.linear(x, w, b))", "y = R.linear(h, v)"],
     {"x": (16, 40), "w": (96, 40), "b": (96,), "v": (40, 96)}),
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("lines", "shapes"), PRODUCTS)
def test_products_with_constant_weights(lines, shapes, threads):
    weights = tuple(k for k in shapes if k != "x")
    new = check(module(*lines, **shapes), arrays_for(shapes), weights, threads)
    assert "right_packed" not in new.script(), "nothing is packed when it runs"


def test_the_graph_makes_the_layout_and_it_is_folded():
    shapes = {"x": (8, 20), "w": (70, 20)}
    arrays = arrays_for(shapes)
    before = fused(bound(module("y = R.linear(x, w)", **shapes), arrays, "w"))
    after = PackWeights()(before)
    ul.well_formed(after)
    main = after["main"].script()
    panel = ul.ir.prim.as_int(wishes_of(before).width)
    count = -(-70 // panel)
    for op in ("R.nn.pad", f"R.reshape(y_weight, R.shape([{count}, {panel}, 20]))",
               "R.permute_dims"):
        assert op in main
    done = ul.transforms.DeadCodeElimination()(ul.transforms.FoldConstant()(after))
    [packed] = [c for c in collect(done["main"], Constant) if c.data.ndim == 3]
    w = np.pad(arrays["w"], ((0, count * panel - 70), (0, 0)))
    np.testing.assert_array_equal(packed.data, w.reshape(count, panel, 20).transpose(0, 2, 1))
    want = ul.interpret(before)["main"](arrays["x"])
    for mod in (after, done):
        np.testing.assert_allclose(ul.interpret(mod)["main"](arrays["x"]), want, rtol=1e-5)


def wishes_of(mod: ul.IRModule):
    [func] = mod.prim_funcs.values()
    [wish] = wishes(func, TargetInfo.of("native"))
    return wish


def test_places_and_the_second_run():
    shapes = {"x": (16, 40), "w": (96, 40), "v": (40, 96)}
    mod = module("h = R.linear(x, w)", "y = R.linear(h, v)", **shapes)
    before = fused(bound(mod, arrays_for(shapes), "w", "v"))
    assert len(PackWeights().applicable(before)) == 2
    one = PackWeights()(before, only=PackWeights().applicable(before)[0])
    assert one.script().count("R.reshape") == 1
    after = PackWeights()(before)
    assert PackWeights()(after) is after and PackWeights().applicable(after) == []


def test_a_program_with_other_callers_stays_for_them():
    shapes = {"x": (16, 64), "u": (64, 64), "w": (64, 64)}
    mod = module("h = R.linear(x, w)", "y = R.linear(h, u)", **shapes)
    arrays = arrays_for(shapes)
    after = PackWeights()(fused(bound(mod, arrays, "w")))
    assert len(after.prim_funcs) == 2
    check(mod, arrays, ("w",))


def test_arguments_that_are_not_constant_stay():
    mod = fused(module("y = R.linear(x, w)", x=(16, 64), w=(64, 64)))
    assert PackWeights()(mod) is mod
    small = bound(module("y = R.linear(x, w)", x=(16, 64), w=(5, 64)),
                  arrays_for({"w": (5, 64)}), "w")
    small = fused(small)
    assert PackWeights()(small) is small, "less than a panel"


def test_scheduled_programs_stay():
    arrays = arrays_for({"w": (64, 64)})
    mod = fused(bound(module("y = R.linear(x, w)", x=(16, 64), w=(64, 64)), arrays, "w"))
    mod = DefaultSchedule(1)(mod)
    assert PackWeights()(mod) is mod
