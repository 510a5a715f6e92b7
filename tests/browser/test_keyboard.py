"""Every region and every action by keyboard alone, in the bare host: nothing is clicked."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

import unitylab as ul
from tests.browser.bare_host import bare_host
from tests.browser.bench import SLOW, Bench
from tests.browser.programs import PROGRAMS
from unitylab.script import ir as I
from unitylab.script import relax as R
from unitylab.script import tir as T


def session_of(program):
    """The program's cell, run here."""
    scope = {"ul": ul, "np": np, "I": I, "R": R, "T": T}
    text = program.cell
    if "@I.ir_module" in text:  # the decorator reads a file; text is parsed as it is
        ul.register_func("tests.halve", lambda x: x / 2, override=True)
        module = re.search(r"@I\.ir_module.*?(?=\nmod = )", text, re.S)[0]
        mod = ul.parse(module)
    else:
        exec(text, scope)
        mod = scope["mod"]
    options = eval(f"dict({program.options})")
    session = ul.Session(mod, name=program.name, **options)
    session.run()
    return session


@pytest.mark.parametrize("name", PROGRAMS)
def test_by_keyboard_alone(browser, name):
    program = PROGRAMS[name]
    with bare_host(browser, ul.lab(session_of(program))) as page:
        bench, keys = Bench(page.get_by_role("region", name="unitylab workbench")), page.keyboard
        total = bench.steps().count()
        # into the workbench, to the history, up and down, into rewrites
        keys.press("Tab")
        keys.press("1")
        expect(bench.history).to_be_focused()
        keys.press("ArrowUp")
        expect(bench.step(total - 2)).to_have_attribute("aria-selected", "true", timeout=SLOW)
        keys.press("ArrowDown")
        expect(bench.step(total - 1)).to_have_attribute("aria-selected", "true", timeout=SLOW)
        keys.press("ArrowRight")
        rewrites = bench.root.get_by_role("list", name=re.compile("^rewrites of"))
        expect(rewrites.get_by_role("button").first).to_be_visible(timeout=SLOW)
        keys.press("ArrowLeft")
        expect(rewrites).to_have_count(0)
        # the graph: from node to node, to the inspector's actions; a kernel opens with its loops
        for _ in range(3 if name == "matmul" else 0):
            keys.press("g")
        keys.press("2")
        keys.press("ArrowDown")
        keys.press("ArrowDown")
        if name == "encoder":  # on a closed group: open it
            keys.press("f")
            keys.type(program.node)
            keys.press("Enter")
            keys.press("Escape")
        expect(bench.graph.get_by_role("button", pressed=True)).to_have_count(1)
        expect(bench.inspector).to_contain_text("Where it comes from", timeout=SLOW)
        # measurements
        keys.press("m")
        times = bench.root.get_by_role("list", name="time per binding").get_by_role("listitem")
        expect(times.first).to_be_visible(timeout=3 * SLOW)
        # the text: tab to the right, lines
        for _ in range(5):
            if bench.tab("Script").get_attribute("aria-selected") != "true":
                keys.press("d")
        expect(bench.tab("Script")).to_have_attribute("aria-selected", "true")
        keys.press("3")
        expect(bench.panel("script")).to_be_focused()
        keys.press("ArrowDown")
        expect(bench.lit("script").first).to_be_visible()
        # undo, redo, add a pass, a branch, names
        keys.press("u")
        expect(bench.step(total - 2)).to_have_attribute("aria-selected", "true", timeout=SLOW)
        keys.press("r")
        expect(bench.step(total - 1)).to_have_attribute("aria-selected", "true", timeout=SLOW)
        keys.press("u")
        expect(bench.step(total - 2)).to_have_attribute("aria-selected", "true", timeout=SLOW)
        keys.press("b")
        keys.type("by hand")
        keys.press("Enter")
        keys.press("Escape")
        keys.press("/")
        keys.type("DefaultSchedule")
        keys.press("Enter")
        expect(bench.steps()).to_have_count(total + 1, timeout=SLOW)
        expect(bench.step(total)).to_have_attribute("aria-selected", "true", timeout=SLOW)
        keys.press("Escape")
        keys.press("1")
        keys.press("e")
        keys.type("by keys")
        keys.press("Enter")
        expect(bench.here).to_contain_text("by keys", timeout=SLOW)
        # compared with the start, side by side
        keys.press("c")
        expect(bench.step(0)).to_have_attribute("aria-label", re.compile("compared with"),
                                                timeout=SLOW)
        for _ in range(3):
            keys.press("g")
        expect(bench.root.get_by_role("group", name=re.compile("^graph of step"))).to_have_count(
            2, timeout=SLOW)
        keys.press("?")
        expect(bench.root.get_by_role("dialog", name="keys")).to_be_visible()
        keys.press("Escape")
        expect(bench.root.get_by_role("dialog", name="keys")).to_be_hidden()
        assert page.failures == []
        assert page.evaluate("window.leaked.filter((k) => k !== 'Tab' && k !== 'Shift')") == []
