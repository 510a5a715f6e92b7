"""Replays recorded schedules of TVM and counts how many give TVM's module and the same results.

    python benchmarks/corpus_schedules.py --corpus tvm_open.jsonl [--only rfactor] [--show] [--diff]

A line of the corpus with kind "schedule" holds the module before and after, and the trace as text.
Each program runs before and after on equal random inputs, in a process of its own with a limit of
time (--limit, seconds): the interpreter if it is small, else compiled.
"""

from __future__ import annotations

import argparse
import difflib
import json
import multiprocessing
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from unitylab.arith import evaluate
from unitylab.exec.build import build
from unitylab.interp import interpret
from unitylab.ir.errors import ScheduleError, UnityLabError
from unitylab.ir.module import as_module
from unitylab.ir.prim import Var, as_int
from unitylab.ir.structural import structural_equal
from unitylab.ir.tir import BlockRealize, PrimFunc
from unitylab.ir.visitor import collect, free_vars
from unitylab.schedule import Schedule
from unitylab.schedule.signature import PRIMITIVES
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse

SIZE = 6  # what symbolic sizes are in a run
INTERPRETED = 60_000  # instances of blocks up to which the interpreter runs a program


def primitives_of(row: dict) -> list[str]:
    return re.findall(r"sch\.(\w+)\(", row["trace"])


def missing(row: dict) -> list[str]:
    names = ["get_block" if n == "get_sblock" else n for n in primitives_of(row)]
    return [n for n in dict.fromkeys(names) if n not in PRIMITIVES]


def outcome(row: dict) -> tuple[str, str, Schedule | None]:
    """(what happened, detail, the schedule)."""
    try:
        before = parse(row["before"])
    except UnityLabError as e:
        return "does not parse", str(e).splitlines()[0], None
    absent = missing(row)
    if absent:
        return "primitive missing", ", ".join(absent), None
    sch = Schedule(before)
    try:
        read_trace(row["trace"]).apply_to(sch)
    except ScheduleError as e:
        return "refused", str(e), sch
    except Exception as e:  # a crash is a result here
        return "CRASH", f"{type(e).__name__}: {e}", sch
    try:
        same = equal(sch.mod, as_module(parse(row["after"])))
    except UnityLabError as e:
        return "does not parse", str(e).splitlines()[0], sch
    return ("equal" if same else "differs"), "", sch


def equal(a, b) -> bool:
    return structural_equal(a, b, map_free_vars=True)


# --- results --------------------------------------------------------------------------------

def results(row: dict, sch: Schedule) -> str:
    """Runs every function before and after on the same random inputs."""
    before = as_module(parse(row["before"]))
    try:
        for name, func in before.functions.items():
            if isinstance(func, PrimFunc):
                rough = 2e-2 if "float16" in row["trace"] else 1e-4
                compare(before, sch.mod, name, layouts(sch, name), rough)
    except UnityLabError as e:
        return f"not run: {type(e).__name__}: {str(e).splitlines()[0]}"
    except AssertionError as e:
        return "DIFFERENT RESULTS " + " ".join(str(e).split())[:200]
    return "same results"


