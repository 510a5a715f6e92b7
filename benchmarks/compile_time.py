"""From PrimFunc to callable: the default schedule, then the code: cold, from the cache on disk in a
new process, and again in it.

    python benchmarks/compile_time.py [--threads 1] [--models]

Each row is the tensor program of a graph function with that work; the last is the median. With
`--models`: what `ul.build` takes for whole graphs, all passes included, the first time, in a new
process with the cache on disk, for an equal module, and for the same one.
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
from unitylab.models.encoder import encoder
from unitylab.script import parse
from unitylab.target import parse_target
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
        mod = LegalizeOps()(ul.ir.module.as_module(parse(text)))
        for function in mod.prim_funcs:
            yield name, mod, function


def seconds(work) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def measure(threads: int) -> list[tuple[str, float, float, float]]:
    """(name, seconds of the schedule, of the first compilation, of the second one) of each
    program in this process."""
    target = warm(threads)
    rows = []
    for name, mod, function in programs():
        start = perf_counter()
        done = ul.transforms.DefaultSchedule(target=str(target))(mod)
        schedule = perf_counter() - start
        rows.append((name, schedule, *[seconds(
            lambda: compiling.compile_kernel(done, function, target, True)) for _ in range(2)]))
    return rows


def measure_models(threads: int) -> list[tuple[str, float, float, float]]:
    """(name, seconds of the first build, of an equal module, of the same one again)."""
    target = warm(threads)
    rows = []
    for name, make in MODELS.items():
        first, other = make(), make()
        rows.append((name, *[seconds(lambda: ul.build(m, target))
                             for m in (first, other, other)]))
    return rows


def warm(threads: int):
    """What a process does once; the target."""
    target = parse_target(f"native -threads={threads}")
    openmp_symbols()
    mod = ul.ir.module.as_module(parse(WARM))
    ul.transforms.DefaultSchedule(target=str(target))(mod)
    ul.build(mod, target)
    return target


def cnn() -> ul.IRModule:
    """The digits CNN for 64 images, with random weights."""
    shapes = {"x": (64, 1, 8, 8), "c1": (8, 1, 3, 3), "b1": (8, 1, 1), "c2": (16, 8, 3, 3),
              "b2": (16, 1, 1), "w": (64, 10), "b": (10,)}
    params = ", ".join(f'{n}: R.Tensor({s}, "{F}")' for n, s in shapes.items())
    return ul.ir.module.as_module(parse(f"""
@R.function
def main({params}):
    with R.dataflow():
        h1 = R.nn.max_pool2d(R.nn.relu(R.nn.conv2d(x, c1, padding=1) + b1), (2, 2), (2, 2))
        h2 = R.nn.max_pool2d(R.nn.relu(R.nn.conv2d(h1, c2, padding=1) + b2), (2, 2), (2, 2))
        y = R.nn.softmax(R.matmul(R.reshape(h2, (64, 64)), w) + b)
        R.output(y)
    return y
"""))


MODELS = {"digits CNN": cnn, "encoder, 12 layers": encoder}


WARM = "@T.prim_func\ndef warm(A: T.Buffer((1,), 'float32')):\n    A[0] = T.float32(1)\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--rows", action="store_true", help="print rows as JSON, for this script")
    args = parser.parse_args()
    if args.rows:
        print(json.dumps((measure_models if args.models else measure)(args.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = [json.loads(subprocess.run(
            [sys.executable, __file__, "--rows", "--threads", str(args.threads),
             *["--models"] * args.models], check=True,
            env={**os.environ, "UNITYLAB_CACHE_DIR": folder}, stdout=subprocess.PIPE).stdout)
            for _ in range(2)]
    (show_models if args.models else show)(*runs)


def show(first, second) -> None:
    table = [(name, schedule, cold, disk, again)
             for (name, schedule, cold, again), (_, _, disk, _) in zip(first, second)]
    table.append(("median", *(median(r[k] for r in table) for k in range(1, 5))))
    print_table(table, "schedule", "cold", "from disk", "again")


def show_models(first, second) -> None:
    print_table([(name, cold, disk, equal, same)
                 for (name, cold, *_), (_, disk, equal, same) in zip(first, second)],
                "first", "from disk", "equal", "same")


def print_table(rows, *titles: str) -> None:
    print(f"{'ms':20s}" + "".join(f"{t:>12s}" for t in titles))
    for name, *times in rows:
        print(f"{name:20s}" + "".join(f"{t * 1e3:12.2f}" for t in times))


if __name__ == "__main__":
    main()
