import numpy as np
import pytest

from unitylab.interp.interpreter import interpret
from unitylab.ir import prim, tir
from unitylab.ir.structural import assert_structural_equal
from unitylab.ir.visitor import collect
from unitylab.script import parse
from unitylab.transforms.tir.lower_vectorized_loop import LowerVectorizedLoop

HEAD = '@T.prim_func\ndef main(A: T.Buffer((16,), "float32"), B: T.Buffer((16,), "float32")):\n'


def test_loop_becomes_a_ramp():
    before = parse(HEAD + "    for i in T.vectorized(8):\n        B[i + 4] = A[i] * T.float32(2)\n")
    after = parse(HEAD + "    B[T.Ramp(4, 1, 8)] = A[T.Ramp(0, 1, 8)] * "
                  "T.Broadcast(T.float32(2), 8)\n")
    assert_structural_equal(LowerVectorizedLoop()(before)["main"].body, after.body,
                            map_free_vars=True)


BODIES = {
    "affine": "B[i] = A[15 - i]",
    "condition": "if i < 11:\n            B[i] = A[i] + A[15 - i]",
    "both sides": "if i % 2 == 0:\n            B[i] = A[i]\n"
                  "        else:\n            B[i] = -A[i]",
    "lazy": "B[i] = T.if_then_else(i < 15, A[T.min(i + 1, 15)], T.float32(0))",
    "select": "B[i] = T.Select(A[i] > T.float32(0), A[i], T.float32(0))",
    "cast": 'B[i] = T.Cast("float32", i) + A[i]',
    "inner loop": "for k in range(3):\n            B[i] = B[i] + A[i] * A[k]",
}


@pytest.mark.parametrize("body", BODIES)
def test_vectors_compute_the_same(body):
    before = parse(HEAD + f"    for i in T.vectorized(16):\n        {BODIES[body]}\n")
    after = LowerVectorizedLoop()(before)
    assert collect(after["main"].body, prim.Ramp), "it was vectorized"
    a = np.random.default_rng(1).standard_normal(16).astype("float32")
    want, got = np.zeros(16, "float32"), np.zeros(16, "float32")
    interpret(before)["main"](a, want)
    interpret(after)["main"](a, got)
    np.testing.assert_allclose(got, want, rtol=1e-6)


SERIAL = {
    "carried": "B[i] = B[i - 1] + A[i]",
    "one element": "B[0] = B[0] + A[i]",
    "call": 'T.evaluate(T.call_extern("int32", "f", A[i]))',
}


@pytest.mark.parametrize("body", SERIAL)
def test_what_has_no_vector_form_becomes_serial(body):
    after = LowerVectorizedLoop()(parse(
        HEAD + f"    for i in T.vectorized(1, 16):\n        {SERIAL[body]}\n"))
    (loop,) = collect(after["main"].body, tir.For)
    assert loop.kind == tir.SERIAL


def test_long_loops_are_cut():
    text = HEAD.replace("16", "70") + "    for i in T.vectorized(70):\n        B[i] = A[i]\n"
    after = LowerVectorizedLoop(max_lanes=32)(parse(text))
    lanes = [r.lanes for r in collect(after["main"].body, prim.Ramp)]
    assert sorted(set(lanes)) == [6, 32]
