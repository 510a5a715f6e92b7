"""pad_einsum: sizes that are multiples of a tile."""

import pytest
from schedule_programs import PROGRAMS, assert_same_results

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse

SYMBOLIC = """
@T.prim_func
def main(A: T.Buffer((6, 8)), B: T.Buffer(("n", 8)), C: T.Buffer((6, "n"))):
    n = T.int32()
    with T.block("root"):
        for i, j, k in T.grid(6, n, 8):
            with T.block("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vj, vk]
"""


def test_all_three_sizes(schedule):
    sch = schedule("matmul_relu")
    block = sch.get_block("C")
    sch.pad_einsum(block, [8, 4, 5])
    assert_structural_equal(sch.mod["main"], parse("""
@T.prim_func
def main(A: T.Buffer((12, 8)), B: T.Buffer((8, 10)), D: T.Buffer((12, 10))):
    with T.block("root"):
        C = T.alloc_buffer((12, 10))
        A_pad = T.alloc_buffer((16, 10))
        B_pad = T.alloc_buffer((10, 12))
        C_pad = T.alloc_buffer((16, 12))
        for i0, i1 in T.grid(16, 10):
            with T.block("A_pad"):
                v0, v1 = T.axis.remap("SS", [i0, i1])
                T.reads(A[v0, v1])
                T.writes(A_pad[v0, v1])
                A_pad[v0, v1] = T.if_then_else(v0 < 12 and v1 < 8, A[v0, v1], T.float32(0))
        for i0, i1 in T.grid(10, 12):
            with T.block("B_pad"):
                v0, v1 = T.axis.remap("SS", [i0, i1])
                T.reads(B[v0, v1])
                T.writes(B_pad[v0, v1])
                B_pad[v0, v1] = T.if_then_else(v0 < 8 and v1 < 10, B[v0, v1], T.float32(0))
        for i, j, k in T.grid(16, 12, 10):
            with T.block("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                T.reads(A_pad[vi, vk], B_pad[vk, vj])
                T.writes(C_pad[vi, vj])
                with T.init():
                    C_pad[vi, vj] = T.float32(0)
                C_pad[vi, vj] = C_pad[vi, vj] + A_pad[vi, vk] * B_pad[vk, vj]
        for i0, i1 in T.grid(12, 10):
            with T.block("C_pad"):
                v0, v1 = T.axis.remap("SS", [i0, i1])
                T.reads(C_pad[v0, v1])
                T.writes(C[v0, v1])
                C[v0, v1] = C_pad[v0, v1]
        for i, j in T.grid(12, 10):
            with T.block("D"):
                vi, vj = T.axis.remap("SS", [i, j])
                D[vi, vj] = T.max(C[vi, vj], T.float32(0))
"""))
    sch.split(sch.get_loops(block)[0], [None, 8])
    again = Schedule(parse(PROGRAMS["matmul_relu"]))
    read_trace(sch.trace.as_python()).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


def test_a_symbolic_size():
    sch = Schedule(parse(SYMBOLIC))
    sch.pad_einsum(sch.get_block("C"), [1, 4, 1])
    assert "(n + 3) // 4 * 4" in sch.script()
    assert_same_results(parse(SYMBOLIC), sch.mod, n=6)


def test_nothing_to_pad_changes_nothing(schedule):
    sch = schedule("matmul_relu")
    before = sch.mod
    sch.pad_einsum(sch.get_block("C"), [4, 5, 8])
    assert sch.mod is before


@pytest.mark.parametrize(("padding", "message"), [
    ([8, 8], "has 3 iteration variables, and 2 paddings"),
    ([8, 0, 8], "the padding 0 is not positive"),
])
def test_paddings_fit(schedule, padding, message):
    sch = schedule("matmul_relu")
    with pytest.raises(ScheduleError, match=message):
        sch.pad_einsum(sch.get_block("C"), padding)


def refused(text, block, padding, message):
    sch = Schedule(parse(text))
    before = sch.mod
    with pytest.raises(ScheduleError, match=message):
        sch.pad_einsum(sch.get_block(block), padding)
    assert sch.mod is before


def test_zeros_that_would_change_the_result():
    text = PROGRAMS["matmul_relu"]
    refused(text.replace("A[vi, vk] * B[vk, vj]", "(A[vi, vk] * B[vk, vj] + T.float32(1))"), "C",
            [1, 1, 5], "zeros along vk would change what block C reduces")
    refused(text.replace("C[vi, vj] + A[vi, vk] * B[vk, vj]",
                         "T.max(C[vi, vj], A[vi, vk] * B[vk, vj])"), "C", [1, 1, 5],
            "zeros along vk would change")


def test_other_accesses():
    refused(PROGRAMS["chain"], "C", [2, 2], "uses B at 6 - vj: an index must be one of its")
    refused(PROGRAMS["matmul_relu"].replace("B[vk, vj]", "B[vk, vj] * A[vj, vk]"), "C", [1, 4, 1],
            "uses A")


def test_after_split_is_refused(schedule):
    sch = schedule("matmul_relu")
    block = sch.get_block("C")
    sch.split(sch.get_loops(block)[0], [None, 4])
    with pytest.raises(ScheduleError, match="vi of block C is not bound to a loop of its own"):
        sch.pad_einsum(block, [8, 1, 1])
