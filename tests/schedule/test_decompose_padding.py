"""decompose_padding: fill first, then copy the inner part."""

import pytest
from schedule_programs import assert_same_results
from various_programs import VARIOUS

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse

PADDED = """
@T.prim_func
def main(A: T.Buffer((6, 7)), C: T.Buffer((8, 10))):
    with T.block("root"):
        B = T.alloc_buffer((8, 10))
        for i, j in T.grid(8, 10):
            with T.block("pad"):
                vi, vj = T.axis.remap("SS", [i, j])
                T.reads(A[vi - 1, vj - 2])
                T.writes(B[vi, vj])
                B[vi, vj] = T.if_then_else(1 <= vi and vi < 7 and 2 <= vj and vj < 9,
                                           A[vi - 1, vj - 2], T.float32(0.5))
        for i, j in T.grid(8, 10):
            with T.block("C"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = B[vi, vj] * T.float32(2)
"""


def decomposed(depth):
    sch = Schedule(parse(PADDED))
    block = sch.get_block("pad")
    fill = sch.decompose_padding(block, sch.get_loops(block)[depth])
    assert_same_results(parse(PADDED), sch.mod)
    return sch, block, fill


def test_at_the_outer_loop():
    sch, block, fill = decomposed(0)
    assert sch.get(fill).name == "pad_pad_const"
    assert_structural_equal(sch.mod["main"], parse("""
@T.prim_func
def main(A: T.Buffer((6, 7)), C: T.Buffer((8, 10))):
    with T.block("root"):
        B = T.alloc_buffer((8, 10))
        for i, j in T.grid(8, 10):
            with T.block("pad_pad_const"):
                vi, vj = T.axis.remap("SS", [i, j])
                T.reads()
                T.writes(B[vi, vj])
                B[vi, vj] = T.float32(0.5)
        for i, j in T.grid(6, 7):
            with T.block("pad"):
                vi, vj = T.axis.remap("SS", [i, j])
                T.reads(A[vi, vj])
                T.writes(B[vi + 1, vj + 2])
                B[vi + 1, vj + 2] = A[vi, vj]
        for i, j in T.grid(8, 10):
            with T.block("C"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = B[vi, vj] * T.float32(2)
"""))
    sch.vectorize(sch.get_loops(block)[1])
    assert_same_results(parse(PADDED), sch.mod)


def test_outer_loops_get_a_predicate():
    sch, _, _ = decomposed(1)
    assert "T.where(1 <= i and i < 7)" in sch.script()
    again = Schedule(parse(PADDED))
    read_trace(sch.trace.as_python()).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


def test_a_split_loop_keeps_its_predicate():
    sch = Schedule(parse(PADDED))
    block = sch.get_block("pad")
    i, j = sch.get_loops(block)
    sch.vectorize(j)
    sch.decompose_padding(block, i)
    assert_same_results(parse(PADDED), sch.mod)
    assert [sch.get(l).kind for l in sch.get_loops(block)] == ["serial", "vectorized"]


@pytest.mark.parametrize(("change", "message"), [
    (("T.if_then_else(1 <= vi and vi < 7 and 2 <= vj and vj < 9,", "T.max("),
     "does not store one if_then_else|"),
    (("T.float32(0.5))", "A[0, 0])"), r"pads with A\[0, 0\], which is no constant"),
    (("1 <= vi and vi < 7 and 2 <= vj and vj < 9", "vi < 8"), "is always True"),
])
def test_other_blocks_are_refused(change, message):
    text = PADDED.replace(*change)
    if "T.max" in change[1]:
        text = text.replace("A[vi - 1, vj - 2], T.float32(0.5))",
                            "A[vi % 6, vj % 7], T.float32(0))")
    sch = Schedule(parse(text))
    block = sch.get_block("pad")
    before = sch.mod
    with pytest.raises(ScheduleError, match=message):
        sch.decompose_padding(block, sch.get_loops(block)[0])
    assert sch.mod is before


def test_a_foreign_loop_is_refused():
    sch = Schedule(parse(PADDED))
    with pytest.raises(ScheduleError, match="loop i is not around block pad"):
        sch.decompose_padding(sch.get_block("pad"), sch.get_loops(sch.get_block("C"))[0])


def test_tiles_that_overlap_copy_what_is_inside():
    before = parse(VARIOUS["convolution"])
    sch = Schedule(before)
    outer, _ = sch.split(sch.get_loops(sch.get_block("conv"))[1], [None, 2])
    sch.compute_at(sch.get_block("pad"), outer)
    sch.decompose_padding(sch.get_block("pad"), sch.get_loops(sch.get_block("pad"))[2])
    assert "h_0 * 2 + ax1 < 7" in sch.script()
    assert_same_results(before, sch.mod)
