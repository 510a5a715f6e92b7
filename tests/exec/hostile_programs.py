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
    for depth in (10, 100, 400, 3000):
        yield f"expression {depth} deep", program(
            "B[0] = " + "(" * depth + "A[0]" + " + A[1])" * depth), fine
        yield f"sum of {depth} terms", program("B[0] = A[0]" + " + A[1]" * depth), fine
    yield from dependences(fine)
    yield from odd_loops(fine)


def dependences(fine):
    """Loops whose iterations need each other, or seem to."""
    bodies = {"carried": "B[T.min(i + 1, 36)] = B[i] + A[i]", "back": "B[i] = B[T.max(i - 1, 0)] + A[i]",
              "mirrored": "B[i] = B[36 - i] + A[i]", "sum": "B[3] = B[3] + A[i]",
              "pairs": "B[i // 2] = A[i]", "wrapped": "B[i % 5] = A[i]", "apart": "B[36 - i] = A[i]",
              "digits": "B[i % 6 * 6 + i // 6 % 6] = A[i]", "window": "B[i // 2 * 2] = A[i] + B[i]",
              "chosen": "if i == 7:\n        B[0] = A[i]", "guarded": "if I[i] > 3:\n        B[i] = A[i]",
              "by name": "j: T.int32 = I[i]\n    B[j] = B[j] + A[i]",
              "triangle": "for j in range(i + 1):\n        B[j] = B[j] + A[i]",
              "rows": "for j in range(i, i + 1):\n        B[j] = B[j] + A[i]"}
    for kind in ("parallel", "vectorized", "unroll"):
        for name, body in bodies.items():
            yield f"{name} {kind}", program(f"for i in T.{kind}({SIZE}):\n    {body}"), fine
            yield f"{name} {kind} of ones", program(f"for i in T.{kind}({SIZE}):\n    {body}"), fine * 0 + 1
    for name, view in (("twice", "(37,), data=B.data"), ("shifted", "(36,), data=B.data, elem_offset=1"),
                       ("overlapping", "(17, 4), data=B.data, strides=(2, 1)"),
                       ("one row", "(37, 37), data=B.data, strides=(0, 1)")):
        at = "0, i" if "strides" in view else "i"
        yield f"view {name}", program(f"""
V = T.decl_buffer({view}, dtype="float32")
for i in T.parallel({4 if name == "overlapping" else 36}):
    V[{at}] = A[i]
    B[i] = B[i] + V[{at}] * A[i]"""), fine
    yield "overlapping rows", program("""
V = T.decl_buffer((17, 4), data=B.data, strides=(2, 1), dtype="float32")
for i in T.parallel(17):
    for j in range(4):
        V[i, j] = A[i] + A[j]"""), fine


def odd_loops(fine):
    """Loops of extents that nobody meant, and of all kinds; buffers without elements."""
    for kind in ("serial", "parallel", "vectorized", "unroll"):
        for extent in (-2**31, -5, 0, 1, 36, 10**6):
            if kind != "vectorized" or extent < 10**6:
                yield f"{kind} loop of {extent} iterations", program(
                    f"for i in T.{kind}({extent}):\n    B[i % 37] = A[i % 37]"), fine
        yield f"{kind} loop in 40 others", program("\n".join(
            "    " * k + f"for i{k} in T.{kind}({2 if k > 36 else 1}):" for k in range(40))
            + "\n" + "    " * 40 + "B[i39] = A[i39] + B[i38]"), fine
    for size in (-2**40, -1, 0):
        yield f"buffer of {size} elements", program(f"""
C = T.alloc_buffer(({size},), "float32")
for i in range({size}):
    C[i] = A[i]
B[0] = A[0]"""), fine
        yield f"element of a buffer of {size}", program(f"""
C = T.alloc_buffer(({size},), "float32")
C[0] = A[0]
B[0] = C[0]"""), fine
    lowest = np.full(SIZE, -2**31, "int32")
    for name, e in {"quotient": "I[i] // (i * 2 - 1)", "remainder": "I[i] % (i - 1)",
                    "truncated quotient": "T.truncdiv(I[i], i * 2 - 1)",
                    "truncated remainder": "T.truncmod(I[i], i * 2 - 1)",
                    "left shift": "T.shift_left(i, I[i])", "right shift": "T.shift_right(i, I[i])"}.items():
        for what, index in (("lowest", lowest), ("others", fine + 30)):
            yield f"{name} {what}", program(
                f"for i in range({SIZE}):\n    B[i] = T.Cast('float32', {e})"), index.astype("int32")
    for depth in (30, 90):
        yield f"{depth} branches deep", program("\n".join(
            "    " * k + f"if A[{k % 37}] > T.float32(0):" for k in range(depth))
            + "\n" + "    " * depth + "B[0] = A[0]"), fine


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
