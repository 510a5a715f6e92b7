"""Memory-bound kernels without any schedule of the user, beside other libraries.

    python benchmarks/rows.py [--threads 1,2] [--rows REGEX] [--compile] [--rounds 7] [--peak FILE]

Each thread count is a process of its own, in which ours and all peers take turns on the same
arrays. Shown: the best peer's time over ours (medians over the rounds), and GB/s by the bytes
that must be moved at least. `--compile` includes torch.compile. `--peak` names a script with a
function `build()`, which gives a C library that copies memory (`mem_init(floats)`,
`mem_secs(kind, floats, times, threads)`, kinds 1 and 3): its faster copy of as many bytes takes
turns too, and our share of its rate is shown.

glibc is told to keep freed memory and to use huge pages, so that allocating results is not what
is measured.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
import re
import statistics
import subprocess
import sys
from functools import cache
from time import perf_counter, sleep

import numpy as np

# name: (shapes of the inputs, the graph, bytes of the result)
F32 = "float32"
ROWS = {
    "tiny_add_16": ([(16,), (16,)], "R.add(x0, x1)", 64),
    "softmax_4096x1024": ([(4096, 1024)], "R.nn.softmax(x0, axis=-1)", 1 << 24),
    "layernorm_4096x1024": ([(4096, 1024), (1024,), (1024,)],
                            "R.nn.layer_norm(x0, x1, x2, axes=[-1], epsilon=1e-5)", 1 << 24),
    "rmsnorm_4096x1024": ([(4096, 1024), (1024,)],
                          "R.nn.rms_norm(x0, x1, axes=[-1], epsilon=1e-5)", 1 << 24),
    "gelu_chain_16M": ([(4096, 4096)] * 3,
                       "R.add(R.nn.gelu(R.add(R.multiply(x0, x1), x2)), x0)", 1 << 26),
    "sum_axis0_4096": ([(4096, 4096)], "R.sum(x0, axis=[0])", 1 << 14),
    "sum_axis1_4096": ([(4096, 4096)], "R.sum(x0, axis=[1])", 1 << 14),
    "transpose_4096": ([(4096, 4096)], "R.permute_dims(x0, axes=[1, 0])", 1 << 26),
    "copy_4096": ([(4096, 4096)], "R.add(x0, R.const(0.0, 'float32'))", 1 << 26),
    "permute_heads": ([(8, 512, 12, 64)], "R.permute_dims(x0, axes=[0, 2, 1, 3])", 12 << 20),
    "concat_4096": ([(4096, 1024), (4096, 512)], "R.concat((x0, x1), axis=1)", 24 << 20),
    "pad_64x224": ([(1, 64, 224, 224)],
                   "R.nn.pad(x0, pad_width=[0, 0, 0, 0, 1, 1, 1, 1])", 64 * 226 * 226 * 4),
    "maxpool_64x112": ([(1, 64, 112, 112)], "R.nn.max_pool2d(x0, pool_size=[3, 3], "
                       "strides=[2, 2], padding=[1, 1, 1, 1])", 64 * 56 * 56 * 4),
    "avgpool_64x112": ([(1, 64, 112, 112)], "R.nn.avg_pool2d(x0, pool_size=[2, 2], "
                       "strides=[2, 2])", 64 * 56 * 56 * 4),
    "global_avgpool": ([(1, 2048, 7, 7)], "R.mean(x0, axis=[2, 3], keepdims=True)", 8192),
    "take_16k": ([(30522, 384), "i30522x16384"], "R.take(x0, x1, axis=0)", 16384 * 384 * 4),
    "argmax_4096": ([(4096, 4096)], "R.argmax(x0, axis=1)", 1 << 15),
    "cumsum_4096x1024": ([(4096, 1024)], "R.cumsum(x0, axis=1)", 1 << 24),
}
MOST = 1 << 28  # bytes that the plain copy moves at most
ENVIRONMENT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
               "MALLOC_TOP_PAD_": str(64 << 20), "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def arrays_of(shapes) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    made = []
    for s in shapes:
        if isinstance(s, str):
            limit, count = map(int, s[1:].split("x"))
            made.append(rng.integers(0, limit, count, dtype=np.int64))
        else:
            made.append(rng.standard_normal(s, dtype=np.float32))
    return made


def ours(name: str, arrays, threads: int):
    """The workload as a graph function through the default pipeline."""
    import unitylab as ul
    graph = ROWS[name][1]
    params = ", ".join(f'x{k}: R.Tensor({a.shape}, "{a.dtype}")' for k, a in enumerate(arrays))
    mod = ul.parse(f"""
