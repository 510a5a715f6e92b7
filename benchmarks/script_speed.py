"""How fast scripts are read, verified and printed, and a module is hashed.

    python benchmarks/script_speed.py tvm_open.jsonl

Parsing, verifying and printing: the scripts of the corpus that hold only tensor programs, as we
print them; the best of three passes over all, in lines a second. Hashing: a graph of 300 bindings.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from unitylab.ir.errors import UnityLabError
from unitylab.ir.module import as_module
from unitylab.ir.structural import structural_hash
from unitylab.script import parse, print_script
from unitylab.verify import well_formed

BINDINGS = 300
REPEATS = 3


def tensor_programs(path: Path) -> list:
    """The modules of the corpus without graph functions that TVM parses back, each text once."""
    texts = dict.fromkeys(row[f] for row in map(json.loads, path.read_text().splitlines())
                          for f in ("script", "before", "after") if f in row["reparses"])
    found = []
    for text in texts:
        if "@R.function" not in text:
            try:
                found.append(parse(text))
            except UnityLabError:
                continue
    return found


def best(work, items) -> float:
    """The shortest time of a pass over all items, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for item in items:
            work(item)
        times.append(time.perf_counter() - start)
    return min(times)


def verify(mod) -> None:
    try:
        well_formed(as_module(mod))
    except UnityLabError:
        pass  # what it refuses takes its time too


def graph(n: int):
    """A chain of `n` bindings."""
    lines = "\n".join(f"    x{i + 1} = R.add(x{i}, x{i})" for i in range(n))
    return parse(f'@R.function\ndef main(x0: R.Tensor((4, 8), "float32")):\n{lines}\n'
                 f"    return x{n}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    mods = tensor_programs(parser.parse_args().corpus)
    texts = [print_script(m) for m in mods]
    lines = sum(t.count("\n") + 1 for t in texts)
    parsing, verifying, printing = best(parse, texts), best(verify, mods), best(print_script, mods)
    print(f"{len(texts)} programs, {lines} lines")
    print(f"parse            {lines / parsing:10.0f} lines/s")
    print(f"parse and verify {lines / (parsing + verifying):10.0f} lines/s")
    print(f"print            {lines / printing:10.0f} lines/s")
    chain = [graph(BINDINGS) for _ in range(10)]
    print(f"hash of {BINDINGS} bindings {1e3 * best(structural_hash, chain) / len(chain):6.2f} ms")


if __name__ == "__main__":
    main()
