"""Reductions of what the loop before makes join that loop, where nothing else sees a difference."""

import numpy as np
import pytest

from unitylab.exec.build import build
from unitylab.interp import interpret
from unitylab.ir.module import as_module
from unitylab.ir.tir import For
from unitylab.ir.visitor import collect
from unitylab.script import parse
from unitylab.transforms.tir.joined_reduction import joined_reduction
from unitylab.transforms.tir.lower_lanes import LowerLanes


def program(first: str, second: str, between: str = "s[0] = T.float32(0)", n: int = 100,
            notes: str = '"lanes": 64'):
    return parse(f"""
@T.prim_func
def main(x: T.Buffer((200,), "float32"), y: T.Buffer((200,), "float32"),
         s: T.Buffer((1,), "float32")):
    for j in T.serial({n}, annotations={{{notes}}}):
        {first}
    {between}
    for k in T.serial({n}, annotations={{"lanes": 64}}):
        {second}
""")


def joined(func):
    *before, last = func.body.stmts
    return joined_reduction(before, last)


def run(make, func):
    x = np.random.default_rng(0).standard_normal(200, dtype=np.float32)
    y, s = np.zeros(200, np.float32), np.ones(1, np.float32)
    make(func)["main"](x, y, s)
    return y, s


def assert_same(func):
    want = run(interpret, func)
    for got in (run(interpret, LowerLanes()(as_module(func))), run(build, func)):
        for a, b in zip(got, want):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [1, 3, 64, 100, 199])
@pytest.mark.parametrize("first, second", [
    ("y[j] = T.exp(x[j])", "s[0] = s[0] + y[k]"),
    ("y[j] = x[j] * x[j]", "s[0] = T.max(s[0], y[k] * x[k])"),
    ("y[j] = x[j]", "s[0] = s[0] + y[k] * y[k]")])
def test_one_loop_does_both(first, second, n):
    func = program(first, second, n=n)
    assert len(joined(func)) == 2  # the first value of the result, then the loop
    assert_same(func)


@pytest.mark.parametrize("first, second, between", [
    ("y[j] = x[j]", "s[0] = s[0] + y[k + 1]", "s[0] = T.float32(0)"),       # another element
    ("y[j] = x[j]", "s[0] = s[0] + x[k]", "s[0] = T.float32(0)"),           # nothing of the first
    ("y[j] = x[j] + s[0]", "s[0] = s[0] + y[k]", "s[0] = T.float32(0)"),    # needs the old result
    ("y[j] = x[j]", "s[0] = s[0] + y[k]", "s[0] = y[7]"),                   # begins with an element
    ("y[j] = x[j]", "s[0] = s[0] + y[k]", "y[3] = T.float32(0)"),           # changes an element
    ("y[j + 1] = y[j]", "s[0] = s[0] + y[k + 1]", "s[0] = T.float32(0)"),   # one after the other
    ("y[0] = x[j]", "s[0] = s[0] + y[0]", "s[0] = T.float32(0)"),           # one element
    ("s[0] = x[j]", "s[0] = s[0] + y[k]", "y[0] = T.float32(0)")])
def test_others_stay_apart(first, second, between):
    func = program(first, second, between)
    assert joined(func) is None
    assert_same(func)


def test_loops_of_other_lengths_or_lanes_stay_apart():
    assert joined(program("y[j] = x[j]", "s[0] = s[0] + y[k]", notes='"lanes": 32')) is None
    func = parse("""
@T.prim_func
def main(x: T.Buffer((200,), "float32"), y: T.Buffer((200,), "float32"),
         s: T.Buffer((1,), "float32")):
    for j in T.serial(100, annotations={"lanes": 64}):
        y[j] = x[j]
    for k in T.serial(90, annotations={"lanes": 64}):
        s[0] = s[0] + y[k]
""")
    assert joined(func) is None
    assert_same(func)


def test_what_the_first_loop_asks_for_is_kept():
    func = program("y[j] = T.exp(x[j])", "s[0] = s[0] + y[k]", notes='"lanes": 64, "prefetch": 512')
    *_, loop = joined(func)
    assert loop.annotations["prefetch"] == 512 and len(collect(loop, For)) == 1
