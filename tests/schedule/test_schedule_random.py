"""Random sequences of primitives: each is refused with a reason, or changes no result.

RANDOM_SCHEDULES=2000 runs so many in all; the suite runs fewer."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_check import check
from random_requests import LOOKING, REQUESTS, UNCHECKED, Requests
from various_programs import VARIOUS

from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule
from unitylab.schedule.signature import PRIMITIVES
from unitylab.script import parse

EXAMPLES = -(-int(os.environ.get("RANDOM_SCHEDULES", 3 * len(VARIOUS))) // len(VARIOUS))
MOST_STEPS, MOST_TRIES = 9, 40


@pytest.mark.parametrize("program", VARIOUS)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(rng=st.randoms(use_true_random=False))
def test_legal_steps_change_no_result(program, rng):
    before = parse(VARIOUS[program])
    sch, steps = Schedule(before), rng.randint(1, MOST_STEPS)
    done = 0
    for _ in range(MOST_TRIES):
        if done == steps:
            break
        mod = sch.mod
        try:
            name, args, kwargs = Requests(sch, rng).draw()
            getattr(sch, name)(*args, **kwargs)
            done += 1
        except ScheduleError as e:
            assert str(e)
            assert sch.mod is mod
    check(before, sch)
    again = Schedule(before)
    sch.trace.apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


def test_every_primitive_is_asked_for():
    assert set(PRIMITIVES) == set(REQUESTS) | LOOKING | UNCHECKED
