"""Fixtures of the schedule tests; the programs are in schedule_programs.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from schedule_programs import PROGRAMS, assert_same_results  # noqa: E402

from unitylab.schedule import Schedule  # noqa: E402
from unitylab.script import parse  # noqa: E402


@pytest.fixture
def schedule():
    """`schedule("chain")`: a schedule of one of the programs. After the test the result is run and
    compared with the program that it started from."""
    made = []

    def make(name):
        made.append((parse(PROGRAMS[name]), Schedule(parse(PROGRAMS[name]))))
        return made[-1][1]

    yield make
    for before, sch in made:
        assert_same_results(before, sch.mod)
