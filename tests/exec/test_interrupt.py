"""Kernels without an end stop by an interrupt, and leave everything in order."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from unitylab.exec.build import build
from unitylab.ir.errors import RuntimeCallError
from unitylab.script import parse

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")

COUNT = """
@T.prim_func
def count(A: T.Buffer((2,), "int64")):
    scratch = T.decl_buffer((100000,), "int64")
    while A[0] != A[1]:
        scratch[A[0] % T.int64(100000)] = A[0]
        A[0] = A[0] + T.int64(1)
"""


@pytest.fixture(scope="module")
def count():
    return build(parse(COUNT), "native -threads=1")["count"]


@pytest.fixture
def handler():
    """Restores what SIGINT does."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def endless():
    return np.array([0, -1], "int64")


def soon(seconds=0.2, number=signal.SIGINT):
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), number))
    timer.start()
    return timer


def test_an_interrupt_ends_it(count, handler):
    a = endless()
    for _ in range(3):
        soon()
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            count(a)
        assert time.perf_counter() - start < 5
    assert a[0] > 0
    b = np.array([0, 1000], "int64")
    count(b)
    assert b[0] == 1000


def test_a_handler_that_does_not_raise(count, handler):
    seen = []
    signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    soon()
    with pytest.raises(RuntimeCallError, match="count: stopped by an interrupt"):
        count(endless())
    assert seen == [1]
    b = np.array([0, 1000], "int64")
    count(b)
    assert b[0] == 1000


def test_in_a_graph(handler):
    ex = build(parse("""
@I.ir_module
class M:
    @T.prim_func
    def spin(A: T.Buffer((1,), "int64"), B: T.Buffer((1,), "int64")):
        B[0] = T.int64(0)
        while B[0] != A[0]:
            B[0] = B[0] + T.int64(1)

    @R.function
    def main(x: R.Tensor((1,), "int64")) -> R.Tensor((1,), "int64"):
        cls = M
        y = R.call_tir(cls.spin, (x,), out_sinfo=R.Tensor((1,), "int64"))
        return y
"""), "native -threads=1")
    assert ex["main"](np.array([7]))[0] == 7
    soon()
    with pytest.raises(KeyboardInterrupt):
        ex["main"](np.array([-1]))
    assert ex["main"](np.array([9]))[0] == 9


def test_who_waited_for_signals_still_gets_them(count, handler):
    read, write = os.pipe()
    os.set_blocking(write, False)
    os.set_blocking(read, False)
    before = signal.set_wakeup_fd(write)
    try:
        soon()
        with pytest.raises(KeyboardInterrupt):
            count(endless())
        deadline = time.perf_counter() + 5
        data = b""
        while not data and time.perf_counter() < deadline:
            try:
                data = os.read(read, 10)
            except BlockingIOError:
                time.sleep(0.01)
        assert signal.SIGINT in data
        assert signal.set_wakeup_fd(write) == write
    finally:
        signal.set_wakeup_fd(before)
        os.close(read)
        os.close(write)


def test_other_signals_do_not_end_it(count, handler):
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
    try:
        soon(0.1, signal.SIGUSR1)
        soon(0.4)
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            count(endless())
        assert seen == [1] and time.perf_counter() - start > 0.3
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["range", "T.parallel"])
def test_long_nests_of_loops(handler, threads, kind):
    text = f"""
@T.prim_func
def f(A: T.Buffer((4096,), "float32"), C: T.Buffer((4096,), "float32")):
    for i in {kind}(4096):
        C[i] = T.float32(0)
        for j in range(1000000):
            for k in range(4096):
                C[i] = T.sin(C[i] + A[k])
"""
    f = build(parse(text), f"native -threads={threads}")["f"]
    a, c = np.ones(4096, "f4"), np.zeros(4096, "f4")
    soon(0.3)
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        f(a, c)
    assert time.perf_counter() - start < 20


def test_short_loops_do_not_look():
    ex = build(parse("""
@T.prim_func
def f(A: T.Buffer((512, 512), "float32"), B: T.Buffer((512, 512), "float32"),
      C: T.Buffer((512, 512), "float32")):
    for i, j, k in T.grid(512, 512, 512):
        C[i, j] = C[i, j] + A[i, k] * B[k, j]
"""), "native -threads=1")
    assert "unitylab.stop" not in ex.source("llvm-input")


def test_other_threads_run_it_too(count):
    b = np.array([0, 1000], "int64")
    thread = threading.Thread(target=count, args=(b,))
    thread.start()
    thread.join(30)
    assert b[0] == 1000
