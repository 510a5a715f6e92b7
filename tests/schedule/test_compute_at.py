"""compute_at and reverse_compute_at."""

import pytest
from schedule_programs import assert_same_results

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.script import parse


def test_compute_at_computes_the_row_that_is_needed(schedule):
    sch = schedule("chain")
    sch.compute_at(sch.get_block("C"), sch.get_loops(sch.get_block("D"))[0])
    assert_structural_equal(sch.mod["main"], parse("""
@T.prim_func
def main(A: T.Buffer((9, 7)), D: T.Buffer((9, 7))):
    with T.block("root"):
        B = T.alloc_buffer((9, 7))
        C = T.alloc_buffer((9, 7))
        for i, j in T.grid(9, 7):
            with T.block("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = A[vi, vj] * T.float32(2)
        for i in range(9):
            for ax0 in range(7):
                with T.block("C"):
                    vi, vj = T.axis.remap("SS", [i, ax0])
                    C[vi, vj] = B[vi, 6 - vj] + T.float32(1)
            for j in range(7):
                with T.block("D"):
                    vi, vj = T.axis.remap("SS", [i, j])
                    D[vi, vj] = C[vi, vj] - B[vi, vj]
"""))


STENCIL = """
@T.prim_func
def main(A: T.Buffer((34,)), C: T.Buffer((32,))):
    with T.block("root"):
        B = T.alloc_buffer((34,))
        for i in range(34):
            with T.block("B"):
                vi = T.axis.spatial(34, i)
                B[vi] = A[vi] * T.float32(2)
        for i in range(32):
            with T.block("C"):
                vi = T.axis.spatial(32, i)
                C[vi] = B[vi] + B[vi + 1] + B[vi + 2]
"""


@pytest.mark.parametrize("tile", [4, 5])
def test_compute_at_with_a_halo(tile):
    before = parse(STENCIL)
    sch = Schedule(before)
    outer, _ = sch.split(sch.get_loops(sch.get_block("C"))[0], [None, tile])
    sch.compute_at(sch.get_block("B"), outer)
    assert sch.get(sch.get_loops(sch.get_block("B"))[1]).extent.value == tile + 2
    assert_same_results(before, sch.mod)


def test_compute_at_of_a_reduction(schedule):
    sch = schedule("matmul_relu")
    sch.compute_at(sch.get_block("C"), sch.get_loops(sch.get_block("D"))[1])
    loops = sch.get_loops(sch.get_block("C"))
    assert [sch.get(l).extent.value for l in loops] == [12, 10, 8]


def test_compute_at_refuses_with_the_consumer_outside(schedule):
    sch = schedule("chain")
    with pytest.raises(ScheduleError, match="its consumer, block D, is outside of that loop"):
        sch.compute_at(sch.get_block("B"), sch.get_loops(sch.get_block("C"))[0])


def test_compute_at_refuses_an_output_and_its_own_loop(schedule):
    sch = schedule("chain")
    i, _ = sch.get_loops(sch.get_block("D"))
    with pytest.raises(ScheduleError, match="loop i is around block D already"):
        sch.compute_at(sch.get_block("D"), i)
    with pytest.raises(ScheduleError, match="block D writes an output"):
        sch.compute_at(sch.get_block("D"), sch.get_loops(sch.get_block("B"))[0])


def test_reverse_compute_at_of_an_epilogue(schedule):
    sch = schedule("matmul_relu")
    i, j, k = sch.get_loops(sch.get_block("C"))
    i0, i1 = sch.split(i, [None, 5])
    j0, j1 = sch.split(j, [None, 5])
    sch.reorder(i0, j0, k, i1, j1)
    sch.reverse_compute_at(sch.get_block("D"), j0)
    extents = [sch.get(l).extent.value for l in sch.get_loops(sch.get_block("D"))]
    assert extents == [3, 2, 5, 5]


def test_reverse_compute_at_inside_of_a_reduction_is_refused(schedule):
    sch = schedule("matmul_relu")
    k = sch.get_loops(sch.get_block("C"))[2]
    with pytest.raises(ScheduleError, match="loop k carries the reduction of block C: in its "
                                            "iterations the result is not complete"):
        sch.reverse_compute_at(sch.get_block("D"), k)


def test_reverse_compute_at_of_part_of_a_reduction_is_refused(schedule):
    sch = schedule("rows")
    i, j = sch.get_loops(sch.get_block("E"))
    with pytest.raises(ScheduleError, match="makes a part of what block S reduces along vj"):
        sch.reverse_compute_at(sch.get_block("S"), j)
    sch.reverse_compute_at(sch.get_block("S"), i)


def test_reverse_compute_at_before_another_producer_is_refused(schedule):
    sch = schedule("rows")
    i = sch.get_loops(sch.get_block("E"))[0]
    with pytest.raises(ScheduleError, match="block S, whose result block D reads, runs after"):
        sch.reverse_compute_at(sch.get_block("D"), i)


def test_position_in_the_body(schedule):
    sch = schedule("chain")
    i = sch.get_loops(sch.get_block("D"))[0]
    sch.compute_at(sch.get_block("C"), i)
    with pytest.raises(ScheduleError, match="position 1 in loop i is not between the producers"):
        sch.compute_at(sch.get_block("B"), i, index=1)
    sch.compute_at(sch.get_block("B"), i, index=0)
    assert [sch.get(b).name for b in sch.get_child_blocks(i)] == ["B", "C", "D"]


def test_moving_into_a_parallel_loop_keeps_it_legal(schedule):
    sch = schedule("rows")
    i, _ = sch.get_loops(sch.get_block("D"))
    sch.parallel(i)
    sch.compute_at(sch.get_block("S"), i)
    sch.compute_at(sch.get_block("E"), i)
