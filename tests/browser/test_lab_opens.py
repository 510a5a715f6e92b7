"""The harness itself: a notebook opens in JupyterLab, runs, and shows what it printed."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import expect

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def write(lab, name, *sources, metadata=KERNEL):
    cells = [new_markdown_cell("# A title"), *map(new_code_cell, sources)]
    notebook = new_notebook(cells=cells, metadata=metadata)
    nbformat.write(notebook, lab.server.notebooks / name)
    return name


@pytest.mark.parametrize("lab", ["light", "dark"], indirect=True)
def test_runs_a_notebook_and_shows_its_output(lab, request, tmp_path):
    theme = request.node.callspec.params["lab"]
    # the second cell takes a moment: its output is there only if the run was awaited
    lab.open(write(lab, "two.ipynb", "x = 6", "import time; time.sleep(1); print('x is', 7 * x)"))
    lab.run_all()
    assert lab.errors() == []
    assert [cell.get("execution_count") for cell in lab.cells()] == [None, 1, 2]
    expect(lab.cell(2).get_by_text("x is 42", exact=True)).to_be_visible()
    expect(lab.page.locator("body")).to_have_attribute(
        "data-jp-theme-light", str(theme == "light").lower()
    )
    assert lab.screenshot(tmp_path / "two.png").stat().st_size > 10_000
    assert lab.page_errors == []


def test_an_error_is_found_and_stops_the_run(lab):
    lab.open(write(lab, "wrong.ipynb", "print('before')", "1 / 0", "print('after')"))
    lab.run_all()
    assert lab.errors() == [(2, "ZeroDivisionError", "division by zero")]
    assert [cell.get("execution_count") for cell in lab.cells()] == [None, 1, 2, None]


def test_a_widget_is_drawn_and_the_theme_can_be_switched(lab):
    source = "import ipywidgets; ipywidgets.Button(description='Press')"
    lab.open(write(lab, "widget.ipynb", source))
    lab.run_all()
    expect(lab.page.get_by_role("button", name="Press")).to_be_visible()
    for theme, light in [("dark", "false"), ("light", "true")]:
        lab.theme(theme)
        expect(lab.page.locator("body")).to_have_attribute("data-jp-theme-light", light)
        assert lab.page.locator("#jupyterlab-splash").count() == 0


def test_a_cell_that_does_not_end_is_reported(lab):
    lab.open(write(lab, "endless.ipynb", "x = 1", "import time; time.sleep(60)"))
    with pytest.raises(TimeoutError, match=r"the cells to run.*\[None, 1, None\]"):
        lab.run_all(timeout=3)


def test_a_dialog_is_reported(lab):
    with pytest.raises(RuntimeError, match="JupyterLab asks: Select Kernel"):
        lab.open(write(lab, "no_kernel.ipynb", "x = 1", metadata={}))


def test_a_notebook_that_is_not_there(lab):
    with pytest.raises(FileNotFoundError, match=r"no notebook missing\.ipynb"):
        lab.open("missing.ipynb")
