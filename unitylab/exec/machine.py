"""What this machine can do at most on one core, so that times show as a share of it."""

from __future__ import annotations

import ctypes
import json
from dataclasses import asdict, dataclass

import numpy as np

from ..target import host_cpu
from . import object_cache
from .llvm.jit import compile_ir, fingerprint
from .timing import measure

_CHAINS, _STEPS, _BYTES = 12, 200_000, 128 * 2**20
_ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


@dataclass(frozen=True)
class Machine:
    """Measured limits of one core: float32 multiply-adds in FLOP/s; reading memory and copying it
    (both arrays counted) in bytes/s."""

    flops: float
    read: float
    copy: float

    def __str__(self) -> str:
        return (f"one core: {self.flops / 1e9:.0f} GFLOP/s float32, reads {self.read / 1e9:.1f} "
                f"and copies {self.copy / 1e9:.1f} GB/s")

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        """In a notebook: what `print` shows."""
        printer.text(str(self))

    def bound(self, flops: float, nbytes: float) -> float:
        """The least seconds that so many operations on so many bytes of memory take."""
        return max(flops / self.flops, nbytes / self.read)


def machine(remeasure: bool = False) -> Machine:
    """The limits of this machine: measured once, which takes a second, then kept on disk."""
    kept = None if remeasure else kept_machine()
    if kept is not None:
        return kept
    found = Machine(_flops(), *_memory())
    object_cache.write(_place(), json.dumps(asdict(found)).encode())
    return found


def kept_machine() -> Machine | None:
    """What `machine()` measured before; None if it has not, nothing is measured."""
    kept = object_cache.read(_place())
    return Machine(**json.loads(kept)) if kept is not None else None


def _place() -> str:
    return object_cache.key("machine", fingerprint())


def _flops() -> float:
    code = compile_ir(_multiply_adds(lanes := host_cpu().lanes), "peak.entry")
    run = _ENTRY(code.address)
    out = np.zeros(_CHAINS * lanes + 16, np.float32)
    words = (ctypes.c_int64 * 2)(_STEPS, out.__array_interface__["data"][0])
    seconds = measure(lambda: run(ctypes.addressof(words)), seconds=0.3).min
    return 2 * lanes * _CHAINS * _STEPS / seconds


def _multiply_adds(lanes: int) -> str:
    """Independent chains of multiply-adds on registers, enough to hide their latency."""
    vector, chains = f"<{lanes} x float>", range(_CHAINS)
    phis = [f"  %a{k} = phi {vector} [ zeroinitializer, %entry ], [ %b{k}, %loop ]" for k in chains]
    steps = [f"  %b{k} = call {vector} @llvm.fma.v{lanes}f32({vector} %x, {vector} %x, "
             f"{vector} %a{k})" for k in chains]
    stores = [f"  %p{k} = getelementptr {vector}, ptr %out, i64 {k}\n"
              f"  store {vector} %b{k}, ptr %p{k}, align 4" for k in chains]
    return "\n".join([
        f"declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})",
        'define i32 @"peak.entry"(ptr %words) {', "entry:", "  %n = load i64, ptr %words",
        "  %slot = getelementptr i64, ptr %words, i64 1", "  %out = load ptr, ptr %slot",
        f"  %x = load {vector}, ptr %out, align 4", "  br label %loop", "loop:",
        "  %i = phi i64 [ 0, %entry ], [ %j, %loop ]", *phis, *steps, "  %j = add i64 %i, 1",
        "  %more = icmp slt i64 %j, %n", "  br i1 %more, label %loop, label %end", "end:", *stores,
        "  ret i32 0", "}"])


def _memory() -> tuple[float, float]:
    """Bytes a second of reading and of copying arrays that no cache holds."""
    source, target = np.ones(_BYTES // 4, np.float32), np.zeros(_BYTES // 4, np.float32)
    read = measure(lambda: source.max(), warmup=1, repeats=7).min
    copy = measure(lambda: np.copyto(target, source), warmup=1, repeats=7).min
    return _BYTES / read, 2 * _BYTES / copy
