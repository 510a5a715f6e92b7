"""Takes the screenshots of the README: runs the digits notebook in JupyterLab and photographs the
workbench, light and dark. `make screenshots` runs it."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))
from lab import chromium, lab_server, open_lab  # noqa: E402

IMAGES = ROOT / "docs" / "images"


def photograph(theme: str) -> None:
    """The workbench of the convolutional network at the step that fuses."""
    with lab_server(ROOT / "notebooks", theme) as server, chromium() as browser, \
            open_lab(server, browser, size=(1500, 900)) as lab:
        lab.open("02_digits.ipynb")
        lab.run_all()
        lab.command("application:toggle-left-area")
        lab.command("application:toggle-right-area")
        place = next(k for k, c in enumerate(lab.cells())
                     if "ul.lab(cnn_session)" in "".join(c["source"]))
        bench = lab.cell(place).get_by_role("region", name="unitylab workbench")
        bench.scroll_into_view_if_needed()
        bench.get_by_role("option", name=re.compile("^step .* FuseOps")).click()
        bench.get_by_role("button", name="Measure").click()
        bench.get_by_role("img", name=re.compile("^roofline")).wait_for()
        bench.get_by_role("button", name=re.compile("^conv2d ")).first.click()
        bench.get_by_role("button", name=re.compile("^preview ")).first.wait_for()
        lab.page.wait_for_timeout(800)
        bench.screenshot(path=IMAGES / f"workbench_{theme}.png")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or ("light", "dark"):
        photograph(name)
