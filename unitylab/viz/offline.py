"""The session as one interactive file without a kernel: the views of all steps, compressed, and a
small host that answers the workbench's questions from them (`js/offline.js`)."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import datetime
from html import escape

from . import assets
from .loop_view import speeds
from .offline_programs import Programs

ASKED_FOR_EACH = 400  # rewrites of a step, nodes of a step: what is answered offline


def page(model, seconds: float) -> str:
    """The file's text. `model` is the view of the session; machine code, iteration orders and
    caches of tensor programs are computed for about `seconds` seconds, the step where the session
    stands first."""
    watch = model.session.watch
    watch.start("writing the file")
    try:
        data = {"state": _state(model), **_views(model), **_programs(model, seconds),
                "answers": _answers(model), "program": assets.program()}
    finally:
        watch.start("")
    text = json.dumps(data, separators=(",", ":"))
    packed = base64.b64encode(gzip.compress(text.encode(), 9)).decode()
    title = escape(f"unitylab: {model.info()['title']}")
    return PAGE.replace("TITLE", title).replace("STYLE", assets.style_sheet()) \
        .replace("HOST", assets.host()).replace("DATA", packed)


def _state(model) -> dict:
    """What the widget's traits would hold."""
    info, written = model.info(), f"{datetime.now():%Y-%m-%d %H:%M}"
    return {"history": model.history(), "current": model.session.current.id, "problem": "",
            "progress": {}, "info": {**info, "chips": [*info["chips"], f"as of {written}"],
                                     "live": False, "next": "", "written": written}}


def _views(model) -> dict:
    """The view of each step; texts once a step, not once for each step that shows them."""
    views, texts = {}, {}
    for k, number in enumerate(model.session.steps):
        view = dict(model.step(number))
        texts[number] = view.pop("text")
        view.pop("before", None)
        views[number] = view
        model.session.watch.reach(k, 3 * len(model.session.steps))
    return {"views": views, "texts": texts}


def _programs(model, seconds: float) -> dict:
    """What is known of tensor programs, each once, and which step shows which."""
    session = model.session
    found, shown = Programs(model, seconds), {}
    order = [session.current, *(s for s in reversed(session.steps.values())
                                if s is not session.current)]
    for k, s in enumerate(order):
        shown[s.id] = found.of(s)
        session.watch.reach(len(order) + k, 3 * len(order))
    return {"programs": found.found, "shown": shown}


def _answers(model) -> dict:
    """What the page may ask, by question."""
    found, session = {}, model.session

    def keep(ask: str, value, **args) -> None:
        found[json.dumps([ask, args], separators=(",", ":"))] = value
    for done, (number, step) in enumerate(session.steps.items()):
        keep("rewrites", model.rewrites(number), step=number)
        for k in range(min(len(step.rewrites), ASKED_FOR_EACH)):
            keep("rewrite", model.rewrite(number, k), step=number, k=k)
        keep("describe", session.describe(number), step=number, key=None)
        for node in model.step(number)["graph"]["nodes"]:
            keep("inspect", model.inspect(number, node["id"]), step=number, key=node["id"])
        for name in step.module.prim_funcs:
            known = speeds(session, number, name)
            if any("time" in row for row in known["rows"]):
                keep("loop_speed", known, step=number, function=name, measure=False)
        session.watch.reach(2 * len(session.steps) + done, 3 * len(session.steps))
    return found


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>TITLE</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>STYLE
body { margin: 12px; background: Canvas; color: CanvasText; color-scheme: light dark; }
.ul-root { height: calc(100vh - 24px) !important; }</style></head>
<body><div id="app"></div>
<script type="module">
HOST
</script></body></html>
"""
