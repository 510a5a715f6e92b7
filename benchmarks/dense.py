"""Dense kernels of the default pipeline beside torch and NumPy, interleaved in one process.

    python benchmarks/dense.py [--threads 1,2] [--only REGEX] [--seconds 0.3]

Each thread count runs in a process of its own, because the libraries read it when they start. A row
gives the least time of ours, of the peers, and best peer / ours; weights are arguments, nothing is
packed at build time."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from time import perf_counter

MODULE = """
@I.ir_module
class Module:
    @R.function
    def main({params}):
        with R.dataflow():
            {lines}
            R.output(y)
        return y
"""


def kernels():
    """name -> (shapes by name, dtype, lines of the graph function, torch function, flops)"""
    import torch
    F = torch.nn.functional
    rows = {}

    def matmul(m, k, n, *batch):
        name = "matmul_" + "x".join(map(str, (*batch, m, k, n)))
        rows[name] = ({"a": (*batch, m, k), "b": (*batch, k, n)}, "float32",
                      ["y = R.matmul(a, b)"], torch.matmul, 2 * m * k * n * (batch or (1,))[0])

    def conv(c, h, f, r, stride, pad, groups=1):
        out = (h + 2 * pad - r) // stride + 1
        rows[f"conv_{c}x{h}_{r}x{r}s{stride}_{f}g{groups}"] = (
            {"x": (1, c, h, h), "w": (f, c // groups, r, r)}, "float32",
            [f"y = R.nn.conv2d(x, w, strides={stride}, padding={pad}, groups={groups})"],
            lambda x, w: F.conv2d(x, w, None, stride, pad, 1, groups),
            2 * f * out * out * c // groups * r * r)
    for size in (128, 512, 1024, 2048):
        matmul(size, size, size)
    for shape in ((1, 4096, 4096), (16, 4096, 4096), (128, 64, 128, 12), (127, 129, 131)):
        matmul(*shape)
    rows["matmul_i8_512"] = ({"a": (512, 512), "b": (512, 512)}, "int8",
                             ["y = R.matmul(a, b, out_dtype='int32')"], torch._int_mm, 2 * 512**3)
    conv(64, 56, 64, 3, 1, 1)
    conv(3, 224, 64, 7, 2, 3)
    conv(144, 56, 144, 3, 1, 1, 144)
    conv(64, 56, 256, 1, 1, 0)
    conv(256, 14, 256, 3, 1, 1)
    conv(256, 56, 512, 1, 2, 0)
    rows["linear_bias_gelu_128x768x3072"] = (
        {"x": (128, 768), "w": (3072, 768), "b": (3072,)}, "float32",
        ["z = R.linear(x, w, b)", "y = R.nn.gelu(z)"],
        lambda x, w, b: F.gelu(F.linear(x, w, b)), 2 * 128 * 768 * 3072)
    return rows


def measure(threads: int, only: str, seconds: float) -> None:
    """Prints a row for each kernel."""
    import numpy as np
    import torch

    import unitylab as ul
    from unitylab.schedule import DefaultSchedule
    torch.set_num_threads(threads)
    passes = [DefaultSchedule(threads) if isinstance(p, DefaultSchedule) else p
              for p in ul.pipelines.default]
    rng = np.random.default_rng(0)
    ratios = []
    for name, (shapes, dtype, lines, peer, flops) in kernels().items():
        if not re.search(only, name):
            continue
        arrays = [rng.integers(-64, 64, s).astype(dtype) if dtype == "int8" else
                  rng.standard_normal(s, dtype=dtype) for s in shapes.values()]
        params = ", ".join(f'{k}: R.Tensor({s}, "{dtype}")' for k, s in shapes.items())
        mod = ul.parse(MODULE.format(params=params, lines="\n            ".join(lines)))
        begin = perf_counter()
        ours = ul.build(ul.Sequential(passes)(mod), f"native -threads={threads}")["main"]
        build = perf_counter() - begin
        tensors = [torch.from_numpy(a) for a in arrays]
        runs = {"ours": lambda: ours(*arrays), "torch": lambda: peer(*tensors)}
        if peer is torch.matmul:
            runs["numpy"] = lambda: np.matmul(*arrays)
        np.testing.assert_allclose(np.asarray(ours(*arrays)), peer(*tensors).numpy(),
                                   rtol=2e-3, atol=2e-2)
        best = interleaved(runs, seconds)
        ratio = min(t for k, t in best.items() if k != "ours") / best["ours"]
        ratios.append(ratio)
        peers = "  ".join(f"{k} {t * 1e3:9.3f} ms" for k, t in best.items())
        print(f"{name:34s} {threads} threads  {peers}  {flops / best['ours'] * 1e-9:6.1f} GFLOP/s  "
              f"peer/ours {ratio:.2f}  build {build * 1e3:.0f} ms", flush=True)
    if ratios:
        print(f"{threads} threads: geometric mean {np.exp(np.mean(np.log(ratios))):.2f}, "
              f"least {min(ratios):.2f}")


def interleaved(runs: dict, seconds: float) -> dict[str, float]:
    """The least time of each function, taken in turns."""
    best = {k: float("inf") for k in runs}
    end = perf_counter() + seconds
    rounds = 0
    while rounds < 5 or perf_counter() < end:
        for k, run in runs.items():
            start = perf_counter()
            run()
            best[k] = min(best[k], perf_counter() - start)
        rounds += 1
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--worker", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        measure(args.worker, args.only, args.seconds)
        return
    for threads in args.threads.split(","):
        env = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads,
               "MKL_NUM_THREADS": threads}
        subprocess.run([sys.executable, __file__, "--worker", threads, "--only", args.only,
                        "--seconds", str(args.seconds)], env=env, check=True)


if __name__ == "__main__":
    main()
