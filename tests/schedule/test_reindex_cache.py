"""reindex_cache_read, reindex_cache_write: caches in a layout of one's own."""

import pytest
from schedule_programs import PROGRAMS, assert_same_results
from various_programs import VARIOUS, program

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse


def test_reading_a_packed_panel(schedule):
    sch = schedule("matmul_relu")
    block = sch.get_block("C")
    i, j, k = sch.get_loops(block)
    i0, i1 = sch.split(i, [None, 4])
    sch.reorder(i0, j, k, i1)
    copy = sch.reindex_cache_read(block, 0, "local", lambda i, j, k: (i // 4, k, i % 4))
    assert sch.get(copy).name == "A_local"
    assert_structural_equal(sch.mod["main"], parse("""
@T.prim_func
def main(A: T.Buffer((12, 8)), B: T.Buffer((8, 10)), D: T.Buffer((12, 10))):
    with T.block("root"):
        C = T.alloc_buffer((12, 10))
        A_local = T.alloc_buffer((3, 8, 4), scope="local")
        for i_0, k, i_1 in T.grid(3, 8, 4):
            with T.block("A_local"):
                vi = T.axis.spatial(12, i_0 * 4 + i_1)
                vk = T.axis.spatial(8, k)
                A_local[vi // 4, vk, vi % 4] = A[vi, vk]
        for i_0, j, k, i_1 in T.grid(3, 10, 8, 4):
            with T.block("C"):
                vi = T.axis.spatial(12, i_0 * 4 + i_1)
                vj, vk = T.axis.remap("SR", [j, k])
                T.reads(A_local[vi // 4, vk, vi % 4], B[vk, vj])
                T.writes(C[vi, vj])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A_local[vi // 4, vk, vi % 4] * B[vk, vj]
        for i, j in T.grid(12, 10):
            with T.block("D"):
                vi, vj = T.axis.remap("SS", [i, j])
                D[vi, vj] = T.max(C[vi, vj], T.float32(0))
"""))
    again = Schedule(parse(PROGRAMS["matmul_relu"]))
    read_trace(sch.trace.as_python()).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


def test_writing_transposed_after_the_reduction(schedule):
    sch = schedule("matmul_relu")
    copy = sch.reindex_cache_write(sch.get_block("C"), 0, "local", lambda i, j, k: (j, i))
    assert [b.name for b in map(sch.get, sch.get_child_blocks(sch.get_block("root")))] == [
        "C", "C_local", "D"]
    assert [str(s) for s in sch.get(copy).reads[0].buffer.shape] == ["10", "12"]
    assert len(sch.get_loops(copy)) == 2


def test_inside_of_a_shared_loop(schedule):
    sch = schedule("chain")
    d = sch.get_block("D")
    sch.compute_at(sch.get_block("C"), sch.get_loops(d)[0])
    copy = sch.reindex_cache_read(d, 0, "local", lambda i, j: (j, i))
    assert [sch.get(l).loop_var.name for l in sch.get_loops(copy)][0] == "i"
    assert [b.name for b in map(sch.get, sch.get_child_blocks(sch.get_loops(d)[0]))] == [
        "C", "C_local", "D"]
    sch.reindex_cache_write(sch.get_block("C"), 0, "local", lambda i, j: (j * 2, i))


@pytest.mark.parametrize(("index_map", "message"), [
    (lambda i, j, k: (i, k, j), "vj of block C is in the index map, not in A's index"),
    (lambda i, j, k: (i,), "vk of block C is in A's index, not in the index map"),
    (lambda i, j, k: (i // 2, k), "does not give each element of A a place of its own"),
    (lambda i, j, k: (i + k, i), "a place of its own"),
])
def test_maps_must_be_one_to_one(schedule, index_map, message):
    sch = schedule("matmul_relu")
    before = sch.mod
    with pytest.raises(ScheduleError, match=message):
        sch.reindex_cache_read(sch.get_block("C"), 0, "local", index_map)
    assert sch.mod is before


def test_buffers_with_other_uses_are_refused(schedule):
    sch = schedule("matmul_relu")
    c = sch.get_block("C")
    sch.decompose_reduction(c, sch.get_loops(c)[0])
    with pytest.raises(ScheduleError, match="C is written or read by several parts"):
        sch.reindex_cache_write(c, 0, "local", lambda i, j, k: (j, i))
    with pytest.raises(ScheduleError, match="block C_update writes C too"):
        sch.reindex_cache_read(c, 0, "local", lambda i, j, k: (j, i))
    with pytest.raises(ScheduleError, match="there is no number 7"):
        sch.reindex_cache_read(c, 7, "local", lambda i, j, k: (j, i))


@pytest.mark.parametrize("request_", [
    lambda sch, b: sch.reindex_cache_read(b, 0, "local", lambda i: (i,)),
    lambda sch, b: sch.reindex(b, ("read", 0))])
def test_reads_under_a_condition_must_stay_inside(request_):
    sch = Schedule(parse("""
@T.prim_func
def main(A: T.Buffer((6,)), B: T.Buffer((8,))):
    with T.block("root"):
        for i in range(8):
            with T.block("B"):
                vi = T.axis.spatial(8, i)
                B[vi] = T.if_then_else(1 <= vi and vi < 7, A[vi - 1], T.float32(0))
"""))
    with pytest.raises(ScheduleError, match="block B reads A at vi - 1 under a condition"):
        request_(sch, sch.get_block("B"))


@pytest.mark.parametrize("request_", [
    lambda sch, block: sch.reindex(block, ("read", 1)),
    lambda sch, block: sch.reindex(block, ("write", 0)),
    lambda sch, block: sch.reindex_cache_read(block, 0, "local", lambda i, j, k: (k, i))])
def test_a_copy_inside_of_a_block_uses_its_variables(request_):
    before = parse(VARIOUS["nested"])
    sch = Schedule(before)
    copy = request_(sch, sch.get_block("point"))
    assert any(sch.get(copy) is sch.get(b) for b in sch.get_child_blocks(sch.get_block("tile")))
    assert_same_results(before, sch.mod)


def test_an_element_that_a_loop_inside_of_the_block_chooses():
    sch = Schedule(parse(program("A: T.Buffer((4, 3)), B: T.Buffer((4, 3))", """
for i in range(4):
    with T.block("B"):
        vi = T.axis.spatial(4, i)
        for j in range(3):
            B[vi, j] = A[vi, j]
""")))
    with pytest.raises(ScheduleError, match="place of A depends on variables of loops"):
        sch.reindex(sch.get_block("B"), ("read", 0))
