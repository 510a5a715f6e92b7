"""Attention as one nest, against the operator's NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir.tir import BlockRealize, PrimFunc
from unitylab.ir.visitor import collect
from unitylab.schedule import DefaultSchedule

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


def module(lines: str, **shapes) -> ul.IRModule:
    params = ", ".join(f'{k}: R.Tensor({s}, "float32")' for k, s in shapes.items())
    lines = lines.replace("\n", "\n            ")
    return ul.parse(MODULE.format(params=params, lines=lines))


def scheduled(mod: ul.IRModule, threads: int) -> ul.IRModule:
    return ul.Sequential([DefaultSchedule(threads) if isinstance(p, DefaultSchedule) else p
                          for p in ul.pipelines.default])(mod)


def is_one_nest(mod: ul.IRModule) -> bool:
    """Whether there is one kernel, and no block of it was left to other rules."""
    kernels = [f for f in mod.functions.values() if isinstance(f, PrimFunc)]
    return len(kernels) == 1 and len(collect(kernels[0], BlockRealize)) == 1


def arrays_for(shapes, scale: float = 1.0) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(s, dtype=np.float32) * np.float32(scale) for s in shapes]


def check(mod: ul.IRModule, arrays, threads: int = 1, tolerance: float = 2e-6) -> None:
    new = scheduled(mod, threads)
    assert is_one_nest(new)
    got = np.asarray(ul.build(new, f"native -threads={threads}")["main"](*arrays))
    want = np.asarray(ul.interpret(mod)["main"](*arrays))
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)


def attention(q, k, v, bias=None, attrs: str = "") -> tuple[ul.IRModule, list]:
    shapes = {"q": q, "k": k, "v": v} | ({"bias": bias} if bias else {})
    mod = module(f"y = R.nn.attention({', '.join(shapes)}{attrs})", **shapes)
    return mod, list(shapes.values())


CASES = [
    # batch, queries, keys, heads, size, size of a value
    ((1, 32, 32, 2, 16, 16), None, ""),
    ((1, 37, 53, 2, 20, 24), None, ""),             # no size fits a tile
    ((2, 9, 600, 1, 8, 5), None, ", scale=0.3"),    # several blocks of keys, one not full
    ((1, 4, 3, 1, 2, 3), None, ""),                 # fewer keys than a vector
    ((1, 33, 40, 3, 16, 80), (1, 3, 33, 40), ""),
    ((2, 33, 40, 3, 16, 33), (2, 1, 1, 40), ""),    # a mask of keys
    ((1, 70, 70, 2, 16, 16), None, ", causal_mask='TopLeft'"),
    ((1, 33, 700, 1, 16, 16), None, ", causal_mask='BottomRight'"),
    ((1, 40, 9, 1, 16, 16), None, ", causal_mask='BottomRight'"),  # rows that see nothing
    ((1, 50, 50, 1, 16, 16), None, ", causal_mask='TopLeft', window_size=7"),
    ((1, 48, 48, 2, 16, 16), (1, 1, 48, 48), ", causal_mask='TopLeft'"),
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("sizes", "bias", "attrs"), CASES)
def test_attention(sizes, bias, attrs, threads):
    b, s, t, h, d, e = sizes
    mod, shapes = attention((b, s, h, d), (b, t, h, d), (b, t, h, e), bias, attrs)
    check(mod, arrays_for(shapes), threads)


def test_large_scores_do_not_overflow():
    mod, shapes = attention((1, 16, 1, 16), (1, 520, 1, 16), (1, 520, 1, 16))
    check(mod, arrays_for(shapes, scale=30), tolerance=1e-3)


def test_masked_by_minus_infinity():
    mod, shapes = attention((1, 8, 1, 16), (1, 600, 1, 16), (1, 600, 1, 16), (1, 1, 8, 600))
    arrays = arrays_for(shapes)
    arrays[3][..., :590] = -np.inf   # the whole first block of keys
    check(mod, arrays)


def test_symbolic_lengths():
    mod = module("y = R.nn.attention(q, k, v, causal_mask='BottomRight')",
                 q='("b", "s", 3, 16)', k='("b", "t", 3, 16)', v='("b", "t", 3, 24)')
    new = scheduled(mod, 2)
    assert is_one_nest(new)
    main, wanted = ul.build(new, "native -threads=2")["main"], ul.interpret(mod)["main"]
    for b, s, t in ((1, 5, 9), (2, 40, 600), (1, 1, 1), (3, 33, 32)):
        arrays = arrays_for([(b, s, 3, 16), (b, t, 3, 16), (b, t, 3, 24)])
        np.testing.assert_allclose(np.asarray(main(*arrays)), np.asarray(wanted(*arrays)),
                                   rtol=0, atol=2e-6)


def test_few_queries_are_left_to_the_rules_for_products():
    mod, shapes = attention((1, 1, 2, 16), (1, 40, 2, 16), (1, 40, 2, 16))
    new = scheduled(mod, 1)
    arrays = arrays_for(shapes)
    np.testing.assert_allclose(np.asarray(ul.build(new)["main"](*arrays)),
                               np.asarray(ul.interpret(mod)["main"](*arrays)), atol=2e-6)
