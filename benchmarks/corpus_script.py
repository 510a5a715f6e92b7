"""Counts how many recorded scripts of TVM are read, verified and printed back, in both dialects.

    python benchmarks/corpus_script.py tvm_open.jsonl [--tvm /path/to/python-with-tvm] [--show]

Of the scripts that TVM itself parses back ("reparses") and of the others, each line counts: parsed,
verified, and `parse(print(m))` structurally equal to `m` for each dialect. With `--tvm` (a Python
that has apache-tvm) what `script(dialect="tvm")` prints is parsed by TVM and compared there with
what TVM makes of the original text. `--show` lists what is left, with reasons.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import select
import subprocess
from collections import Counter
from pathlib import Path

from unitylab.ir.errors import UnityLabError
from unitylab.ir.module import as_module
from unitylab.ir.structural import structural_equal
from unitylab.script import parse
from unitylab.verify import well_formed

FIELDS = ("script", "before", "after")
DIALECTS = ("unity", "tvm")
TIMEOUT = 60  # seconds for one program


def programs(path: Path):
    """(place, text, whether TVM parses it back) for every script of the corpus."""
    with path.open() as lines:
        for number, line in enumerate(lines):
            row = json.loads(line)
            for name in FIELDS:
                if name in row:
                    yield f"{number}:{name} {row['test']}", row[name], name in row["reparses"]


def first_line(e: Exception) -> str:
    return f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"


def outcomes(text: str) -> dict[str, str]:
    """What happens to a program: for each step "ok" or why not. "printed" is the TVM dialect."""
    try:
        mod = parse(text)
    except UnityLabError as e:
        return {"parse": first_line(e)}
    found = {"parse": "ok", "verify": verified(mod)}
    for dialect in DIALECTS:
        found[dialect] = printed_back(mod, dialect)
    found["printed"] = mod.script(dialect="tvm") if found["tvm"] == "ok" else ""
    return found


def verified(mod) -> str:
    try:
        well_formed(as_module(mod))
        return "ok"
    except UnityLabError as e:
        return first_line(e)


def printed_back(mod, dialect: str) -> str:
    try:
        again = parse(mod.script(dialect=dialect))
    except UnityLabError as e:
        return first_line(e)
    # what a program uses without defining it has no identity that text could carry
    same = structural_equal(mod, again, map_free_vars=True)
    return "ok" if same else "differs after printing"


class Worker:
    """A process that answers one program after the other; one that dies is started again."""

    def __init__(self):
        self.start()

    def start(self) -> None:
        self.ours, theirs = mp.Pipe()
        self.process = mp.Process(target=serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, text: str) -> dict[str, str]:
        self.ours.send(text)
        try:
            if self.ours.poll(TIMEOUT):
                return self.ours.recv()
            why = f"more than {TIMEOUT} s"
        except (EOFError, ConnectionError):
            why = "the process died"
        self.process.kill()
        self.process.join()
        self.start()
        return {"parse": why}


def serve(pipe) -> None:
    while True:
        try:
            text = pipe.recv()
        except EOFError:
            return
        try:
            answer = outcomes(text)
        except Exception as e:  # a fault of ours: shown, not hidden
            answer = {"parse": f"internal {first_line(e)}"}
        pipe.send(answer)


class Tvm:
    """A process with TVM that compares what two texts mean to it."""

    def __init__(self, python: str):
        self.command = [python, str(Path(__file__).with_name("tvm_reader.py"))]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, bufsize=1)

    def ask(self, original: str, printed: str) -> str:
        request = json.dumps({"original": original, "printed": printed})
        try:
            self.process.stdin.write(request + "\n")
            ready, _, _ = select.select([self.process.stdout], [], [], TIMEOUT)
            answer = self.process.stdout.readline() if ready else ""
        except BrokenPipeError:
            answer = ""
        if answer:
            return json.loads(answer)["outcome"]
        self.process.kill()
        self.process.wait()
        self.start()
        return "TVM crashed"


def count(path: Path, python: str | None) -> tuple[Counter, list[tuple]]:
    """How often each step went well (and of how many), and what did not."""
    worker, tvm = Worker(), Tvm(python) if python else None
    counts, left = Counter(), []
    for place, text, reparses in programs(path):
        found = worker.ask(text)
        printed = found.pop("printed", "")
        if tvm is not None and reparses:
            found["accepted by TVM"] = tvm.ask(text, printed) if printed else "nothing printed"
        counts[reparses, "all"] += 1
        for step, outcome in found.items():
            fine = outcome in ("ok", "equal")
            counts[reparses, step] += fine
            if not fine:
                left.append((reparses, step, outcome, place))
    return counts, left


def report(counts: Counter, left: list[tuple], show: bool) -> None:
    steps = ("parse", "verify", *DIALECTS, "accepted by TVM")
    for reparses, title in ((True, "parsed back by TVM"), (False, "the others")):
        total = counts[reparses, "all"]
        print(f"{title}: {total} scripts")
        for step in steps:
            if (reparses, step) in counts:
                n = counts[reparses, step]
                print(f"  {step:16} {n:5}  {100 * n / max(1, total):6.2f} %")
    print(f"left: {len(left)}" + ("" if show else " (--show lists them)"))
    for reparses, step, outcome, place in left if show else ():
        print(f"  [{'reparses' if reparses else 'other'}] {step}: {outcome}  ({place})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--tvm", help="a Python that has apache-tvm")
    parser.add_argument("--show", action="store_true", help="list what is left, with reasons")
    args = parser.parse_args()
    report(*count(args.corpus, args.tvm), args.show)


if __name__ == "__main__":
    main()
