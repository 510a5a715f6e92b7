"""Compiling LLVM IR in other processes: llvmlite's lock lets one thread of a process compile.

The processes run `compile_worker.py` alone, started when a build first has work for them: nothing
of the user's program is imported or forked there. They end with this process, however it
ends. UNITYLAB_WORKERS bounds their number; 0 means that every build compiles in this process."""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import llvmlite

from ..ir.errors import BuildError
from ..target import available_cores
from ..target import machine as machine_file
from .llvm import optimiser
from .llvm.jit import not_valid, object_code

MOST = 4          # processes; the one that asks compiles too
WORTH_STARTING = 3  # programs to compile
CRASHES = {-getattr(signal, name, 0) for name in ("SIGABRT", "SIGSEGV", "SIGILL", "SIGBUS")} - {0}


class Unusable(Exception):
    """No process can be started, or it ended for a reason that is not the program's."""


class Worker:
    """One process, for one thread."""

    script = Path(__file__).with_name("compile_worker.py")

    def __init__(self):
        folder = Path(llvmlite.__file__).parents[1]
        command = [sys.executable, "-I", str(self.script), str(folder), machine_file.__file__,
                   optimiser.__file__]
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                            start_new_session=True)
        except (OSError, ValueError, TypeError) as e:
            raise Unusable from e
        if self._read() != "ready":
            self.close()
            raise Unusable

    def _read(self):
        try:
            return pickle.load(self.process.stdout)
        except Exception:  # whatever a broken or foreign process says is no answer
            return None

    def compile(self, text: str, cpu: str) -> bytes:
        """Object code. Raises BuildError where LLVM complains or crashes, Unusable if the process
        ended."""
        try:
            pickle.dump((text, cpu), self.process.stdin)
            self.process.stdin.flush()
        except (OSError, ValueError):
            raise Unusable from None
        answer = self._read()
        if answer is None:
            if self.close() in CRASHES:
                raise not_valid("LLVM crashed")
            raise Unusable
        complaint, code = answer
        if complaint is not None:
            raise not_valid(complaint)
        return code

    def close(self) -> int | None:
        """Ends the process; its return code."""
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()
        try:
            return self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Pool:
    """Threads that each own a process. `submit` gives a future of object code."""

    def __init__(self, size: int):
        self.threads = ThreadPoolExecutor(size, "unitylab-compile")
        self.own = threading.local()
        self.workers: list[Worker] = []
        self.usable = True

    def submit(self, text: str, cpu: str) -> Future[bytes]:
        return self.threads.submit(self._compile, text, cpu)

    def _compile(self, text: str, cpu: str) -> bytes:
        try:
            return self._worker().compile(text, cpu)
        except Unusable:
            self._drop()
        except BuildError:
            if self.own.worker.process.poll() is not None:
                self._drop()
            raise
        return object_code(text, cpu)

    def _worker(self) -> Worker:
        worker = getattr(self.own, "worker", None)
        if worker is None:
            if not self.usable:
                raise Unusable
            try:
                worker = self.own.worker = Worker()
            except Unusable:
                self.usable = False  # nor will the next one start
                raise
            self.workers.append(worker)
        return worker

    def _drop(self) -> None:
        worker = getattr(self.own, "worker", None)
        if worker is not None:
            worker.close()
            self.workers.remove(worker)
            self.own.worker = None

    def close(self) -> None:
        """Ends the processes."""
        self.threads.shutdown(cancel_futures=True)
        for worker in self.workers:
            worker.close()


_pool: Pool | None = None


def pool_for(programs: int) -> Pool | None:
    """The processes, if it pays to compile so many programs with them."""
    global _pool
    size = processes()
    if size < 1 or programs < (2 if _pool else WORTH_STARTING):
        return None
    if _pool is None:
        _pool = Pool(size)
        atexit.register(close)
    return _pool if _pool.usable else None


def processes() -> int:
    """How many processes compile beside this one."""
    cores = available_cores() - 1
    with suppress(ValueError):
        return max(0, int(os.environ.get("UNITYLAB_WORKERS", "")))
    return min(cores, MOST)


def close() -> None:
    """Ends the processes; the next build that needs them starts new ones."""
    global _pool
    if _pool is not None:
        _pool.close()
        _pool = None
        atexit.unregister(close)


def _forget() -> None:
    """A forked process has neither the threads nor a share in the pipes."""
    global _pool
    if _pool is not None:
        for worker in _pool.workers:
            for pipe in (worker.process.stdin, worker.process.stdout):
                pipe.raw.close()  # what is half-written here is the parent's to finish
        _pool = None
        atexit.unregister(close)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
