"""split, fuse, reorder, add_unit_loop: before and after in script, and the results."""

import pytest
from schedule_programs import assert_same_results
from various_programs import VARIOUS

from unitylab.ir.errors import ScheduleError
from unitylab.ir.prim import as_int
from unitylab.ir.structural import assert_structural_equal
from unitylab.ir.tir import BlockRealize
from unitylab.ir.visitor import collect
from unitylab.schedule import Schedule
from unitylab.script import parse

COPY = """
@T.prim_func
def main(A: T.Buffer((10, 6)), B: T.Buffer((10, 6))):
    with T.block("root"):
        for i, j in T.grid(10, 6):
            with T.block("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = A[vi, vj]
"""


def body(loops, vi, vj, where=""):
    guard = f"\n                T.where({where})" if where else ""
    return parse(f"""
@T.prim_func
def main(A: T.Buffer((10, 6)), B: T.Buffer((10, 6))):
    with T.block("root"):
        for {loops}:
            with T.block("B"):
                vi = T.axis.spatial(10, {vi})
                vj = T.axis.spatial(6, {vj}){guard}
                B[vi, vj] = A[vi, vj]
""")


def check(sch, expected):
    assert_structural_equal(sch.mod["main"], expected)
    assert_same_results(parse(COPY), sch.mod)


@pytest.fixture
def copy():
    sch = Schedule(parse(COPY))
    return sch, *sch.get_loops(sch.get_block("B"))


def test_split_infers_a_factor(copy):
    sch, i, _ = copy
    outer, inner = sch.split(i, [None, 5])
    assert (sch.get(outer).extent.value, sch.get(inner).extent.value) == (2, 5)
    check(sch, body("i_0, i_1, j in T.grid(2, 5, 6)", "i_0 * 5 + i_1", "j"))


def test_split_that_does_not_divide_gets_a_predicate(copy):
    sch, i, _ = copy
    sch.split(i, [None, 4])
    check(sch, body("i_0, i_1, j in T.grid(3, 4, 6)", "i_0 * 4 + i_1", "j", "i_0 * 4 + i_1 < 10"))


def test_split_of_a_symbolic_extent():
    text = COPY.replace("(A: T.Buffer((10, 6)), B: T.Buffer((10, 6)))",
                        "(a: T.handle, b: T.handle)").replace("10", "n").replace(
        '    with T.block("root")', '    n = T.int64()\n    A = T.match_buffer(a, (n, 6))\n'
        '    B = T.match_buffer(b, (n, 6))\n    with T.block("root")')
    before = parse(text)
    sch = Schedule(before)
    i, _ = sch.get_loops(sch.get_block("B"))
    sch.split(i, [None, 4])
    for n in (1, 4, 11):
        assert_same_results(before, sch.mod, n=n)


@pytest.mark.parametrize("factors, message", [
    ([None, None], "at most one factor may be None"), ([3, 3], "multiply to less than the extent"),
    ([0, 10], "factors are positive"), ("ab", "must be a list"), ([2.5, 4], "must be a list")])
def test_split_refuses_bad_factors(copy, factors, message):
    sch, i, _ = copy
    with pytest.raises(ScheduleError, match=message):
        sch.split(i, factors)
    check(sch, parse(COPY))


def test_fuse(copy):
    sch, i, j = copy
    sch.fuse(i, j)
    check(sch, body("f in range(60)", "f // 6", "f % 6"))


def test_a_fused_loop_that_is_split_stays_one_number(copy):
    sch, i, j = copy
    sch.split(sch.fuse(i, j), [10, 6])
    check(sch, body("a, b in T.grid(10, 6)", "(a * 6 + b) // 6", "(a * 6 + b) % 6"))


def test_split_and_fuse_give_the_loop_back(copy):
    sch, i, j = copy
    sch.fuse(*sch.split(i, [5, 2]))
    check(sch, body("i, j in T.grid(10, 6)", "i", "j"))


def test_a_split_around_a_nested_block_guards_the_outer_block_only():
    program = parse(VARIOUS["nested"])
    sch = Schedule(program)
    sch.split(sch.get_loops(sch.get_block("tile"))[1], [None, 3])
    inner = sch.get_block("point")
    guards = [r.predicate for r in collect(sch.mod["main"], BlockRealize)
              if r.block is sch.get(inner)]
    assert as_int(guards[0]) == 1
    assert_same_results(program, sch.mod)


def test_fuse_wants_direct_nesting(copy):
    sch, i, j = copy
    with pytest.raises(ScheduleError, match="loop i is not directly inside of loop j"):
        sch.fuse(j, i)


def test_reorder(copy):
    sch, i, j = copy
    sch.reorder(j, i)
    check(sch, body("j, i in T.grid(6, 10)", "i", "j"))


def test_reorder_keeps_loops_that_are_not_named(copy):
    sch, i, j = copy
    i0, i1 = sch.split(i, [2, 5])
    sch.reorder(j, i0)
    check(sch, body("j, i_1, i_0 in T.grid(6, 5, 2)", "i_0 * 5 + i_1", "j"))


def test_reorder_refuses_loops_of_different_nests(schedule):
    sch = schedule("chain")
    a, b = sch.get_loops(sch.get_block("B"))[0], sch.get_loops(sch.get_block("C"))[0]
    with pytest.raises(ScheduleError, match="loops i and i are not in one chain"):
        sch.reorder(a, b)


def test_reorder_refuses_a_loop_that_carries_values():
    sch = Schedule(parse("""
@T.prim_func
def main(A: T.Buffer((8, 8))):
    with T.block("root"):
        for i, j in T.grid(7, 7):
            with T.block("A"):
                vi, vj = T.axis.remap("SS", [i, j])
                A[vi + 1, vj] = A[vi, vj + 1]
"""))
    i, j = sch.get_loops(sch.get_block("A"))
    with pytest.raises(ScheduleError, match="it reads elements of A that other iterations write"):
        sch.reorder(j, i)


def test_split_of_a_consumed_loop_names_the_culprit(copy):
    sch, i, _ = copy
    sch.split(i, [2, 5])
    with pytest.raises(ScheduleError, match="this LoopRV is gone: split consumed it"):
        sch.split(i, [2, 5])


def test_wrong_kind_of_argument(copy):
    sch, i, _ = copy
    with pytest.raises(ScheduleError, match="fuse: loops must be a LoopRV, not BlockRV"):
        sch.fuse(i, sch.get_block("B"))
    with pytest.raises(ScheduleError, match="split: missing a required argument: 'factors'"):
        sch.split(i)


def test_add_unit_loop(copy):
    sch, i, _ = copy
    loop = sch.add_unit_loop(i)
    assert sch.get(loop).extent.value == 1
    assert len(sch.get_loops(sch.get_block("B"))) == 3
    assert_same_results(parse(COPY), sch.mod)
