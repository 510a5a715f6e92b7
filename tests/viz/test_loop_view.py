"""What the loop lab is told, without a browser."""

import pytest

import unitylab as ul
from tests.viz.test_workbench import Page
from unitylab.script import tir as T
from unitylab.viz import loop_view


@T.prim_func
def matmul(A: T.Buffer((64, 48), "float32"), B: T.Buffer((48, 32), "float32"),
           C: T.Buffer((64, 32), "float32")):
    for i, j, k in T.grid(64, 32, 48):
        with T.block("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]


@pytest.fixture
def page():
    return Page(ul.lab(matmul, check=False, target="native -threads=1"))


def test_the_tree_knows_its_lines_in_the_script(page):
    rows = page.bench.view["loops"]["matmul"]
    assert [(r["what"], r["key"], r["depth"]) for r in rows] == [
        ("loop", "i", 0), ("loop", "j", 1), ("loop", "k", 2), ("block", "C", 3)]
    lines = page.bench.view["text"]["lines"]
    assert 'T.block("C")' in lines[rows[3]["line"] - 1]
    assert rows[3]["axes"][2] == ["vk", "reduce", "48"]
    assert page.bench.info["entry"] == "matmul"


def test_edits_are_offered_made_undone_and_refused(page):
    edits = page.result("loop_edits", step=0, function="matmul", key="k")
    assert [e["letter"] for e in edits] == ["s", "alt+↑", "alt+↓", "f", "p", "v", "u", "x"]
    split = edits[0]
    assert split["choices"][2] == {"label": "8", "args": {"factors": [None, 8]}, "legal": True,
                                   "reason": ""}
    assert page.result("loop_edit", function="matmul", op="split", key="k",
                       **split["choices"][2]["args"]) == "k_0"
    assert page.bench.current == 1 and page.bench.history[-1]["name"] == "split k by 8"
    reply = page.ask("loop_edit", function="matmul", op="parallel", key="k_0")
    assert "carries the reduction" in reply["error"]
    assert page.bench.current == 1 and page.bench.problem == ""  # it is said at the loop
    page.result("undo")
    assert [r["key"] for r in page.bench.view["loops"]["matmul"]] == ["i", "j", "k", "C"]


def test_the_selection_goes_on_with_what_an_edit_made(page):
    edit = lambda op, key, **args: page.result("loop_edit", function="matmul", op=op, key=key,
                                               **args)
    assert edit("split", "j", factors=[None, 8]) == "j_0"
    assert edit("reorder", "j_1", to="i") == "j_1"
    assert edit("vectorize", "j_0") == "j_0"
    assert edit("fuse", "j_1") == "j_1_i_fused"


def test_speeds_stand_beside_those_of_the_steps_before(page):
    asked = {"step": 0, "function": "matmul"}
    known = page.result("loop_speed", **asked)
    assert (known["here"], known["before"]) == (None, None)
    first = page.result("loop_speed", **asked, measure=True)["here"]
    assert first["flops"] == pytest.approx(2 * 64 * 32 * 48 / first["time"])
    assert 0 < first["peak"] < 1.2 and first["bytes"] > 0
    assert first["copy"] is None  # 26 kB lie in the caches
    page.result("loop_edit", function="matmul", op="reorder", key="k", to="j")
    page.result("loop_edit", function="matmul", op="vectorize", key="j")
    found = page.result("loop_speed", step=2, function="matmul", measure=True)
    assert found["before"]["step"] == 0 and found["before"]["time"] == first["time"]
    assert [r["step"] for r in found["rows"]] == [0, 2]
    assert page.result("loop_speed", step=0, function="matmul")["here"]["time"] == first["time"]


def test_measuring_can_be_stopped_and_nothing_is_kept(page):
    stop = lambda: setattr(page.bench.session.watch, "stop", True)
    page.bench.session.watch.hear = stop  # as soon as it says what it does
    assert "stopped" in page.ask("loop_speed", step=0, function="matmul", measure=True)["error"]
    page.bench.session.watch.hear = None
    assert page.result("loop_speed", step=0, function="matmul")["here"] is None


def test_the_animation_touches_what_the_loops_touch(page):
    found = page.result("loop_order", step=0, function="matmul")
    names = [b["name"] for b in found["buffers"]]
    assert names == ["A", "B", "C"] and found["steps"] == len(found["starts"]) - 1 <= 1200
    a, c = found["buffers"][0], found["buffers"][2]
    assert (a["shape"], a["rows"][:2], a["columns"][:2]) == ([64, 48], ["0", "1"], [0, 1])

    def touched(step):
        some = range(found["starts"][step], found["starts"][step + 1])
        cells = [(names[found["which"][k] >> 1], found["which"][k] & 1, found["cells"][k])
                 for k in some]
        wide = {"A": a, "B": found["buffers"][1], "C": c}
        return [(n, w, cell // len(wide[n]["columns"]), cell % len(wide[n]["columns"]))
                for n, w, cell in cells]
    i, j, k = ([row[5] for row in found["values"]])
    assert touched(5) == [("C", 0, i, j), ("A", 0, i, k), ("B", 0, k, j), ("C", 1, i, j)]
    assert touched(0) == [("C", 1, 0, 0)]
    assert found["loops"][2] == {"name": "k", "kind": "serial", "shown": found["loops"][2]["shown"],
                                 "of": 48}


def test_pictures_leave_gaps_out_and_lay_outer_dimensions_over_each_other():
    @T.prim_func
    def packed(A: T.Buffer((64, 64, 64), "float32"), B: T.Buffer((64, 64, 64), "float32")):
        for i, j, k in T.grid(64, 64, 8):
            with T.block("B"):
                vi, vj, vk = T.axis.remap("SSS", [i, j, k])
                B[vi, vj, vk * 8] = A[vi, vj, vk * 8]
    session = ul.Session(packed, check=False)
    picture = loop_view.loop_order(session.iteration_order())["buffers"][0]
    assert picture["columns"] == [8 * k for k in range(8)]
    assert picture["hidden"] == 1 and picture["rows"][:2] == ["0", "1"]


def test_traffic_is_told_by_buffer_and_level(page):
    found = page.result("loop_traffic", step=0, function="matmul")
    assert [b["name"] for b in found["buffers"]] == ["A", "B", "C"]
    assert found["simulated"] == found["total"] == 64 * 32 * (4 * 48 + 1)
    a = found["buffers"][0]
    assert a["lines"] == 64 * 48 * 4 // 64 and len(a["misses"]) == len(found["levels"])
    assert sum(a["reuse"]) + a["lines"] == a["accesses"] == 64 * 32 * 48
    assert found["levels"][0]["lines"] * 64 == found["levels"][0]["size"]


def test_what_cannot_be_walked_says_why():
    @T.prim_func
    def until(A: T.Buffer((8,), "int32")):
        while A[0] < 0:
            A[0] = A[0] + 1
    page = Page(ul.lab(until, check=False))
    for ask in ("loop_order", "loop_traffic"):
        assert "while loop" in page.ask(ask, step=0, function="until")["error"]
    assert "no blocks" in page.ask("loop_edits", step=0, function="until", key="i")["error"]
