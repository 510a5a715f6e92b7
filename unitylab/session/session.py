"""`Session`: apply passes one at a time, check every step, go back, branch. No user interface."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from threading import RLock
from time import perf_counter
from typing import ClassVar

from ..exec import Executable, build
from ..ir.errors import UnityLabError
from ..ir.module import IRModule, as_module
from ..ir.node import Node
from ..ir.structural import structural_equal
from ..ir.tir import BaseFunc, PrimFunc
from ..ir.transform import Pass, Rewrite, Sequential, apply, as_pass
from ..verify import well_formed
from ..pipelines import default, find_pipeline, legalize
from . import save as files
from .actions import Action, Places, graph_actions, program_actions
from .background import Background
from .checking import Checking
from .describe import describe
from .diff import Diff, diff
from .export import to_python
from .history import History
from .inputs import checked_sizes, entry_point, is_prim, own, sample_inputs
from .loop_lab import LoopLab
from .numbers import Numbers, count
from .passes import find_pass
from .provenance import Origin, Provenance
from .step import Step
from .stopping import Watch, Watched

SECONDS = 15.0  # for what `to_html` computes of tensor programs


class Session(LoopLab, Checking):
    """A module on its way through passes.

    inputs   arguments of the entry function for the checks (made at random if not given)
    sizes    values of symbolic sizes by name, for inputs that are made
    check    compare every step with the interpreter's run of the first module
    measure  time one call after every step
    file     keep every step in this file; if it is there already, go on from it
    """

    _to_html: ClassVar[Callable | None] = None

    def __init__(self, mod: IRModule | BaseFunc, *, name: str = "import",
                 inputs: Sequence | None = None, sizes: dict[str, int] | None = None,
                 target: str = "native", check: bool = True, measure: bool = True,
                 entry: str | None = None, file: str | os.PathLike | None = None):
        mod = as_module(mod)
        well_formed(mod)
        self.target, self.check, self.measure, self.file = target, check, measure, file
        self.entry = entry or entry_point(mod)
        self.given_inputs, self.sizes = inputs, checked_sizes(sizes)
        self._begin(Step(0, None, name, mod))
        if file is not None and os.path.exists(file) and self._resume(file):
            return
        self._finish(self.current)
        self.changed()

    def _begin(self, root: Step) -> None:
        self._reference: list | None = None  # the interpreter's results
        self._stand_in: list | None = None  # step 0's, while those are not there
        self.background: Background | None = None
        self._telling = RLock()
        self._places: tuple[int, Places] | None = None
        self.error: UnityLabError | None = None
        self.watch, self.listeners = Watch(), []
        self.history = History(root)

    # --- files ------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike) -> None:
        """Writes all steps, branches, rewrites, checks and times into a file; `Session.load`
        reads it, in another process too."""
        files.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Session:
        """The session of a file. Raises UnityLabError if it is none."""
        data, steps = files.read(path)
        session = cls.__new__(cls)
        session.target, session.entry, session.file = data["target"], data["entry"], None
        session.check = session.measure = True
        session.given_inputs, session.sizes = data["inputs"], data["sizes"]
        session._begin(steps[0])
        session._adopt(data, steps)
        return session

    def _adopt(self, data: dict, steps: list[Step]) -> None:
        self.history.steps = {s.id: s for s in steps}
        self.history.go(data["current"])

    def _resume(self, file: str | os.PathLike) -> bool:
        """Takes the steps of a file over if it started from the same module."""
        data, steps = files.read(file)
        if not structural_equal(steps[0].module, self.module):
            raise UnityLabError(f"{file} holds the steps of another module",
                                hint="give another file, or remove this one")
        self.history = History(steps[0])
        self._adopt(data, steps)
        return True

    def changed(self) -> None:
        """Tells the views, and keeps the steps in the file if there is one."""
        with self._telling:
            if self.file is not None:
                self.save(self.file)
            for listener in list(self.listeners):
                listener()

    # --- where we are -----------------------------------------------------------------------

    @property
    def steps(self) -> dict[int, Step]:
        """All steps by number."""
        return self.history.steps

    @property
    def current(self) -> Step:
        """The step where the session stands."""
        return self.history.current

    @property
    def module(self) -> IRModule:
        """The module of the current step."""
        return self.current.module

    @property
    def inputs(self) -> list:
        """The arguments that every step is run with."""
        return list(self._inputs())

    def _inputs(self) -> list:
        if self.given_inputs is not None:
            return self.given_inputs
        return sample_inputs(self.steps[0].module, self.entry, self.sizes)

    def _arguments_at(self, at: Step) -> list:
        """The arguments for runs of a step; tensor programs do not write into the given ones."""
        return own(self.inputs) if is_prim(at.module, self.entry) else self.inputs

    # --- moving -----------------------------------------------------------------------------

    def apply(self, p: Pass | Callable | str | Sequence, *, only: Rewrite | None = None) -> Step:
        """Applies a pass (an object, a class, a function of a module, or a name), checks the
        result and makes it the current step. A sequence makes one step for each of its passes.

        If the pass fails, or gives an ill-formed module, the session stays where it is and the
        error is raised (and kept in `session.error`)."""
        if isinstance(p, (list, tuple, Sequential)):
            for q in getattr(p, "passes", p):
                self.apply(q)
            return self.current
        p = find_pass(p) if isinstance(p, str) else as_pass(p)
        self.error = None
        recording = Watched(self.watch, only)
        self.watch.start(f"applying {p.name}")
        index = None if only is None else _index(only, p.applicable(self.module))
        before, start = self.module, perf_counter()
        try:
            after = apply(p, before, recording)
            seconds = perf_counter() - start
            well_formed(after)
        except UnityLabError as e:
            self.error = e
            raise
        finally:
            self.watch.start("")
        step = Step(self.history.next_id, self.current.id, p.name, after, p, recording.rewrites,
                    seconds, branch=self.history.branch, only=only, only_index=index,
                    unchanged=after is before)
        self.history.add(step)
        try:
            self._finish(step)
        finally:
            self.changed()
        return step

    def run(self, pipeline: str | Pass | Sequence[Pass] = default) -> Step:
        """Applies the passes of a pipeline (or of a name of `ul.pipelines`), a step each."""
        return self.apply(find_pipeline(pipeline))

    def undo(self) -> Step:
        """Back one step; the step stays in the tree."""
        return self._moved(self.history.undo())

    def redo(self) -> Step:
        """Forward again."""
        return self._moved(self.history.redo())

    def branch(self, name: str) -> None:
        """Steps made from here on belong to a branch called `name`."""
        self.history.name_branch(name)

    def checkout(self, step: int | str | Step) -> Step:
        """Goes to a step by number, or to the end of a branch by name."""
        return self._moved(self.history.go(self.history.find(step).id))

    def rename(self, step: int | str | Step, label: str, branch: str = "") -> None:
        """Gives a step a name of its own ("" takes it back), and its branch another name."""
        at = self.history.find(step)
        if branch and branch != at.branch:
            self.history.rename_branch(at.branch, branch)
        at.label = label
        self.changed()

    def _moved(self, step: Step) -> Step:
        self.changed()
        return step

    # --- looking ----------------------------------------------------------------------------

    def applicable(self, p: Pass | Callable | str) -> list[Rewrite]:
        """The places where a pass would fire in the current module."""
        return (find_pass(p) if isinstance(p, str) else as_pass(p)).applicable(self.module)

    def places(self, step: int | str | None = None) -> Places:
        """Where each pass would fire in the module of a step."""
        at = self.current if step is None else self.history.find(step)
        if self._places is None or self._places[0] != at.id:
            self._places = at.id, Places(at.module)
        return self._places[1]

    def actions(self, var: Node, value: Node | None = None, callee: str = "",
                step: int | str | None = None) -> list[Action]:
        """What can be done at the binding of `var` to `value`, which calls `callee`: passes that
        fire there and, for a tensor program, schedule primitives; with reasons where not."""
        places = self.places(step)
        found = graph_actions(places, var, value, callee)
        if isinstance(places.mod.functions.get(callee), PrimFunc):
            found += program_actions(places.mod, callee)
        return found

    def numbers(self, step: int | str | None = None, inputs: list | None = None) -> Numbers:
        """Calls, floating-point operations, bytes moved and peak memory of one call."""
        at = self.current if step is None else self.history.find(step)
        return count(at.module, self.entry, inputs or self.inputs)

    def describe(self, step: int | str | None = None, variable: str | None = None) -> str:
        """A step in words: the history, the graph, what changed, what it costs, and the story of
        one variable."""
        return describe(self, self.current if step is None else self.history.find(step), variable)

    def diff(self, a: int | str | None = None, b: int | str | None = None) -> Diff:
        """What changed from step `a` (default: the parent of `b`) to `b` (default: current)."""
        after = self.current if b is None else self.history.find(b)
        before = after.parent if a is None else self.history.find(a).id
        return diff(self.steps[after.id if before is None else before].module, after.module)

    def origins(self, node: Node, step: int | str | None = None) -> list[Origin]:
        """From a node of a step back to what it was made from."""
        at = self.current if step is None else self.history.find(step)
        return Provenance(self.history.path(at)).origins(node)

    def build(self, step: int | str | None = None):
        """The machine code of a step."""
        at = self.current if step is None else self.history.find(step)
        self.watch.start(f"compiling step {at.id}")
        try:
            return self._built(at.module)
        finally:
            self.watch.start("")

    def _built(self, mod: IRModule) -> Executable:
        return build(mod, target=self.target, pipeline=legalize, progress=self.watch.reach)

    def profile(self, step: int | str | None = None, **sizes: int) -> dict[str, float]:
        """The seconds of each binding of the entry function, kept with the step. `sizes` sets
        symbolic sizes for this and later measurements."""
        at = self.current if step is None else self.history.find(step)
        if sizes:
            if self.given_inputs is not None:
                raise UnityLabError("this session has inputs of its own, their sizes are fixed",
                                    hint="make the session with sizes={...} instead")
            self.sizes.update(sizes)
            self._forget_reference()
        self.watch.start(f"measuring step {at.id}")
        try:
            ex = self._built(at.module)
            self.watch.check()
            with self.watch.running(), self.quiet():
                found = ex.profile(self.entry, *self._arguments_at(at))
                self.watch.check()
                at.time = ex.time(self.entry, *self._arguments_at(at), seconds=0.05).median
        finally:
            self.watch.start("")
        at.profile = {t.label: t.seconds for t in found}
        self.changed()
        return at.profile

    def to_python(self, step: int | str | None = None) -> str:
        """The way to a step as a Python program."""
        at = self.current if step is None else self.history.find(step)
        return to_python(self.history.path(at))

    def to_html(self, path: str | os.PathLike, seconds: float = SECONDS) -> None:
        """Writes the session as one interactive file that needs no kernel.

        Machine code, iteration orders and cache simulations are computed meanwhile, of the current
        step's programs first, as many as `seconds` allow; the file says what is left out."""
        if Session._to_html is None:
            raise UnityLabError("the views are not loaded", hint="import unitylab")
        Session._to_html(self, path, seconds)

    # --- checking ---------------------------------------------------------------------------

    def _finish(self, step: Step) -> Step:
        parent = self.steps.get(step.parent) if step.parent is not None else None
        if step.unchanged and parent is not None:
            step.check, step.time = parent.check, parent.time
            return step
        if self.check:
            self.verify(step.id)
        return step

    def __repr__(self) -> str:
        rows = [f"{'*' if s is self.current else ' '} {s.id} {s.name}: {s.check or 'not checked'}"
                for s in self.steps.values()]
        return "\n".join(rows)


def _index(match: Rewrite, places: list[Rewrite]) -> int | None:
    """Which of the places of a pass `match` is."""
    return next((i for i, r in enumerate(places)
                 if r.rule == match.rule and r.place is match.place), None)
