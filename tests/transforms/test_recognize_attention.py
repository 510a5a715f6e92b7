import numpy as np
import pytest

import unitylab as ul
from unitylab.ir.structural import assert_structural_equal
from unitylab.ir.tir import BlockRealize, PrimFunc
from unitylab.ir.visitor import collect
from unitylab.script import parse
from unitylab.transforms import CancelPermutes, DeadCodeElimination, FuseOps, RecognizeAttention

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
HEADS = {"q": (2, 3, 9, 16), "k": (2, 3, 11, 16), "v": (2, 3, 11, 8)}
FLAT = {"q": (3, 9, 16), "k": (3, 11, 16), "v": (3, 11, 8)}


def module(*lines: str, **shapes):
    params = ", ".join(f'{k}: R.Tensor({s}, "float32")' for k, s in shapes.items())
    return parse(MODULE.format(params=params, lines="\n            ".join(lines)))


def arrays_for(shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(s, dtype=np.float32) for s in shapes.values()]


def test_the_operator_and_its_axes(obeys_contract, same_results):
    before = module("kt = R.permute_dims(k, axes=[0, 1, 3, 2])", "s = R.matmul(q, kt)",
                    'z = R.multiply(s, R.const(0.25, "float32"))', "p = R.nn.softmax(z, axis=-1)",
                    "y = R.matmul(p, v)", **HEADS)
    after = obeys_contract(RecognizeAttention(), before, places=1)
    assert_structural_equal(after, module(
        "kt = R.permute_dims(k, axes=[0, 1, 3, 2])", "a = R.permute_dims(q, axes=[0, 2, 1, 3])",
        "b = R.permute_dims(kt, axes=[0, 3, 1, 2])", "c = R.permute_dims(v, axes=[0, 2, 1, 3])",
        "d = R.nn.attention(a, b, c, scale=0.25)", "y = R.permute_dims(d, axes=[0, 2, 1, 3])",
        **HEADS))
    same_results(before, after, *HEADS.values())
    ul.well_formed(after)


SPELLINGS = [
    (["z = R.matmul(q, k)", "p = R.nn.softmax(z, axis=3)"], {}),
    (["s = R.matmul(q, k)", 'z = R.divide(s, R.const(4.0, "float32"))',
      "u = R.add(z, m)", "p = R.nn.softmax(u)"], {"m": (9, 11)}),
    (["s = R.matmul(q, k)", 'z = R.multiply(R.const(0.5, "float32"), s)',
      "u = R.add(m, z)", "p = R.nn.softmax(u)"], {"m": (2, 1, 1, 11)}),
    (["s = R.matmul(q, k)", "z = R.add(s, m)", "p = R.nn.softmax(z)"], {"m": (2, 3, 9, 11)}),
]


@pytest.mark.parametrize(("lines", "more"), SPELLINGS)
def test_spellings(lines, more, same_results):
    shapes = {"q": (2, 3, 9, 16), "k": (2, 3, 16, 11), "v": (2, 3, 11, 8), **more}
    before = module(*lines, "y = R.matmul(p, v)", **shapes)
    after = RecognizeAttention()(before)
    assert "R.nn.attention" in after.script() and "softmax" not in after.script()
    same_results(before, after, *shapes.values())


def test_one_batch_has_three_axes(same_results):
    before = module("kt = R.permute_dims(k, axes=[0, 2, 1])", "s = R.matmul(q, kt)",
                    "p = R.nn.softmax(s)", "y = R.matmul(p, v)", **FLAT)
    after = RecognizeAttention()(before)
    assert "R.nn.attention" in after.script()
    ul.well_formed(after)
    same_results(before, after, *FLAT.values())


