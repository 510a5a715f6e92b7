"""Kernels without any schedule of the user, beside the best of other libraries, in one run.

    python benchmarks/kernels.py [--rows REGEX] [--threads 1,2] [--peers numpy,torch,ort,jax,numba]
                                 [--more] [--rounds 7] [--seconds 0.05] [--python NAME=EXE] [--json]
                                 [--peak FILE]

Every library is a process of its own for each thread count, so that thread pools do not meet; the
processes take turns on the same inputs: medians over the turns. `peer/ours` is the time of the
best peer over ours. The limit is what `ul.machine()` measures: multiply-adds of the threads, or
memory once. Rows `+const` have their weights constant, packed when the module is built; ONNX
Runtime has them constant always. `--more` adds rows beside the list. `--peers` may name inductor
(torch.compile: slow to build). A library that is not installed is skipped, and said so.

`--peak` names a script with a function `build()`, which gives a C library that copies memory
(`mem_init(floats)`, `mem_secs(kind, floats, times, threads)`, kinds 1 and 3). Its faster copy of
as many bytes as a row moves takes turns too, in a process of its own, and our share of its rate
is shown.

glibc is told to keep freed memory and to use huge pages, so that allocating results is not what
is measured."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import select
import statistics
import subprocess
import sys
from pathlib import Path

from kernel_rows import ROWS, Row

WORKER = Path(__file__).with_name("kernel_peers.py")
MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
          "MALLOC_TOP_PAD_": str(64 << 20), "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC")
COPY = "copy"  # the worker that only copies memory
TIMEOUT = 120  # seconds for a build or a turn


class Worker:
    """The process of one library; `ask` answers with what it says, or why it says nothing."""

    def __init__(self, name: str, threads: int, python: str, peak: str = ""):
        self.name = name
        env = {**os.environ, **MEMORY, **dict.fromkeys(POOLS, str(threads)),
               "JAX_PLATFORMS": "cpu", "COPY_LIBRARY": peak}
        if threads == 1:
            env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        self.process = subprocess.Popen(
            [python, str(WORKER), name, str(threads)], env=env, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ask(self, **question) -> dict:
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
            if select.select([self.process.stdout], [], [], TIMEOUT)[0]:
                return json.loads(self.process.stdout.readline())
            self.process.kill()
            return {"failed": f"no answer in {TIMEOUT} s"}
        except (OSError, ValueError):
            return {"failed": f"the process ended ({self.process.poll()})"}

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def measure(row: Row, workers: list[Worker], rounds: int, seconds: float) -> dict:
    """{peer: {"time", "build"} or {"skip"} or {"failed"}}, ours first."""
    found = {w.name: w.ask(row=row.name) for w in workers}
    times: dict[str, list] = {n: [] for n, a in found.items() if "digest" in a}
    for _ in range(rounds):
        for w in workers:
            if w.name in times:
                times[w.name].append(w.ask(seconds=seconds).get("times", []))
    for name, turns in times.items():
        if all(turns):
            found[name]["time"] = statistics.median(map(statistics.median, turns))
    compare(found)
    return found


def compare(found: dict) -> None:
    """Peers whose result differs from the reference (torch, else NumPy) fail, ours too."""
    found.get(COPY, {}).pop("digest", None)
    wanted = next((found[n]["digest"] for n in ("torch", "numpy") if "digest" in found.get(n, {})),
                  None)
    for answer in found.values():
        if wanted is None or "digest" not in answer:
            continue
        own = answer.pop("digest") if answer["digest"] is not wanted else wanted
        error = max(abs(a - b) for a, b in zip(own["values"], wanted["values"]))
        if own["shape"] != wanted["shape"] or not error <= 1e-3 * (wanted["size"] + 1e-30):
            answer.pop("time", None)
            answer["failed"] = f"differs by {error:.1e} at values of about {wanted['size']:.1e}"
    for answer in found.values():
        answer.pop("digest", None)


def limit(row: Row, threads: int) -> float:
    """The least seconds that this machine needs."""
    import unitylab as ul
    machine = ul.machine()
    copies = row.out * 8 > row.moved
    return max(row.flops / (machine.flops * threads * (4 if "i8" in row.name else 1)),
               row.moved / (machine.copy if copies else machine.read))


def shown(row: Row, threads: int, found: dict, least: float) -> tuple[str, float | None]:
    own = found["ours"]
    copy = found.get(COPY, {}).get("time")
    peers = {n: a["time"] for n, a in found.items() if n not in ("ours", COPY) and "time" in a}
    line = f"{row.name:38s} x{threads} "
    if "time" not in own:
        return line + f"ours: {own.get('failed') or own.get('skip')}", None
    line += f"{own['time'] * 1e6:10.1f} µs {least / own['time']:5.0%} "
    if copy is not None:
        line += f"{copy / own['time']:5.0%} of a copy "
    ratio = None
    if peers:
        best = min(peers, key=peers.get)
        ratio = peers[best] / own["time"]
        line += f"{best:>8s} {peers[best] * 1e6:10.1f} µs  peer/ours {ratio:5.2f}  "
    line += " ".join(f"{n} {t / own['time']:.2f}" for n, t in peers.items())
    broken = [f"{n}: {a['failed']}" for n, a in found.items() if "failed" in a]
    return line + f"  build {own['build']:.2f} s  " + "; ".join(broken), ratio


def run(threads: int, rows: list[Row], args) -> None:
    python = dict(p.split("=", 1) for p in args.python)
    names = ["ours", *args.peers.split(",")]
    names += [COPY] if args.peak else []
    workers = [Worker(n, threads, python.get(n, sys.executable), args.peak) for n in names]
    ratios: dict[str, list[float]] = {}
    skipped: dict[str, int] = {}
    for row in rows:
        found = measure(row, workers, args.rounds, args.seconds)
        for name, answer in found.items():
            if answer.get("skip") == "not installed":
                skipped[name] = skipped.get(name, 0) + 1
        line, ratio = shown(row, threads, found, limit(row, threads))
        print(json.dumps({"row": row.name, "threads": threads, "peers": found}) if args.json
              else line, flush=True)
        if ratio is not None:
            ratios.setdefault(row.group, []).append(ratio)
    for w in workers:
        w.close()
    if not args.json:
        summary(threads, ratios, skipped)


def summary(threads: int, ratios: dict[str, list[float]], skipped: dict) -> None:
    for name, some in (*ratios.items(), ("kernel and block", [
            r for g in ("kernel", "block") for r in ratios.get(g, ())])):
        if some:
            mean = math.exp(statistics.fmean(map(math.log, some)))
            print(f"x{threads} {name:18s} {len(some):3d} rows: geometric mean {mean:.2f}, "
                  f"least {min(some):.2f}")
    if skipped:
        print("not installed:", ", ".join(skipped))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", default="")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--peers", default="numpy,torch,ort,jax,numba")
    parser.add_argument("--more", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.05, help="of a turn")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=EXE")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peak", default="", metavar="FILE")
    args = parser.parse_args()
    rows = [r for r in ROWS.values() if re.search(args.rows, r.name)
            and (args.more or r.group != "more")]
    for threads in map(int, args.threads.split(",")):
        run(threads, rows, args)


if __name__ == "__main__":
    main()
