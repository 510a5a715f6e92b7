"""Long work says how far it is and can be stopped between two of its small steps."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, get_ident

from ..exec.interrupt import stop_kernels
from ..ir.errors import UnityLabError
from ..ir.transform import Recording, Rewrite


class Stopped(UnityLabError):
    """The user stopped the work; the session is as it was before."""

    def __init__(self, message: str = "stopped", **kw):
        super().__init__(message, **kw)


class _Region:
    """Python code without shared state that another thread may end by an exception."""

    def __init__(self):
        self.lock, self.thread = Lock(), 0

    def __enter__(self) -> None:
        self.thread = get_ident()

    def __exit__(self, *_) -> None:
        self.thread = 0
        with self.lock:
            _raise_in(get_ident(), None)  # one that has not arrived yet

    def leave(self) -> None:
        with self.lock:
            if self.thread not in (0, get_ident()):
                _raise_in(self.thread, Stopped)


def _raise_in(thread: int, error: type | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error))


@dataclass
class Watch:
    """What is going on (`what` is "" when nothing is), how many small steps are `done`, and of how
    many (`total`, 0 where that is not known).

    Another thread calls `ask_to_stop`; the work notices at its next `tick`, a kernel that repeats
    without end by itself. `hear` is called at times."""

    what: str = ""
    done: int = 0
    total: int = 0
    stop: bool = False
    hear: Callable[[], None] | None = None
    python: _Region = field(default_factory=_Region, repr=False)

    def start(self, what: str) -> None:
        self.what, self.done, self.total = what, 0, 0
        if not what and self.stop:  # it ended before it noticed
            self.stop = False
            stop_kernels(False)
        if self.hear is not None:
            self.hear()

    def tick(self) -> None:
        """One small step is done. Raises Stopped if the user asked for it."""
        self.done += 1
        self.check()
        if self.hear is not None and self.done % 256 == 0:
            self.hear()

    def reach(self, done: int, total: int) -> None:
        """So many of so many parts are done. Raises Stopped if the user asked for it."""
        self.done, self.total = done, total
        self.check()
        if self.hear is not None:
            self.hear()

    def ask_to_stop(self) -> None:
        """Stops what is going on; does nothing where nothing is."""
        if self.what:
            self.stop = True
            stop_kernels()
            self.python.leave()

    @contextmanager
    def interpreting(self) -> Iterator[None]:
        """Inside, Python code runs that looks at nothing for a long time and changes nothing."""
        try:
            with self.python:
                self.check()  # who asked before could not end it from outside
                yield
        except Stopped:
            self.python.thread = 0
            self.check()
            raise

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, machine code runs: an error of it after the user asked to stop is the stop."""
        try:
            yield
        except UnityLabError:
            self.check()
            raise

    def check(self) -> None:
        if self.stop:
            self.stop = False
            stop_kernels(False)
            raise Stopped(f"stopped while {self.what}: nothing that was made is lost")


@dataclass
class Watched(Recording):
    """Records rewrites, at one place alone if `match` is given, and lets the work be stopped."""

    watch: Watch = field(default_factory=Watch)
    match: Rewrite | None = None

    def __init__(self, watch: Watch, match: Rewrite | None = None):
        super().__init__()
        self.watch, self.match = watch, match

    def wants(self, rule, place):
        self.watch.check()
        return self.match is None or rule == self.match.rule and place is self.match.place

    def record(self, rule, before, after, function=""):
        super().record(rule, before, after, function)
        self.watch.tick()
