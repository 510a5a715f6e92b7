"""`Session`: apply passes one at a time, check every step, go back, branch. No user interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import ClassVar

from ..exec import build
from ..ir.errors import UnityLabError
from ..ir.module import IRModule, as_module
from ..ir.node import Node
from ..ir.tir import BaseFunc
from ..ir.transform import Only, Pass, Recording, Rewrite, Sequential, apply, as_pass
from ..verify import well_formed
from ..pipelines import default
from .diff import Diff, diff
from .export import to_python
from .history import History
from .inputs import entry_point, is_prim, sample_inputs
from .passes import find_pass
from .provenance import Origin, Provenance
from .step import Check, Step
from .verify import compare, first_wrong_binding, reference, run


class Session:
    """A module on its way through passes.

    inputs   arguments of the entry function for the checks (made at random if not given)
    sizes    values of symbolic sizes by name, for inputs that are made
    check    compare every step with the interpreter's run of the first module
    measure  time one call after every step
    """

    _to_html: ClassVar[Callable | None] = None

    def __init__(self, mod: IRModule | BaseFunc, *, name: str = "import",
                 inputs: Sequence | None = None, sizes: dict[str, int] | None = None,
                 target: str = "native", check: bool = True, measure: bool = True,
                 entry: str | None = None):
        mod = as_module(mod)
        well_formed(mod)
        self.target, self.check, self.measure = target, check, measure
        self.entry = entry or entry_point(mod)
        self._inputs, self._sizes = inputs, sizes
        self._reference: list | None = None
        self.error: UnityLabError | None = None
        self.history = History(Step(0, None, name, mod))
        self._finish(self.current)

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
        if self._inputs is None:
            self._inputs = sample_inputs(self.steps[0].module, self.entry, self._sizes)
        return list(self._inputs)

    # --- moving -----------------------------------------------------------------------------

    def apply(self, p: Pass | Callable | str | Sequence, *, only: Rewrite | None = None) -> Step:
        """Applies a pass (an object, a class, a function of a module, or a name), checks the
        result and makes it the current step. A sequence makes one step for each of its passes.

        If the pass fails, or gives an ill-formed module, the session stays where it is and the
        error is raised (and kept in `session.error`)."""
        p = find_pass(p) if isinstance(p, str) else as_pass(p)
        if isinstance(p, Sequential):
            for q in p.passes:
                self.apply(q)
            return self.current
        self.error = None
        recording = Recording() if only is None else Only(match=only)
        index = None if only is None else _index(only, p.applicable(self.module))
        before, start = self.module, perf_counter()
        try:
            after = apply(p, before, recording)
            seconds = perf_counter() - start
            well_formed(after)
        except UnityLabError as e:
            self.error = e
            raise
        step = Step(self.history.next_id, self.current.id, p.name, after, p, recording.rewrites,
                    seconds, branch=self.history.branch, only=only, only_index=index,
                    unchanged=after is before)
        self.history.add(step)
        return self._finish(step)

    def run(self, pipeline: Sequence[Pass] = default) -> Step:
        """Applies the passes of a pipeline, a step each."""
        return self.apply(Sequential(tuple(pipeline)))

    def undo(self) -> Step:
        """Back one step; the step stays in the tree."""
        return self.history.undo()

    def redo(self) -> Step:
        """Forward again."""
        return self.history.redo()

    def branch(self, name: str) -> None:
        """Steps made from here on belong to a branch called `name`."""
        self.history.name_branch(name)

    def checkout(self, step: int | str | Step) -> Step:
        """Goes to a step by number, or to the end of a branch by name."""
        return self.history.go(self.history.find(step).id)

    # --- looking ----------------------------------------------------------------------------

    def applicable(self, p: Pass | Callable | str) -> list[Rewrite]:
        """The places where a pass would fire in the current module."""
        return (find_pass(p) if isinstance(p, str) else as_pass(p)).applicable(self.module)

    def diff(self, a: int | str | None = None, b: int | str | None = None) -> Diff:
        """What changed from step `a` (default: the parent of `b`) to step `b` (default: current)."""
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
        return build(at.module, target=self.target)

    def to_python(self, step: int | str | None = None) -> str:
        """The way to a step as a Python program."""
        at = self.current if step is None else self.history.find(step)
        return to_python(self.history.path(at))

    def to_html(self, path: str) -> None:
        """Writes the session as one interactive file that needs no kernel."""
        if Session._to_html is None:
            raise UnityLabError("the views are not loaded", hint="import unitylab")
        Session._to_html(self, path)

    # --- checking ---------------------------------------------------------------------------

    def _finish(self, step: Step) -> Step:
        parent = self.steps.get(step.parent) if step.parent is not None else None
        if step.unchanged and parent is not None:
            step.check, step.time = parent.check, parent.time
            return step
        if self.check:
            self.verify(step.id)
        return step

    def verify(self, step: int | str | None = None) -> Check:
        """Builds and runs a step, compares with the interpreter's run of the first module, and
        measures the time of one call. A wrong step names the first wrong binding."""
        at = self.current if step is None else self.history.find(step)
        if self.entry is None or self.entry not in at.module:
            at.check = Check("none", message="there is no function to run")
            return at.check
        try:
            at.check = self._compare(at)
        except UnityLabError as e:
            at.check = Check("error", None, str(e))
        return at.check

    def _compare(self, at: Step) -> Check:
        if self._reference is None:
            self._reference = reference(self.steps[0].module, self.entry, self.inputs)
        ex = build(at.module, target=self.target)
        in_place = is_prim(at.module, self.entry)
        check = compare(run(ex[self.entry], self.inputs, in_place), self._reference)
        if check.state == "ok" and self.measure:
            at.time = ex.time(self.entry, *self.inputs, seconds=0.05).median
        if check.state == "wrong" and at.parent is not None:
            name = first_wrong_binding(self.steps[at.parent].module, at.module, self.entry,
                                       self.inputs)
            if name:
                check = Check("wrong", check.max_rel_error,
                              f"{check.message}; the first wrong binding is {name}")
        return check

    def __repr__(self) -> str:
        rows = [f"{'*' if s is self.current else ' '} {s.id} {s.name}: {s.check or 'not checked'}"
                for s in self.steps.values()]
        return "\n".join(rows)


def _index(match: Rewrite, places: list[Rewrite]) -> int | None:
    """Which of the places of a pass `match` is."""
    return next((i for i, r in enumerate(places)
                 if r.rule == match.rule and r.place is match.place), None)
