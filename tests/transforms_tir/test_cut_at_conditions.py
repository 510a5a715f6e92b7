"""Loops are cut where conditions change, into ranges without them."""

import numpy as np
import pytest

from unitylab.interp import interpret
from unitylab.ir import prim
from unitylab.ir.tir import For, seq
from unitylab.ir.visitor import collect
from unitylab.script import parse
from unitylab.transforms.tir.cut_at_conditions import cut_at_conditions


def program(condition: str, other: str = "T.float32(-1)", low: int = 0, extent: int = 20):
    return parse(f"""
@T.prim_func
def main(x: T.Buffer((64,), "float32"), y: T.Buffer((64,), "float32"), n: T.int64):
    for j in range({low}, {low + extent}):
        y[j] = T.if_then_else({condition}, x[j], {other})
""")


def cut(func):
    loop, = collect(func.body, For)
    return cut_at_conditions(loop)


def run(func, n: int = 3) -> np.ndarray:
    x, y = np.arange(1, 65, dtype=np.float32), np.zeros(64, np.float32)
    interpret(func)["main"](x, y, n)
    return y


@pytest.mark.parametrize("condition, ranges", [
    ("j < 5", [(0, 5), (5, 15)]), ("j <= 5", [(0, 6), (6, 14)]), ("j > 5", [(0, 6), (6, 14)]),
    ("j >= 5", [(0, 5), (5, 15)]), ("5 < j", [(0, 6), (6, 14)]), ("5 >= j", [(0, 6), (6, 14)]),
    ("j - 3 >= 1", [(0, 4), (4, 16)]), ("7 - j > 0", [(0, 7), (7, 13)]),
    ("2 <= j and j < 18", [(0, 2), (2, 16), (18, 2)]),
    ("j < 5 or j > 9", [(0, 5), (5, 5), (10, 10)]),
    ("not (j < 5)", [(0, 5), (5, 15)]), ("j < 100", [(0, 20)]), ("j < 0", [(0, 20)]),
])
def test_ranges_without_conditions(condition, ranges):
    func = program(condition)
    parts = cut(func)
    assert [(int(p.min.value), int(p.extent.value)) for p in parts] == ranges
    assert not any(collect(p.body, (prim.LT, prim.LE, prim.GT, prim.GE)) for p in parts)
    assert np.array_equal(run(func.replace(body=seq(*parts))), run(func))


@pytest.mark.parametrize("condition", ["T.Cast('int64', j) < n", "j * 2 < 9", "j % 2 < 1",
                                       "x[j] < T.float32(4)", "n < T.int64(4)"])
def test_other_conditions_stay(condition):
    func = program(condition)
    part, = cut(func)
    assert part is collect(func.body, For)[0]


def test_some_conditions_stay_in_each_range():
    func = program("T.Cast('int64', j) < n and j < 5")
    parts = cut(func)
    assert [len(collect(p.body, prim.LT)) for p in parts] == [1, 0]
    for n in (0, 3, 9):
        assert np.array_equal(run(func.replace(body=seq(*parts)), n), run(func, n))


def test_loops_that_do_not_begin_at_zero():
    func = program("j < 12", low=8)
    assert [(int(p.min.value), int(p.extent.value)) for p in cut(func)] == [(8, 4), (12, 16)]
    assert np.array_equal(run(func.replace(body=seq(*cut(func)))), run(func))


def test_too_many_cuts_leave_the_loop():
    condition = " or ".join(f"(j > {k} and j < {k + 2})" for k in range(0, 60, 3))
    func = program(condition, extent=60)
    assert len(cut(func)) == 1


def test_repetitions_are_cut_where_they_begin_anew():
    func = parse("""
@T.prim_func
def main(x: T.Buffer((64,), "float32"), y: T.Buffer((64,), "float32"), n: T.int64):
    for j in range(200):
        if j // 64 == 2:
            y[j % 64] = x[j % 64] + T.Cast("float32", j // 64)
""")
    parts = cut(func)
    assert [(int(p.min.value), int(p.extent.value)) for p in parts] == [
        (0, 64), (64, 64), (128, 64), (192, 8)]
    assert np.array_equal(run(func.replace(body=seq(*parts))), run(func))


def test_short_repetitions_stay():
    func = program("j % 5 < 2")
    assert len(cut(func)) == 1
