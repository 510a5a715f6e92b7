"""The same module in a host that gives an AnyWidget no more than it must: as VS Code and marimo."""

import re

import pytest
from playwright.sync_api import expect

import unitylab as ul
from tests.browser.bare_host import bare_host
from tests.browser.bench import AUDIT, Bench


@pytest.fixture
def session(rfc):
    session = ul.Session(rfc, name="rfc", sizes={"n": 4, "d": 5, "m": 6})
    session.run()
    return session


THEMES = {"light": ("light", ""), "dark by the system": ("dark", ""),
          "VS Code, dark": ("light", ' class="vscode-dark"'), "marimo, dark":
          ("light", ' class="dark"')}


@pytest.mark.parametrize("theme", THEMES)
def test_all_panes_work_in_every_theme(browser, session, theme):
    scheme, body = THEMES[theme]
    with bare_host(browser, ul.lab(session), scheme=scheme, body=body) as page:
        assert page.evaluate("'initialize' in window.widget") is False
        bench = Bench(page.get_by_role("region", name="unitylab workbench"))
        dark = "dark" in theme
        shade = bench.root.evaluate("e => getComputedStyle(e).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", shade)[:3])) < 300) == dark
        bench.select("mm")
        for tab in ("Loops", "Text", "Side by side", "Graph"):
            bench.show(tab)
        for tab in ("Script", "LLVM", "Assembly", "Diff"):
            bench.show(tab)
            expect(bench.lines(tab.lower()).first).to_be_visible(timeout=20_000)
        bench.go(0)
        expect(bench.node("exp")).to_be_visible()
        assert bench.root.evaluate(AUDIT) == []
        assert page.failures == []


def test_keys_stay_inside(browser, session):
    with bare_host(browser, ul.lab(session)) as page:
        bench = Bench(page.get_by_role("region", name="unitylab workbench"))
        bench.history.focus()
        for key in "xdabncjkzu?":
            page.keyboard.press(key)
        page.keyboard.press("Escape")
        bench.root.get_by_role("combobox", name="add a pass").focus()
        page.keyboard.type("dd")
        page.keyboard.press("Enter")
        assert page.evaluate("window.leaked") == []
        page.keyboard.press("Control+s")  # the host's own, such as saving
        assert "s" in page.evaluate("window.leaked")


def test_a_view_that_closes_lets_go_of_the_model(browser, session):
    with bare_host(browser, ul.lab(session)) as page:
        before = page.evaluate("window.handlers()")
        count = page.evaluate("""async () => {
            const el = document.createElement("div");
            document.body.append(el);
            const close = await window.widget.render({ model: window.model, el });
            const more = window.handlers();
            close();
            return [more, window.handlers(), el.children.length];
        }""")
        assert count == [2 * before, before, 0]
        session.apply("Normalize")  # the first view goes on
        bench = Bench(page.get_by_role("region", name="unitylab workbench"))
        expect(bench.steps()).to_have_count(len(session.steps))
        assert page.failures == []


ENDLESS = """
@I.ir_module
class Module:
    @T.prim_func
    def main(A: T.Buffer((1,), "int32")):
        while A[0] < 9:
            A[0] = A[0] * 2
"""


def test_work_that_takes_long_is_shown_and_stopped_by_its_button(browser):
    import numpy as np
    session = ul.Session(ul.parse(ENDLESS), inputs=[np.zeros(1, "int32")], check=False)
    bench_of = ul.lab(session)
    with bare_host(browser, bench_of) as page:
        bench = Bench(page.get_by_role("region", name="unitylab workbench"))
        bench.show("Graph")
        bench.measure.click()
        expect(bench.status).to_contain_text("measuring step 0")
        bench.node("main").click()  # meanwhile the page answers
        expect(bench.inspector).to_contain_text("Selected: main")
        bench.button("Stop").click()
        expect(bench.root.get_by_role("alert")).to_contain_text("stopped while measuring step 0",
                                                                timeout=20_000)
        expect(bench.steps()).to_have_count(1)
        bench_of.join()
        assert page.failures == []
