"""Traces as text: what TVM prints replays, nothing of the text is executed."""

import pytest
from schedule_programs import PROGRAMS, assert_same_results

from unitylab.ir.errors import ParseError, ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse

TVM_TRACE = """
# from tvm import s_tir
def apply_trace(sch: s_tir.Schedule) -> None:
  b0 = sch.get_sblock(name="C", func_name="main")
  l1, l2, l3 = sch.get_loops(block=b0)
  v4, v5 = sch.sample_perfect_tile(loop=l1, n=2, max_innermost_factor=16, decision=[3, 4])
  l6, l7 = sch.split(loop=l1, factors=[v4, v5], disable_predication=False)
  sch.reorder(l6, l2, l3, l7)
  sch.transform_layout(block=b0, buffer=("write", 0), index_map=lambda i, j: (j, i,), pad_value=None)
"""


def test_a_trace_of_tvm():
    sch = Schedule(parse(PROGRAMS["matmul_relu"]))
    read_trace(TVM_TRACE).apply_to(sch)
    assert_same_results(parse(PROGRAMS["matmul_relu"]), sch.mod)
    again = Schedule(parse(PROGRAMS["matmul_relu"]))
    read_trace(sch.trace.as_python()).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


@pytest.mark.parametrize("line", ["os.system('true')", "x = 1", "b0.c = sch.f()"])
def test_other_statements_are_refused(line):
    with pytest.raises(ParseError, match="a line of a trace|plain names"):
        read_trace(f"def apply_trace(sch) -> None:\n  {line}\n  pass")


def test_only_primitives_are_called():
    sch = Schedule(parse(PROGRAMS["chain"]))
    with pytest.raises(ScheduleError, match="no primitive 'show'"):
        read_trace("def apply_trace(sch) -> None:\n  sch.show()").apply_to(sch)
