"""The loop lab without a user interface: trees, edits, what is refused, speed, caches."""

import numpy as np
import pytest

import unitylab as ul
from unitylab.script import tir as T


@T.prim_func
def product(A: T.Buffer((16, 12), "float32"), B: T.Buffer((12, 32), "float32"),
            D: T.Buffer((16, 32), "float32")):
    C = T.alloc_buffer((16, 32), "float32")
    for i, j, k in T.grid(16, 32, 12):
        with T.block("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
    for i, j in T.grid(16, 32):
        with T.block("D"):
            vi, vj = T.axis.remap("SS", [i, j])
            D[vi, vj] = T.max(C[vi, vj], T.float32(0))


@pytest.fixture
def session():
    return ul.Session(product)


def names(session):
    return [r.key for r in session.loop_tree() if r.key]


def test_the_tree_has_a_row_for_each_loop_block_and_buffer(session):
    rows = session.loop_tree().rows
    assert [(r.what, r.depth, r.key) for r in rows] == [
        ("buffer", 0, ""), ("loop", 0, "i"), ("loop", 1, "j"), ("loop", 2, "k"),
        ("block", 3, "C"), ("loop", 0, "i#2"), ("loop", 1, "j#2"), ("block", 2, "D")]
    block = session.loop_tree()["C"]
    assert block.axes == (("vi", "spatial", "16"), ("vj", "spatial", "32"), ("vk", "reduce", "12"))
    assert (block.reads, block.writes) == (("A[vi, vk]", "B[vk, vj]"), ("C[vi, vj]",))
    assert session.loop_tree()["k"].trips == 16 * 32 * 12
    assert "k: 12 serial" in str(session.loop_tree())
    with pytest.raises(ul.UnityLabError, match="no loop or block 'x'"):
        session.loop_tree()["x"]


def test_a_way_of_edits_is_checked_undone_and_exported(session):
    for op, key, args in [("split", "j", {"factors": [None, 16]}), ("reorder", "k", {"to": "j_1"}),
                          ("vectorize", "j_1", {}), ("split", "i", {"factors": [None, 4]}),
                          ("parallel", "i_0", {}), ("unroll", "i_1", {}),
                          ("decompose_reduction", "C", {"loop": "k"}),
                          ("compute_at", "D", {"loop": "i_0", "reverse": True})]:
        step = session.edit_loops(op, key, **args)
        assert step.check.state == "ok", step.check
    assert [s.name for s in session.history.path(session.current)][1:4] == [
        "split j by 16", "move k outside j_1", "vectorize j_1"]
    scope = {}
    exec(session.to_python(), scope)
    ul.assert_structural_equal(scope["mod"], session.module)
    session.undo()
    assert session.current.name == "decompose C at k"


def test_what_is_offered_at_a_loop_is_possible_or_says_why_not(session):
    found = {e.name: e for e in session.loop_edits("k")}
    assert found["split"].legal
    assert [c.label for c in found["split"].choices if c.legal][:2] == ["2", "4"]
    assert "8 (tail)" in [c.label for c in found["split"].choices]
    assert not found["parallel"].legal and "carries the reduction" in found["parallel"].reason
    assert "try: rfactor" in found["parallel"].reason
    assert not found["inward"].legal and "no loop directly inside" in found["inward"].reason
    assert found["outward"].choices[0].args == {"to": "j"}
    block = {e.name: e for e in session.loop_edits("C")}
    assert [c.args["loop"] for c in block["decompose_reduction"].choices if c.legal] == \
        ["i", "j", "k"]
    assert "read A in local" in [c.label for c in block["cache"].choices if c.legal]


def test_every_choice_that_is_offered_gives_what_the_interpreter_gives(session):
    tried = 0
    for key in names(session):
        for e in session.loop_edits(key):
            for c in e.choices:
                if c.legal:
                    step = session.edit_loops(e.name, key, **c.args)
                    assert step.check.state == "ok", (e.name, key, c)
                    session.undo()
                    tried += 1
    assert tried > 50


def test_a_refused_edit_changes_nothing_and_says_why(session):
    with pytest.raises(ul.errors.ScheduleError, match="carries the reduction"):
        session.edit_loops("parallel", "k")
    with pytest.raises(ul.errors.ScheduleError, match="not in one nest"):
        session.edit_loops("reorder", "i", to="j#2")
    with pytest.raises(ul.errors.ScheduleError, match="is a block"):
        session.edit_loops("split", "C", factors=[2, None])
    with pytest.raises(ul.errors.ScheduleError, match="no edit 'spilt'"):
        session.edit_loops("spilt", "i")
    with pytest.raises(ul.errors.ScheduleError, match="factors"):
        session.edit_loops("split", "i")
    assert len(session.steps) == 1


@pytest.mark.parametrize("moved, to, order", [("k", "i", ["k", "i", "j"]),
                                              ("i", "k", ["j", "k", "i"]),
                                              ("j", "i", ["j", "i", "k"])])
def test_a_loop_is_moved_to_the_place_of_another(session, moved, to, order):
    session.edit_loops("reorder", moved, to=to)
    assert names(session)[:3] == order


def test_a_program_without_blocks_is_shown_and_refused():
    @T.prim_func
    def plain(A: T.Buffer((8,), "float32")):
        for i in range(8):
            A[i] = A[i] + T.float32(1)
    session = ul.Session(plain)
    assert [r.what for r in session.loop_tree()] == ["loop", "store"]
    with pytest.raises(ul.errors.ScheduleError, match="no blocks to schedule"):
        session.loop_edits("i")


def test_speed_is_measured_once_and_has_rates(session):
    assert session.known_speed() is None
    speed = session.speed()
    assert speed.flops == 16 * 32 * (12 * 2 + 1) and speed.peak > 1e9 and speed.median > 0
    assert session.speed() is speed and session.known_speed(step=0) is speed
    assert "measured:" in session.describe() and "Loops of product" in session.describe()
    session.edit_loops("vectorize", "j#2")
    assert session.known_speed() is None


def test_programs_of_a_graph_are_reached_by_name(rfc):
    session = ul.Session(rfc, sizes={"n": 4, "d": 5, "m": 6})
    session.run(ul.pipelines.default[:6])
    name = next(iter(session.module.prim_funcs))
    assert len(session.loop_tree(name)) > 0
    assert session.simulate(name).simulated > 0 and len(session.iteration_order(name)) > 0
    assert session.speed(name).median > 0
    with pytest.raises(ul.UnityLabError, match="no tensor program 'nothing'"):
        session.loop_tree("nothing")


def test_given_inputs_stay_as_they_are():
    arrays = [np.ones((16, 12), "float32"), np.ones((12, 32), "float32"),
              np.zeros((16, 32), "float32")]
    session = ul.Session(product, inputs=arrays, check=False)
    session.speed()
    assert not arrays[2].any()
