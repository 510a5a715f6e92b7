"""Schedule itself: functions, handles, traces, candidates."""

import pytest
from schedule_programs import CHAIN, MATMUL_RELU

from unitylab.ir.errors import ScheduleError
from unitylab.ir.module import IRModule
from unitylab.ir.node import FrozenDict
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.script import parse


def two():
    return IRModule(FrozenDict({"mm": parse(MATMUL_RELU), "chain": parse(CHAIN)}))


def tiled(sch):
    block = sch.get_block("C")
    i, j, k = sch.get_loops(block)
    i0, i1 = sch.split(i, sch.sample_perfect_tile(i, 2))
    sch.reorder(i0, k, i1, j)
    sch.annotate(i0, "note", "here")
    sch.vectorize(j)
    sch.decompose_reduction(block, k)
    sch.reverse_compute_at(sch.get_block("D"), i0)
    return sch


def test_trace_is_python(schedule):
    sch, scope = tiled(schedule("matmul_relu")), {}
    exec(sch.trace.as_python(), scope)
    again = schedule("matmul_relu")
    scope["apply_trace"](again)
    assert_structural_equal(again.mod, sch.mod)


def test_trace_replays_with_its_decisions(schedule):
    sch = tiled(schedule("matmul_relu"))
    for seed in range(3):
        again = Schedule(parse(MATMUL_RELU), seed=seed)
        sch.trace.apply_to(again)
        assert_structural_equal(again.mod, sch.mod)


def test_copy_shares_handles_and_nothing_else(schedule):
    sch = schedule("chain")
    block = sch.get_block("B")
    other = sch.copy()
    other.compute_inline(block)
    assert sch.get(block).name == "B"
    with pytest.raises(ScheduleError, match="this BlockRV is gone: compute_inline consumed it"):
        other.get(block)


def test_a_module_of_several_functions():
    sch = Schedule(two())
    assert sch.get(sch.get_block("B", func_name="chain")).name == "B"
    with pytest.raises(ScheduleError, match="no tensor program 'main'"):
        sch.get_block("B")
    sch.work_on("chain")
    block = sch.get_block("B")
    sch.compute_inline(block)
    assert_structural_equal(sch.mod["mm"], two()["mm"])
    mixed = sch.get_loops(sch.get_block("C"))[0], sch.get_loops(sch.get_block("C", "mm"))[0]
    with pytest.raises(ScheduleError, match="the handles belong to several functions: chain, mm"):
        sch.fuse(*mixed)


def test_unknown_block_suggests(schedule):
    sch = schedule("matmul_relu")
    with pytest.raises(ScheduleError, match="no block 'CC' in 'main'\n  try: did you mean C?"):
        sch.get_block("CC")


def test_plain_loops_cannot_be_scheduled():
    sch = Schedule(parse("""
@T.prim_func
def main(A: T.Buffer((8,))):
    for i in range(8):
        A[i] = T.float32(0)
"""))
    with pytest.raises(ScheduleError, match="'main' is a plain loop program"):
        sch.get_block("root")


def test_handle_of_another_schedule(schedule):
    block = schedule("chain").get_block("B")
    with pytest.raises(ScheduleError, match="belongs to another schedule"):
        schedule("chain").get(block)


def test_producers_and_consumers(schedule):
    sch = schedule("chain")

    def names(blocks):
        return [sch.get(b).name for b in blocks]

    assert names(sch.get_consumers(sch.get_block("B"))) == ["C", "D"]
    assert names(sch.get_producers(sch.get_block("D"))) == ["B", "C"]


def test_candidates_say_why_not_and_change_nothing(schedule):
    sch = schedule("matmul_relu")
    k = sch.get_loops(sch.get_block("C"))[2]
    before, steps = sch.mod, len(sch.trace)
    found = {c.name: c for c in sch.candidates(k)}
    assert sch.mod is before and len(sch.trace) == steps
    assert found["split"].legal and found["unroll"].legal
    assert not found["vectorize"].legal
    assert "carries the reduction of block C" in found["vectorize"].reason


def test_a_candidate_can_be_applied_and_replayed(schedule):
    sch = schedule("chain")
    block = sch.get_block("C")
    for c in sch.candidates(block):
        if c.name == "compute_at" and c.legal:
            sch.compute_at(*c.args)
            break
    again = schedule("chain")
    sch.trace.apply_to(again)
    assert_structural_equal(again.mod, sch.mod)
    scope = {}
    exec(sch.trace.as_python(), scope)
    scope["apply_trace"](schedule("chain"))


def test_sampling_refuses_a_wrong_decision(schedule):
    sch = schedule("matmul_relu")
    i = sch.get_loops(sch.get_block("C"))[0]
    with pytest.raises(ScheduleError, match=r"the decision \[5, 2\] is not 2 factors of 12"):
        sch.sample_perfect_tile(i, 2, decision=[5, 2])
    choice = sch.sample_categorical([4, 6], [0.5, 0.5], decision=1)
    assert sch.get(choice) == 6
