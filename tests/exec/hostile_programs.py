"""Hostile tensor programs, generated; run as a script it reports one JSON line for each.

A line is {"name", "outcome"}: "refused: ..." by a clear error, "right" where the result equals the
interpreter's, or "wrong: ...". A crash ends the process, so that its line is missing.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

import unitylab as ul
from unitylab.ir.errors import UnityLabError
from unitylab.script import parse

SIZE = 37


def program(body: str, extra: str = "", dtype: str = "float32") -> str:
    lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
    return f"""
@I.ir_module
class M:
    @T.prim_func
    def f(A: T.Buffer(({SIZE},), "{dtype}"), I: T.Buffer(({SIZE},), "int32"),
          N: T.Buffer((1,), "int32"), B: T.Buffer(({SIZE},), "{dtype}")):
{chr(10).join('    ' + x for x in lines.splitlines())}
{extra}
"""


def programs():
    """(name, text, index values) of each program."""
    fine = np.arange(SIZE, dtype="int32")
    wild = {"fine": fine, "one_past": fine + 1, "negative": fine - 1, "huge": 2**31 - 1 - fine,
            "lowest": np.full(SIZE, -2**31, "int32"), "zero": fine * 0}
    for kind in ("serial", "parallel", "vectorized", "unroll"):
        loop = f"for i in T.{kind}({SIZE}):"
        for name, index in wild.items():
            yield f"gather {kind} {name}", program(f"{loop}\n    B[i] = A[I[i]]"), index
            yield f"scatter {kind} {name}", program(f"{loop}\n    B[I[i]] = A[i]"), index
            yield f"arithmetic {kind} {name}", program(
                f"{loop}\n    B[I[i] * 65536 + I[i]] = A[i]"), index
            yield f"quotient {kind} {name}", program(
                f"{loop}\n    B[i] = A[i] + T.Cast('float32', (i + 5) // I[i])"), index
            yield f"remainder {kind} {name}", program(
                f"{loop}\n    B[i] = A[i] + T.Cast('float32', I[i] % I[{SIZE - 1} - i])"), index
            yield f"float index {kind} {name}", program(
                f"{loop}\n    B[i] = A[T.Cast('int32', T.log(T.Cast('float32', I[i])))]"), index
    for lanes in (1, 2, 3, 5, 7, 11, 13, 16, 17, 31, 33, 36, 37, 38, 64):
        yield f"vector loop of {lanes}", program(
            f"for i in T.vectorized({lanes}):\n    B[i] = T.exp(A[i]) * A[i]"), fine
        yield f"strided vector loop of {lanes}", program(
            f"for i in T.vectorized({lanes}):\n    B[i * 2] = A[{SIZE - 1} - i]"), fine
    for count in (-2**31, -1, 0, 1, 5, 40, 2**20, 2**31 - 1):
        size = np.full(SIZE, count, "int32")
        if count <= 2**20:  # the interpreter is slow on gigabytes
            yield f"buffer of {count}", program(f"""
C = T.alloc_buffer((N[0],), "float32")
for i in range({SIZE}):
    C[i] = A[i]
for i in range({SIZE}):
    B[i] = C[i]"""), size
        yield f"buffer of {count} cubed", program("""
C = T.alloc_buffer((N[0], N[0], N[0]), "float32")
C[0, 0, 0] = A[0]
B[0] = C[0, 0, 0]"""), size
        yield f"loop of {count}", program("""
for i in range(N[0]):
    B[i] = A[i]"""), size
        yield f"parallel loop of {count}", program("""
for i in T.parallel(N[0]):
    B[i] = A[i]"""), size
        yield f"shift by {count}", program("""
for i in range(37):
    B[i] = T.Cast("float32", T.shift_left(i, N[0]))"""), size
    for size in (2**10, 2**20, 2**24, 2**33, 2**45):
        yield f"local of {size}", program(f"""
C = T.alloc_buffer(({size},), "float32", scope="local")
for i in range({SIZE}):
    C[i * {size // 64}] = A[i]
    B[i] = C[i * {size // 64}]"""), fine
    helper = """
    @T.prim_func(private=True)
    def g(A: T.Buffer((37,), "float32"), B: T.Buffer((37,), "float32")):
        M.{}(A.data, B.data)
"""
    yield "recursion", program("M.g(A.data, B.data)", helper.format("g")), fine
    for k, race in enumerate(("B[0] = A[i]", "B[0] = B[0] + A[i]", "B[i // 2] = A[i]",
                              "B[I[i]] = A[i]", "B[(i + 1) % 37] = B[i] + A[i]")):
        yield f"race {k}", program(f"for i in T.parallel({SIZE}):\n    {race}"), fine * 0
    yield "uninitialised", program("""
C = T.alloc_buffer((37,), "float32")
for i in range(37):
    B[i] = T.if_then_else(C[i] == C[i], A[i], A[i])"""), fine
    for depth in (10, 100, 400):
        yield f"expression {depth} deep", program(
            "B[0] = " + "(" * depth + "A[0]" + " + A[1])" * depth), fine


def outcome(name: str, text: str, index: np.ndarray) -> str:
    rng = np.random.default_rng(0)
    a = rng.uniform(0.5, 2, SIZE).astype("float32")
    count = index[:1].copy()

    def run(functions):
        b = np.zeros(SIZE, "float32")
        functions["f"](a.copy(), index.copy(), count.copy(), b)
        return b
    try:
        mod = parse(text)
        got = run(ul.build(mod, "native -threads=2"))
    except UnityLabError as e:
        return f"refused: {type(e).__name__}: {e.message}"
    try:
        want = run(ul.interpret(mod))
    except UnityLabError as e:
        # NaN as an integer is what the machine says; an allocation that the optimiser removes is none
        harmless = "float index" in name or "does not fit in memory" in e.message
        return "right" if harmless else f"wrong: the interpreter refuses: {e.message}"
    same = np.allclose(got, want, rtol=1e-5, equal_nan=True)
    return "right" if same else f"wrong: {got[:4]}, {want[:4]} expected"


def main(part: int, of: int) -> None:
    for k, (name, text, index) in enumerate(programs()):
        if k % of == part:
            start = time.perf_counter()
            print(json.dumps({"name": name, "outcome": "started"}), flush=True)
            line = {"name": name, "outcome": outcome(name, text, index)}
            print(json.dumps({**line, "seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
