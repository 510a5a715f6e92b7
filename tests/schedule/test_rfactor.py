"""rfactor."""

import pytest
from schedule_programs import PROGRAMS, assert_same_results

from unitylab.ir.errors import ScheduleError
from unitylab.schedule import Schedule
from unitylab.script import parse


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_a_split_reduction(schedule, which, axis):
    sch = schedule("matmul_relu")
    block = sch.get_block("C")
    k = sch.get_loops(block)[2]
    part = sch.rfactor(sch.split(k, [None, 4])[which], axis)
    assert sch.get(part).name == "C_rf"
    assert sch.get(block).name == "C"


def test_the_parts_can_run_in_parallel(schedule):
    sch = schedule("rows")
    part = sch.rfactor(sch.get_loops(sch.get_block("S"))[1], 0)
    sch.parallel(sch.get_loops(part)[1])


def test_spatial_loops_and_other_starts_refuse():
    sch = Schedule(parse(PROGRAMS["matmul_relu"]))
    with pytest.raises(ScheduleError, match="loop i does not carry the reduction of block C"):
        sch.rfactor(sch.get_loops(sch.get_block("C"))[0], 0)
    text = PROGRAMS["matmul_relu"].replace("C[vi, vj] = T.float32(0)", "C[vi, vj] = T.float32(3)")
    sch = Schedule(parse(text))
    with pytest.raises(ScheduleError, match="each part would count again"):
        sch.rfactor(sch.get_loops(sch.get_block("C"))[2], 0)
    assert_same_results(parse(text), sch.mod)


def test_factors_that_do_not_divide(schedule):
    sch = schedule("matmul_relu")
    outer, _ = sch.split(sch.get_loops(sch.get_block("C"))[2], [None, 3])
    sch.rfactor(outer, 0)


def test_a_part_that_would_never_start():
    sch = Schedule(parse(PROGRAMS["rows"]))
    j = sch.get_loops(sch.get_block("S"))[1]
    outer, _ = sch.split(j, [4, 2])
    with pytest.raises(ScheduleError, match="loop j_0 would have no part"):
        sch.rfactor(outer, 0)
