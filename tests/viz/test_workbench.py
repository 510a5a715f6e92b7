"""The workbench without a browser: a bare widget whose messages a test writes, as any host would."""

import gzip
import base64
import json
import re
from threading import Event

import numpy as np
import pytest

import unitylab as ul
from unitylab.script import tir as T
from unitylab.models.encoder import encoder
from unitylab.viz import assets
from unitylab.viz.graph_picture import TOO_MANY

LAST = len(ul.pipelines.default)  # the step of the whole pipeline
LEGAL = 1 + [p.name for p in ul.pipelines.default].index("LegalizeOps")


@T.prim_func
def matmul(A: T.Buffer((256, 256), "float32"), B: T.Buffer((256, 256), "float32"),
           C: T.Buffer((256, 256), "float32")):
    for i, j, k in T.grid(256, 256, 256):
        with T.block("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]


class Page:
    """Stands for the page: sends questions, keeps answers."""

    def __init__(self, bench):
        self.bench, self.replies = bench, []
        bench.send = self.replies.append

    def ask(self, ask, **args):
        self.bench._hear(self.bench, {"id": len(self.replies), "ask": ask, "args": args}, None)
        self.bench.join()
        return self.replies[-1]

    def result(self, ask, **args):
        reply = self.ask(ask, **args)
        assert "error" not in reply, reply
        return reply["result"]

    def key(self, label):
        return next(n["id"] for n in self.bench.view["graph"]["nodes"] if n["label"] == label)


@pytest.fixture
def page(rfc):
    return Page(ul.lab(rfc, name="rfc", sizes={"n": 4, "d": 5, "m": 6}))


def test_the_module_is_small():
    assert len(assets.module_source().encode()) < 60_000
    assert "export default" in assets.module_source()


def test_steps_undo_and_branches(page):
    page.result("all")
    assert page.bench.current == LAST
    assert {r["check"] for r in page.bench.history} == {"ok"}
    page.result("checkout", step=5)
    page.result("branch", name="as it is")
    page.result("apply", name="Normalize")
    assert page.bench.history[-1]["branch"] == "as it is"
    assert page.bench.history[-1]["parent"] == 5
    page.result("undo")
    assert page.bench.current == 5


def test_any_two_points_are_compared(page):
    page.result("all")
    page.result("checkout", step=LAST, base=0)
    view = page.bench.view
    assert (view["base"], view["id"]) == (0, LAST)
    rebuilt = []
    for tag, a, b, c, d in view["diff"]:
        rebuilt += view["before"]["lines"][a:b] if tag == "equal" else view["text"]["lines"][c:d]
    assert rebuilt == view["text"]["lines"]
    calls = next(n for n in view["numbers"] if n["name"] == "calls")
    assert (calls["before"], calls["after"]) == (4, 3)


def test_rewrites_have_their_own_before_and_after(page):
    page.result("all")
    rewrites = page.result("rewrites", step=LEGAL)
    assert [r["rule"] for r in rewrites] == ["legalize", "legalize"]
    exp = next(r for r in rewrites if "exp" in r["label"])
    page.result("checkout", step=LEGAL)
    assert exp["nodes"] == [page.key("exp")]
    one = page.result("rewrite", step=LEGAL, k=exp["k"])
    assert "R.exp" in "".join(one["before"]["lines"])
    assert "call_tir" in "".join(one["after"]["lines"])


def test_what_can_be_done_at_a_node_with_preview_and_reasons(page):
    key = page.key("exp")
    actions = {a["name"]: a for a in page.result("actions", step=0, key=key)}
    assert actions["LegalizeOps"]["legal"]
    assert "LegalizeOps first" in actions["FuseOps"]["reason"]
    preview = page.result("preview", step=0, key=key, action=actions["LegalizeOps"]["id"])
    assert any("def exp" in line for line in preview["after"]["lines"])
    assert not any("def flatten" in line for line in preview["after"]["lines"])
    assert page.bench.current == 0
    page.result("apply_here", key=key, action=actions["LegalizeOps"]["id"])
    assert page.bench.current == 1
    assert page.bench.history[-1]["check"] == "ok"
    scope = {"session": ul.Session(page.bench.session.steps[0].module), "ul": ul}
    exec(actions["LegalizeOps"]["code"], scope)
    ul.assert_structural_equal(scope["session"].module, page.bench.session.module)


def test_primitives_at_a_program(page):
    key = page.key("mm")
    actions = {a["name"]: a for a in page.result("actions", step=0, key=key)}
    assert "reduction" in actions["parallel k"]["reason"]
    scope = {"session": ul.Session(page.bench.session.steps[0].module), "ul": ul}
    exec(actions["parallel i"]["code"], scope)
    page.result("apply_here", key=key, action=actions["parallel i"]["id"])
    assert page.bench.history[-1]["check"] == "ok"
    assert "T.parallel" in page.bench.session.module.script()
    ul.assert_structural_equal(scope["session"].module, page.bench.session.module)


def test_origins_name_the_line_that_was_written(page):
    page.result("all")
    story = page.result("inspect", step=LAST, key=page.key("fused_flatten_exp"))
    assert story["origins"][-1]["step"] == 0
    assert story["origins"][-1]["place"].startswith("<text>:")


def test_measuring_gives_time_work_and_roofline(page):
    page.result("measure")
    measures = page.bench.view["measures"]
    node = measures["nodes"][page.key("mm")]
    assert node["flops"] == 2 * 4 * 5 * 6
    assert node["bytes"] == 4 * (4 * 5 + 5 * 6 + 4 * 6)
    assert node["time"] > 0 and 0 <= node["roof"] <= 1
    assert max(m["bytes"] for m in measures["memory"]) == next(
        n["after"] for n in page.bench.view["numbers"] if n["name"] == "peak")
    page.result("measure", sizes={"n": 8})
    assert page.bench.view["measures"]["nodes"][page.key("mm")]["flops"] == 2 * 8 * 5 * 6


def test_errors_are_answers_and_lose_nothing(page):
    assert "no pass is called" in page.ask("apply", name="Fuse")["error"]
    assert "cannot answer" in page.ask("nonsense")["error"]
    assert "no such node" in page.ask("actions", step=0, key="9.9")["error"]
    assert len(page.bench.history) == 1


def test_long_work_is_shown_and_stopped(page):
    seen = []
    page.bench.observe(lambda change: seen.append(change.new.get("what")), "progress")
    page.result("next")
    assert "applying Normalize" in seen and seen[-1] is None
    page.bench.session.watch.stop = True
    assert "stopped" in page.ask("apply", name="LegalizeOps")["error"]
    assert len(page.bench.history) == 2
    page.result("apply", name="LegalizeOps")


def test_a_module_is_shown_while_it_is_checked_and_the_check_stops():
    endless = ul.parse("""
@I.ir_module
class Module:
    @T.prim_func
    def main(A: T.Buffer((1,), "int32")):
        while A[0] < 9:
            A[0] = A[0] * 2
""")
    bench = ul.lab(endless, inputs=[np.zeros(1, "int32")])
    page, begun = Page(bench), Event()
    hear = lambda *_: begun.set() if "checking" in bench.progress.get("what", "") else None
    bench.observe(hear, "progress")
    hear()
    assert begun.wait(20) and bench.history[0]["check"] == "pending"
    assert "def main" in "\n".join(bench.view["text"]["lines"])
    page.ask("stop")
    bench.join()
    assert bench.history[0]["check"] == "none" and "stopped" in bench.history[0]["message"]
    assert bench.progress == {}


def test_the_interpreter_beside_other_work_is_shown_and_stopped():
    bench = ul.lab(ul.Session(matmul, measure=False))
    page, told = Page(bench), Event()
    bench.observe(lambda change: told.set() if change.new.get("beside") else None, "progress")
    assert told.wait(20)
    assert bench.progress["what"] == "interpreting step 0 beside other work"
    assert page.result("loop_edit", function="matmul", op="vectorize", key="j") == "j"
    assert [r["check"] for r in bench.history] == ["pending", "ok"]
    page.result("stop_beside")
    bench.session.join()
    assert bench.history[0]["check"] == "none" and bench.progress == {}


def test_what_code_does_shows_at_once(page):
    page.bench.session.apply("LegalizeOps")
    assert page.bench.current == 1
    assert len(ul.lab(page.bench.session).history) == 2


def test_a_failing_view_of_one_widget_leaves_the_session(page):
    bundle = page.bench._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "<svg" in data["text/html"] and "<script" not in data["text/html"]


def test_ten_workbenches_stay_small(page):
    page.result("all")
    bundle = page.bench._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    one = len(data["text/html"]) + len(json.dumps(page.bench.get_state(), default=str))
    assert 10 * one < 2_000_000


def test_large_graphs_are_grouped_by_name(tmp_path):
    session = ul.Session(encoder(layers=12), name="encoder", sizes={"n": 4}, check=False)
    graph = ul.lab(session).view["graph"]
    assert len(graph["nodes"]) > TOO_MANY and graph["width"] == 0
    assert {f"layer{k}" for k in range(12)} <= {g["id"] for g in graph["groups"]}
    session.apply("LegalizeOps")
    session.to_html(tmp_path / "encoder.html", seconds=1)
    text = (tmp_path / "encoder.html").read_text()
    assert len(text) < 3_000_000 and "https://" not in text
    packed = re.search(r'atob\("([^"]+)"\)', text)[1]
    data = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert set(data["views"]) == {"0", "1"}


def test_fused_functions_stand_in_their_layers():
    session = ul.Session(encoder(layers=12), name="encoder", sizes={"n": 4}, check=False)
    for p in ("LegalizeOps", "AnnotateTIROpPattern", "FuseOps"):
        session.apply(p)
    groups = {g["id"]: g for g in ul.lab(session).view["graph"]["groups"]}
    outer = [g["label"] for g in groups.values() if not g["parent"]]
    assert outer == [f"layer{k}" for k in range(12)]
    assert any(groups[g["parent"]]["label"] == "layer3" and g["label"].startswith("fused_matmul")
               for g in groups.values() if g["parent"])


def test_many_groups_are_gathered():
    session = ul.Session(encoder(layers=60, width=16, heads=2, hidden=16), name="large",
                         sizes={"n": 4}, check=False)
    graph = ul.lab(session).view["graph"]
    outer = {g["id"]: g["label"] for g in graph["groups"] if not g["parent"]}
    assert list(outer.values())[0] == "layer0 … layer7" and len(outer) == 8
    assert {g["parent"] for g in graph["groups"] if g["parent"]} == set(outer)
    assert sum(not n["group"] for n in graph["nodes"]) <= 3  # the ends


def test_two_branches_beside_each_other(page):
    page.result("all")
    page.result("checkout", step=LEGAL + 1)  # before FuseOps
    page.result("branch", name="no fusion")
    page.result("apply", name="DefaultSchedule")
    left, right = page.result("beside", step=LAST + 1, base=LAST)
    places = [{n["id"]: (n["x"], n["y"]) for n in g["nodes"]} for g in (left, right)]
    both = places[0].keys() & places[1].keys()
    assert len(both) == 5 and all(places[0][k] == places[1][k] for k in both)
    status = [{n["label"]: n["status"] for n in g["nodes"]} for g in (left, right)]
    assert status[0]["fused_flatten_exp"] == "removed"
    assert (status[1]["flatten"], status[1]["exp"], status[1]["mm"]) == ("added", "added", "same")
    assert (left["width"], left["height"]) == (right["width"], right["height"])


def test_steps_and_branches_get_other_names(page):
    page.result("all")
    page.result("rename", step=LEGAL, label="operators gone", branch="the way")
    assert page.bench.history[LEGAL]["label"] == "operators gone"
    assert {r["branch"] for r in page.bench.history} == {"the way"}
    assert page.bench.session.checkout("the way").id == LAST
    page.result("branch", name="aside")
    page.result("apply", name="Normalize")
    assert "called 'the way' already" in page.ask("rename", step=LAST + 1, label="",
                                                  branch="the way")["error"]


def test_machine_code_knows_lines_and_callers(page):
    page.result("all")
    [part] = page.result("source", step=LAST, kind="asm", key=page.key("mm"))
    script = page.bench.view["text"]["lines"]
    hot = [(text, line) for text, line, hot in part["rows"] if hot and line]
    assert any("fmadd" in text and "acc[" in script[line - 1] for text, line in hot)
    assert part["keys"] == [page.key("mm")]
    loop = next(r for r in page.bench.view["loops"]["mm"] if r["key"] == "vk")
    assert "for vk in" in script[loop["line"] - 1]
    page.result("checkout", step=0)  # the operator has no program yet: one is made for it
    [part] = page.result("source", step=0, kind="llvm", key=page.key("exp"))
    assert part["name"] == "exp" and part["keys"] == [page.key("exp")]
