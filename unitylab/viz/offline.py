"""The session as one interactive file without a kernel: the views of all steps, compressed, and a
small host that answers the workbench's questions from them."""

from __future__ import annotations

import base64
import gzip
import json
from html import escape

from . import assets

ASKED_FOR_EACH = 400  # rewrites of a step, nodes of a step: what is answered offline


def page(bench) -> str:
    """The file's text. `bench` is a workbench; its session stays where it is."""
    data = {"state": {"history": bench.history, "current": bench.current, "problem": "",
                      "progress": {}, "info": {**bench.info, "live": False, "next": ""}},
            **_views(bench), "answers": _answers(bench), "program": assets.program()}
    text = json.dumps(data, separators=(",", ":"))
    packed = base64.b64encode(gzip.compress(text.encode(), 9)).decode()
    title = escape(f"unitylab: {bench.info['title']}")
    return PAGE.replace("TITLE", title).replace("STYLE", assets.style_sheet()) \
        .replace("DATA", packed)


def _views(bench) -> dict:
    """The view of each step; texts once a step, not once for each step that shows them."""
    views, texts = {}, {}
    for number in bench.session.steps:
        view = dict(bench.model.step(number))
        texts[number] = view.pop("text")
        view.pop("before", None)
        views[number] = view
    return {"views": views, "texts": texts}


def _answers(bench) -> dict:
    """What the page may ask, by question."""
    found = {}

    def keep(ask: str, value, **args) -> None:
        found[json.dumps([ask, args], separators=(",", ":"))] = value
    for number, step in bench.session.steps.items():
        keep("rewrites", bench.model.rewrites(number), step=number)
        for k in range(min(len(step.rewrites), ASKED_FOR_EACH)):
            keep("rewrite", bench.model.rewrite(number, k), step=number, k=k)
        keep("describe", bench.session.describe(number), step=number, key=None)
        for node in bench.model.step(number)["graph"]["nodes"]:
            keep("inspect", bench.model.inspect(number, node["id"]), step=number, key=node["id"])
    return found


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>TITLE</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>STYLE
body { margin: 12px; background: Canvas; color: CanvasText; color-scheme: light dark; }
.ul-root { height: calc(100vh - 24px) !important; }</style></head>
<body><div id="app"></div>
<script type="module">
const bytes = Uint8Array.from(atob("DATA"), (c) => c.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
const data = JSON.parse(await new Response(stream).text());
const program = new Blob([data.program], { type: "text/javascript" });
const widget = (await import(URL.createObjectURL(program))).default;
const viewOf = (step) => {
  const view = data.views[step];
  const before = view.base === null ? undefined : data.texts[view.base];
  return { ...view, text: data.texts[step], before };
};
const state = { ...data.state, view: viewOf(data.state.current) };
const on = {};
const model = {
  get: (name) => state[name],
  set: (name, value) => { state[name] = value; (on["change:" + name] || []).forEach((f) => f()); },
  save_changes: () => {},
  on: (name, f) => { (on[name] ||= []).push(f); },
  off: (name, f) => { on[name] = (on[name] || []).filter((g) => g !== f); },
  send: ({ id, ask, args }) => queueMicrotask(() => {
    const answer = (m) => (on["msg:custom"] || []).forEach((f) => f({ id, ...m }));
    const known = data.answers[JSON.stringify([ask, ask === "describe" ? { ...args, key: null }
      : args])];
    if (ask === "checkout" && args.base === undefined && data.views[args.step]) {
      model.set("view", viewOf(args.step));
      model.set("current", args.step);
      answer({ ok: true });
    } else if (known !== undefined) answer({ ok: true, result: known });
    else answer({ error: "this file has no kernel: open the notebook to do that" });
  }),
};
widget.render({ model, el: document.getElementById("app") });
</script></body></html>
"""
