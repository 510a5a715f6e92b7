"""A page opened from a file, without a kernel: one selection through graph, script and machine
code; loops, their order and caches as of the time when the file was written."""

import re

import pytest
from playwright.sync_api import expect

import unitylab as ul
from tests.browser.bench import AUDIT, Bench
from tests.viz.test_loop_view import matmul
from unitylab.models.encoder import encoder


@pytest.fixture
def opened(browser):
    """Opens a file; at the end no error may have happened in a page."""
    failures, pages = [], []

    def open_(path, scheme="light"):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1500, "height": 900})
        page.on("pageerror", lambda e: failures.append(str(e)))
        pages.append(page)
        page.goto(f"file://{path}")
        return Bench(page.get_by_role("region", name="unitylab workbench"))
    yield open_
    for page in pages:
        page.close()
    assert failures == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_from_a_node_to_its_instructions_and_back(opened, tmp_path, scheme):
    session = ul.Session(encoder(layers=12), name="encoder", sizes={"n": 4}, check=False)
    session.run()
    path = tmp_path / "encoder.html"
    session.to_html(path, seconds=60)
    assert path.stat().st_size < 3_000_000
    bench = opened(path, scheme)
    bench.select("fused_matmul_add_packed")
    bench.show("Script")
    expect(bench.lit("script").first).to_contain_text("fused_matmul_add_packed")
    bench.show("Assembly")
    lines = bench.lines("assembly")
    expect(lines.filter(has_text="fmadd").first).to_be_visible()
    expect(bench.panel("assembly")).to_contain_text("compiled when this file was written")
    # an instruction chosen: its line of the script, and the loop that it is in
    lines.filter(has_text="fmadd").first.click()
    expect(bench.lit("assembly").filter(has_text="fmadd").first).to_be_visible()
    bench.show("LLVM")
    expect(bench.lit("llvm").first).to_be_visible()
    bench.show("Script")
    expect(bench.lit("script")).to_have_count(1)
    expect(bench.lit("script")).to_contain_text("=")
    bench.show("Loops")
    expect(bench.root.get_by_role("tree", name="loops of fused_matmul_add_packed")).to_be_visible()
    expect(bench.root.get_by_role("toolbar")).to_have_count(0)  # nothing to edit without a kernel
    # another step: its own code
    bench.go_to("LegalizeOps")
    bench.select("matmul")
    bench.show("Assembly")
    expect(lines.filter(has_text="mul").first).to_be_visible()
    assert bench.root.evaluate(AUDIT) == []


def test_loops_order_and_caches_as_of_then(opened, tmp_path):
    session = ul.Session(matmul, name="matmul", check=False, target="native -threads=1")
    session.edit_loops("split", "k", factors=[None, 8])
    session.speed(step=0)
    session.to_html(tmp_path / "matmul.html")
    bench = opened(tmp_path / "matmul.html")
    expect(bench.root.get_by_role("treeitem", name=re.compile("^loop k_0, 6"))).to_be_visible()
    memory = bench.panel("memory")
    expect(memory.get_by_label("iteration order")).to_contain_text("step 1 of")
    memory.focus()
    bench.page.keyboard.press("ArrowRight")
    expect(memory.get_by_label("iteration order")).to_contain_text("step 2 of")
    expect(memory.get_by_label("caches", exact=True).get_by_role("row")).to_have_count(4)
    expect(memory).to_contain_text("the first 200,000 of")
    expect(memory).to_contain_text("simulated when this file was written")
    expect(bench.root.get_by_label("speed", exact=True)).to_have_count(0)  # not measured
    bench.root.get_by_role("treeitem", name=re.compile("^block C")).click()
    bench.show("Assembly")
    expect(bench.panel("assembly").locator(".ul-within").first).to_be_visible()
    bench.go(0)
    expect(bench.root.get_by_role("treeitem", name=re.compile("^loop k, 48"))).to_be_visible()
    expect(bench.root.get_by_label("speed", exact=True)).to_contain_text("GFLOP/s")
    assert bench.root.evaluate(AUDIT) == []


def test_what_was_left_out_says_so(opened, tmp_path):
    session = ul.Session(matmul, name="matmul", check=False)
    session.to_html(tmp_path / "matmul.html", seconds=0)
    bench = opened(tmp_path / "matmul.html")
    expect(bench.panel("memory")).to_contain_text("left out of this file")
    bench.show("Assembly")
    expect(bench.panel("assembly")).to_contain_text("the machine code of matmul: left out")
