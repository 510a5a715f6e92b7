"""The workbench widget: thin. It shows a session and passes the user's wishes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock, Thread, current_thread, main_thread

import anywidget
import traitlets

from ..ir.errors import UnityLabError
from ..ir.module import IRModule
from ..ir.tir import BaseFunc
from ..pipelines import all_passes, default
from ..session.session import SECONDS, Session
from . import assets, layout, loop_view, offline, static
from .view_model import SessionView


class Workbench(anywidget.AnyWidget):
    """A session with its history, graph, script, machine code and measurements, linked.

    `workbench.session` is the session: what is done there by code shows here at once. Long work
    runs in a thread, so that it can be watched and stopped; `join()` waits for it."""

    _esm = assets.module_source()
    _css = assets.style_sheet()
    history = traitlets.List().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    current = traitlets.Int(0).tag(sync=True)
    info = traitlets.Dict().tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)

    def __init__(self, session: Session, pipeline=default, threads: bool = True, **kw):
        super().__init__(**kw)
        layout.prepare()
        self.session, self.pipeline, self.threads = session, tuple(pipeline), threads
        self.model, self.base, self.version = SessionView(session), None, 0
        self._one_at_a_time, self._jobs = Lock(), []
        self.refresh()
        session.listeners.append(self.refresh)
        session.watch.hear = self.report
        self.on_msg(self._hear)

    # --- state ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Shows the session as it is now."""
        self.version += 1
        with self.hold_sync():
            self.history = self.model.history()
            self.view = self.model.step(self.session.current.id, self.base)
            self.info = self.about()
            self.current = self.session.current.id

    def report(self) -> None:
        """Shows what is going on."""
        watch, beside = self.session.watch, self.session.background
        if watch.what:
            self.progress = {"what": watch.what, "done": watch.done, "total": watch.total}
        elif beside is not None and beside.running:
            total = round(self.session.estimate())
            self.progress = {"what": "interpreting step 0 beside other work", "total": total,
                             "done": min(total, round(beside.seconds)), "beside": True}
        else:
            self.progress = {}

    def about(self) -> dict:
        """What stands in the header and in the list of passes."""
        following = self.rest()[0].name if self.rest() else ""
        return {**self.model.info(), "next": following, "live": True,
                "passes": sorted(all_passes()), "version": self.version}

    def rest(self) -> tuple:
        """What is left of the pipeline."""
        return self.pipeline[len(self.session.history.path(self.session.current)) - 1:]

    # --- questions --------------------------------------------------------------------------

    def _hear(self, _, message: dict, __) -> None:
        """Answers `{id, ask, args}` with `{id, ok, result}` or `{id, error}`."""
        if message.get("ask") in LONG and self.threads:
            job = Thread(target=self._answer, args=(message,), daemon=True)
            self._jobs = [*(j for j in self._jobs if j.is_alive()), job]
            job.start()
        else:
            self._answer(message)

    def _answer(self, message: dict) -> None:
        ask = ANSWERS.get(message.get("ask"))
        reply = {"id": message.get("id")}
        free = message.get("ask") in AT_ONCE
        if not free:
            self._one_at_a_time.acquire()
        try:
            if ask is None:
                raise UnityLabError(f"the workbench cannot answer {message.get('ask')!r}")
            reply |= {"ok": True, "result": ask(self, **message.get("args", {}))}
        except UnityLabError as e:
            reply["error"] = str(e)
        except Exception as e:  # a mistake of ours must not leave the page waiting
            reply["error"] = f"{type(e).__name__}: {e}"
        finally:
            if not free:
                self._one_at_a_time.release()
        self.problem = reply.get("error", "") if message.get("ask") in CHANGES else self.problem
        if message.get("id") is not None:
            self.send(reply)

    def join(self) -> None:
        """Waits for the work that was asked for."""
        for job in self._jobs:
            if job is not current_thread() and job is not main_thread():
                job.join()

    def checkout(self, step: int, base: int | None = None) -> None:
        self.base = base
        self.session.checkout(step)

    def moved(self, action: Callable, *args, **kw) -> None:
        self.base = None
        action(*args, **kw)

    def edit_loops(self, **args) -> str:
        self.base = None
        return loop_view.make_edit(self.session, **args)

    def run_next(self) -> None:
        if not self.rest():
            raise UnityLabError("the pipeline is at its end", hint="add a pass by name")
        self.moved(self.session.apply, self.rest()[0])

    def run_all(self) -> None:
        for p in self.rest():
            self.session.watch.check()
            self.moved(self.session.apply, p)

    def check(self, step: int) -> None:
        """Runs a step and compares it."""
        try:
            self.session.verify(step)
        finally:
            self.session.changed()

    def count(self, step: int, base: int | None = None) -> None:
        self.model.count(step, base)
        self.refresh()

    def stop(self) -> None:
        self.session.watch.ask_to_stop()

    def places(self, name: str) -> int:
        found = self.session.places().of(name)
        if isinstance(found, str):
            raise UnityLabError(found)
        return len(found)

    def apply_here(self, key: str, action: str) -> None:
        a = self.model.action(self.session.current.id, key, action)
        self.moved(self.session.apply, a.pass_, only=a.match)

    def describe(self, step: int, key: str | None = None) -> str:
        at = self.session.history.find(step)
        name = getattr(self.model.find(at, key).item, "name", None) if key else None
        return self.session.describe(step, name)

    def save_html(self) -> str:
        path = f"{self.session.steps[0].name}.html"
        write_page(self.model, path)
        return path

    # --- without a kernel -------------------------------------------------------------------

    def _repr_mimebundle_(self, **kw):
        bundle = super()._repr_mimebundle_(**kw)
        data, *rest = bundle if isinstance(bundle, tuple) else (bundle,)
        data = {**data, "text/plain": repr(self.session),
                "text/html": static.picture(self.history, self.view, self.current)}
        return (data, *rest) if rest else data


