"""Takes the screenshots of the README: runs notebooks in JupyterLab and photographs the workbench,
light and dark. `make screenshots` runs it; arguments choose views or themes."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))
from lab import chromium, lab_server, open_lab  # noqa: E402

IMAGES = ROOT / "docs" / "images"


def photograph(theme: str, notebook: str, cell: str, name: str, arrange, size) -> None:
    """The workbench below the cell that contains `cell`, once `arrange(bench, page)` is done."""
    with lab_server(ROOT / "notebooks", theme) as server, chromium() as browser, \
            open_lab(server, browser, size=size) as lab:
        lab.open(notebook)
        lab.run_all()
        lab.command("application:toggle-left-area")
        lab.command("application:toggle-right-area")
        place = next(k for k, c in enumerate(lab.cells()) if cell in "".join(c["source"]))
        bench = lab.cell(place).get_by_role("region", name="unitylab workbench")
        bench.scroll_into_view_if_needed()
        arrange(bench, lab.page)
        lab.page.wait_for_timeout(800)
        bench.screenshot(path=IMAGES / f"{name}_{theme}.png")


def fused(bench, page) -> None:
    """The convolutional network at the step that fuses."""
    bench.get_by_role("option", name=re.compile("^step .* FuseOps")).click()
    bench.get_by_role("button", name="Measure").click()
    bench.get_by_role("img", name=re.compile("^roofline")).wait_for()
    bench.get_by_role("button", name=re.compile("^conv2d ")).first.click()
    bench.get_by_role("button", name=re.compile("^preview ")).first.wait_for()


def tiled(bench, page) -> None:
    """The matrix product with its tile, in the middle of the iteration order."""
    bench.get_by_label("caches", exact=True).wait_for()
    bench.get_by_role("treeitem", name=re.compile("^loop k,")).click()
    bench.get_by_label("step", exact=True).evaluate(
        "e => { e.value = e.max * 0.6; e.dispatchEvent(new Event('input')); }")


VIEWS = {"workbench": ("02_digits.ipynb", "ul.lab(cnn_session)", fused, (1500, 900)),
         "loops": ("04_workbench.ipynb", "ul.lab(tuned)", tiled, (1850, 1000))}

if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for view, (notebook, cell, arrange, size) in VIEWS.items():
        for theme in ("light", "dark"):
            if not sys.argv[1:] or {view, theme} & set(sys.argv[1:]):
                photograph(theme, notebook, cell, view, arrange, size)
