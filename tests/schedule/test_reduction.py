"""decompose_reduction."""

import pytest

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse


def test_decompose_reduction(schedule):
    sch = schedule("rows")
    block = sch.get_block("S")
    init = sch.decompose_reduction(block, sch.get_loops(block)[1])
    assert (sch.get(init).name, sch.get(block).name) == ("S_init", "S_update")
    assert_structural_equal(sch.mod["main"], parse("""
@T.prim_func
def main(A: T.Buffer((6, 5)), D: T.Buffer((6, 5))):
    with T.block("root"):
        S = T.alloc_buffer((6,))
        E = T.alloc_buffer((6, 5))
        for i, j in T.grid(6, 5):
            with T.block("E"):
                vi, vj = T.axis.remap("SS", [i, j])
                E[vi, vj] = A[vi, vj] * A[vi, vj]
        for i in range(6):
            with T.block("S_init"):
                vi = T.axis.spatial(6, i)
                S[vi] = T.float32(0)
            for j in range(5):
                with T.block("S_update"):
                    vi, vj = T.axis.remap("SR", [i, j])
                    S[vi] = S[vi] + E[vi, vj]
        for i, j in T.grid(6, 5):
            with T.block("D"):
                vi, vj = T.axis.remap("SS", [i, j])
                D[vi, vj] = E[vi, vj] - S[vi]
"""))


def test_init_gets_the_loops_below_with_their_kinds(schedule):
    sch = schedule("matmul_relu")
    block = sch.get_block("C")
    i, j, k = sch.get_loops(block)
    i0, i1 = sch.split(i, [None, 5])
    sch.reorder(i0, k, i1, j)
    sch.vectorize(j)
    init = sch.decompose_reduction(block, k)
    assert [sch.get(l).kind for l in sch.get_loops(init)] == ["serial", "serial", "vectorized"]
    assert "< 12" in sch.script()


def test_an_outer_reduction_loop_is_refused(schedule):
    sch = schedule("matmul_relu")
    block = sch.get_block("C")
    i, j, k = sch.get_loops(block)
    sch.reorder(k, i, j)
    with pytest.raises(ScheduleError, match="loop k, outside of loop i, carries the reduction"):
        sch.decompose_reduction(block, i)


def test_what_is_no_reduction_is_refused(schedule):
    sch = schedule("chain")
    block = sch.get_block("B")
    with pytest.raises(ScheduleError, match="block B is not a reduction block: it has no init"):
        sch.decompose_reduction(block, sch.get_loops(block)[0])


def test_a_foreign_loop_is_refused(schedule):
    sch = schedule("matmul_relu")
    i = sch.get_loops(sch.get_block("D"))[0]
    with pytest.raises(ScheduleError, match="loop i is not around block C"):
        sch.decompose_reduction(sch.get_block("C"), i)