KEPT = {
    "the weights are read again": (
        ["s = R.matmul(q, k)", "p = R.nn.softmax(s)", "z = R.matmul(p, v)", "r = R.sum(p)",
         "y = R.add(z, r)"], {}),
    "another axis": (["s = R.matmul(q, k)", "p = R.nn.softmax(s, axis=2)", "y = R.matmul(p, v)"],
                     {}),
    "the bias is scaled too": (
        ["s = R.matmul(q, k)", "u = R.add(s, m)", 'z = R.multiply(u, R.const(0.5, "float32"))',
         "p = R.nn.softmax(z)", "y = R.matmul(p, v)"], {"m": (9, 11)}),
    "the bias widens the scores": (
        ["s = R.matmul(q, k)", "u = R.add(s, m)", "p = R.nn.softmax(u)", "y = R.matmul(p, v)"],
        {"q": (2, 3, 1, 16), "m": (2, 3, 9, 11)}),
    "batches that broadcast": (["s = R.matmul(q, k)", "p = R.nn.softmax(s)", "y = R.matmul(p, v)"],
                               {"v": (1, 3, 11, 8)}),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_no_attention_stays(name):
    lines, other = KEPT[name]
    shapes = {"q": (2, 3, 9, 16), "k": (2, 3, 16, 11), "v": (2, 3, 11, 8), **other}
    before = module(*lines, **shapes)
    assert RecognizeAttention()(before) is before


def test_copies_join_the_kernel_of_attention():
    """Heads are split from rows, and joined again: all of it is one kernel."""
    shapes = {"q": (2, 9, 48), "k": (2, 11, 48), "v": (2, 11, 48)}
    lines = []
    for x, n in (("q", 9), ("k", 11), ("v", 11)):
        lines += [f"{x}1 = R.reshape({x}, R.shape([2, {n}, 3, 16]))",
                  f"{x}2 = R.permute_dims({x}1, axes=[0, 2, 1, 3])"]
    before = module(*lines, "kt = R.permute_dims(k2, axes=[0, 1, 3, 2])", "s = R.matmul(q2, kt)",
                    "p = R.nn.softmax(s)", "z = R.matmul(p, v2)",
                    "y = R.permute_dims(z, axes=[0, 2, 1, 3])", **shapes)
    after = ul.Sequential(ul.pipelines.default)(before)
    kernels = [f for f in after.functions.values() if isinstance(f, PrimFunc)]
    assert len(kernels) == 1 and len(collect(kernels[0], BlockRealize)) == 1
    arrays = arrays_for(shapes)
    np.testing.assert_allclose(np.asarray(ul.build(after)["main"](*arrays)),
                               ul.interpret(before)["main"](*arrays), atol=2e-6)


def test_repeated_heads_join_too():
    """Groups of query heads share a key and a value."""
    shapes = {"q": (1, 6, 9, 16), "k": (1, 2, 11, 16), "v": (1, 2, 11, 8)}
    before = module("k1 = R.repeat(k, 3, axis=1)", "v1 = R.repeat(v, 3, axis=1)",
                    "kt = R.permute_dims(k1, axes=[0, 1, 3, 2])", "s = R.matmul(q, kt)",
                    "p = R.nn.softmax(s)", "y = R.matmul(p, v1)", **shapes)
    after = ul.Sequential(ul.pipelines.default)(before)
    kernels = [f for f in after.functions.values() if isinstance(f, PrimFunc)]
    assert len(kernels) == 1 and len(collect(kernels[0], BlockRealize)) == 1
    arrays = arrays_for(shapes)
    np.testing.assert_allclose(np.asarray(ul.build(after)["main"](*arrays)),
                               ul.interpret(before)["main"](*arrays), atol=2e-6)


def test_without_the_option_copies_stay_kernels():
    before = module("a = R.permute_dims(q, axes=[0, 2, 1, 3])", "y = R.nn.attention(a, k, v)",
                    q=(2, 3, 9, 16), k=(2, 11, 3, 16), v=(2, 11, 3, 8))
    legal = ul.Sequential(ul.pipelines.legalize)(before)
    assert FuseOps()(legal) is legal
    assert FuseOps(copies=True)(legal) is not legal


def test_permutes_cancel(obeys_contract, same_results):
    before = module("a = R.permute_dims(x, axes=[0, 2, 1])", "b = R.permute_dims(a, axes=[1, 0, 2])",
                    "c = R.permute_dims(b)", "d = R.permute_dims(a, axes=[0, 2, 1])",
                    "y = (c, d)", x=(2, 3, 4))
    after = DeadCodeElimination()(obeys_contract(CancelPermutes(), before, places=3))
    assert_structural_equal(after, DeadCodeElimination()(module(
        "c = R.permute_dims(x, axes=[1, 0, 2])", "y = (c, x)", x=(2, 3, 4))))
    same_results(before, after, (2, 3, 4))
