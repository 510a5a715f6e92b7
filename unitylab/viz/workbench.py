"""The workbench widget: thin. It shows a session and passes the user's wishes on."""

from __future__ import annotations

from collections.abc import Callable

import anywidget
import traitlets

from ..ir.errors import UnityLabError
from ..ir.module import IRModule
from ..ir.tir import BaseFunc
from ..pipelines import all_passes, default
from ..session.session import Session
from . import static
from .svg import graph_svg
from .view_model import SessionView


class Workbench(anywidget.AnyWidget):
    """A session with its history, graph, script, machine code and measurements, linked.

    `workbench.session` is the session: what is done there by code shows here after `refresh()`."""

    _esm = static.HERE / "workbench.js"
    _css = static.HERE / "workbench.css"
    history = traitlets.List().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    current = traitlets.Int(0).tag(sync=True)
    info = traitlets.Dict().tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def __init__(self, session: Session, pipeline=default, **kw):
        super().__init__(**kw)
        self.session, self.pipeline = session, tuple(pipeline)
        self.model = SessionView(session)
        self.refresh()
        self.on_msg(self._hear)

    # --- state ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Shows the session as it is now."""
        with self.hold_sync():
            self.history = self.model.history()
            self.view = self.step_view(self.session.current.id)
            self.info = self.about()
            self.current = self.session.current.id

    def step_view(self, number: int) -> dict:
        view = self.model.step(number)
        return {**view, "graph": {"svg": graph_svg(view["graph"]),
                                  "nodes": [n["id"] for n in view["graph"]["nodes"]]}}

    def about(self) -> dict:
        """What stands in the header and in the list of passes."""
        s = self.session
        done = len(s.history.path(s.current)) - 1
        following = self.pipeline[done].name if done < len(self.pipeline) else ""
        return {"title": s.steps[0].name, "entry": s.entry or "", "target": s.target,
                "next": following, "passes": sorted(all_passes()), "live": True}

    # --- questions --------------------------------------------------------------------------

    def _hear(self, _, message: dict, __) -> None:
        """Answers `{id, ask, args}` with `{id, ok, result}` or `{id, error}`."""
        ask = ANSWERS.get(message.get("ask"))
        self.problem = ""
        try:
            if ask is None:
                raise UnityLabError(f"the workbench cannot answer {message.get('ask')!r}")
            result = ask(self, **message.get("args", {}))
            self.send({"id": message.get("id"), "ok": True, "result": result})
        except UnityLabError as e:
            self.problem = str(e)
            self.send({"id": message.get("id"), "error": str(e)})
            self.refresh()

    def _moved(self, action: Callable, *args) -> None:
        action(*args)
        self.refresh()

    def run_next(self) -> None:
        """Applies the next pass of the pipeline."""
        done = len(self.session.history.path(self.session.current)) - 1
        if done >= len(self.pipeline):
            raise UnityLabError("the pipeline is at its end", hint="add a pass by name")
        self._moved(self.session.apply, self.pipeline[done])

    def run_all(self) -> None:
        """Applies what is left of the pipeline, a step each."""
        done = len(self.session.history.path(self.session.current)) - 1
        for p in self.pipeline[done:]:
            self._moved(self.session.apply, p)

    def places(self, name: str) -> int:
        """In how many places a pass would fire."""
        return len(self.session.applicable(name))

    # --- without a kernel -------------------------------------------------------------------

    def _repr_mimebundle_(self, **kw):
        bundle = super()._repr_mimebundle_(**kw)
        data, *rest = bundle if isinstance(bundle, tuple) else (bundle,)
        view = self.model.step(self.session.current.id)
        data = {**data, "text/plain": repr(self.session),
                "text/html": static.picture(self.history, view, self.session.current.id)}
        return (data, *rest) if rest else data


ANSWERS = {
    "apply": lambda w, name: w._moved(w.session.apply, name),
    "next": Workbench.run_next,
    "all": Workbench.run_all,
    "undo": lambda w: w._moved(w.session.undo),
    "redo": lambda w: w._moved(w.session.redo),
    "checkout": lambda w, step: w._moved(w.session.checkout, step),
    "branch": lambda w, name: w._moved(w.session.branch, name),
    "verify": lambda w, step: w._moved(w.session.verify, step),
    "source": lambda w, step, kind, function=None: w.model.source(step, kind, function),
    "places": Workbench.places,
    "python": lambda w: w.session.to_python(),
}


def lab(x: Session | IRModule | BaseFunc, **options) -> Workbench:
    """The workbench of a session, or of a module (options go to the `Session`)."""
    return Workbench(x if isinstance(x, Session) else Session(x, **options))


def write_html(session: Session, path: str) -> None:
    """Writes the session as one interactive file that works offline."""
    bench = Workbench(session)
    views = {n: bench.step_view(n) for n in session.steps}
    state = {"history": bench.history, "current": bench.current, "problem": "",
             "info": {**bench.info, "live": False}}
    with open(path, "w", encoding="utf-8") as f:
        f.write(static.page({"state": state, "views": views}, f"unitylab: {state['info']['title']}"))


Session._to_html = staticmethod(write_html)
