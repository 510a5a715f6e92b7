"""cache_read, cache_write."""

import pytest

from unitylab.ir.errors import ScheduleError


def test_cache_read_copies_first(schedule):
    sch = schedule("matmul_relu")
    copy = sch.cache_read(sch.get_block("C"), 1, "local")
    names = [sch.get(b).name for b in sch.get_child_blocks(sch.get_block("root"))]
    assert names == ["B_local", "C", "D"]
    assert sch.get(copy).writes[0].buffer.scope == "local"
    assert [r.buffer.name for r in sch.get(sch.get_block("C")).reads] == ["A", "B_local"]


def test_cache_read_of_an_intermediate_follows_its_producer(schedule):
    sch = schedule("chain")
    sch.cache_read(sch.get_block("D"), 1, "shared", [sch.get_block("D")])
    names = [sch.get(b).name for b in sch.get_child_blocks(sch.get_block("root"))]
    assert names == ["B", "B_shared", "C", "D"]
    assert sch.get(sch.get_block("C")).reads[0].buffer.name == "B"


def test_cache_write_copies_afterwards(schedule):
    sch = schedule("matmul_relu")
    block = sch.get_block("D")
    copy = sch.cache_write(block, 0, "local")
    assert sch.get(block).writes[0].buffer.name == "D_local"
    assert sch.get(copy).writes[0].buffer.name == "D"


def test_cache_write_moves_into_the_tile(schedule):
    sch = schedule("matmul_relu")
    block = sch.get_block("C")
    i, j, k = sch.get_loops(block)
    copy = sch.cache_write(block, 0, "local")
    i0, i1 = sch.split(i, [None, 4])
    sch.reorder(i0, j, k, i1)
    sch.reverse_compute_at(copy, j)
    sch.decompose_reduction(block, k)


def test_missing_buffer_is_refused(schedule):
    sch = schedule("chain")
    with pytest.raises(ScheduleError, match="(?s)block D reads 2 buffers, there is no number 2\n.*"
                                            "  try: 0: C, 1: B"):
        sch.cache_read(sch.get_block("D"), 2, "local")


def test_cache_write_with_two_writers_is_refused(schedule):
    sch = schedule("matmul_relu")
    block = sch.get_block("C")
    sch.decompose_reduction(block, sch.get_loops(block)[2])
    with pytest.raises(ScheduleError, match="C is written by several blocks: C_init, C_update"):
        sch.cache_write(block, 0, "local")
