"""Views of memory: what a view can reach lies inside of the memory, or the call is refused."""

import numpy as np
import pytest

from unitylab.exec import build
from unitylab.interp import interpret
from unitylab.ir.errors import BoundsError, UnityLabError
from unitylab.script import parse

FIRST = "for i in range(8):\n        B[i] = V[i]"


def program(view, body=FIRST, before="pass", size="16"):
    return parse(f"""
@T.prim_func
def f(A: T.Buffer(({size},), "float32"), B: T.Buffer((8,), "float32"), k: T.int32):
    {before}
    V = T.decl_buffer({view}, dtype="float32")
    {body}
""")


INSIDE = [
    "(8,), data=A.data", "(16,), data=A.data", "(8,), data=A.data, elem_offset=8",
    "(8,), data=A.data, strides=(2,)", "(8,), data=A.data, elem_offset=7, strides=(-1,)",
    "(8,), data=A.data, elem_offset=k", "(8,), data=A.data, strides=(k,)",
]
OUTSIDE = [
    "(17,), data=A.data", "(8,), data=A.data, elem_offset=9", "(8,), data=A.data, elem_offset=-1",
    "(8,), data=A.data, strides=(3,)", "(8,), data=A.data, elem_offset=6, strides=(-1,)",
    "(8,), data=A.data, elem_offset=k * 5", "(8,), data=A.data, strides=(k + 1,)",
    "(2**40, 2**40), data=A.data", "(3, 2**62), data=A.data",
    "(8,), data=A.data, elem_offset=2**63 - 1", "(8,), data=A.data, elem_offset=-2**63",
]


def arrays():
    return np.arange(16, dtype="f4"), np.zeros(8, "f4")


@pytest.mark.parametrize("view", INSIDE)
@pytest.mark.parametrize("loop", ["range", "T.vectorized", "T.parallel"])
def test_a_view_inside(view, loop):
    mod = program(view, FIRST.replace("range", loop))
    a, want = arrays()
    interpret(mod)["f"](a, want, 2)
    got = np.zeros(8, "f4")
    build(mod)["f"](a, got, 2)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("view", OUTSIDE)
@pytest.mark.parametrize("run", [build, interpret])
def test_a_view_outside(view, run):
    body = FIRST if ", 2**" not in view else "B[0] = V[0, 2**39]"
    with pytest.raises(BoundsError, match="'V'.* reaches outside of its memory"):
        run(program(view, body))["f"](*arrays(), 2)


def test_sizes_that_are_known_late():
    mod = program("(n - 8,), data=A.data, elem_offset=8", before="n = T.int64()", size="n")
    out = np.zeros(8, "f4")
    build(mod)["f"](np.arange(16, dtype="f4"), out, 0)
    np.testing.assert_array_equal(out, np.arange(8, 16))
    with pytest.raises(BoundsError):
        build(mod)["f"](np.arange(12, dtype="f4"), out, 0)


@pytest.mark.parametrize("offset, fine", [(8, True), (9, False)])
def test_a_view_behind_an_address(offset, fine):
    mod = program("(4,), data=p, elem_offset=4", "B[0] = V[3]",
                  before=f"p: T.handle = T.address_of(A[{offset}])")
    a, out = arrays()
    if not fine:
        with pytest.raises(BoundsError, match="elements 13 to 16, the memory has 16"):
            build(mod)["f"](a, out, 0)
        return
    build(mod)["f"](a, out, 0)
    assert out[0] == 15


@pytest.mark.parametrize("size, fine", [(16, True), (17, False)])
def test_a_view_in_a_parallel_loop_and_of_an_allocation(size, fine):
    mod = parse(f"""
@T.prim_func
def f(A: T.Buffer((16,), "float32"), B: T.Buffer((4000,), "float32")):
    C = T.alloc_buffer((16,), "float32")
    for i in range(16):
        C[i] = A[i]
    for i in T.parallel(4000):
        V = T.decl_buffer(({size},), data=C.data, dtype="float32")
        B[i] = V[i % {size}]
""")
    a, out = np.arange(16, dtype="f4"), np.zeros(4000, "f4")
    if fine:
        build(mod, "native -threads=2")["f"](a, out)
        np.testing.assert_array_equal(out, np.arange(4000) % 16)
    else:
        with pytest.raises(UnityLabError, match="reaches outside of its memory"):
            build(mod, "native -threads=2")["f"](a, out)
