"""From PrimFunc to callable: cold, from the cache on disk in a new process, and again in it.

    python benchmarks/compile_time.py [--threads 1]

Each row is a scheduled tensor program of a graph function with that work; the last is the median.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from statistics import median
from time import perf_counter

import unitylab as ul
from unitylab.exec import compiling
from unitylab.exec.llvm.openmp import openmp_symbols
from unitylab.target import parse_target
from unitylab.script import parse
from unitylab.transforms import LegalizeOps

F = "float32"
WORK = {
    **{f"matmul {n}": ("R.matmul(x, y)", (n, n), (n, n)) for n in (128, 512, 1024, 2048)},
    "gemv": ("R.matmul(x, y)", (1, 4096), (4096, 4096)),
    "skinny matmul": ("R.matmul(x, y)", (16, 4096), (4096, 4096)),
    "batched matmul": ("R.matmul(x, y)", (16, 128, 64), (16, 64, 128)),
    "softmax": ("R.nn.softmax(x, axis=-1)", (4096, 1024), None),
    "layer norm": ("R.nn.layer_norm(x, y, y, axes=[-1])", (4096, 1024), (1024,)),
    "gelu": ("R.nn.gelu(x)", (4096, 4096), None),
    "silu": ("R.nn.silu(x)", (4096, 4096), None),
    "sum rows": ("R.sum(x, axis=[1])", (4096, 4096), None),
    "sum columns": ("R.sum(x, axis=[0])", (4096, 4096), None),
    "transpose": ("R.permute_dims(x)", (4096, 4096), None),
    "conv 3x3": ("R.nn.conv2d(x, y, padding=1)", (1, 64, 56, 56), (64, 64, 3, 3)),
    "conv 7x7": ("R.nn.conv2d(x, y, strides=2, padding=3)", (1, 3, 224, 224), (64, 3, 7, 7)),
    "depthwise": ("R.nn.conv2d(x, y, padding=1, groups=144)", (1, 144, 56, 56), (144, 1, 3, 3)),
    "attention": ("R.nn.attention(x, y, y)", (1, 128, 12, 64), (1, 128, 12, 64)),
    "max pool": ("R.nn.max_pool2d(x, pool_size=3, strides=2)", (1, 64, 112, 112), None),
    "add": ("R.add(x, y)", (16,), (16,)),
}


def programs():
    for name, (call, x, y) in WORK.items():
        params = [f'{v}: R.Tensor({s}, "{F}")' for v, s in (("x", x), ("y", y)) if s]
        text = f"@R.function\ndef main({', '.join(params)}):\n    return {call}\n"
        mod = ul.transforms.DefaultSchedule()(LegalizeOps()(ul.ir.module.as_module(parse(text))))
        for function in mod.prim_funcs:
            yield name, mod, function


def measure(threads: int) -> list[tuple[str, float, float]]:
    """(name, seconds of the first build, of the second one) of each program in this process."""
    target = parse_target(f"native -threads={threads}")
    openmp_symbols()
    compiling.compile_kernel(ul.ir.module.as_module(parse(WARM)), "warm", target, True)
    rows = []
    for name, mod, function in programs():
        times = []
        for _ in range(2):
            start = perf_counter()
            compiling.compile_kernel(mod, function, target, True)
            times.append(perf_counter() - start)
        rows.append((name, *times))
    return rows


WARM = "@T.prim_func\ndef warm(A: T.Buffer((1,), 'float32')):\n    A[0] = T.float32(1)\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", action="store_true", help="print rows as JSON, for this script")
    args = parser.parse_args()
    if args.rows:
        print(json.dumps(measure(args.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = [json.loads(subprocess.run(
            [sys.executable, __file__, "--rows", "--threads", str(args.threads)], check=True,
            env={**os.environ, "UNITYLAB_CACHE_DIR": folder}, stdout=subprocess.PIPE).stdout)
            for _ in range(2)]
    table = [(name, cold, disk, again)
             for (name, cold, again), (_, disk, _) in zip(*runs)]
    table.append(("median", *(median(r[k] for r in table) for k in (1, 2, 3))))
    print(f"{'ms':20s}{'cold':>10s}{'from disk':>12s}{'again':>10s}")
    for name, *times in table:
        print(f"{name:20s}{times[0] * 1e3:10.1f}{times[1] * 1e3:12.2f}{times[2] * 1e3:10.2f}")


if __name__ == "__main__":
    main()
