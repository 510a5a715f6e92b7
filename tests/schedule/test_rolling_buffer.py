"""rolling_buffer: neighbouring tiles share rows."""

import pytest
from schedule_programs import assert_same_results

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse

WINDOWS = """
@T.prim_func
def main(A: T.Buffer((18,)), C: T.Buffer((16,))):
    with T.block("root"):
        B = T.alloc_buffer((18,))
        for i in range(18):
            with T.block("B"):
                vi = T.axis.spatial(18, i)
                B[vi] = A[vi] * T.float32(2)
        for i in range(16):
            with T.block("C"):
                vi = T.axis.spatial(16, i)
                C[vi] = B[vi] + B[vi + 1] + B[vi + 2]
"""


def tiled(factor=4):
    sch = Schedule(parse(WINDOWS))
    b = sch.get_block("B")
    outer, _ = sch.split(sch.get_loops(sch.get_block("C"))[0], [None, factor])
    sch.compute_at(b, outer)
    return sch, b, outer


def test_a_ring_of_one_tile():
    sch, b, _ = tiled()
    sch.rolling_buffer(b, 0)
    assert_structural_equal(sch.mod["main"], parse("""
@T.prim_func
def main(A: T.Buffer((18,)), C: T.Buffer((16,))):
    with T.block("root"):
        B = T.alloc_buffer((6,))
        for i_0 in range(4):
            for ax0 in range(6):
                with T.block("B"):
                    vi = T.axis.opaque(18, i_0 * 4 + ax0)
                    T.where(i_0 < 1 or 2 <= ax0)
                    B[vi % 6] = A[vi] * T.float32(2)
            for i_1 in range(4):
                with T.block("C"):
                    vi = T.axis.opaque(16, i_0 * 4 + i_1)
                    C[vi] = B[vi % 6] + B[(vi + 1) % 6] + B[(vi + 2) % 6]
"""))
    assert_same_results(parse(WINDOWS), sch.mod)
    again = Schedule(parse(WINDOWS))
    read_trace(sch.trace.as_python()).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


@pytest.mark.parametrize("factor", [1, 2, 8])
def test_other_tiles(factor):
    sch, b, _ = tiled(factor)
    sch.rolling_buffer(b, 0)
    assert_same_results(parse(WINDOWS), sch.mod)


def test_the_order_of_tiles_is_kept_afterwards():
    sch, b, outer = tiled()
    sch.rolling_buffer(b, 0)
    with pytest.raises(ScheduleError, match="an order that matters"):
        sch.parallel(outer)


def test_a_parallel_loop_does_not_roll():
    sch, b, outer = tiled()
    sch.parallel(outer)
    before = sch.mod
    with pytest.raises(ScheduleError, match="loop i_0 is parallel"):
        sch.rolling_buffer(b, 0)
    assert sch.mod is before


def test_tiles_apart_are_refused():
    text = WINDOWS.replace(" + B[vi + 1] + B[vi + 2]", "")
    sch = Schedule(parse(text))
    b = sch.get_block("B")
    sch.compute_at(b, sch.split(sch.get_loops(sch.get_block("C"))[0], [None, 4])[0])
    with pytest.raises(ScheduleError, match="the tiles of B that block B makes do not overlap"):
        sch.rolling_buffer(b, 0)


def test_outputs_and_blocks_apart_are_refused():
    sch = Schedule(parse(WINDOWS))
    with pytest.raises(ScheduleError, match="C is not allocated in the scope"):
        sch.rolling_buffer(sch.get_block("C"), 0)
    with pytest.raises(ScheduleError, match="block B and its consumers are in no common loop"):
        sch.rolling_buffer(sch.get_block("B"), 0)