CHANGES = {
    "apply": lambda w, name: w.moved(w.session.apply, name),
    "apply_here": Workbench.apply_here,
    "next": Workbench.run_next,
    "all": Workbench.run_all,
    "undo": lambda w: w.moved(w.session.undo),
    "redo": lambda w: w.moved(w.session.redo),
    "checkout": Workbench.checkout,
    "branch": lambda w, name: w.moved(w.session.branch, name),
    "rename": lambda w, step, label, branch="": w.session.rename(step, label, branch),
    "check": Workbench.check,
    "measure": lambda w, sizes=None: w.session.profile(**(sizes or {})) and None,
    "count": Workbench.count,
    "save_html": Workbench.save_html,
}
ANSWERS = {
    **CHANGES,
    "stop": Workbench.stop,
    "stop_beside": lambda w: w.session.stop_background(),
    "source": lambda w, step, kind, key=None: w.model.source(step, kind, key),
    "beside": lambda w, step, base: w.model.beside(step, base),
    "inspect": lambda w, step, key: w.model.inspect(step, key),
    "rewrites": lambda w, step: w.model.rewrites(step),
    "rewrite": lambda w, step, k: w.model.rewrite(step, k),
    "actions": lambda w, step, key: w.model.actions(step, key),
    "preview": lambda w, step, key, action: w.model.preview(step, key, action),
    "places": Workbench.places,
    "describe": Workbench.describe,
    "python": lambda w: w.session.to_python(),
    "loop_edits": lambda w, **args: loop_view.loop_edits(w.session, **args),
    "loop_edit": Workbench.edit_loops,
    "loop_speed": lambda w, **args: loop_view.speeds(w.session, **args),
    "loop_order": lambda w, step, function: loop_view.loop_order(
        w.session.iteration_order(function, step)),
    "loop_traffic": lambda w, step, function: loop_view.loop_traffic(
        w.session.simulate(function, step)),
}
AT_ONCE = {"stop", "stop_beside", "inspect", "loop_edits", "loop_order", "loop_traffic"}
LONG = set(ANSWERS) - {"stop", "stop_beside", "inspect", "undo", "redo", "checkout", "branch",
                       "rename", "python"}


def lab(x: Session | IRModule | BaseFunc, **options) -> Workbench:
    """The workbench of a session, or of a module (options go to the `Session`).

    A module is shown at once; its first check runs meanwhile, with progress, and can be stopped."""
    if isinstance(x, Session):
        return Workbench(x)
    check = options.pop("check", True)
    session = Session(x, check=False, **options)
    session.check = check
    bench = Workbench(session)
    if check and session.current.check is None:
        bench._hear(bench, {"ask": "check", "args": {"step": session.current.id}}, None)
    return bench


def write_html(session: Session, path: str | os.PathLike, seconds: float) -> None:
    """Writes the session as one interactive file that works offline."""
    write_page(SessionView(session), path, seconds)


def write_page(model: SessionView, path: str | os.PathLike, seconds: float = SECONDS) -> None:
    text = offline.page(model, seconds)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


Session._to_html = staticmethod(write_html)
