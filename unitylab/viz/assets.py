"""The widget's JavaScript and style sheet: plain files, joined. There is no build step."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .shrink import shrink

HERE = Path(__file__).parent
# in the order in which they need each other; a pane is one file
SCRIPTS = ("dom", "app", "frame", "history", "layered", "graph", "loops", "twin", "beside", "text",
           "code",
           "inspector", "measures", "host")


@cache
def module_source() -> str:
    """The widget's ES module, without comments and the spaces that only a reader needs."""
    return shrink("\n".join((HERE / "js" / f"{name}.js").read_text("utf-8") for name in SCRIPTS))


@cache
def style_sheet() -> str:
    """The workbench's CSS."""
    return (HERE / "workbench.css").read_text("utf-8")
