"""Long work tells how far it is, and ends when it is asked to; what was made before stays."""

import threading
import time

import numpy as np
import pytest

import unitylab as ul
from unitylab.models.encoder import encoder
from unitylab.session.stopping import Stopped

ENDLESS = """
@I.ir_module
class Module:
    @T.prim_func
    def main(A: T.Buffer((1,), "int32")):
        while A[0] == 0:
            A[0] = A[0] * 2
"""


@pytest.fixture
def small():
    return ul.Session(encoder(layers=1, width=16, heads=2, hidden=16), sizes={"n": 4}, check=False)


def stop_when(session, what, done):
    """Asks to stop as soon as `what` is that far."""
    seen = []

    def hear():
        watch = session.watch
        seen.append((watch.what, watch.done, watch.total))
        if watch.what.startswith(what) and watch.done >= done:
            watch.ask_to_stop()
    session.watch.hear = hear
    return seen


def test_a_build_stops_between_two_programs(small):
    small.apply("LegalizeOps")
    seen = stop_when(small, "compiling", 3)
    with pytest.raises(Stopped, match="stopped while compiling step 1"):
        small.build()
    total = len(small.module.prim_funcs)
    done = [done for what, done, of in seen if what == "compiling step 1" and of == total]
    assert max(done) < total and len([d for d in done if d >= 3]) in (1, 2)
    small.watch.hear = None
    assert "main" in small.build()


def test_a_check_stops_and_the_step_stays(small):
    small.check = True
    seen = stop_when(small, "checking", 2)
    with pytest.raises(Stopped, match="checking step 1"):
        small.apply("LegalizeOps")
    assert any(total for _, _, total in seen) or max(d for _, d, _ in seen) >= 2
    assert len(small.steps) == 2 and small.current.check.state == "none"
    small.watch.hear = None
    assert small.verify().state == "ok"


def test_a_measurement_stops(small):
    small.apply("LegalizeOps")
    stop_when(small, "measuring", 1)
    with pytest.raises(Stopped, match="measuring step 1"):
        small.profile()
    assert small.current.profile == {}


def stopped(work, session, seconds=0.3):
    """What `work` raises when it runs in a thread and is asked to stop after some time."""
    errors = []

    def run():
        try:
            work()
        except Stopped as e:
            errors.append(e)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < deadline:
        time.sleep(seconds)
        session.watch.ask_to_stop()
    assert not thread.is_alive()
    return errors[0]


def test_a_kernel_without_end_stops_in_its_thread():
    session = ul.Session(ul.parse(ENDLESS), inputs=[np.zeros(1, "int32")], check=False)
    assert "measuring" in str(stopped(session.profile, session))


def test_the_interpreter_stops_inside_of_a_tensor_program():
    session = ul.Session(ul.parse(ENDLESS.replace("A[0] == 0", "A[0] < 9")),
                         inputs=[np.zeros(1, "int32")], check=False)
    assert "checking" in str(stopped(session.verify, session))
    assert session.current.check.state == "none"
    assert sum(range(1000)) == 499_500  # nothing arrives late


def test_a_request_that_comes_too_late_stops_nothing_else(small):
    small.watch.ask_to_stop()  # nothing is going on
    small.apply("LegalizeOps")
    small.watch.start("something")
    small.watch.ask_to_stop()
    small.watch.start("")
    small.apply("Normalize")
    assert len(small.steps) == 3
