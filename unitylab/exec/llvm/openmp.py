"""Finds an OpenMP runtime with LLVM's interface: one that is loaded, or that of a wheel.

Threads are not bound to cores unless the user says OMP_PROC_BIND: binding pins the calling thread
too, and the pools that other libraries start from it would then share one core.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from importlib import metadata

NAMES = ("__kmpc_fork_call", "__kmpc_global_thread_num", "__kmpc_push_num_threads",
         "omp_get_thread_num", "omp_get_num_threads")
_LIBRARIES = ("libiomp5", "libomp")


@cache
def openmp_symbols() -> dict[str, int]:
    """Addresses of the runtime's functions; empty where there is no such runtime."""
    library = _find()
    if library is None:
        return {}
    return {n: ctypes.cast(getattr(library, n), ctypes.c_void_p).value for n in NAMES}


def _find() -> ctypes.CDLL | None:
    for library in (*_loaded(), *_of_wheels()):
        if library is not None and all(hasattr(library, n) for n in NAMES):
            return library
    return None


def _loaded():
    """A runtime that another package brought into the process: share it."""
    if sys.platform.startswith("linux"):
        yield ctypes.CDLL(None)
        yield from (_open(path) for path in _mapped_libraries())


def _mapped_libraries() -> list[str]:
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split(maxsplit=5)[-1].strip() for line in maps}
    except OSError:
        return []
    return sorted(p for p in paths if os.path.basename(p).startswith(_LIBRARIES))


def _of_wheels():
    for package in ("intel-openmp", "intel-cmplr-lib-rt"):
        try:
            files = metadata.files(package) or []
        except metadata.PackageNotFoundError:
            continue
        for f in files:
            if f.name.startswith(_LIBRARIES) and f.suffix in (".so", ".dylib", ".dll"):
                yield _open(str(f.locate()))


def _open(path: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(path)
    except OSError:
        return None
