import numpy as np
import pytest

from unitylab.interp import interpret
from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse
from unitylab.transforms import Simplify

HEAD = '@T.prim_func\ndef main(A: T.Buffer((32,), "int32"), B: T.Buffer((32,), "int32")):\n'


def program(*lines):
    return parse("@I.ir_module\nclass Module:\n"
                 + "\n".join(f"    {x}" for x in (HEAD + "\n".join(f"    {y}" for y in lines))
                             .splitlines()))


def run(mod):
    a, b = np.arange(32, dtype="int32"), np.zeros(32, "int32")
    interpret(mod)["main"](a, b)
    return b


@pytest.mark.parametrize("before, after", [
    (["for i in range(4):", "    for j in range(8):", "        B[(i * 8 + j) // 8 * 8 + j] = "
      "A[(i * 8 + j) % 32]"],
     ["for i in range(4):", "    for j in range(8):", "        B[i * 8 + j] = A[i * 8 + j]"]),
    (["for i in range(32):", "    if i < 40:", "        B[i] = A[i]"],
     ["for i in range(32):", "    B[i] = A[i]"]),
    (["for i in range(32):", "    if i < 16:", "        if i < 20:", "            B[i] = A[i]"],
     ["for i in range(32):", "    if i < 16:", "        B[i] = A[i]"]),
    (["for i in range(32):", "    if i >= 32:", "        B[i] = 1", "    else:",
      "        B[i] = A[i] * 1 + 0"],
     ["for i in range(32):", "    B[i] = A[i]"]),
])
def test_with_what_is_known_at_the_place(before, after):
    before, after = program(*before), program(*after)
    found = Simplify()(before)
    assert_structural_equal(found, after)
    assert Simplify()(found) is found
    assert Simplify().applicable(before) and not Simplify().applicable(found)
    np.testing.assert_array_equal(run(before), run(found))


def test_symbolic_sizes():
    before = parse("""
@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle):
        n = T.int64()
        A = T.match_buffer(a, (n, T.int64(4)))
        for i, j in T.grid(n, T.int64(4)):
            with T.block("b"):
                v, w = T.axis.remap("SS", [i, j])
                A[(v * T.int64(4) + w) // T.int64(4), (v * T.int64(4) + w) % T.int64(4)] = 1.0
""")
    after = Simplify()(before)
    assert "//" not in after.script() and "%" not in after.script()
    assert after["main"].params[0] is before["main"].params[0]


def test_buffers_keep_their_identity():
    before = parse("""
@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle):
        n = T.int64()
        A = T.match_buffer(a, (n + n - n,))
        for i in range(n):
            A[i + 0 * i] = A[i] + T.float32(1)
""")
    after = Simplify()(before)
    buffers = {id(n) for n in after["main"].params}
    store = after["main"].body.body
    assert id(store.buffer) in buffers and id(store.value.a.buffer) in buffers
