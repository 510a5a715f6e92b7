import numpy as np
import pytest

from unitylab.interp import interpret
from unitylab.ir.structural import assert_structural_equal
from unitylab.script import parse
from unitylab.transforms import RemoveNoOp

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
    (["for i in range(32):", "    T.evaluate(i)", "for i in range(32):", "    B[i] = A[i]"],
     ["for i in range(32):", "    B[i] = A[i]"]),
    (["for i in range(32):", "    B[i] = A[i]", "    A[i] = A[i]"],
     ["for i in range(32):", "    B[i] = A[i]"]),
    (["for i in range(0):", "    B[i] = 1", "for i in range(32):", "    B[i] = A[i]"],
     ["for i in range(32):", "    B[i] = A[i]"]),
    (["for i in range(32):", "    if i < 7:", "        T.evaluate(0)", "    B[i] = A[i]"],
     ["for i in range(32):", "    B[i] = A[i]"]),
])
def test_what_does_nothing_goes(before, after):
    before, after = program(*before), program(*after)
    found = RemoveNoOp()(before)
    assert_structural_equal(found, after)
    assert RemoveNoOp()(found) is found
    np.testing.assert_array_equal(run(before), run(found))


def test_a_call_with_effects_stays():
    before = program("for i in range(32):", "    T.evaluate(T.call_extern('int32', 'f', i))")
    assert RemoveNoOp()(before) is before
