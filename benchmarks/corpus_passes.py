"""Counts how many recorded runs of TVM's own passes ours reproduce.

    python benchmarks/corpus_passes.py tvm_open.jsonl [--pass FuseOps] [--show]

A line of the corpus with kind "pass" holds the module before and after, as script text. The names
of functions may differ, the order of functions does not count.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections import Counter
from pathlib import Path

import unitylab.transforms as transforms
from unitylab.ir.errors import UnityLabError
from unitylab.ir.module import IRModule
from unitylab.ir.structural import structural_equal
from unitylab.ir.visitor import Mutator
from unitylab.script import parse

ALMOST = "same but for names and regions of blocks"
# TVM's name: our pass
PASSES = {"StmtSimplify": "Simplify"}


class Anonymous(Mutator):
    """Forgets names of blocks and regions, which follow from the rest."""

    def visit_Block(self, block):
        return self.rebuild(block).replace(name="", reads=(), writes=())


def equal(a: IRModule, b: IRModule) -> bool:
    """Equal with functions in alphabetical order, by name or up to names; variables that a test
    program uses without defining them may differ."""
    a, b = in_order(a), in_order(b)
    return structural_equal(a, b, map_free_vars=True) or \
        structural_equal(a, b, map_free_vars=True, names=False)


def in_order(mod: IRModule) -> IRModule:
    return mod.replace(functions=type(mod.functions)({n: mod[n] for n in sorted(mod)}))


def arguments(row: dict) -> list:
    """The arguments of the recorded run, where they are plain Python values."""
    try:
        return [ast.literal_eval(a) for a in row["args"]]
    except (ValueError, SyntaxError):
        return []


def outcome(row: dict) -> str:
    """"same", "differs" or why there is no answer."""
    kind = getattr(transforms, PASSES.get(row["pass"], row["pass"]), None)
    if kind is None:
        return "no such pass"
    try:
        before, after = parse(row["before"]), parse(row["after"])
    except UnityLabError:
        return "does not parse"
    try:
        found = kind(*arguments(row))(before)
        if equal(found, after):
            return "same"
        return ALMOST if equal(Anonymous()(found), Anonymous()(after)) else "differs"
    except UnityLabError as e:
        return f"error: {type(e).__name__}"
    except Exception as e:  # a crash is a result here
        return f"CRASH: {type(e).__name__}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--pass", dest="only", default="")
    parser.add_argument("--show", action="store_true", help="print the tests that differ")
    args = parser.parse_args()
    counts: dict[str, Counter] = {}
    for line in args.corpus.read_text().splitlines():
        row = json.loads(line)
        if row["kind"] != "pass" or args.only not in ("", row["pass"]):
            continue
        result = outcome(row)
        counts.setdefault(row["pass"], Counter())[result] += 1
        if args.show and result not in ("same", "no such pass"):
            print(f"{row['pass']:25} {result:15} {row['test']}")
    report(counts)


def report(counts: dict[str, Counter]) -> None:
    ours = {p: c for p, c in counts.items() if "no such pass" not in c}
    for name, c in sorted(ours.items()):
        detail = ", ".join(f"{n} {k}" for k, n in c.most_common() if k != "same")
        print(f"{name:25} {c['same']:4} of {c.total():4}   {detail}")
    same, total = sum(c["same"] for c in ours.values()), sum(c.total() for c in ours.values())
    print(f"{'all':25} {same:4} of {total:4}")


if __name__ == "__main__":
    main()
