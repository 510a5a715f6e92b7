"""How a loop runs: parallel, vectorize, unroll, bind."""

from __future__ import annotations

from ...ir.errors import ScheduleError
from ...ir.prim import Var, as_int
from ...ir.tir import PARALLEL, THREAD_BINDING, UNROLLED, VECTORIZED, For, IterVar
from ..independence import check_independent
from ..nest import Nest
from ..signature import LOOP, STR, primitive

THREADS = ("blockIdx.x", "blockIdx.y", "blockIdx.z", "threadIdx.x", "threadIdx.y", "threadIdx.z",
           "vthread", "vthread.x", "vthread.y", "vthread.z")


@primitive(loop=LOOP)
def parallel(nest: Nest, loop: For) -> None:
    """Runs the iterations of a loop on several threads. Each must write elements of its own.
    Halide: `parallel`; Exo: `parallelize_loop`."""
    check_independent(nest, loop, private=True)
    _set_kind(nest, loop, PARALLEL)


@primitive(loop=LOOP)
def vectorize(nest: Nest, loop: For) -> None:
    """Runs the iterations of a loop as the lanes of vectors. The extent must be a constant.
    Halide: `vectorize`."""
    if as_int(loop.extent) is None:
        raise ScheduleError(f"the extent {loop.extent.script()} of loop {loop.loop_var.name} is not"
                            f" a constant", hint="split it by a constant and vectorize the inner")
    check_independent(nest, loop, private=False)
    _set_kind(nest, loop, VECTORIZED)


@primitive(loop=LOOP)
def unroll(nest: Nest, loop: For) -> None:
    """Writes out the iterations of a loop. Always legal; a constant extent is needed to have an
    effect. Halide: `unroll`."""
    _set_kind(nest, loop, UNROLLED)


@primitive(loop=LOOP, thread_axis=STR)
def bind(nest: Nest, loop: For, thread_axis: str) -> None:
    """Binds a loop to a thread axis such as "threadIdx.x". A CPU runs it serially. Threads
    "threadIdx" may reduce together."""
    if thread_axis not in THREADS:
        raise ScheduleError(f"there is no thread axis {thread_axis!r}",
                            hint=", ".join(THREADS[:6]))
    outer = [l for l in nest.loops(loop) if l.thread_binding is not None
             and l.thread_binding.thread_tag == thread_axis]
    if outer:
        raise ScheduleError(f"loop {outer[0].loop_var.name} around it is bound to {thread_axis}")
    check_independent(nest, loop, private=True, reduces=thread_axis.startswith("threadIdx"))
    it = IterVar(Var(thread_axis, loop.loop_var.dtype), None, "thread", thread_axis)
    nest.edit(loop, kind=THREAD_BINDING, thread_binding=it)


def _set_kind(nest: Nest, loop: For, kind: str) -> None:
    if loop.kind == THREAD_BINDING:
        raise ScheduleError(f"loop {loop.loop_var.name} is bound to "
                            f"{loop.thread_binding.thread_tag} already",
                            hint="split it: each part can have a kind of its own")
    if loop.kind != kind:
        nest.edit(loop, kind=kind)
