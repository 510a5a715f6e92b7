"""fuse_reduction_epilogue, reindex, storage."""

import pytest
from schedule_programs import PROGRAMS, assert_same_results

from unitylab.ir.errors import ScheduleError
from unitylab.schedule import Schedule
from unitylab.script import parse

BIAS = """
@T.prim_func
def main(A: T.Buffer((6, 8)), B: T.Buffer((8, 5)), bias: T.Buffer((5,)), D: T.Buffer((6, 5))):
    with T.block("root"):
        C = T.alloc_buffer((6, 5))
        for i, j, k in T.grid(6, 5, 8):
            with T.block("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
        for i, j in T.grid(6, 5):
            with T.block("D"):
                vi, vj = T.axis.remap("SS", [i, j])
                D[vi, vj] = C[vi, vj] + bias[vj]
"""


def test_a_sum_starts_from_the_bias():
    sch = Schedule(parse(BIAS))
    sch.fuse_reduction_epilogue(sch.get_block("C"), sch.get_block("D"))
    assert "D[vi, vj] = bias[vj]" in sch.script()
    assert_same_results(parse(BIAS), sch.mod)


def test_another_epilogue_runs_in_the_last_step(schedule):
    sch = schedule("matmul_relu")
    sch.fuse_reduction_epilogue(sch.get_block("C"), sch.get_block("D"))
    assert "vk == 7" in sch.script()


def test_for_other_readers_the_reduction_is_kept():
    text = BIAS.replace("D: T.Buffer((6, 5))", "D: T.Buffer((6, 5)), E: T.Buffer((6, 5))") + """
        for i, j in T.grid(6, 5):
            with T.block("E"):
                vi, vj = T.axis.remap("SS", [i, j])
                E[vi, vj] = C[vi, 4 - vj]
"""
    sch = Schedule(parse(text))
    block = sch.get_block("C")
    sch.fuse_reduction_epilogue(block, sch.get_block("D"))
    assert [sch.get(b).name for b in sch.get_child_blocks(sch.get_block("root"))] == [
        "C_kept", "C", "E"]
    assert sch.get(block).writes[0].buffer.name == "D"
    assert_same_results(parse(text), sch.mod)


def test_readers_of_single_elements_refuse():
    text = PROGRAMS["rows"].replace("E[vi, vj] - S[vi]", "E[vi, vj] - S[vi] * S[0]")
    sch = Schedule(parse(text))
    with pytest.raises(ScheduleError, match="element by element"):
        sch.fuse_reduction_epilogue(sch.get_block("S"), sch.get_block("D"))


@pytest.mark.parametrize("which", [("read", 0), ("read", 1), ("write", 0), "B"])
def test_reindex(schedule, which):
    sch = schedule("matmul_relu")
    copy = sch.reindex(sch.get_block("C"), which)
    assert len(sch.get_loops(copy)) == 2


def test_set_scope(schedule):
    sch = schedule("matmul_relu")
    sch.set_scope(sch.get_block("C"), 0, "local")
    assert sch.get(sch.get_block("C")).writes[0].buffer.scope == "local"
    with pytest.raises(ScheduleError, match="caller's"):
        sch.set_scope(sch.get_block("D"), 0, "local")


def test_storage_align(schedule):
    sch = schedule("matmul_relu")
    sch.storage_align(sch.get_block("C"), 0, -2, 32, 8)
    assert sch.get(sch.get_block("C")).annotations["buffer_dim_align"] == ((0, 0, 32, 8),)


def test_a_cache_is_filled_where_its_writer_ends():
    text = """
@T.prim_func
def main(B: T.Buffer((12,)), C: T.Buffer((12,))):
    with T.block("root"):
        A = T.alloc_buffer((12,))
        for i in range(3):
            for j in range(4):
                with T.block("A"):
                    v = T.axis.spatial(12, i * 4 + j)
                    A[v] = T.Cast("float32", v)
            for j in range(4):
                with T.block("B"):
                    v = T.axis.spatial(12, i * 4 + j)
                    B[v] = A[v] + T.float32(1)
        for i in range(12):
            with T.block("C"):
                v = T.axis.spatial(12, i)
                C[v] = A[v] * T.float32(2)
"""
    for name, args in (("cache_read", ("B", 0, "local")), ("cache_write", ("A", 0, "local"))):
        sch = Schedule(parse(text))
        getattr(sch, name)(sch.get_block(args[0]), *args[1:])
        assert_same_results(parse(text), sch.mod)
