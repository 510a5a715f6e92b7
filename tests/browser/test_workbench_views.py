"""The workbench's views in JupyterLab, as a person would use them, and in a file without a kernel."""

import re
import time

import pytest
from playwright.sync_api import expect

import unitylab as ul
from tests.browser.test_workbench import STEPS, cell_with, step, workbench
from unitylab.models.encoder import encoder

LEGAL = 1 + [p.name for p in ul.pipelines.default].index("LegalizeOps")


@pytest.fixture
def bench(lab):
    lab.open("01_first_steps.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return workbench(lab, cell_with(lab, "ul.lab(session)"))


def node(bench, name):
    return bench.get_by_role("button", name=re.compile(rf"^{name} "))


def test_rewrites_previews_comparison_branches_measurements_words(bench, lab):
    # a step opens into its rewrites; one shows its own before and after
    step(bench, LEGAL).click()
    step(bench, LEGAL).get_by_role("button", name=re.compile("rewrites of")).click()
    bench.locator(".ul-rewrite", has_text="exp").click()
    expect(bench.locator(".ul-banner")).to_contain_text("rewrite 2 of 2: legalize")
    expect(bench.locator(".ul-sign-removed", has_text="R.exp").first).to_be_visible()
    expect(node(bench, "exp")).to_have_attribute("aria-pressed", "true")
    bench.get_by_role("button", name="close", exact=True).click()
    # what can be done here: preview, code, reason, apply
    step(bench, 0).click()
    node(bench, "flatten").click()
    expect(bench.get_by_title("not a tensor program yet: LegalizeOps first").first).to_be_visible(
        timeout=20_000)
    bench.get_by_role("button", name="preview LegalizeOps").click()
    expect(bench.locator(".ul-snippet")).to_contain_text('session.apply("LegalizeOps"')
    expect(bench.locator(".ul-sign-added", has_text="def flatten")).to_be_visible()
    bench.get_by_role("button", name="Apply", exact=True).click()
    expect(step(bench, STEPS + 1)).to_have_attribute("aria-selected", "true", timeout=20_000)
    # two points of the history that are no neighbours, on two branches
    step(bench, STEPS).hover()
    step(bench, STEPS).get_by_role("button", name=f"compare with step {STEPS}").click()
    expect(bench.locator(".ul-compare-box")).to_contain_text(
        f"{STEPS + 1} LegalizeOps vs {STEPS} DefaultSchedule")
    expect(bench.locator(".ul-numbers")).to_contain_text("calls3 → 4")
    # measurements: times, memory, roofline, overlay, inspector
    bench.get_by_role("button", name="Measure").click()
    expect(bench.get_by_role("listitem", name=re.compile("^mm ")).first).to_be_visible(
        timeout=20_000)
    expect(bench.get_by_role("img", name=re.compile("^roofline"))).to_be_visible()
    expect(bench.get_by_role("img", name=re.compile("^memory over time"))).to_be_visible()
    node(bench, "mm").click()
    expect(bench.get_by_label("inspector")).to_contain_text("of limit")
    # the same in words
    bench.get_by_role("tab", name="Text").click()
    expect(bench.locator(".ul-twin")).to_contain_text(f"step {STEPS + 1}: LegalizeOps, from step 0")
    assert lab.page_errors == []


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """5,000 nodes in a file without a kernel."""
    mod = encoder(layers=167, width=16, heads=2, hidden=16)
    session = ul.Session(mod, name="large", sizes={"n": 4}, check=False)
    path = tmp_path_factory.mktemp("large") / "large.html"
    session.to_html(path)
    return path


# the time from a click or key to the picture after it
CLOCK = """async (act) => {
    const start = performance.now();
    (new Function(act))();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - start;
}"""


def test_five_thousand_nodes_stay_quick(browser, large):
    page = browser.new_page()
    page.goto(f"file://{large}")
    groups = page.locator(".ul-kind-group")
    expect(groups.first).to_be_visible()
    said = [re.match(r"layer\d+ … layer\d+ (\d+) nodes", label)[1] for label in
            groups.evaluate_all("all => all.map(g => g.getAttribute('aria-label'))")]
    assert len(said) == 13 and sum(map(int, said)) == 167 * 30
    times = {name: min(page.evaluate(CLOCK, act) for _ in range(3)) for name, act in {
        "open a group": "document.querySelectorAll('.ul-kind-group')[3]"
                        ".dispatchEvent(new MouseEvent('click'))",
        "select": "[...document.querySelectorAll('.ul-node:not(.ul-kind-group)')].at(-3)"
                  ".dispatchEvent(new MouseEvent('click'))",
    }.items()}
    page.get_by_label("find a node").fill("layer100_shares")
    expect(page.locator(".ul-node.ul-selected")).to_have_attribute("aria-label",
                                                                   re.compile("softmax"))
    page.get_by_role("button", name="near").click()
    expect(page.locator(".ul-node")).to_have_count(3)
    page.close()
    assert all(t < 100 for t in times.values()), times


def test_an_offline_file_by_keyboard(browser, rfc, tmp_path):
    session = ul.Session(rfc, name="offline")
    session.run()
    session.to_html(tmp_path / "x.html")
    page = browser.new_page()
    failures = []
    page.on("pageerror", lambda e: failures.append(str(e)))
    page.goto(f"file://{tmp_path / 'x.html'}")
    page.get_by_role("listbox", name="history").focus()
    for _ in range(STEPS - LEGAL):
        page.keyboard.press("ArrowUp")
        time.sleep(0.05)
    expect(page.locator(".ul-step.ul-here")).to_have_attribute("data-step", str(LEGAL))
    page.keyboard.press("ArrowRight")
    expect(page.locator(".ul-rewrite")).to_have_count(2)
    page.keyboard.press("2")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".ul-node.ul-selected")).to_have_count(1)
    expect(page.locator(".ul-origins")).to_contain_text("step 0")
    page.keyboard.press("d")
    expect(page.get_by_role("tab", name="Script")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".ul-line.ul-selected").first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator(".ul-node.ul-selected")).to_have_count(0)
    page.close()
    assert failures == []
