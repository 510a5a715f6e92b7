"""A widget host without JupyterLab: what any host of an AnyWidget gives the module, no more.

`model.get/set/save_changes/on/off/send` and an element, as VS Code and marimo have them; no
`initialize` is called and no Jupyter variable or attribute is on the page. Python's side is the
real workbench: messages and traits go to and fro as a comm would carry them."""

import json
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from unitylab.viz import assets

TRAITS = ("history", "view", "current", "info", "problem", "progress")

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>host</title>
<style>%s body { margin: 12px; background: Canvas; color: CanvasText; color-scheme: light dark }
</style></head><body%s><div id="cell"></div></body></html>"""

# a host's model; `leaked` counts keys that the host's own handlers on document would see
START = """async ([source, state]) => {
    const on = {};
    window.leaked = [];
    document.addEventListener("keydown", (e) => window.leaked.push(e.key));
    const fire = (name, value) => (on[name] || []).slice().forEach((f) => f(value, []));
    const apply = (messages) => messages.forEach(([kind, name, value]) => {
        if (kind === "trait") { state[name] = value; fire("change:" + name, value); }
        else fire("msg:custom", value);
    });
    const model = {
        get: (name) => state[name],
        set: (name, value) => { state[name] = value; },
        save_changes: () => {},
        on: (name, f) => { (on[name] ||= []).push(f); },
        off: (name, f) => { on[name] = f ? (on[name] || []).filter((g) => g !== f) : []; },
        send: (content, callbacks, buffers) => { window.toPython(content).then(apply); },
    };
    window.handlers = () => Object.values(on).flat().length;
    window.poll = () => window.fromPython().then(apply);
    setInterval(window.poll, 30);
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    window.widget = (await import(url)).default;
    window.model = model;
    const el = document.getElementById("cell");
    window.cleanup = await window.widget.render({ model, el });
}"""


class Comm:
    """Carries what the workbench sends until the page takes it."""

    def __init__(self, bench):
        self.bench, self.out = bench, SimpleQueue()
        bench.send = lambda content, *_: self.out.put(["message", "", content])
        bench.observe(lambda change: self.out.put(["trait", change.name, change.new]), TRAITS)

    def receive(self, content):
        self.bench._hear(self.bench, content, [])
        return self.take()

    def take(self):
        found = []
        while True:
            try:
                found.append(self.out.get_nowait())
            except Empty:
                return json.loads(json.dumps(found))


@contextmanager
def bare_host(browser, bench, size=(1400, 860), scheme="light", body=""):
    """A page that shows `bench`; `body` are attributes of the page's body, such as a theme."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]},
                                  color_scheme=scheme)
    page = context.new_page()
    page.failures = []
    page.on("pageerror", lambda e: page.failures.append(str(e)))
    page.on("console", lambda m: page.failures.append(m.text) if m.type == "error" else None)
    comm = Comm(bench)
    page.expose_function("toPython", comm.receive)
    page.expose_function("fromPython", comm.take)
    page.set_content(PAGE % (assets.style_sheet(), body))
    state = json.loads(json.dumps({name: getattr(bench, name) for name in TRAITS}))
    page.evaluate(START, [assets.module_source(), state])
    try:
        yield page
    finally:
        context.close()
