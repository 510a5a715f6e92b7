"""compute_inline, reverse_compute_inline."""

import pytest
from schedule_programs import CHAIN, assert_same_results

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.script import parse


def test_compute_inline_into_two_readers(schedule):
    sch = schedule("chain")
    sch.compute_inline(sch.get_block("B"))
    assert_structural_equal(sch.mod["main"], parse("""
@T.prim_func
def main(A: T.Buffer((9, 7)), D: T.Buffer((9, 7))):
    with T.block("root"):
        C = T.alloc_buffer((9, 7))
        for i, j in T.grid(9, 7):
            with T.block("C"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = A[vi, 6 - vj] * T.float32(2) + T.float32(1)
        for i, j in T.grid(9, 7):
            with T.block("D"):
                vi, vj = T.axis.remap("SS", [i, j])
                D[vi, vj] = C[vi, vj] - A[vi, vj] * T.float32(2)
"""))


def test_inlining_everything_leaves_one_block(schedule):
    sch = schedule("chain")
    for name in "CB":
        sch.compute_inline(sch.get_block(name))
    assert len(sch.get_child_blocks(sch.get_block("root"))) == 1
    assert sch.mod["main"].root.alloc_buffers == ()


def test_inline_into_a_scheduled_reader(schedule):
    sch = schedule("chain")
    block = sch.get_block("C")
    sch.vectorize(sch.split(sch.get_loops(block)[1], [None, 4])[0])
    sch.compute_inline(sch.get_block("B"))
    assert sch.get(block).reads[0].buffer.name == "A"


@pytest.mark.parametrize("program, block, message", [
    ("chain", "D", "block D writes an output of the function"),
    ("matmul_relu", "C", "block C is not a complete block: its iteration variable vk is of kind"),
    ("chain", "root", "it is the root")])
def test_compute_inline_refuses(schedule, program, block, message):
    sch = schedule(program)
    with pytest.raises(ScheduleError, match=message):
        sch.compute_inline(sch.get_block(block))


def test_overwritten_input_cannot_be_read_later():
    sch = Schedule(parse("""
@T.prim_func
def main(A: T.Buffer((8,)), C: T.Buffer((8,))):
    with T.block("root"):
        B = T.alloc_buffer((8,))
        for i in range(8):
            with T.block("B"):
                vi = T.axis.spatial(8, i)
                B[vi] = A[vi]
        for i in range(8):
            with T.block("A"):
                vi = T.axis.spatial(8, i)
                A[vi] = T.float32(0)
        for i in range(8):
            with T.block("C"):
                vi = T.axis.spatial(8, i)
                C[vi] = B[vi]
"""))
    with pytest.raises(ScheduleError, match="block A overwrites A, which block B reads"):
        sch.compute_inline(sch.get_block("B"))


def test_reverse_compute_inline(schedule):
    sch = schedule("chain")
    sch.compute_inline(sch.get_block("B"))
    sch.reverse_compute_inline(sch.get_block("D"))
    block = sch.get(sch.get_block("C"))
    assert [w.buffer.name for w in block.writes] == ["D"]


def test_reverse_compute_inline_into_a_reduction_is_refused(schedule):
    sch = schedule("matmul_relu")
    with pytest.raises(ScheduleError, match="its producer, block C, is not a complete block"):
        sch.reverse_compute_inline(sch.get_block("D"))


def test_reverse_compute_inline_with_several_producers_is_refused(schedule):
    sch = schedule("chain")
    with pytest.raises(ScheduleError, match="block D must have one producer, it has: B, C"):
        sch.reverse_compute_inline(sch.get_block("D"))


def test_reverse_compute_inline_of_a_part_gets_a_predicate():
    before = parse(CHAIN.replace("C[vi, vj] - B[vi, vj]", "C[vi, vj]").replace(
        'for i, j in T.grid(9, 7):\n            with T.block("D"):\n                vi, vj = '
        'T.axis.remap("SS", [i, j])',
        'for i, j in T.grid(5, 7):\n            with T.block("D"):\n                '
        'vi = T.axis.spatial(5, i)\n                vj = T.axis.spatial(7, j)'))
    sch = Schedule(before)
    sch.reverse_compute_inline(sch.get_block("D"))
    assert "T.where(i < 5)" in sch.script()


def test_a_block_that_got_a_guard_keeps_it_when_it_is_inlined():
    before = parse(CHAIN)
    sch = Schedule(before)
    block = sch.get_block("B")
    sch.pad_einsum(block, [2, 4])
    sch.reverse_compute_inline(sch.get_block("B_pad"))
    sch.reverse_compute_inline(block)
    assert "T.where(i0 < 9 and i1 < 7)" in sch.script()
    assert_same_results(before, sch.mod)