@I.ir_module
class Module:
    @R.function
    def main({params}):
        with R.dataflow():
            o = {graph}
            R.output(o)
        return o
""")
    mod = ul.Sequential(ul.pipelines.default)(mod)
    ex = ul.build(mod, f"native -threads={threads}")
    main = ex["main"]
    return lambda: main(*arrays)


def slice_time(run, seconds: float = 0.06) -> float:
    """The median of the calls within some time."""
    times, begin = [], perf_counter()
    while len(times) < 3 or perf_counter() - begin < seconds:
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return statistics.median(times)


@cache
def copy_library(script: str):
    """The library that copies, with memory for the largest row."""
    spec = importlib.util.spec_from_file_location("peak", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    library = module.build()
    library.mem_init(ctypes.c_long(MOST // 8))
    return library


def fastest_copy(script: str, moved: int, threads: int) -> float:
    """The seconds of the fastest plain copy that moves so many bytes."""
    library, count = copy_library(script), ctypes.c_long(min(moved, MOST) // 8)
    seconds = min(library.mem_secs(kind, count, ctypes.c_long(1), threads)
                  for kind in (1, 3) for _ in range(3))
    return seconds * max(1, moved / MOST)


def measure(name: str, threads: int, compiled: bool, rounds: int, peak: str) -> float:
    import rows_peers
    rows_peers.THREADS = threads
    arrays = arrays_of(ROWS[name][0])
    runs = {"ours": ours(name, arrays, threads)}
    for peer, make in rows_peers.PEERS.get(name, {}).items():
        if peer != "inductor" or compiled:
            runs[peer] = make(arrays)
    want = {p: np.asarray(r()) for p, r in runs.items()}
    for peer, value in want.items():
        np.testing.assert_allclose(want["ours"], value, rtol=2e-4, atol=2e-3, err_msg=peer)
    moved = 2 * ROWS[name][2] if name.startswith("take") else \
        ROWS[name][2] + sum(a.nbytes for a in arrays)
    times, copies = {p: [] for p in runs}, []
    for _ in range(rounds):
        if peak and moved > 1 << 20:
            copies.append(fastest_copy(peak, moved, threads))
        for peer, run in runs.items():
            times[peer].append(slice_time(run))
            sleep(0.002)
    middle = {p: statistics.median(t) for p, t in times.items()}
    best = min((p for p in middle if p != "ours"), key=middle.get)
    ratio = middle[best] / middle["ours"]
    rest = "  ".join(f"{p} {moved / t / 1e9:.1f}" for p, t in middle.items() if p != "ours")
    own = middle["ours"]
    share = f"{statistics.median(copies) / own:4.0%} of a copy  " if copies else ""
    print(f"{name:20s} x{threads} {own * 1e6:10.1f} µs {moved / own / 1e9:6.1f} GB/s  {share}"
          f"best/ours {ratio:5.2f} ({best})   GB/s of peers: {rest}", flush=True)
    return ratio


def run_all(args) -> None:
    """The rows in this process, whose environment is set for the thread count."""
    threads = int(args.threads)
    try:
        import torch
        torch.set_num_threads(threads)
    except ImportError:
        pass
    ratios = [measure(n, threads, args.compile, args.rounds, args.peak) for n in ROWS
              if re.search(args.rows, n)]
    if ratios:
        print(f"threads {threads}: geometric mean {statistics.geometric_mean(ratios):.2f}, "
              f"lowest {min(ratios):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rows", default="")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--peak", default="")
    args = parser.parse_args()
    if os.environ.get("ROWS_THREADS") == args.threads:
        run_all(args)
        return
    for n in args.threads.split(","):
        counts = {k: n for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                                 "NUMBA_NUM_THREADS", "ROWS_THREADS")}
        command = [sys.executable, __file__, "--threads", n, "--rows", args.rows, "--rounds",
                   str(args.rounds), "--peak", args.peak,
                   *(["--compile"] if args.compile else [])]
        subprocess.run(command, env={**os.environ, **ENVIRONMENT, **counts}, check=False)


if __name__ == "__main__":
    main()
