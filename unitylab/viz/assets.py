"""The widget's JavaScript and style sheet: plain files, joined. There is no build step."""

from __future__ import annotations

from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
# in the order in which they need each other; a pane is one file
SCRIPTS = ("dom", "app", "frame", "history", "layered", "graph", "loops", "twin", "text", "code",
           "inspector", "measures", "host")


@cache
def module_source() -> str:
    """The widget's ES module. Comments that fill a line and indentation stay at home: a notebook
    stores the module once for each workbench."""
    lines = (line.strip() for name in SCRIPTS
             for line in (HERE / "js" / f"{name}.js").read_text("utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"


@cache
def style_sheet() -> str:
    """The workbench's CSS."""
    return (HERE / "workbench.css").read_text("utf-8")
