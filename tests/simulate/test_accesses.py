"""The order of accesses, against the same loops written in Python."""

import pytest

import unitylab as ul
from unitylab.ir.prim import Var
from unitylab.ir.visitor import collect
from unitylab.script import tir as T
from unitylab.simulate import accesses_of, iteration_order


def touched(func, limit=10**6, sizes=None):
    """(buffer name, write, element) of every access."""
    found = accesses_of(func, sizes, limit)
    base = {k: found.address[found.which == k].min() // 4096 * 4096
            for k in set(found.which.tolist())}
    return [(found.buffers[k].name, bool(w), int(a - base[k]) // 4)
            for k, w, a in zip(found.which, found.write, found.address)]


@T.prim_func
def matmul(A: T.Buffer((3, 4), "float32"), B: T.Buffer((4, 5), "float32"),
           C: T.Buffer((3, 5), "float32")):
    for i, j, k in T.grid(3, 5, 4):
        with T.block("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]


def matmul_in_order():
    for i in range(3):
        for j in range(5):
            yield "C", True, 5 * i + j
            for k in range(4):
                yield "C", False, 5 * i + j
                yield "A", False, 4 * i + k
                yield "B", False, 5 * k + j
                yield "C", True, 5 * i + j


def test_a_reduction_is_walked_in_program_order():
    assert touched(matmul) == list(matmul_in_order())


@pytest.mark.parametrize("limit", [1, 2, 17, 100])
def test_a_limit_gives_the_beginning(limit):
    found = accesses_of(matmul, limit=limit)
    assert touched(matmul, limit) == list(matmul_in_order())[:limit]
    assert not found.complete and found.total == 3 * 5 * 17


def test_a_schedule_changes_the_order_and_nothing_else():
    sch = ul.Schedule(matmul)
    i, j, k = sch.get_loops(sch.get_block("C"))
    j0, j1 = sch.split(j, [None, 2])  # the last tile has a tail
    sch.reorder(i, j0, k, j1)
    order = touched(sch.mod["matmul"])
    assert sorted(a for a in order if a[0] != "C") == \
        sorted(a for a in matmul_in_order() if a[0] != "C")
    assert [a[2] for a in order if a[0] == "B"][:8] == [0, 1, 5, 6, 10, 11, 15, 16]


@T.prim_func
def shrinking(A: T.Buffer((6, 6), "float32"), B: T.Buffer((6,), "float32")):
    for i in range(6):
        for j in range(6 - i):
            if j % 2 == 0:
                B[i] = B[i] + A[i, j]
            else:
                B[j] = T.if_then_else(i > 2, A[j, i], T.float32(0))


def test_conditions_and_extents_that_depend_on_outer_loops():
    expected = []
    for i in range(6):
        for j in range(6 - i):
            if j % 2 == 0:
                expected += [("B", False, i), ("A", False, 6 * i + j), ("B", True, i)]
            else:
                expected += [("A", False, 6 * j + i)] * (i > 2) + [("B", True, j)]
    assert touched(shrinking) == expected


def test_symbolic_sizes_and_strides():
    @T.prim_func
    def columns(a: T.handle, B: T.Buffer((4,), "float32")):
        n = T.int32()
        A = T.match_buffer(a, (n, 4), "float32", strides=(8, 1))
        for i, j in T.grid(n, 4):
            B[j] = A[i, j]
    n = next(v for v in collect(columns.buffers[0], Var) if v.name == "n")
    reads = [e for name, write, e in touched(columns, sizes={n: 3}) if not write]
    assert reads == [8 * i + j for i in range(3) for j in range(4)]
    with pytest.raises(ul.UnityLabError, match="the value of 'n' is not known"):
        accesses_of(columns)


def test_vectors_touch_their_lanes():
    @T.prim_func
    def lanes(A: T.Buffer((32,), "float32"), B: T.Buffer((32,), "float32")):
        for i in range(4):
            B[T.Ramp(i * 8, 1, 8)] = A[T.Ramp(i * 8, 1, 8)]
    order = touched(lanes)
    assert [e for name, write, e in order if write] == list(range(32))
    assert order[:8] == [("A", False, k) for k in range(8)]


def test_a_gather_is_random_and_says_so():
    @T.prim_func
    def gather(A: T.Buffer((100,), "float32"), I: T.Buffer((8,), "int32"),
               B: T.Buffer((8,), "float32")):
        for i in range(8):
            B[i] = A[I[i]]
    found = accesses_of(gather)
    places = [e for name, write, e in touched(gather) if name == "A"]
    assert found.guessed and len(set(places)) > 3 and max(places) < 100


def test_what_the_program_does_not_tell_is_refused():
    @T.prim_func
    def until(A: T.Buffer((8,), "int32")):
        while A[0] < 5:
            A[0] = A[0] + 1
    with pytest.raises(ul.UnityLabError, match="while loop"):
        accesses_of(until)

    @T.prim_func
    def data(A: T.Buffer((8,), "int32"), B: T.Buffer((8,), "int32")):
        for i in range(A[0]):
            B[i] = 0
    with pytest.raises(ul.UnityLabError, match="depends on data"):
        accesses_of(data)


def test_a_schedule_of_the_default_rules_is_walked():
    from unitylab.schedule import DefaultSchedule
    mod = DefaultSchedule()(ul.ir.module.as_module(matmul))
    order = touched(mod["matmul"])
    reads = {e for name, write, e in order if name == "A" and not write}
    assert reads == set(range(12))


def test_the_order_of_steps_is_that_of_the_loops():
    order = iteration_order(matmul)
    assert len(order) == 3 * 5 * (1 + 4)
    assert order.loops == (("i", "serial", 3, 3), ("j", "serial", 5, 5), ("k", "serial", 4, 4))
    assert order.values[:6].tolist() == [[0, 0, -1], [0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 0, 3],
                                         [0, 1, -1]]
    rows = [(order.buffers[b].name, bool(w), tuple(i)) for b, w, i in
            zip(order.buffer, order.write, order.index)]
    assert [(n, w, 5 * a + b if n != "A" else 4 * a + b) for n, w, (a, b) in rows] == \
        list(matmul_in_order())


def test_large_programs_are_clamped_and_vectors_are_one_step():
    @T.prim_func
    def scale(A: T.Buffer((512, 512), "float32"), B: T.Buffer((512, 512), "float32")):
        for i, j in T.grid(512, 512):
            with T.block("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = A[vi, vj] * T.float32(2)
    sch = ul.Schedule(scale)
    i, j = sch.get_loops(sch.get_block("B"))
    j0, j1 = sch.split(j, [None, 16])
    sch.vectorize(j1)
    order = iteration_order(sch.mod["scale"], limit=500)
    assert 100 < len(order) <= 500
    assert [l[:2] for l in order.loops] == [("i", "serial"), ("j_0", "serial"),
                                            ("j_1", "vectorized")]
    assert order.index[(order.step == 1) & order.write].tolist() == [[0, 16 + k] for k in range(16)]
    assert set(order.values[:, 2]) == {-1}
