"""Pictures that need no kernel: script-free HTML for saved notebooks."""

from __future__ import annotations

from html import escape

from .graph_picture import closed
from .svg import graph_svg
from .text_view import rows

_BADGE = {"ok": "✓", "wrong": "✗ wrong", "error": "✗ error", "none": "–", "pending": "…",
          "unchecked": "unchecked"}
_COLOUR = {"+": "#2a9d4f", "-": "#c4473c", "~": "#b07d16"}


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
            f'<div style="overflow-x:auto;margin:10px 0">{graph_svg(closed(view["graph"]))}</div>'
            f'{diff_block(rows(view))}</div>')


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


def diff_block(lines_of: list[dict], limit: int = 80) -> str:
    """The changed lines as text."""
    lines = []
    for row in lines_of:
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
