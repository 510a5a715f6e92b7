import numpy as np

from unitylab.interp import interpret
from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse
from unitylab.transforms.tir.lower_init_block import LowerInitBlock

HEAD = '@T.prim_func\ndef main(A: T.Buffer((4, 8), "float32"), B: T.Buffer((4,), "float32")):\n'


def test_init_moves_before_the_reduction_loop():
    before = parse(HEAD + """
    for i, k in T.grid(4, 8):
        with T.block("sum"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                B[vi] = T.float32(0)
            B[vi] = B[vi] + A[vi, vk]
""")
    after = parse(HEAD + """
    for i in range(4):
        with T.block("sum_init"):
            vi = T.axis.spatial(4, i)
            T.reads()
            T.writes(B[vi])
            B[vi] = T.float32(0)
        for k in range(8):
            with T.block("sum"):
                vi, vk = T.axis.remap("SR", [i, k])
                T.reads(A[vi, vk])
                T.writes(B[vi])
                B[vi] = B[vi] + A[vi, vk]
""")
    assert_structural_equal(LowerInitBlock()(before)["main"].body, after.body, map_free_vars=True)


def test_init_is_guarded_where_the_loop_holds_more_than_the_block():
    before = parse(HEAD + """
    for i, k in T.grid(4, 8):
        with T.block("sum"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                B[vi] = T.float32(0)
            B[vi] = B[vi] + A[vi, vk]
        with T.block("other"):
            vi, vk = T.axis.remap("SS", [i, k])
            A[vi, vk] = B[vi]
""")
    after = LowerInitBlock()(before)["main"].script()
    assert "if vk == 0:" in after and "T.init" not in after


def test_a_program_without_init_stays_the_same_object():
    mod = LowerInitBlock()(parse(HEAD + "    for i in range(4):\n        B[i] = A[i, 0]\n"))
    assert LowerInitBlock()(mod) is mod


def test_init_stays_where_its_condition_holds_more_than_once():
    text = HEAD + """
    for i, k in T.grid(4, 8):
        with T.block("sum"):
            vi = T.axis.spatial(4, i)
            vk = T.axis.reduce(8, {})
            with T.init():
                B[vi] = T.float32(0)
            B[vi] = B[vi] + A[vi, vk]
"""
    assert "if vk == 0:" in LowerInitBlock()(parse(text.format("k // 2")))["main"].script()
    assert "sum_init" in LowerInitBlock()(parse(text.format("k")))["main"].script()


def test_init_under_an_outer_reduction_loop_runs_in_its_first_iteration():
    before = parse(HEAD + """
    for i, k in T.grid(4, 2):
        A[i, k] = T.float32(1)
        for l in range(4):
            with T.block("sum"):
                vi = T.axis.spatial(4, i)
                vk = T.axis.reduce(8, k * 4 + l)
                with T.init():
                    B[vi] = T.float32(0)
                B[vi] = B[vi] + A[vi, vk]
""")
    after = LowerInitBlock()(before)
    assert "T.where(k * 4 == 0)" in after["main"].script()
    x, wanted, got = np.ones((4, 8), "float32"), np.empty(4, "float32"), np.empty(4, "float32")
    interpret(before)["main"](x.copy(), wanted)
    interpret(after)["main"](x.copy(), got)
    np.testing.assert_array_equal(got, wanted)
