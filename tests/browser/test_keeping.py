"""Closing, reloading, restarting, cells out of order: no step that was made is lost."""

import json

from playwright.sync_api import expect

from tests.browser.bench import SLOW, Bench
from tests.browser.programs import RFC, SETUP, SHOW, notebook, session_cell

NAME = "keeping.ipynb"


def bench_of(lab, cell=3):
    return Bench(lab.cell(cell).get_by_role("region", name="unitylab workbench"))


def add(bench, name):
    count = bench.steps().count()
    box = bench.root.get_by_role("combobox", name="add a pass")
    box.fill(name)
    box.press("Enter")
    expect(bench.steps()).to_have_count(count + 1, timeout=SLOW)


def test_no_step_is_lost(lab, server):
    (server.notebooks / NAME).write_text(json.dumps(notebook(
        [SETUP, RFC.cell, session_cell(RFC, 'file="keeping.session"'), SHOW])))
    lab.open(NAME)
    lab.run_all()
    assert lab.errors() == []
    bench = bench_of(lab)
    total = bench.steps().count()
    bench.go(2)
    add(bench, "LegalizeOps")
    # all cells again: the session goes on from its file
    lab.run_all()
    expect(bench_of(lab).steps()).to_have_count(total + 1)
    add(bench_of(lab), "FuseOps")
    # the page is loaded anew, the kernel lives on
    lab.command("docmanager:save")
    lab.open(NAME)
    lab.run_all()
    expect(bench_of(lab).steps()).to_have_count(total + 2)
    expect(bench_of(lab).here).to_contain_text("FuseOps")
    # the kernel is restarted
    lab.page.evaluate("""async () => {
        const panel = window.jupyterapp.shell.currentWidget;
        await panel.sessionContext.session.kernel.restart();
        await panel.sessionContext.session.kernel.info;
    }""")
    lab.run_all()
    assert lab.errors() == []
    bench = bench_of(lab)
    expect(bench.steps()).to_have_count(total + 2)
    bench.step_named("LegalizeOps").last.click()
    expect(bench.here).to_contain_text("LegalizeOps", timeout=SLOW)
    add(bench, "AnnotateTIROpPattern")
    assert lab.page_errors == []


def test_a_widget_that_closes_leaves_the_session(lab, server):
    cells = [SETUP, RFC.cell, session_cell(RFC), SHOW, "bench.close()", "ul.lab(session)"]
    (server.notebooks / NAME).write_text(json.dumps(notebook(cells)))
    lab.open(NAME)
    lab.run_all()
    assert lab.errors() == []
    bench = bench_of(lab, 5)
    total = bench.steps().count()
    add(bench, "LegalizeOps")
    assert bench.steps().count() == total + 1
