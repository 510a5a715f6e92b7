"""loop_partition and merge."""

import pytest
from schedule_programs import PROGRAMS, assert_same_results
from various_programs import VARIOUS

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse

COPY = """
@T.prim_func
def main(A: T.Buffer((20, 4)), B: T.Buffer((20, 4))):
    with T.block("root"):
        for i, j in T.grid(20, 4):
            with T.block("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = A[vi, vj] * T.float32(2)
"""


def loop_of(sch, block="B", depth=0):
    return sch.get_loops(sch.get_block(block))[depth]


def test_an_inferred_part():
    sch = Schedule(parse(COPY))
    parts = sch.loop_partition(loop_of(sch), [None, 8])
    assert_structural_equal(sch.mod["main"], parse("""
@T.prim_func
def main(A: T.Buffer((20, 4)), B: T.Buffer((20, 4))):
    with T.block("root"):
        with T.block("B_i_common"):
            T.reads()
            T.writes()
            with T.block("B_i0_partition"):
                T.reads()
                T.writes()
                for i0, j in T.grid(12, 4):
                    with T.block("B_i0"):
                        vi, vj = T.axis.remap("SS", [i0, j])
                        T.reads(A[0:12, 0:4])
                        T.writes(B[0:12, 0:4])
                        B[vi, vj] = A[vi, vj] * T.float32(2)
            with T.block("B_i1_partition"):
                T.reads()
                T.writes()
                for i1 in range(12, 20):
                    for j in range(4):
                        with T.block("B_i1"):
                            vi = T.axis.spatial((12, 20), i1)
                            vj = T.axis.spatial(4, j)
                            T.reads(A[12:20, 0:4])
                            T.writes(B[12:20, 0:4])
                            B[vi, vj] = A[vi, vj] * T.float32(2)
"""))
    assert_same_results(parse(COPY), sch.mod)
    sch.unroll(parts[0])
    again = Schedule(parse(COPY))
    read_trace(sch.trace.as_python()).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


@pytest.mark.parametrize("factors", [[3, 5], [1], [None], [7, None, 2], [-1, 4]])
def test_parts_of_any_size(factors):
    sch = Schedule(parse(COPY))
    sizes = [sch.get(l).extent.value for l in sch.loop_partition(loop_of(sch), factors)]
    assert sum(sizes) == 20
    assert_same_results(parse(COPY), sch.mod)


def test_inner_loops_and_reductions(schedule):
    sch = schedule("matmul_relu")
    sch.loop_partition(loop_of(sch, "C", 1), [4, 3])
    sch = schedule("chain")
    d = sch.get_block("D")
    sch.compute_at(sch.get_block("C"), sch.get_loops(d)[0])
    sch.loop_partition(sch.get_loops(d)[0], [4])


@pytest.mark.parametrize(("factors", "message"), [
    ([10, 10], "sum up to 20, which is not less than its extent 20"),
    ([None, None], "leave 2 sizes open"),
    ([0, 4], "a factor of loop i is 0"),
])
def test_factors_that_do_not_fit(factors, message):
    sch = Schedule(parse(COPY))
    before = sch.mod
    with pytest.raises(ScheduleError, match=message):
        sch.loop_partition(loop_of(sch), factors)
    assert sch.mod is before


def test_annotated_loops_and_old_handles():
    sch = Schedule(parse(COPY))
    block = sch.get_block("B")
    i, j = sch.get_loops(block)
    sch.annotate(j, "note", 1)
    with pytest.raises(ScheduleError, match="loop j is annotated"):
        sch.loop_partition(j, [1])
    sch.loop_partition(i, [8])
    with pytest.raises(ScheduleError, match="loop_partition consumed it"):
        sch.get_loops(block)


# --- merge ----------------------------------------------------------------------------------

def test_merge(schedule):
    sch = schedule("rows")
    e, s = sch.get_block("E"), sch.get_block("S")
    merged = sch.merge(sch.get_loops(e)[0], sch.get_loops(s)[0])
    assert sch.get(merged).loop_var.name == "i_m"
    assert [sch.get(b).name for b in sch.get_child_blocks(merged)] == ["E", "S"]
    again = Schedule(parse(PROGRAMS["rows"]))
    read_trace(sch.trace.as_python()).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


def test_merge_of_nests_two_deep(schedule):
    sch = schedule("chain")
    b, d = sch.get_block("B"), sch.get_block("D")
    sch.compute_inline(sch.get_block("C"))
    sch.transform_layout(b, ("write", 0), lambda i, j: (j, i))
    with pytest.raises(ScheduleError, match="block D reads elements of B that block B writes in "
                                            "other iterations of loop j_m"):
        sch.merge(sch.get_loops(b)[1], sch.get_loops(d)[1])
    sch.merge(sch.get_loops(b)[0], sch.get_loops(d)[0])


def test_merge_past_a_block_that_needs_it_is_refused(schedule):
    sch = schedule("chain")
    b, d = sch.get_block("B"), sch.get_block("D")
    with pytest.raises(ScheduleError, match="block C, between the loops, uses B as block B does"):
        sch.merge(sch.get_loops(b)[0], sch.get_loops(d)[0])


def test_merge_into_a_reduction_that_is_not_complete_is_refused(schedule):
    sch = schedule("rows")
    s, d = sch.get_loops(sch.get_block("S")), sch.get_loops(sch.get_block("D"))
    with pytest.raises(ScheduleError, match="loop j_m carries the reduction of block S"):
        sch.merge(s[1], d[1])
    sch.merge(s[0], d[0])


def test_merge_of_other_shapes_is_refused(schedule):
    sch = schedule("matmul_relu")
    c, d = sch.get_loops(sch.get_block("C")), sch.get_loops(sch.get_block("D"))
    for loops, message in (((c[0], d[1]), "is 2 loops deep"), ((c[2], d[1]), "2 loops deep"),
                           ((c[0], c[1]), "does not stand beside"),
                           ((d[0], c[0]), "program order"), ((c[0],), "two loops or more")):
        before = sch.mod
        with pytest.raises(ScheduleError, match=message):
            sch.merge(*loops)
        assert sch.mod is before
    sch.split(d[0], [None, 4])
    with pytest.raises(ScheduleError, match="the extents of loops i and i_0 differ: 12 and 3"):
        sch.merge(c[0], sch.get_loops(sch.get_block("D"))[0])


def test_parts_can_be_vectorized():
    before = parse(VARIOUS["convolution"])
    sch = Schedule(before)
    _, middle, _ = sch.loop_partition(sch.get_loops(sch.get_block("pad"))[2], [1, 7, None])
    sch.vectorize(middle)
    assert_same_results(before, sch.mod)
