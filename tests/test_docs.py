"""The Python that README and docs show runs as it stands, block after block, like the cells of a
notebook; the files that they link to are there."""

import linecache
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@each_page
def test_code_runs(page):
    names = {"__name__": "__main__"}
    for number, block in enumerate(python_blocks(page)):
        place = f"<{page.name}, block {number}>"
        linecache.cache[place] = len(block), None, block.splitlines(True), place  # for decorators
        exec(compile(block, place, "exec"), names)


def test_there_is_code():
    assert python_blocks(ROOT / "README.md") and python_blocks(ROOT / "docs/schedules.md")


@each_page
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).exists(), target
