"""What a parallel loop does, counted before it is shared out."""

import pytest

from unitylab.arith import evaluate
from unitylab.exec.llvm.amount import amount
from unitylab.ir.tir import For
from unitylab.ir.visitor import collect
from unitylab.script import parse


def counted(body: str, **sizes: int):
    """What the outer loop amounts to, for sizes by name."""
    func = parse(f"""
@T.prim_func
def f(a: T.handle, b: T.handle, I: T.Buffer((4,), "int32")):
    n, m = T.int64(), T.int64()
    A = T.match_buffer(a, (n, m), "float32")
    B = T.match_buffer(b, (n, m), "float32")
    for i in T.parallel(n):
{body}
""")
    names = {v: sizes[v.name] for b in func.buffers[:1] for v in b.shape}
    found = amount(collect(func, For)[0], {id(v) for v in names})
    if found is None:
        return None
    return evaluate(found, names)


@pytest.mark.parametrize("body, expected", [
    ("        for j in range(m):\n            A[i, j] = B[i, j]", 12),
    ("        A[i, 0] = B[i, 1]\n        A[i, 1] = B[i, 0]", 6),
    ("        if i > 0:\n            for j in T.unroll(5):\n                A[i, j] = B[i, j]", 15),
])
def test_statements_are_counted(body, expected):
    assert counted(body, n=3, m=4) == expected


@pytest.mark.parametrize("body", [
    "        while A[i, 0] > T.float32(0):\n            A[i, 0] = A[i, 0] - T.float32(1)",
    "        for j in range(I[0]):\n            A[i, j] = B[i, j]",
    "        for j in range(i):\n            A[i, j] = B[i, j]"])
def test_what_is_not_known_may_be_anything(body):
    assert counted(body, n=3, m=4) is None
