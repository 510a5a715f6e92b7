"""blockize: a part of a nest as one block."""

import pytest
from schedule_programs import PROGRAMS, assert_same_results

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse

TILED = """
@T.prim_func
def main(A: T.Buffer((12, 8)), B: T.Buffer((8, 10)), D: T.Buffer((12, 10))):
    with T.block("root"):
        C = T.alloc_buffer((12, 10))
        for i_0, j in T.grid(3, 10):
            with T.block("C_o"):
                vi_o, vj_o = T.axis.remap("SS", [i_0, j])
                vk_o = T.axis.reduce(1, 0)
                T.reads(A[vi_o * 4:vi_o * 4 + 4, 0:8], B[0:8, vj_o])
                T.writes(C[vi_o * 4:vi_o * 4 + 4, vj_o])
                with T.init():
                    for i_1 in range(4):
                        with T.block("C_init"):
                            vi_i_init = T.axis.spatial(4, i_1)
                            T.reads()
                            T.writes(C[vi_o * 4 + vi_i_init, vj_o])
                            C[vi_o * 4 + vi_i_init, vj_o] = T.float32(0)
                for i_1, k in T.grid(4, 8):
                    with T.block("C"):
                        vi_i, vk_i = T.axis.remap("SR", [i_1, k])
                        T.reads(C[vi_o * 4 + vi_i, vj_o], A[vi_o * 4 + vi_i, vk_i], B[vk_i, vj_o])
                        T.writes(C[vi_o * 4 + vi_i, vj_o])
                        C[vi_o * 4 + vi_i, vj_o] = C[vi_o * 4 + vi_i, vj_o] \\
                            + A[vi_o * 4 + vi_i, vk_i] * B[vk_i, vj_o]
        for i, j in T.grid(12, 10):
            with T.block("D"):
                vi, vj = T.axis.remap("SS", [i, j])
                D[vi, vj] = T.max(C[vi, vj], T.float32(0))
"""


def tiled(schedule):
    """(schedule, block, loop of a tile)."""
    sch = schedule("matmul_relu")
    block = sch.get_block("C")
    i, j, k = sch.get_loops(block)
    i0, i1 = sch.split(i, [None, 4])
    sch.reorder(i0, j, i1, k)
    return sch, block, i1


def test_a_tile_of_a_reduction(schedule):
    sch, block, i1 = tiled(schedule)
    outer = sch.blockize(i1)
    assert_structural_equal(sch.mod["main"], parse(TILED))
    assert sch.get(outer).name == "C_o"
    assert [sch.get(l).loop_var.name for l in sch.get_loops(block)] == ["i_1", "k"]


def test_the_outer_block_can_be_scheduled_on(schedule):
    sch, _, i1 = tiled(schedule)
    outer = sch.blockize(i1)
    i0, j = sch.get_loops(outer)
    sch.reorder(j, i0)
    sch.parallel(j)
    assert sch.get(sch.get_loops(outer)[0]).kind == "parallel"


def test_reading_the_trace_back(schedule):
    sch, _, i1 = tiled(schedule)
    sch.blockize(i1, preserve_unit_iters=False)
    again = Schedule(parse(PROGRAMS["matmul_relu"]))
    read_trace(sch.trace.as_python()).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


def test_blocks_side_by_side(schedule):
    sch = schedule("chain")
    b, c = sch.get_block("B"), sch.get_block("C")
    outer = sch.blockize([b, c], preserve_unit_iters=False)
    assert sch.get(outer).name == "outer_B_C_"
    assert [sch.get(x).name for x in sch.get_child_blocks(outer)] == ["B", "C"]
    assert sch.get_loops(outer) == []


def test_the_loop_they_share_becomes_a_variable():
    text = """
@T.prim_func
def main(A: T.Buffer((8, 4)), C: T.Buffer((8, 4))):
    with T.block("root"):
        B = T.alloc_buffer((8, 4))
        for i in range(8):
            for j in range(4):
                with T.block("B"):
                    vi, vj = T.axis.remap("SS", [i, j])
                    B[vi, vj] = A[vi, vj] * T.float32(2)
            for j in range(4):
                with T.block("C"):
                    vi, vj = T.axis.remap("SS", [i, j])
                    C[vi, vj] = B[vi, vj] + T.float32(1)
"""
    sch = Schedule(parse(text))
    outer = sch.blockize([sch.get_block("B"), sch.get_block("C")])
    assert_structural_equal(sch.mod["main"], parse("""
@T.prim_func
def main(A: T.Buffer((8, 4)), C: T.Buffer((8, 4))):
    with T.block("root"):
        B = T.alloc_buffer((8, 4))
        for i in range(8):
            with T.block("outer_B_C_"):
                vi_o = T.axis.spatial(8, i)
                vj_o = T.axis.spatial(1, 0)
                T.reads(A[vi_o, 0:4], B[vi_o, 0:4])
                T.writes(B[vi_o, 0:4], C[vi_o, 0:4])
                for j in range(4):
                    with T.block("B"):
                        vj_i = T.axis.spatial(4, j)
                        B[vi_o, vj_i] = A[vi_o, vj_i] * T.float32(2)
                for j in range(4):
                    with T.block("C"):
                        vj_i = T.axis.spatial(4, j)
                        C[vi_o, vj_i] = B[vi_o, vj_i] + T.float32(1)
"""))
    assert_same_results(parse(text), sch.mod)
    assert len(sch.get_loops(outer)) == 1


def test_a_condition_on_outer_loops_stays_outside(schedule):
    sch = schedule("chain")
    b = sch.get_block("B")
    i, _ = sch.get_loops(b)
    _, i1 = sch.split(i, [None, 4])
    sch.blockize(sch.get_loops(b)[2])
    assert "i_0 * 4 + i_1 < 9" in sch.script()
    assert sch.get(i1).body.predicate.script() == "i_0 * 4 + i_1 < 9"


def test_a_condition_on_both_sides_is_refused(schedule):
    sch = schedule("chain")
    i, _ = sch.get_loops(sch.get_block("B"))
    _, i1 = sch.split(i, [None, 4])
    before = sch.mod
    with pytest.raises(ScheduleError, match="block B cannot be divided at loop i_1: the condition "
                                            "i_0 \\* 4 \\+ i_1 < 9 uses loops of both sides"):
        sch.blockize(i1)
    assert sch.mod is before


def test_a_tile_in_the_wrong_order_is_refused(schedule):
    sch = schedule("matmul_relu")
    block = sch.get_block("C")
    i, j, k = sch.get_loops(block)
    i0, i1 = sch.split(i, [None, 4])
    sch.reorder(i1, j, i0, k)
    with pytest.raises(ScheduleError, match="cannot be divided at loop i_0"):
        sch.blockize(i0)


def test_a_loop_of_two_blocks_is_refused(schedule):
    sch = schedule("chain")
    d = sch.get_block("D")
    sch.compute_at(sch.get_block("C"), sch.get_loops(d)[0])
    with pytest.raises(ScheduleError, match="loop i must hold one block and nothing else; it "
                                            "holds: C, D"):
        sch.blockize(sch.get_loops(d)[0])


def test_blocks_apart_are_refused(schedule):
    sch = schedule("chain")
    with pytest.raises(ScheduleError, match="blocks B, D do not follow one another"):
        sch.blockize([sch.get_block("B"), sch.get_block("D")])
    with pytest.raises(ScheduleError, match="at least two"):
        sch.blockize([sch.get_block("B")])
