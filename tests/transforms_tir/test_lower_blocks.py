import pytest

from unitylab.ir.errors import TransformError
from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse
from unitylab.transforms.tir.lower_blocks import LowerBlocks

HEAD = '@T.prim_func\ndef main(A: T.Buffer((16,), "float32"), B: T.Buffer((16,), "float32")):\n'


def test_variables_get_their_values_and_the_predicate_becomes_an_if():
    before = parse(HEAD + """
    for i0, i1 in T.grid(4, 5):
        with T.block("copy"):
            T.where(i0 * 5 + i1 < 16)
            vi = T.axis.spatial(16, i0 * 5 + i1)
            B[vi] = A[vi]
""")
    after = parse(HEAD + """
    for i0, i1 in T.grid(4, 5):
        if i0 * 5 + i1 < 16:
            B[i0 * 5 + i1] = A[i0 * 5 + i1]
""")
    assert_structural_equal(LowerBlocks()(before)["main"].body, after.body, map_free_vars=True)


def test_blocks_within_blocks():
    before = parse(HEAD + """
    for i in range(4):
        with T.block("outer"):
            vo = T.axis.spatial(4, i)
            for j in range(4):
                with T.block("inner"):
                    vi = T.axis.spatial(4, j)
                    B[vo * 4 + vi] = A[vo * 4 + vi]
""")
    after = parse(HEAD + """
    for i, j in T.grid(4, 4):
        B[i * 4 + j] = A[i * 4 + j]
""")
    assert_structural_equal(LowerBlocks()(before)["main"].body, after.body, map_free_vars=True)


def test_init_must_be_lowered_before():
    with pytest.raises(TransformError, match="'sum' has an init"):
        LowerBlocks()(parse(HEAD + """
    for i in range(16):
        with T.block("sum"):
            vi = T.axis.reduce(16, i)
            with T.init():
                B[0] = T.float32(0)
            B[0] = B[0] + A[vi]
"""))
