"""Stopping a kernel that repeats without end, by the interrupt signal (a notebook's stop button).

Python's signal handlers wait until machine code returns, so the code has to return by itself: loops
with no known end look at the word `stop`. While such a kernel runs in the main thread, Python's
low-level handler writes the signal's number to a socket, and a waiting thread sets the word.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

STOP = "unitylab.stop"
stop = ctypes.c_int32(0)


class _Watch:
    """The thread that waits for signals, and the socket that they are written to."""

    def __init__(self):
        self.receive, self.send = socket.socketpair()
        self.send.setblocking(False)
        self.previous = -1  # whoever asked for the signals before
        self.busy = False
        self.lock = threading.Lock()  # a late signal must not stop the next kernel
        threading.Thread(target=self._wait, name="unitylab-interrupt", daemon=True).start()

    def _wait(self) -> None:
        while data := self.receive.recv(64):
            if signal.SIGINT in data:
                with self.lock:
                    stop.value = int(self.busy)
            if self.previous >= 0:
                with suppress(OSError):
                    os.write(self.previous, data)

    def __call__(self, run: Callable[[int], int], words: int) -> int:
        try:
            previous = signal.set_wakeup_fd(self.send.fileno(), warn_on_full_buffer=False)
        except ValueError:  # an interpreter that gets no signals
            return run(words)
        self.previous, self.busy = previous, True
        try:
            return run(words)
        finally:
            with self.lock:
                self.busy, stop.value = False, 0
            signal.set_wakeup_fd(previous, warn_on_full_buffer=False)


_watch: _Watch | None = None


def interruptible(run: Callable[[int], int]) -> Callable[[int], int]:
    """`run`, which returns soon after an interrupt; KeyboardInterrupt follows by Python's handler.

    Other threads than the main one get no signals; if they run such a kernel at the same time, it
    stops too, with a RuntimeCallError."""
    def call(words: int) -> int:
        global _watch
        if threading.current_thread() is not threading.main_thread():
            return run(words)
        if _watch is None:
            _watch = _Watch()
        return run(words) if _watch.busy else _watch(run, words)
    return call


def stop_kernels(asked: bool = True) -> None:
    """Asks kernels that run in other threads than the main one to return with an error, or takes
    the request back. Those whose loops have a known end go on to it."""
    stop.value = int(asked)


def _forget() -> None:
    """A forked process has no watching thread yet."""
    global _watch
    _watch = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
