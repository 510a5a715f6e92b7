"""Pictures that need no kernel: script-free HTML for saved notebooks, and one interactive file."""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path

from .svg import graph_svg

HERE = Path(__file__).parent
_BADGE = {"ok": "✓", "wrong": "✗ wrong", "error": "✗ error", "none": "–", "pending": "…"}
_COLOUR = {"+": "#2a9d4f", "-": "#c4473c", "~": "#b07d16"}


def style_sheet() -> str:
    """The workbench's CSS."""
    return (HERE / "workbench.css").read_text()


def module_source() -> str:
    """The workbench's ES module."""
    return (HERE / "workbench.js").read_text()


def seconds(t: float | None) -> str:
    """A time for people."""
    if t is None:
        return ""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if t * factor >= 1:
            return f"{t * factor:.3g} {unit}"
    return f"{t * 1e9:.3g} ns"


def badge(row: dict) -> str:
    """The check of a step in few characters."""
    mark = _BADGE[row["check"]]
    if row["check"] == "ok" and row["error"] is not None:
        return f"{mark} {row['error']:.0e}" if row["error"] else mark
    return mark


def picture(history: list[dict], view: dict, current: int) -> str:
    """The session as HTML without scripts: steps, graph, diff."""
    return (f'<div class="ul-static" style="font-family:system-ui,sans-serif;font-size:13px">'
            f'{history_table(history, current)}'
            f'<div style="overflow-x:auto;margin:10px 0">{graph_svg(view["graph"])}</div>'
            f'{diff_block(view["diff"])}</div>')


def history_table(history: list[dict], current: int) -> str:
    """One row a step."""
    head = "".join(f'<th style="text-align:left;padding:2px 10px">{t}</th>'
                   for t in ("", "step", "changes", "check", "time of one call"))
    rows = []
    for r in history:
        mark = "▸" if r["id"] == current else ""
        ratio = f' (×{r["ratio"]:.2f})' if r["ratio"] else ""
        cells = (f"{mark} {r['id']}", f"<b>{escape(r['name'])}</b>", escape(r["detail"]),
                 f'<span title="{escape(r["message"])}">{escape(badge(r))}</span>',
                 f"{seconds(r['time'])}{ratio}")
        rows.append("<tr>" + "".join(
            f'<td style="text-align:left;padding:2px 10px">{c}</td>' for c in cells) + "</tr>")
    return f'<table style="border-collapse:collapse">{head}{"".join(rows)}</table>'


def diff_block(rows: list[dict], limit: int = 120) -> str:
    """The changed lines as text."""
    lines = []
    for row in rows:
        if "fold" in row:
            lines.append(f'<span style="opacity:.6">  ⋯ {len(row["fold"])} unchanged lines</span>')
            continue
        text = escape(f"{row['sign']} {row['text']}")
        colour = _COLOUR.get(row["sign"])
        lines.append(f'<span style="color:{colour}">{text}</span>' if colour else text)
    if len(lines) > limit:
        lines = [*lines[:limit], f"⋯ {len(lines) - limit} more lines"]
    return ('<details open><summary>what changed in the script</summary>'
            '<pre style="font-size:12px;line-height:1.45;overflow-x:auto">'
            + "\n".join(lines) + "</pre></details>")


def page(data: dict, title: str) -> str:
    """One self-contained interactive file: the data, the widget's own module and a small host that
    answers its questions from the data."""
    text = json.dumps(data).replace("</", "<\\/")
    module = base64.b64encode(module_source().encode()).decode()
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{style_sheet()}
body {{ margin: 12px; background: Canvas; color: CanvasText; color-scheme: light dark; }}
.ul-root {{ height: calc(100vh - 24px) !important; }}</style></head>
<body><div id="app"></div>
<script type="application/json" id="data">{text}</script>
<script type="module">
const data = JSON.parse(document.getElementById("data").textContent);
const widget = (await import("data:text/javascript;base64,{module}")).default;
const state = {{ ...data.state, view: data.views[data.state.current] }};
const on = {{}};
const model = {{
  get: (name) => state[name],
  set: (name, value) => {{ state[name] = value; (on["change:" + name] || []).forEach((f) => f()); }},
  save_changes: () => {{}},
  on: (name, f) => {{ (on[name] ||= []).push(f); }},
  off: (name, f) => {{ on[name] = (on[name] || []).filter((g) => g !== f); }},
  send: ({{ id, ask, args }}) => {{
    const answer = (m) => (on["msg:custom"] || []).forEach((f) => f(m));
    if (ask === "checkout" && data.views[args.step]) {{
      model.set("current", args.step); model.set("view", data.views[args.step]);
      answer({{ id, ok: true }});
    }} else answer({{ id, error: "this file has no kernel: open the notebook to do that" }});
  }},
}};
widget.render({{ model, el: document.getElementById("app") }});
</script></body></html>
"""
