"""Tensor programs that the interpreter takes long for: edits are checked at once against the
machine code of the first step, and by the interpreter when it is done."""

import sys
import time

import numpy as np
import pytest

import unitylab as ul
from unitylab.script import tir as T
from unitylab.session import checking
from unitylab.session.checking import AGAINST


def product(n):
    @T.prim_func
    def matmul(A: T.Buffer((n, n), "float32"), B: T.Buffer((n, n), "float32"),
               C: T.Buffer((n, n), "float32")):
        for i, j, k in T.grid(n, n, n):
            with T.block("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
    return matmul


@pytest.fixture
def huge():
    """The interpreter takes minutes for it."""
    session = ul.Session(product(256), measure=False)
    yield session
    session.stop_background()
    session.join()


@pytest.fixture
def soon(monkeypatch):
    """The interpreter is beside other work, but done soon."""
    monkeypatch.setattr(checking, "LONG", 0.0)
    return ul.Session(product(24), measure=False)


def test_edits_do_not_wait_for_the_interpreter(huge):
    assert huge.current.check.state == "pending" and "interpreter takes about" in str(
        huge.current.check)
    step = huge.edit_loops("split", "j", factors=[None, 8])
    assert step.check.state == "ok" and step.check.message == AGAINST
    assert step.check.max_rel_error < 1e-5 and AGAINST in str(step.check)
    assert huge.background.running and huge.speed().median > 0


def test_the_interpreter_has_the_last_word(soon):
    soon.edit_loops("split", "j", factors=[None, 8])
    soon.join()
    soon.edit_loops("vectorize", "j_1")
    for step in soon.steps.values():
        assert step.check.state == "ok" and step.check.message == ""
        assert 0 < step.check.max_rel_error < 1e-5


def test_a_wrong_edit_is_seen_before_the_interpreter_is_done(huge):
    def spoil(mod):
        return ul.parse(mod.script().replace("= T.float32(0", "= T.float32(1"))
    step = huge.apply(spoil)
    assert step.check.state == "wrong" and AGAINST in step.check.message


def test_a_first_step_that_the_interpreter_finds_wrong_is_wrong_everywhere(soon):
    soon.join()
    soon.edit_loops("split", "j", factors=[None, 8])
    soon.background.results[2][3, 4] += 1
    soon.steps[1].check = checking.Check("ok", 0.0, AGAINST)
    soon._settle()
    assert soon.steps[0].check.state == soon.steps[1].check.state == "wrong"
    assert "step 0 is wrong already" in soon.steps[1].check.message


def test_it_is_stopped_and_says_so(huge):
    process = huge.background.process
    huge.stop_background()
    huge.join()
    assert process.poll() is not None
    assert huge.steps[0].check.state == "none" and "stopped" in huge.steps[0].check.message
    step = huge.edit_loops("split", "j", factors=[None, 8])
    assert step.check.state == "ok" and step.check.message == AGAINST


def test_what_would_take_hours_is_not_begun(monkeypatch):
    monkeypatch.setattr(checking, "LONG", 0.0)
    monkeypatch.setattr(checking, "LONGEST", 0.001)
    session = ul.Session(product(24), measure=False)
    assert session.background is None
    assert session.current.check.state == "none"
    assert "would take about" in str(session.current.check)
    assert session.edit_loops("split", "j", factors=[None, 8]).check.state == "ok"


def test_those_who_listen_hear_of_it(monkeypatch):
    monkeypatch.setattr(checking, "LONG", 0.0)
    session = ul.Session(product(24), measure=False)
    heard = []
    session.listeners.append(lambda: heard.append(session.steps[0].check.state))
    session.join()
    assert heard[-1] == "ok"


@pytest.mark.skipif(sys.platform == "win32", reason="processes pause by signals")
def test_it_pauses_while_something_is_measured(huge):
    def state():
        with open(f"/proc/{huge.background.process.pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]
    if sys.platform != "linux":
        pytest.skip("looks into /proc")
    with huge.quiet():
        deadline = time.monotonic() + 10
        while state() != "T" and time.monotonic() < deadline:
            pass
        assert state() == "T"
    assert state() != "T"


def test_a_session_that_nobody_holds_ends_it():
    session = ul.Session(product(256), measure=False)
    process = session.background.process
    del session
    assert process.wait(timeout=20) != 0


def test_symbolic_programs_keep_their_sizes(monkeypatch):
    monkeypatch.setattr(checking, "LONG", 0.0)
    mod = ul.parse("""
@T.prim_func
def scale(a: T.handle, b: T.handle):
    n = T.int64()
    A = T.match_buffer(a, (n,), "float32")
    B = T.match_buffer(b, (n,), "float32")
    for i in range(n):
        with T.block("B"):
            vi = T.axis.spatial(n, i)
            B[vi] = A[vi] * T.float32(2)
""")
    session = ul.Session(mod, sizes={"n": 33})
    session.join()
    assert session.current.check.state == "ok"
    assert np.shape(session._reference[0]) == (33,)
