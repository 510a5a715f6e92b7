"""parallel, vectorize, unroll, bind: what they set, and what they refuse."""

import pytest
from schedule_programs import assert_same_results

from unitylab.ir.errors import ScheduleError
from unitylab.schedule import Schedule
from unitylab.script import parse

KINDS = {"parallel": "parallel", "vectorize": "vectorized", "unroll": "unrolled"}


@pytest.mark.parametrize("name", KINDS)
def test_kind_is_set_on_a_spatial_loop(schedule, name):
    sch = schedule("matmul_relu")
    i = sch.get_loops(sch.get_block("C"))[0]
    getattr(sch, name)(i)
    assert sch.get(i).kind == KINDS[name]


@pytest.mark.parametrize("name", ["parallel", "vectorize"])
def test_reduction_loop_is_refused(schedule, name):
    sch = schedule("matmul_relu")
    k = sch.get_loops(sch.get_block("C"))[2]
    with pytest.raises(ScheduleError, match="(?s)loop k carries the reduction of block C: its "
                       "iterations write the same element\n.*  try: rfactor, or a spatial loop "
                       "such as i"):
        getattr(sch, name)(k)


def test_fused_reduction_loop_is_refused(schedule):
    sch = schedule("matmul_relu")
    _, j, k = sch.get_loops(sch.get_block("C"))
    with pytest.raises(ScheduleError, match="loop j_k_fused carries the reduction of block C"):
        sch.parallel(sch.fuse(j, k))


def test_unroll_of_a_reduction_is_legal(schedule):
    sch = schedule("matmul_relu")
    sch.unroll(sch.get_loops(sch.get_block("C"))[2])


def test_race_is_refused():
    sch = Schedule(parse("""
@T.prim_func
def main(A: T.Buffer((8, 8)), B: T.Buffer((8,))):
    with T.block("root"):
        for i, j in T.grid(8, 8):
            with T.block("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi] = A[vi, vj]
"""))
    i, j = sch.get_loops(sch.get_block("B"))
    with pytest.raises(ScheduleError, match="it does not use vj to choose the element"):
        sch.parallel(j)
    sch.parallel(i)


def test_loop_that_chooses_nothing_is_refused():
    sch = Schedule(parse("""
@T.prim_func
def main(A: T.Buffer((8,)), B: T.Buffer((8,))):
    with T.block("root"):
        for t, i in T.grid(3, 8):
            with T.block("B"):
                vi = T.axis.spatial(8, i)
                B[vi] = A[vi]
"""))
    t, _ = sch.get_loops(sch.get_block("B"))
    with pytest.raises(ScheduleError, match="loop t does not choose the element that block B"):
        sch.parallel(t)


def test_iterations_that_read_each_other_are_refused():
    sch = Schedule(parse("""
@T.prim_func
def main(A: T.Buffer((8,)), C: T.Buffer((8,))):
    with T.block("root"):
        B = T.alloc_buffer((9,))
        for i in range(8):
            with T.block("B"):
                vi = T.axis.spatial(8, i)
                B[vi + 1] = A[vi]
            with T.block("C"):
                vi = T.axis.spatial(8, i)
                C[vi] = B[vi]
"""))
    i, = sch.get_loops(sch.get_block("C"))
    with pytest.raises(ScheduleError, match="block C reads elements of B that block B writes in "
                                            "other iterations of loop i"):
        sch.parallel(i)


def test_vectorize_wants_a_constant_extent():
    sch = Schedule(parse("""
@T.prim_func
def main(a: T.handle, b: T.handle):
    n = T.int64()
    A = T.match_buffer(a, (n,))
    B = T.match_buffer(b, (n,))
    with T.block("root"):
        for i in range(n):
            with T.block("B"):
                vi = T.axis.spatial(n, i)
                B[vi] = A[vi]
"""))
    i, = sch.get_loops(sch.get_block("B"))
    with pytest.raises(ScheduleError, match="extent n of loop i is not a constant"):
        sch.vectorize(i)


def test_a_kind_replaces_another_and_split_gives_serial_loops(schedule):
    sch = schedule("chain")
    i, _ = sch.get_loops(sch.get_block("B"))
    sch.parallel(i)
    sch.vectorize(i)
    assert sch.get(i).kind == "vectorized"
    assert [sch.get(l).kind for l in sch.split(i, [3, 3])] == ["serial", "serial"]


def test_a_loop_of_a_thread_has_no_other_kind(schedule):
    sch = schedule("chain")
    i, _ = sch.get_loops(sch.get_block("B"))
    sch.bind(i, "blockIdx.x")
    with pytest.raises(ScheduleError, match="loop i is bound to blockIdx.x already"):
        sch.vectorize(i)
    with pytest.raises(ScheduleError, match="loop i is bound to a thread already"):
        sch.split(i, [3, 3])


def test_bind_is_kept_and_runs_serially(schedule):
    sch = schedule("chain")
    i, j = sch.get_loops(sch.get_block("B"))
    sch.bind(i, "blockIdx.x")
    assert sch.get(i).thread_binding.thread_tag == "blockIdx.x"
    with pytest.raises(ScheduleError, match="there is no thread axis 'lane'"):
        sch.bind(j, "lane")
    with pytest.raises(ScheduleError, match="loop i around it is bound to blockIdx.x"):
        sch.bind(j, "blockIdx.x")


def test_annotate_and_unannotate(schedule):
    sch = schedule("chain")
    i, _ = sch.get_loops(sch.get_block("B"))
    sch.annotate(i, "pragma", [1, 2])
    assert sch.get(i).annotations == {"pragma": (1, 2)}
    with pytest.raises(ScheduleError, match="loop i has the annotation 'pragma' already"):
        sch.annotate(i, "pragma", 3)
    sch.unannotate(i, "pragma")
    with pytest.raises(ScheduleError, match="loop i has no annotation 'pragma'"):
        sch.unannotate(i, "pragma")


def test_results_of_many_kinds_together(schedule):
    sch = schedule("matmul_relu")
    i, j, k = sch.get_loops(sch.get_block("C"))
    i0, i1 = sch.split(i, [None, 5])
    sch.reorder(i0, k, i1, j)
    sch.parallel(i0)
    sch.unroll(i1)
    sch.vectorize(j)
    assert_same_results(sch.copy().mod, sch.mod)


def test_threads_of_a_block_reduce_together(schedule):
    sch = schedule("matmul_relu")
    _, _, k = sch.get_loops(sch.get_block("C"))
    sch.bind(k, "threadIdx.x")
    other = schedule("matmul_relu")
    for request in (lambda l: other.bind(l, "blockIdx.x"), other.parallel):
        with pytest.raises(ScheduleError, match="carries the reduction"):
            request(other.get_loops(other.get_block("C"))[2])