def limited_results(row: dict, sch: Schedule, limit: float) -> str:
    """`results` in a process of its own, stopped after `limit` seconds."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    work = context.Process(target=lambda: theirs.send(results(row, sch)))
    work.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(limit) else "over the limit of time"
    except EOFError:
        return "CRASH of the process"
    finally:
        work.kill()
        work.join()


def layouts(sch: Schedule, name: str) -> dict[int, list]:
    """For each parameter that got another layout: its index maps, in order."""
    return sch.relayouts(name) if hasattr(sch, "relayouts") else {}


def compare(before, after, name: str, maps: dict, rough: float) -> None:
    old, new = before[name], after[name]
    rng = np.random.default_rng(0)
    sizes: dict[str, int] = {}
    arrays = [argument(p, rng, sizes) for p in old.params]
    moved = [relayout(a, maps[k], new.params[k], sizes) if k in maps else np.copy(a)
             for k, a in enumerate(arrays)]
    run(before, name, arrays)
    run(after, name, moved)
    for k, (x, y) in enumerate(zip(arrays, moved)):
        if isinstance(x, np.ndarray):
            if k in maps:
                x, y = valid(x, y, maps[k], new.params[k])
            near = 2e-2 if x.dtype == np.float16 else rough
            np.testing.assert_allclose(y, x, rtol=near, atol=near / 10)


def argument(p, rng, sizes: dict):
    if isinstance(p, Var):
        return sizes.setdefault(p.name, SIZE)
    shape = [size_of(d, sizes) for d in p.shape]
    kind = p.dtype.kind
    if kind in ("int", "uint"):
        return rng.integers(0, 8, shape).astype(p.dtype.numpy)
    if kind == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return rng.uniform(0.1, 1, shape).astype(p.dtype.numpy)


def size_of(d, sizes: dict) -> int:
    return evaluate(d, {v: sizes.setdefault(v.name, SIZE) for v in free_vars(d)})


def relayout(a: np.ndarray, maps: list, param, sizes: dict) -> np.ndarray:
    new = np.zeros([size_of(d, sizes) for d in param.shape], a.dtype)
    new[places(a.shape, maps)] = a
    return new


def places(shape: tuple[int, ...], maps: list) -> tuple[np.ndarray, ...]:
    """Where the elements of an array go, as arrays of indices: the text of a map is Python that
    NumPy computes."""
    at = np.indices(shape)
    for m in maps:
        names = {v.name: i for v, i in zip(m.inputs, at)}
        scope = {**names, "T": SimpleNamespace(int64=int, int32=int)}
        at = [np.broadcast_to(eval(o.script(), scope), shape) for o in m.outputs]
    return tuple(at)


def valid(x, y, maps, param):
    return x, y[places(x.shape, maps)]


def work(func: PrimFunc) -> float:
    total = 0
    for r in collect(func, BlockRealize):
        sizes = [as_int(it.dom.extent) or SIZE for it in r.block.iter_vars]
        total += np.prod(sizes, dtype=float)
    return total


def run(mod, name: str, arrays: list) -> None:
    if work(mod[name]) <= INTERPRETED:
        interpret(mod)[name](*arrays)
    else:
        build(mod)[name](*arrays)


# --- report ---------------------------------------------------------------------------------

def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--only", default="", help="rows whose test or trace has this")
    parser.add_argument("--show", action="store_true", help="list what is not equal")
    parser.add_argument("--diff", action="store_true", help="print how modules differ")
    parser.add_argument("--no-run", action="store_true", help="do not compare results")
    parser.add_argument("--limit", type=float, default=60, help="seconds a program")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.corpus.read_text().splitlines()]
    rows = [r for r in rows if r["kind"] == "schedule"
            and (args.only in r["test"] or args.only in r["trace"])]
    outcomes, computed = Counter(), Counter()
    for row in rows:
        what, detail, sch = outcome(row)
        outcomes[what] += 1
        ran = ""
        if what in ("equal", "differs") and not args.no_run:
            ran = limited_results(row, sch, args.limit)
            computed[ran.split(":")[0][:22]] += 1
        if what != "equal" or ran not in ("", "same results"):
            if args.show or args.diff:
                print(f"{what:18} {row['test']}  {detail} {ran}", flush=True)
            if args.diff and what == "differs":
                diff(row, sch)
    for counter in (outcomes, computed):
        print(", ".join(f"{n} {k}" for k, n in counter.most_common()), f"of {counter.total()}")


def diff(row: dict, sch: Schedule) -> None:
    ours = sch.mod.script().splitlines()
    theirs = as_module(parse(row["after"])).script().splitlines()
    print("\n".join(difflib.unified_diff(theirs, ours, "TVM", "ours", lineterm="", n=2)))


if __name__ == "__main__":
    main()
