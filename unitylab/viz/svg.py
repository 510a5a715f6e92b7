"""The graph as SVG. One drawing for the live widget and for saved notebooks: classes let the
widget's style sheet colour it, attributes carry it where there is no style sheet."""

from __future__ import annotations

from html import escape

MARGIN = 12
_SIGN = {"added": "+", "removed": "−", "changed": "~"}
_STROKE = {"added": "#2a9d4f", "removed": "#c4473c", "changed": "#b07d16", "same": "#8a919e"}
_FILL = {"added": "#2a9d4f", "removed": "#c4473c", "changed": "#b07d16", "same": "#8a919e"}


def graph_svg(graph: dict, label: str = "graph of the module") -> str:
    """An `<svg>` of a view model's graph; nodes carry `data-key`."""
    width, height = graph["width"] + 2 * MARGIN, graph["height"] + 2 * MARGIN
    parts = [f'<svg class="ul-svg" xmlns="http://www.w3.org/2000/svg" role="group" '
             f'aria-label="{escape(label)}" width="{width:.0f}" height="{height:.0f}" '
             f'viewBox="{-MARGIN} {-MARGIN} {width:.0f} {height:.0f}" '
             f'font-family="system-ui, sans-serif" font-size="12">']
    parts += [_group(g) for g in graph["groups"]]
    parts += [_edge(e) for e in graph["edges"] if e[3]]
    parts += [_node(n) for n in graph["nodes"]]
    return "".join(parts) + "</svg>"


def _group(g: dict) -> str:
    status = g["status"]
    sign = _SIGN.get(status, "")
    title = f"{sign} {g['label']}".strip()
    return (f'<g class="ul-group ul-{status}"><rect x="{g["x"]}" y="{g["y"]}" width="{g["w"]}" '
            f'height="{g["h"]}" rx="10" fill="{_FILL[status]}" fill-opacity="0.06" '
            f'stroke="{_STROKE[status]}"/><text x="{g["x"] + 12}" y="{g["y"] + 17}" '
            f'fill="{_STROKE[status]}" font-weight="600">{_fit(title, g["w"] - 20)}</text></g>')


def _edge(edge: list) -> str:
    source, target, status, p = edge
    path = f"M{p[0][0]},{p[0][1]}"
    for a, b, c in zip(p[1::3], p[2::3], p[3::3]):
        path += f"C{a[0]},{a[1]} {b[0]},{b[1]} {c[0]},{c[1]}"
    x, y = p[-1]
    dash = ' stroke-dasharray="4 3"' if status == "removed" else ""
    colour = _STROKE[status]
    return (f'<g class="ul-edge ul-{status}" data-source="{escape(source)}" '
            f'data-target="{escape(target)}"><path d="{path}" fill="none" '
            f'stroke="{colour}" stroke-width="1.3"{dash}/>'
            f'<path class="ul-arrow" d="M{x - 3.5},{y - 6.5}L{x + 3.5},{y - 6.5}L{x},{y}Z" '
            f'fill="{colour}"/></g>')


def _node(n: dict) -> str:
    status, w, h = n["status"], n["w"], n["h"]
    x, y = n["x"] - w / 2, n["y"] - h / 2
    dash = ' stroke-dasharray="5 3"' if status == "removed" else ""
    radius = h / 2 if n["kind"] in ("param", "output") else 7
    opacity = "0.16" if status in ("added", "changed") else "0.07"
    said = {"same": "", "removed": ", removed", "added": ", added", "changed": ", changed"}[status]
    parts = [f'<g class="ul-node ul-{status} ul-kind-{n["kind"]}" data-key="{escape(n["id"])}" '
             f'role="button" tabindex="-1" aria-label="{escape(n["label"])} '
             f'{escape(n["detail"])}{said}">'
             f'<title>{escape(n["label"])}: {escape(n["detail"])}{said}</title>'
             f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{radius}" '
             f'fill="{_FILL[status]}" fill-opacity="{opacity}" stroke="{_STROKE[status]}" '
             f'stroke-width="1.2"{dash}/>']
    room = w - 24
    one_line = not n["detail"] or h < 36
    parts.append(f'<text x="{x + 12:.1f}" y="{n["y"] + (4 if one_line else -3):.1f}'
                 f'" fill="currentColor" font-weight="600">'
                 f'{_fit(n["label"], room - (12 if status != "same" else 0))}</text>')
    if not one_line:
        parts.append(f'<text class="ul-detail" x="{x + 12:.1f}" y="{n["y"] + 13:.1f}" '
                     f'fill="currentColor" fill-opacity="0.72" font-size="11">'
                     f'{_fit(n["detail"], room, 6.1)}</text>')
    if status in _SIGN:
        parts.append(f'<text class="ul-sign" x="{x + w - 13:.1f}" y="{y + 15:.1f}" '
                     f'fill="{_STROKE[status]}" font-weight="700" text-anchor="middle">'
                     f'{_SIGN[status]}</text>')
    return "".join(parts) + "</g>"


def _fit(text: str, room: float, each: float = 6.9) -> str:
    """Text cut to a width, `each` pixels a character, with an ellipsis."""
    most = max(3, int(room / each))
    return escape(text if len(text) <= most else text[:most - 1] + "…")
