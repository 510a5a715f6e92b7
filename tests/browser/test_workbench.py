"""The workbench in JupyterLab, used as a person would use it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

import unitylab as ul

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
STEPS = len(ul.pipelines.default)


def workbench(lab, number):
    """The workbench below a notebook's cell."""
    bench = lab.cell(number).get_by_role("region", name="unitylab workbench")
    bench.scroll_into_view_if_needed()
    expect(bench).to_be_visible()
    return bench


def cell_with(lab, text):
    """The number of the first code cell that contains `text`."""
    return next(k for k, c in enumerate(lab.cells()) if text in "".join(c["source"]))


@pytest.fixture
def first_steps(lab):
    lab.open("01_first_steps.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab


def step(bench, number):
    return bench.get_by_role("option", name=re.compile(rf"^step {number} "))


def test_the_first_notebook_steps_through_the_pipeline_with_green_badges(first_steps):
    """What `make lab` shows: all cells run, every step of the pipeline is checked."""
    bench = workbench(first_steps, cell_with(first_steps, "fresh = ul.Session"))
    expect(bench.get_by_role("option", name=re.compile("^step"))).to_have_count(1)
    for number in range(1, STEPS + 1):
        bench.get_by_role("button", name=re.compile("^Step: ")).click()
        expect(step(bench, number)).to_have_attribute("aria-selected", "true", timeout=20_000)
        badge = step(bench, number).locator(".ul-badge")
        expect(badge).to_have_class(re.compile("ul-check-ok"))
        expect(badge).to_contain_text("✓")
    expect(bench.get_by_role("button", name="pipeline done")).to_be_disabled()
    assert first_steps.page_errors == []


def test_a_node_and_its_line_light_up_together(first_steps):
    bench = workbench(first_steps, cell_with(first_steps, "ul.lab(session)"))
    node = bench.get_by_role("button", name=re.compile("^mm "))
    node.click()
    expect(node).to_have_attribute("aria-pressed", "true")
    bench.get_by_role("tab", name="Script").click()
    lines = bench.locator(".ul-line.ul-selected")
    expect(lines.filter(has_text="R.call_tir(cls.mm")).to_have_count(1)
    bench.locator(".ul-line", has_text="R.call_tir(cls.fused").click()
    expect(bench.get_by_role("button", name=re.compile("^fused_"))).to_have_attribute(
        "aria-pressed", "true")
    expect(node).to_have_attribute("aria-pressed", "false")
    expect(bench.get_by_label("inspector")).to_contain_text("step 0")


def test_going_back_shows_what_that_step_changed(first_steps):
    bench = workbench(first_steps, cell_with(first_steps, "ul.lab(session)"))
    legalize = bench.get_by_role("option", name=re.compile("^step .* LegalizeOps"))
    legalize.click()
    expect(legalize).to_have_attribute("aria-selected", "true")
    bench.get_by_role("tab", name="Diff").click()
    expect(bench.locator(".ul-sign-added", has_text="def flatten")).to_be_visible()
    expect(bench.locator(".ul-sign-removed", has_text="R.flatten(lv0)")).to_be_visible()
    expect(bench.get_by_role("button", name=re.compile("^exp .*changed"))).to_be_visible()


def test_keyboard_alone(first_steps):
    bench = workbench(first_steps, cell_with(first_steps, "fresh = ul.Session"))
    page = first_steps.page
    cells = len(first_steps.cells())
    bench.get_by_role("listbox", name="history").focus()
    page.keyboard.press("n")
    expect(step(bench, 1)).to_have_attribute("aria-selected", "true", timeout=20_000)
    page.keyboard.press("u")
    expect(step(bench, 0)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("r")
    expect(step(bench, 1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("/")
    page.keyboard.type("LegalizeOps")
    page.keyboard.press("Enter")
    expect(bench.get_by_role("option", name=re.compile("step 2 LegalizeOps"))).to_have_attribute(
        "aria-selected", "true", timeout=20_000)
    # JupyterLab's own keys (a, b, x, d d on a cell) did not fire
    assert len(first_steps.cells()) == cells


def test_machine_code_of_the_selected_program(first_steps):
    bench = workbench(first_steps, cell_with(first_steps, "ul.lab(session)"))
    bench.get_by_role("button", name=re.compile("^mm ")).click()
    bench.get_by_role("tab", name="LLVM").click()
    expect(bench.locator(".ul-line", has_text="define").first).to_be_visible(timeout=20_000)
    bench.get_by_role("tab", name="Assembly").click()
    expect(bench.locator(".ul-line", has_text="ret").first).to_be_visible(timeout=20_000)
    bench.get_by_role("tab", name="Loops").click()
    expect(bench.locator(".ul-loop").first).to_be_visible()


def test_a_pass_that_fails_shows_its_error_and_loses_nothing(first_steps):
    bench = workbench(first_steps, cell_with(first_steps, "fresh = ul.Session"))
    box = bench.get_by_role("combobox", name="add a pass")
    box.fill("LowerBlocks")
    box.press("Enter")
    expect(bench.get_by_role("alert")).to_contain_text("init")
    expect(bench.get_by_role("option", name=re.compile("^step"))).to_have_count(1)


@pytest.mark.parametrize("lab", ["light", "dark"], indirect=True)
def test_colours_follow_the_theme(lab):
    lab.open("01_first_steps.ipynb")
    lab.run_all()
    bench = workbench(lab, cell_with(lab, "ul.lab(session)"))
    background = bench.evaluate("e => getComputedStyle(e).backgroundColor")
    channels = [int(c) for c in re.findall(r"\d+", background)[:3]]
    light = lab.page.locator("body").get_attribute("data-jp-theme-light") == "true"
    assert (sum(channels) > 600) == light
    sizes = bench.evaluate("""e => [...e.querySelectorAll('*')].filter(n => n.childNodes.length &&
        [...n.childNodes].some(c => c.nodeType === 3 && c.textContent.trim()) &&
        !n.closest('svg') && n.getClientRects().length)
        .map(n => parseFloat(getComputedStyle(n).fontSize))""")
    assert min(sizes) >= 11
