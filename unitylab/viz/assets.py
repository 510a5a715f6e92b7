"""The widget's JavaScript and style sheet: plain files, joined. There is no build step."""

from __future__ import annotations

import base64
import gzip
import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
# in the order in which they need each other; a pane is one file
SCRIPTS = ("dom", "app", "frame", "history", "layered", "graph_groups", "graph", "loops",
           "loops_tree", "twin", "beside", "text", "code", "loops_memory", "inspector",
           "measures", "host")
STYLES = ("workbench", "loops")
LOADER = """// unitylab's workbench, packed: a notebook stores this once for each widget.
// The readable files are in unitylab/viz/js; a debugger shows them as they are.
const bytes = Uint8Array.from(atob("DATA"), (c) => c.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
const text = new Blob([await new Response(stream).text()], { type: "text/javascript" });
const url = URL.createObjectURL(text);
const { default: widget } = await import(url);
URL.revokeObjectURL(url);
export default widget;
"""


@cache
def program() -> str:
    """The joined files: one ES module."""
    return "\n".join((HERE / "js" / f"{name}.js").read_text("utf-8") for name in SCRIPTS)


@cache
def host() -> str:
    """The script of a page without a kernel."""
    return (HERE / "js" / "offline.js").read_text("utf-8")


@cache
def module_source() -> str:
    """The ES module that the widget carries: it unpacks and starts the program."""
    packed = gzip.compress(program().encode(), 9, mtime=0)
    return LOADER.replace("DATA", base64.b64encode(packed).decode())


@cache
def style_sheet() -> str:
    """The workbench's CSS without comments and indentation: each widget of a notebook stores it."""
    text = "\n".join((HERE / f"{name}.css").read_text("utf-8") for name in STYLES)
    return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", text, flags=re.S))
