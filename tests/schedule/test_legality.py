"""What random schedules found: requests that must be refused, and why."""

import pytest
from random_check import check
from random_requests import LOOKING, UNCHECKED
from various_programs import VARIOUS, program

from unitylab.ir.errors import ScheduleError
from unitylab.schedule import Schedule
from unitylab.schedule.signature import PRIMITIVES
from unitylab.script import parse


@pytest.fixture
def start():
    made = []

    def make(text):
        made.append(Schedule(parse(VARIOUS.get(text, text))))
        made[-1].before = made[-1].mod
        return made[-1]
    yield make
    for sch in made:
        check(sch.before, sch)


def test_the_last_writer_of_an_element_stays_the_last(start):
    sch = start("last_wins")
    block = sch.get_block("Y")
    i, j = sch.get_loops(block)
    for request in (lambda: sch.reorder(j, i), lambda: sch.parallel(i),
                    lambda: sch.transform_block_layout(block, lambda a, b: (b, a))):
        with pytest.raises(ScheduleError, match="does not use vi to choose the element of Y"):
            request()


def test_rows_are_independent_where_columns_are_not(start):
    sch = start("prefix_sum")
    i, j = sch.get_loops(sch.get_block("P"))
    with pytest.raises(ScheduleError, match="vj is of kind scan"):
        sch.parallel(j)
    sch.parallel(i)


def test_a_block_that_is_repeated_keeps_its_place_in_a_reduction(start):
    sch = start(program("A: T.Buffer((4,)), Y: T.Buffer((1,))", """
for k, r in T.grid(4, 3):
    with T.block("Y"):
        vk = T.axis.reduce(4, k)
        with T.init():
            Y[0] = T.float32(0)
        Y[0] = Y[0] + A[vk]
"""))
    k, r = sch.get_loops(sch.get_block("Y"))
    with pytest.raises(ScheduleError, match="loop r repeats it"):
        sch.reorder(r, k)


def test_extents_of_a_triangle_stay_inside_of_their_loop(start):
    sch = start("triangle")
    with pytest.raises(ScheduleError, match="i would be used outside of the loop"):
        sch.reindex(sch.get_block("S"), ("read", 0))


def test_a_cache_is_not_read_before_it_is_filled(start):
    sch = start("in_place")
    with pytest.raises(ScheduleError, match="the cache would be read before it is filled"):
        sch.cache_write(sch.get_block("B"), 0, "local")
    sch = start(program("A: T.Buffer((8,)), Y: T.Buffer((8,))", """
for i in range(8):
    with T.block("Y"):
        vi = T.axis.spatial(8, i)
        if A[vi] > T.float32(0):
            Y[vi] = A[vi]
"""))
    with pytest.raises(ScheduleError, match="writes Y under a condition only"):
        sch.cache_write(sch.get_block("Y"), 0, "local")


def test_copies_do_not_use_places_outside_of_the_buffer(start):
    sch = start("convolution")
    with pytest.raises(ScheduleError, match="reads X at vh - 1 under a condition"):
        sch.reindex(sch.get_block("pad"), ("read", 0))


def test_points_that_a_map_adds_are_refused(start):
    sch = start("chain")
    with pytest.raises(ScheduleError, match="10 x 7 points of block B, more than it has"):
        sch.transform_block_layout(sch.get_block("B"), lambda i, j: (i + 1, j))


def test_a_refused_request_leaves_no_trace(start):
    sch = start("rows")
    handle = sch.handle_of(sch.mod["main"].root.body.stmts[2].body.body.block)
    with pytest.raises(ScheduleError, match="writes an output"):
        sch.compute_inline(handle)
    assert len(sch.trace) == 0
    sch.get_loops(handle)
    assert [i.name for i in sch.trace.insts] == ["get_block", "get_loops"]


def test_candidates_offer_every_primitive_and_what_is_legal_works(start):
    offered = set()
    for name in ("matmul_relu", "convolution", "rows"):
        sch = start(name)
        blocks = sch.get_child_blocks(sch.get_block("root"))
        for place in [*blocks, *[l for b in blocks for l in sch.get_loops(b)]]:
            for c in sch.candidates(place):
                offered.add(c.name)
                assert c.legal or c.reason
                if c.legal:
                    getattr(sch.copy(), c.name)(*c.args)
    others = {"annotate", "unannotate", "tensorize", "merge", "rolling_buffer",
              "reindex_cache_read", "reindex_cache_write", "sample_compute_location"}
    assert set(PRIMITIVES) - LOOKING - UNCHECKED - others <= offered
