"""Finds an OpenMP runtime: one that is loaded already, or that of a wheel.

LLVM's and Intel's runtimes (`libomp`, `libiomp5`) have one interface, GCC's `libgomp` another; the
first is preferred. libgomp is used only where another package brought it into the process, as
scikit-learn and torch do. `UNITYLAB_OPENMP` names a library to use instead, or says "none".

Threads are not bound to cores unless the user says OMP_PROC_BIND: binding pins the calling thread
too, and the pools that other libraries start from it would then share one core.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from importlib import metadata

KMPC, GOMP, NONE = "kmpc", "gomp", ""
INTERFACES = {
    KMPC: ("__kmpc_fork_call", "__kmpc_global_thread_num", "__kmpc_push_num_threads",
           "omp_get_thread_num", "omp_get_num_threads"),
    GOMP: ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")}
_KMPC_LIBRARIES, _GOMP_LIBRARIES = ("libiomp5", "libomp"), ("libgomp",)


@cache
def openmp_symbols() -> dict[str, int]:
    """Addresses of the runtime's functions; empty where there is no runtime."""
    library, interface = _find()
    if library is None:
        return {}
    return {n: ctypes.cast(getattr(library, n), ctypes.c_void_p).value
            for n in INTERFACES[interface]}


def openmp_interface() -> str:
    """Which functions parallel loops call: KMPC, GOMP, or NONE, and the loops stay serial."""
    return _interface(openmp_symbols())


def _find() -> tuple[ctypes.CDLL | None, str]:
    for library in _candidates():
        interface = _interface(library)
        if interface:
            return library, interface
    return None, NONE


def _interface(offered) -> str:
    """The first interface whose functions are all there, in a library or in a table."""
    has = offered.__contains__ if isinstance(offered, dict) else lambda n: hasattr(offered, n)
    return next((k for k, names in INTERFACES.items() if all(map(has, names))), NONE)


def _candidates():
    chosen = os.environ.get("UNITYLAB_OPENMP")
    if chosen:
        yield from () if chosen == "none" else _opened([chosen])
        return
    linux = sys.platform.startswith("linux")
    mapped = _mapped_libraries() if linux else []
    if linux:  # a runtime that another package brought into the process: share it
        yield from (c for c in [ctypes.CDLL(None)] if _interface(c) == KMPC)
        yield from _opened(p for p in mapped if os.path.basename(p).startswith(_KMPC_LIBRARIES))
    yield from _opened(_of_wheels())
    yield from _opened(p for p in mapped if os.path.basename(p).startswith(_GOMP_LIBRARIES))


def _mapped_libraries() -> list[str]:
    try:
        with open("/proc/self/maps") as maps:
            return sorted({line.split(maxsplit=5)[-1].strip() for line in maps if "/" in line})
    except OSError:
        return []


def _of_wheels():
    for package in ("intel-openmp", "intel-cmplr-lib-rt"):
        try:
            files = metadata.files(package) or []
        except metadata.PackageNotFoundError:
            continue
        for f in files:
            if f.name.startswith(_KMPC_LIBRARIES) and f.suffix in (".so", ".dylib", ".dll"):
                yield str(f.locate())


def _opened(paths):
    for path in paths:
        try:
            yield ctypes.CDLL(path)
        except OSError:
            continue
