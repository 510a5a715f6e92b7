"""Random sequences of primitives: each is refused with a reason, or changes no result.

RANDOM_SCHEDULES=2000 runs so many in all; the suite runs fewer."""

import os

import pytest
from schedule_programs import PROGRAMS, assert_same_results
from hypothesis import given, settings
from hypothesis import strategies as st

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.script import parse

EXAMPLES = -(-int(os.environ.get("RANDOM_SCHEDULES", 40 * len(PROGRAMS))) // len(PROGRAMS))
NAMES = ("split", "fuse", "reorder", "parallel", "vectorize", "unroll", "compute_inline",
         "reverse_compute_inline", "compute_at", "reverse_compute_at", "decompose_reduction",
         "cache_read", "cache_write")


def arguments(name, sch, data):
    """A random request for a primitive: mostly sensible handles, anything in the rest."""
    root = sch.get_block("root")
    blocks = sch.get_child_blocks(root)
    block = data.draw(st.sampled_from(blocks))
    loops = [l for b in blocks for l in sch.get_loops(b)]
    own = sch.get_loops(block) or loops
    pick = st.sampled_from(own) if own else st.nothing()
    if name == "split":
        return data.draw(pick), data.draw(st.sampled_from([[None, 4], [2, None], [3, None, 2]]))
    if name in ("fuse", "reorder"):
        count = data.draw(st.integers(2, 3))
        if name == "fuse":
            first = data.draw(st.integers(0, max(len(own) - count, 0)))
            return tuple(own[first:first + count])
        return tuple(data.draw(st.lists(pick, min_size=count, max_size=count)))
    if name in ("parallel", "vectorize", "unroll"):
        return (data.draw(pick),)
    if name in ("compute_at", "reverse_compute_at", "decompose_reduction"):
        return block, data.draw(st.sampled_from(loops))
    if name in ("cache_read", "cache_write"):
        return block, data.draw(st.integers(0, 1)), "local"
    return (block,)


@pytest.mark.parametrize("program", PROGRAMS)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(data=st.data())
def test_legal_steps_change_no_result(program, data):
    before = parse(PROGRAMS[program])
    sch = Schedule(before)
    for _ in range(data.draw(st.integers(1, 7))):
        name = data.draw(st.sampled_from(NAMES))
        mod = sch.mod
        try:
            args = arguments(name, sch, data)
            getattr(sch, name)(*args)
        except ScheduleError as e:
            assert str(e)
            assert sch.mod is mod
    assert_same_results(before, sch.mod)
    again = Schedule(before)
    sch.trace.apply_to(again)
    assert_structural_equal(again.mod, sch.mod)
