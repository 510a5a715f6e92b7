"""The workbench's points in JupyterLab, for four programs, light and dark, as a person meets them.

Everything is found by role and accessible name. One page a program: each test begins at the last
step of the pipeline with nothing selected, and may leave steps behind."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.bench import AUDIT, SLOW, Bench
from tests.browser.lab import open_lab
from tests.browser.programs import PROGRAMS, SETUP, SHOW, notebook, session_cell


@pytest.fixture(scope="module")
def pages(server, browser):
    """Opens the notebook of a program; the one before is closed."""
    state = {"name": None, "stack": None, "lab": None}

    def close():
        if state["stack"] is not None:
            state["stack"].__exit__(None, None, None)

    def open_(program):
        if state["name"] != program.name:
            close()
            file = server.notebooks / f"points_{program.name}.ipynb"
            cells = [SETUP, program.cell, session_cell(program), SHOW]
            file.write_text(json.dumps(notebook(cells)))
            state["stack"] = open_lab(server, browser, size=(1600, 1000))
            state["lab"] = state["stack"].__enter__()
            state["lab"].open(file.name)
            state["lab"].run_all()
            state["lab"].page.set_default_timeout(12_000)
            assert state["lab"].errors() == []
            state["name"], state["lab"].theme_now = program.name, "light"
        return state["lab"]
    yield open_
    close()


both_themes = pytest.mark.both_themes


def pytest_generate_tests(metafunc):
    """Every test for every program; what colours say in both themes."""
    themes = ("light", "dark") if metafunc.definition.get_closest_marker("both_themes") else \
        ("light",)
    cases = [(p, t) for p in PROGRAMS for t in themes]
    metafunc.parametrize("place", cases, indirect=True, scope="module",
                         ids=["-".join(c) for c in cases])


@pytest.fixture(scope="module")
def place(request, pages):
    name, theme = request.param
    lab = pages(PROGRAMS[name])
    if lab.theme_now != theme:
        lab.theme(theme)
        lab.theme_now = theme
    return lab, PROGRAMS[name]


@pytest.fixture
def program(place):
    return place[1]


@pytest.fixture
def lab(place):
    return place[0]


@pytest.fixture
def bench(lab):
    bench = Bench(lab.cell(3).get_by_role("region", name="unitylab workbench"))
    bench.reset()
    yield bench
    assert lab.page_errors == []
    alert = bench.root.get_by_role("alert")
    assert not alert.is_visible() or "as this test wants" in alert.inner_text()


@both_themes
def test_one_selection_from_the_graph_down_to_an_instruction_and_back(bench, program):
    bench.select(program.node)
    expect(bench.inspector).to_contain_text("Where it comes from")
    expect(bench.inspector).to_contain_text("step 0")
    if program.name != "encoder":  # that one comes from a function of a library
        expect(bench.inspector).to_contain_text(re.compile(r"Cell In\[\d+\]:\d+"))
    bench.show("Script")
    expect(bench.lit("script").first).to_be_visible()
    bench.show("Assembly")
    hot = bench.lines("assembly").filter(has=bench.page.get_by_label("hot loop"))
    expect(hot.first).to_be_visible(timeout=SLOW)
    work = hot.filter(has_text=re.compile(r"\bv?(fm|mul|add|max|sub|div)")).first
    work.click()
    expect(bench.status).to_contain_text(re.compile(r"^line \d+: "))
    number = re.match(r"line (\d+): (.*)", bench.status.inner_text())
    expect(bench.lit("assembly").first).to_be_visible()
    bench.show("Script")
    expect(bench.lit("script")).to_have_count(1)
    expect(bench.lit("script")).to_contain_text(number[2][:40])
    bench.show("LLVM")
    expect(bench.lit("llvm").first).to_be_visible(timeout=SLOW)
    # back: the line's node is selected in the graph
    expect(bench.graph.get_by_role("button", pressed=True)).to_have_count(1)


def test_the_selection_stays_from_step_to_step(bench, program):
    bench.select(program.node)
    result = bench.inspector.get_by_role("definition").first  # the variable and its type
    said = result.text_content()
    bench.go_to("FuseTIR")
    expect(result).to_have_text(said)
    bench.main_end().click()
    expect(result).to_have_text(said)
    expect(bench.graph.get_by_role("button", pressed=True)).to_have_count(1)


def test_a_step_opens_into_its_rewrites(bench, program):
    step = bench.steps().filter(has=bench.page.get_by_role(
        "button", name=re.compile("rewrites? of"))).last
    step.get_by_role("button", name=re.compile("rewrites? of")).click()
    rewrites = bench.root.get_by_role("list", name=re.compile("^rewrites of")).get_by_role("button")
    expect(rewrites.first).to_be_visible(timeout=SLOW)
    rewrites.first.click()
    note = bench.root.get_by_role("note")
    expect(note).to_contain_text(re.compile(r"rewrite 1 of \d+"))
    changed = bench.panel("diff").get_by_label(re.compile("added|removed|moved"))
    expect(changed.first).to_be_visible()
    if rewrites.count() > 1:
        bench.button("next rewrite").click()
        expect(note).to_contain_text(re.compile(r"rewrite 2 of \d+"))
    bench.page.keyboard.press("Escape")
    expect(note).to_have_count(0)
    total = bench.steps().count()
    bench.root.get_by_label("changed only").check()
    assert bench.steps().count() < total
    bench.root.get_by_label("changed only").uncheck()
    step.get_by_role("button", name=re.compile("rewrites? of")).click()


def test_what_can_be_done_here_with_preview_reason_and_code(bench, program):
    bench.go(0)
    bench.select(program.op)
    wanted = program.legal or "parallel i"
    preview = bench.inspector.get_by_role("button", name=f"preview {wanted}", exact=True)
    expect(preview).to_be_visible(timeout=SLOW)
    expect(bench.inspector.get_by_title(re.compile(
        "first$|nothing|stays|unknown|no |not |reduction|elsewhere")).first).to_be_visible()
    steps = bench.steps().count()
    preview.click()
    note = bench.root.get_by_role("note")
    expect(note).to_contain_text(f"{wanted}, a preview", timeout=SLOW)
    expect(bench.panel("diff")).to_contain_text("session.apply(")
    expect(bench.panel("diff").get_by_label("added").first).to_be_visible()
    bench.button("Apply").click()
    expect(bench.steps()).to_have_count(steps + 1, timeout=SLOW)
    expect(bench.here).to_have_attribute("aria-label", re.compile("ok, largest"), timeout=SLOW)


@both_themes
def test_any_two_points_in_text_graph_and_numbers(bench, program):
    bench.go(0)
    end = bench.main_end()
    end.hover()
    end.get_by_role("button", name=re.compile("^compare with step")).click()
    expect(end).to_have_attribute("aria-label", re.compile("compared with"))
    expect(bench.measures).to_contain_text(re.compile(r"calls \d+ vs \d+"))
    expect(bench.panel("diff").get_by_label(re.compile("^(added|removed)")).first).to_be_visible()
    expect(bench.graph.get_by_role("button", name=re.compile("changed|added|removed|[+~−]")).first
           ).to_be_visible()
    fold = bench.panel("diff").get_by_role("button", name=re.compile("unchanged lines")).first
    before = bench.lines("diff").count()
    if fold.count():
        fold.click()
        assert bench.lines("diff").count() > before


def test_a_branch_beside_the_other_with_names_and_python(bench, program):
    bench.go(3)
    field = bench.root.get_by_role("textbox", name="branch from here")
    name = f"aside {bench.steps().count()}"
    field.fill(name)
    field.press("Enter")
    box = bench.root.get_by_role("combobox", name="add a pass")
    steps = bench.steps().count()
    box.fill("DefaultSchedule" if program.legal == "" else "LegalizeOps")
    box.press("Enter")
    expect(bench.steps()).to_have_count(steps + 1, timeout=SLOW)
    expect(bench.here).to_contain_text(name[:6])
    bench.here.dblclick()
    bench.root.get_by_role("textbox", name=re.compile("^name of step")).fill("my way")
    bench.root.get_by_role("textbox", name=re.compile("^branch of step")).fill(f"the {name}")
    bench.page.keyboard.press("Enter")
    expect(bench.here).to_contain_text("my way")
    bench.show("Side by side")
    left = bench.root.get_by_role("combobox", name="left step")
    left.select_option(bench.main_end().get_attribute("data-step"))
    graphs = bench.root.get_by_role("group", name=re.compile("^graph of step"))
    expect(graphs).to_have_count(2, timeout=SLOW)
    expect(bench.root.get_by_role("combobox", name="right step")).to_contain_text(f"the {name}")
    expect(bench.panel("side by side")).to_contain_text(re.compile("[nµm]s"))
    bench.button("texts").click()
    texts = bench.root.get_by_role("list", name=re.compile("^script, "))
    expect(texts).to_have_count(2)
    expect(texts.nth(0)).to_be_visible()
    bench.button("graphs").click()
    bench.show("Graph")
    bench.button("Undo").click()
    expect(bench.step(3)).to_have_attribute("aria-selected", "true", timeout=SLOW)
    bench.button("Redo").click()
    expect(bench.here).to_contain_text("my way", timeout=SLOW)
    bench.button("Copy as Python").click()
    expect(bench.panel("diff")).to_contain_text("ul.transforms", timeout=SLOW)


@both_themes
def test_measured_time_roofline_memory_and_sizes(bench, program):
    bench.measure.click()
    times = bench.root.get_by_role("list", name="time per binding").get_by_role("listitem")
    expect(times.first).to_be_visible(timeout=SLOW)
    expect(bench.root.get_by_role("img", name=re.compile("^roofline: .*FLOP"))).to_be_visible()
    if program.name != "matmul":  # a kernel alone allocates nothing over time
        expect(bench.root.get_by_role("img", name=re.compile("^memory over time"))).to_be_visible()
    times.first.click()
    expect(bench.inspector).to_contain_text("of limit")
    overlay = bench.root.get_by_role("combobox", name="overlay")
    for kind, said in (("time", r"[µmn]s"), ("share of roofline", "of the roofline"),
                       ("bytes moved", " [kM]?B")):
        overlay.select_option(label=kind)
        expect(bench.graph.get_by_role("button", name=re.compile(said)).first).to_be_visible()
    overlay.select_option(label="time")
    if program.size:
        slider = bench.root.get_by_role("slider", name=f"size {program.size}")
        slider.focus()
        slider.press("ArrowRight")
        expect(bench.root.get_by_text(re.compile(rf"^{program.size} = (8|32)$")).first
               ).to_be_visible(timeout=SLOW)
        bench.root.get_by_role("slider", name=f"size {program.size}").press("ArrowLeft")
        expect(bench.root.get_by_text(re.compile(rf"^{program.size} = (4|16)$")).first
               ).to_be_visible(timeout=SLOW)


def test_groups_search_and_neighbours(bench, program):
    if program.name != "encoder":
        pytest.skip("a small graph has no groups to close")
    bench.go(0)
    if bench.button("close layer3").count():  # a test before may have looked into it
        bench.button("close layer3").click()
    group = bench.graph.get_by_role("button", name=re.compile(r"^layer3 \d+ nodes"))
    group.click()
    expect(bench.root.get_by_role("button", name="close layer3")).to_be_visible()
    bench.root.get_by_role("searchbox", name="find a node").fill("layer7_shares")
    expect(bench.graph.get_by_role("button", pressed=True)).to_have_attribute(
        "aria-label", re.compile("softmax"))
    bench.button("near").click()
    expect(bench.graph.get_by_role("button")).to_have_count(3)
    for _ in range(3):
        bench.button("near").click()
    bench.root.get_by_role("button", name="close layer7").click()


def test_a_page_without_kernel_and_a_picture_without_script(bench, lab, program, browser, server):
    bench.button("Save HTML").click()
    expect(bench.status).to_contain_text("saved", timeout=3 * SLOW)  # a bar shows how far it is
    page = browser.new_page()
    failures = []
    page.on("pageerror", lambda e: failures.append(str(e)))
    page.goto(f"file://{server.notebooks / program.name}.html")
    offline = Bench(page.get_by_role("region", name="unitylab workbench"))
    offline.go(5)
    offline.show("Script")
    expect(offline.lines("script").first).to_be_visible()
    offline.go(0)
    offline.select(program.op)
    expect(offline.inspector).to_contain_text("Where it comes from")
    expect(offline.button("Undo")).to_be_hidden()
    assert failures == []
    page.close()
    html = next(o["data"]["text/html"] for o in lab.cells()[3]["outputs"] if "data" in o)
    html = "".join(html)
    assert "<svg" in html and "<script" not in html and "DefaultSchedule" in html


# what is there once a tab has its content
SHOWN = {"Graph": lambda bench: bench.graph.get_by_role("button"),
         "Loops": lambda bench: bench.panel("loops").get_by_role("treeitem"),
         "Text": lambda bench: bench.panel("text").get_by_text("Costs of one call"),
         "Side by side": lambda bench: bench.root.get_by_role(
             "group", name=re.compile("^graph of step"))}


@both_themes
@pytest.mark.parametrize("tabs", [("Graph", "Diff"), ("Loops", "Script"), ("Text", "LLVM"),
                                  ("Side by side", "Diff"), ("Graph", "Assembly")],
                         ids=lambda t: t[0] + "+" + t[1])
def test_names_sizes_and_contrast(bench, program, tabs):
    bench.select(program.node)
    bench.show(tabs[0])
    if bench.tab(tabs[1]).is_visible():
        bench.show(tabs[1])
        expect(bench.panel(tabs[1].lower()).get_by_role("listitem").first).to_be_visible(
            timeout=SLOW)
    expect(SHOWN[tabs[0]](bench).first).to_be_visible(timeout=SLOW)
    expect(bench.inspector).not_to_contain_text("looking…", timeout=SLOW)
    complaints = bench.root.evaluate(AUDIT)
    assert not complaints, "\n".join(complaints)


def test_the_same_in_words(bench, program):
    bench.select(program.node)
    bench.show("Text")
    expect(bench.panel("text")).to_contain_text("Costs of one call", timeout=SLOW)
    expect(bench.panel("text")).to_contain_text("LegalizeOps, from step")


def test_a_step_that_fails_says_where_and_loses_nothing(bench, program):
    bench.go_to("LegalizeOps")
    steps = bench.steps().count()
    box = bench.root.get_by_role("combobox", name="add a pass")
    box.fill("LowerBlocks")
    box.press("Enter")
    alert = bench.root.get_by_role("alert")
    expect(alert).to_contain_text("LowerInitBlock", timeout=SLOW)
    expect(bench.steps()).to_have_count(steps)
    alert.get_by_role("button", name="dismiss").click()
    expect(alert).to_be_hidden()
