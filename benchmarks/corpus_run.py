"""Runs programs that Apache TVM printed, in the reference interpreter and in TVM, and compares.

    python benchmarks/corpus_run.py --corpus tvm_open.jsonl --tvm /path/to/python-with-tvm

Each distinct program of the corpus with static or bindable shapes gets random inputs, the same for
both. The counts say how many are equal, and where the others stopped:

    equal          the same numbers within 1e-4 relative (floats), exactly (others)
    differ         other numbers: listed
    refused here   parsing or the interpreter raises an error: listed
    outside        an access outside of a buffer, which TVM does not check
    uninitialised  the result holds what was never written
    slow           the interpreter needs more than the time limit
    tvm refuses    TVM raises an error (no code generation, a pass that it lacks, ...)
    tvm crashes    the process of TVM ends
    no inputs      a parameter that random arrays do not fit: handles, functions, objects
"""

import argparse
import json
import pickle
import select
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

import unitylab as ul
from unitylab.session.inputs import Sampler, entry_point

UNINITIALISED = "uninitialised"
FIELDS = ("script", "before", "after")


class Slow(BaseException):
    """The interpreter takes too long."""


class Tvm:
    """A process that runs TVM; a new one after each crash."""

    def __init__(self, python, seconds):
        self.python, self.seconds, self.process = python, seconds, None

    def start(self):
        runner = Path(__file__).with_name("tvm_runner.py")
        self.process = subprocess.Popen([self.python, str(runner)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def run(self, text, name, args):
        """("ok", arrays), ("refused", why) or ("crashed", why)."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        try:
            pickle.dump((text, name, args), self.process.stdin)
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], self.seconds)
            if not ready:
                raise EOFError
            return pickle.load(self.process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            self.process.kill()
            code = self.process.wait()
            return "crashed", f"exit code {code}"


def programs(path):
    """(text, test) of each distinct program that TVM parses back."""
    seen = set()
    for line in Path(path).read_text().splitlines():
        row = json.loads(line)
        for field in FIELDS:
            if field in row.get("reparses", ()) and row[field] not in seen:
                seen.add(row[field])
                yield row[field], row["test"]


def interpreted(mod, name, args, seconds):
    """The arrays after the call (a tensor program) or the results (a graph function)."""
    def stop(*_):
        raise Slow
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with np.errstate(all="ignore"):
            result = ul.interpret(mod)[name](*args)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if name in mod.prim_funcs:
        return [a for a in args if isinstance(a, np.ndarray)]
    return list(arrays_of(result))


def arrays_of(value):
    if isinstance(value, (tuple, list)):
        for v in value:
            yield from arrays_of(v)
    else:
        yield np.asarray(value)


def difference(ours, theirs):
    """Why two lists of arrays are not the same, or ""."""
    if len(ours) != len(theirs):
        return f"{len(ours)} results, TVM has {len(theirs)}"
    for k, (a, b) in enumerate(zip(ours, theirs)):
        if a.shape != b.shape:
            return f"result {k}: shape {a.shape}, TVM has {b.shape}"
        if a.dtype.kind not in "fV" and a.dtype.name != "bfloat16":
            if not np.array_equal(a, b):
                return f"result {k} ({a.dtype}): {np.sum(a != b)} elements differ"
            continue
        a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
        tolerance = 1e-4 if ours[k].dtype.itemsize >= 4 else 2e-2
        if np.any(np.isnan(a) & ~np.isnan(b)):  # the interpreter fills fresh memory with NaN
            return UNINITIALISED
        if not np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True):
            return f"result {k} ({ours[k].dtype}): largest error {np.nanmax(np.abs(a - b)):.3g}"
    return ""


def outcome(text, tvm, seconds):
    """(what happened, why) for one program."""
    try:
        mod = ul.ir.module.as_module(ul.parse(text))
        name = entry_point(mod)
        if name is None:
            return "no inputs", "an empty module"
    except ul.UnityLabError as e:
        return "refused here", str(e)
    try:
        args = Sampler().arguments(mod[name])
    except Exception as e:
        return "no inputs", str(e)
    if any(isinstance(a, np.ndarray) and a.size > 1 << 22 for a in args):
        return "slow", "large arrays"
    theirs_in = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
    try:
        ours = interpreted(mod, name, args, seconds)
    except Slow:
        return "slow", f"more than {seconds} s"
    except ul.errors.BoundsError as e:
        return "outside", str(e)
    except ul.UnityLabError as e:
        ours, why = None, str(e)
    state, theirs = tvm.run(text, name, theirs_in)
    if state == "crashed":
        return "tvm crashes", theirs
    if state == "refused":
        return "tvm refuses", theirs
    if ours is None:
        return "refused here", why
    text = difference(ours, theirs)
    if text == UNINITIALISED:
        return UNINITIALISED, ""
    return ("differ", text) if text else ("equal", "")


def listed(counts):
    return ", ".join(f"{n} {what}" for what, n in counts.most_common())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--tvm", required=True, help="the Python of an environment with TVM")
    parser.add_argument("--seconds", type=float, default=2.0, help="limit of the interpreter")
    parser.add_argument("--list", nargs="*", default=["differ", "refused here"])
    parser.add_argument("--at-most", type=int, default=None)
    options = parser.parse_args()
    counts, tvm = Counter(), Tvm(options.tvm, 60)
    for k, (text, test) in enumerate(programs(options.corpus)):
        if k == options.at_most:
            break
        what, why = outcome(text, tvm, options.seconds)
        counts[what] += 1
        if what in options.list:
            print(f"{what}: {test} [{k}]: {why.splitlines()[0] if why else ''}", flush=True)
        if k % 100 == 99:
            print(f"  after {k + 1}: {listed(counts)}", file=sys.stderr, flush=True)
    print(listed(counts))
    return 0 if counts["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
