"""The interpreter's run of a long program, in another process: nobody waits for it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from time import perf_counter
from weakref import WeakMethod

import numpy as np

from ..ir.module import IRModule

ROOT = Path(__file__).parents[2]  # where the package lies
TICK = 0.5  # seconds between two reports


class Background:
    """`results` are there once it ended well, `error` says why it did not; both are None before.

    `hear` is called at times meanwhile, `done` with this at the end, both from a thread of its
    own, as long as those whom they belong to are there."""

    def __init__(self, mod: IRModule, name: str, inputs: list, hear: WeakMethod,
                 done: WeakMethod):
        self.results: list[np.ndarray] | None = None
        self.error: str | None = None
        self.begin = perf_counter()
        self.stopped = False
        self.process = _start()
        self.question = pickle.dumps((mod.to_json(), name, inputs))
        self.thread = Thread(target=self._wait, args=(hear, done), daemon=True)
        self.thread.start()

    @property
    def running(self) -> bool:
        return self.results is None and self.error is None

    @property
    def seconds(self) -> float:
        """Since it began."""
        return perf_counter() - self.begin

    def stop(self) -> None:
        """Ends it; `error` says so."""
        self.stopped = True
        self.process.kill()

    def join(self) -> None:
        """Waits until `done` has been called."""
        self.thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, it leaves the cores to what is measured."""
        self._signal("SIGSTOP")
        try:
            yield
        finally:
            self._signal("SIGCONT")

    def _signal(self, name: str) -> None:
        if self.running and hasattr(signal, name):
            with suppress(OSError):
                self.process.send_signal(getattr(signal, name))

    def _wait(self, hear: WeakMethod, done: WeakMethod) -> None:
        reader = Thread(target=self._read, daemon=True)
        reader.start()
        while reader.is_alive():
            reader.join(TICK)
            _call(hear)
        self.process.wait()
        _call(done, self)

    def _read(self) -> None:
        try:
            self.process.stdin.write(self.question)
            self.process.stdin.flush()
            error, results = pickle.load(self.process.stdout)
        except Exception:  # it was stopped, or died: whatever it left is no answer
            error, results = "stopped" if self.stopped else "the interpreter's process ended", None
        self.question = b""
        with suppress(OSError):
            self.process.stdin.close()
        self.error, self.results = error or None, None if error else results


def _call(method: WeakMethod, *args) -> None:
    found = method()
    if found is not None:
        found(*args)


def _start() -> subprocess.Popen:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen([sys.executable, "-m", "unitylab.session.interpret_worker"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path},
                            start_new_session=True)
