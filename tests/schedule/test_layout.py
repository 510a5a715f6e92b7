"""transform_layout, transform_block_layout, reorder_block_iter_var."""

import pytest
from schedule_programs import PROGRAMS, assert_same_results

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.script import parse

SCALE = """
@T.prim_func
def main(A: T.Buffer((8, 12)), B: T.Buffer((8, 12))):
    with T.block("root"):
        for i, j in T.grid(8, 12):
            with T.block("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = A[vi, vj] * T.float32(2)
"""


def test_transform_block_layout():
    sch = Schedule(parse(SCALE))
    sch.transform_block_layout(sch.get_block("B"), lambda i, j: (j // 4, i, j % 4))
    expected = parse("""
@T.prim_func
def main(A: T.Buffer((8, 12)), B: T.Buffer((8, 12))):
    with T.block("root"):
        for a, b, c in T.grid(3, 8, 4):
            with T.block("B"):
                va, vb, vc = T.axis.remap("SSS", [a, b, c])
                B[vb, va * 4 + vc] = A[vb, va * 4 + vc] * T.float32(2)
""")
    assert_structural_equal(sch.mod["main"], expected.with_attrs(**sch.mod["main"].attrs))
    assert_same_results(parse(SCALE), sch.mod)


def test_a_block_layout_that_is_not_one_to_one():
    sch = Schedule(parse(SCALE))
    with pytest.raises(ScheduleError, match="not one to one on block B"):
        sch.transform_block_layout(sch.get_block("B"), lambda i, j: (i, j // 4))


def test_transform_layout_of_an_intermediate():
    sch = Schedule(parse(PROGRAMS["matmul_relu"]))
    sch.transform_layout(sch.get_block("C"), ("write", 0), lambda i, j: (j, i // 4, i % 4))
    buffer = sch.get(sch.get_block("C")).writes[0].buffer
    assert [int(s.value) for s in buffer.shape] == [10, 3, 4]
    assert_same_results(parse(PROGRAMS["matmul_relu"]), sch.mod)


def test_padding_of_an_intermediate_keeps_the_results():
    sch = Schedule(parse(PROGRAMS["chain"]))
    sch.transform_layout(sch.get_block("B"), ("write", 0), lambda i, j: (i, j // 4, j % 4),
                         pad_value=0.0)
    assert "if_then_else" in sch.script()
    assert_same_results(parse(PROGRAMS["chain"]), sch.mod)


def test_a_parameter_tells_its_new_layout():
    sch = Schedule(parse(SCALE))
    sch.transform_layout(sch.get_block("B"), "B", lambda i, j: (j, i))
    (index_map,), = sch.relayouts("main").values()
    assert index_map.evaluate((2, 5)) == (5, 2)


def test_a_map_that_loses_elements():
    sch = Schedule(parse(SCALE))
    with pytest.raises(ScheduleError, match="several elements of B at one place"):
        sch.transform_layout(sch.get_block("B"), ("write", 0), lambda i, j: (i, j // 4))


def test_reorder_block_iter_var():
    sch = Schedule(parse(SCALE))
    sch.reorder_block_iter_var(sch.get_block("B"), [1, 0])
    names = [it.var.name for it in sch.get(sch.get_block("B")).iter_vars]
    assert names == ["vj", "vi"]
    assert_same_results(parse(SCALE), sch.mod)


def test_maps_replay_and_print():
    sch = Schedule(parse(SCALE))
    sch.transform_block_layout(sch.get_block("B"), lambda i, j: (j, i))
    assert "lambda i, j: (j, i,)" in sch.trace.as_python()
    again = Schedule(parse(SCALE))
    sch.trace.apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


FILL = """
@T.prim_func
def main(A: T.Buffer((14,), "int32"), C: T.Buffer((14,), "int32")):
    with T.block("root"):
        B = T.alloc_buffer((14,), "int32")
        for i in range(14):
            with T.block("B"):
                vi = T.axis.spatial(14, i)
                B[INDEX] = A[vi] + 1
        for i in range(14):
            with T.block("C"):
                vi = T.axis.spatial(14, i)
                C[vi] = B[vi] * 2
"""


@pytest.mark.parametrize("index, block, offset, expected", [
    ("vi", "B", 0, "B[v_axis0, v_axis1] = T.if_then_else(v_axis0 == 3 and 2 <= v_axis1, 7, "
                   "A[v_axis0 * 4 + v_axis1] + 1)"),
    ("vi", "B", 3, "T.if_then_else(v_axis0 == 0 and v_axis1 < 3 or v_axis0 == 4 and 1 <= v_axis1"),
    ("13 - vi", "buffer_B_padding", 0, "T.where(axis0 == 3 and 2 <= axis1)")])
def test_padding_is_filled_by_the_writer_or_apart(index, block, offset, expected):
    before = parse(FILL.replace("INDEX", index))
    sch = Schedule(before)
    sch.transform_layout(sch.get_block("B"), "B",
                         lambda i: ((i + offset) // 4, (i + offset) % 4), pad_value=7)
    assert expected in sch.script()
    assert sch.get(sch.get_block(block)).writes[0].buffer.name == "B"
    assert_same_results(before, sch.mod)


def test_what_callers_bring_in_the_padding_is_assumed():
    sch = Schedule(parse(FILL.replace("INDEX", "vi")))
    sch.transform_layout(sch.get_block("B"), "A", lambda i: (i // 4, i % 4), pad_value=0)
    assert "T.assume(not (v_axis0 == 3 and 2 <= v_axis1) or A[v_axis0, v_axis1] == 0)" \
        in sch.script()
    assert sch.get(sch.get_block("buffer_A_assumptions")).writes == ()


def test_a_reduction_runs_over_the_padding_too(schedule):
    sch = schedule("matmul_relu")
    sch.transform_layout(sch.get_block("C"), "C", lambda i, j: (i // 5, j, i % 5), pad_value=0.0)
    extents = [int(sch.get(l).extent.value) for l in sch.get_loops(sch.get_block("C"))]
    assert extents == [3, 10, 5, 8]
