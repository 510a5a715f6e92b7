"""sample_compute_location, and what its special answers mean to compute_at."""

import pytest
from schedule_programs import PROGRAMS, assert_same_results

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse


def places(sch, block):
    """What the decisions -2 to 4 become."""
    return [sch.copy().trace.insts and decided(sch.copy(), block, k) for k in range(-2, 5)]


def decided(sch, block, decision):
    sch.sample_compute_location(block, decision)
    return sch.trace.insts[-1].decision


def test_loops_of_the_consumer_and_no_loop_at_all(schedule):
    sch = schedule("chain")
    c = sch.get_block("C")
    assert places(sch, c) == [-2, -1, 0, 1, 1, 1, 1]
    loop = sch.sample_compute_location(c, 1)
    assert sch.get(loop) is sch.get(sch.get_loops(sch.get_block("D"))[1])
    sch.compute_at(c, loop)


def test_what_cannot_be_inlined_or_moved(schedule):
    sch = schedule("matmul_relu")
    assert places(sch, sch.get_block("C")) == [-1, -1, 0, 1, 1, 1, 1]
    assert places(sch, sch.get_block("D")) == [-1] * 7


@pytest.mark.parametrize("decision", [-2, -1, 0, 1])
def test_the_decision_is_kept_in_the_trace(decision):
    sch = Schedule(parse(PROGRAMS["chain"]))
    c = sch.get_block("C")
    sch.compute_at(c, sch.sample_compute_location(c, decision))
    assert f"decision={decision}" in sch.trace.as_python()
    again = Schedule(parse(PROGRAMS["chain"]))
    read_trace(sch.trace.as_python()).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)
    assert_same_results(parse(PROGRAMS["chain"]), sch.mod)


def test_by_chance(schedule):
    sch = schedule("chain")
    c = sch.get_block("C")
    found = set()
    for _ in range(30):
        sch.sample_compute_location(c)
        found.add(sch.trace.insts[-1].decision)
    assert found == {-2, -1, 0, 1}


def test_no_loop_is_no_loop(schedule):
    sch = schedule("chain")
    place = sch.sample_compute_location(sch.get_block("C"), -1)
    with pytest.raises(ScheduleError, match="this LoopRV stands for ROOT, not for a loop"):
        sch.parallel(place)
