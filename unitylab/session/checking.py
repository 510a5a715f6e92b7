"""How a session checks its steps: each is built, run, and compared with what the interpreter gives
for the first module. Where that takes long it is done beside, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from weakref import WeakMethod, finalize

import numpy as np

from ..exec.timing import show
from ..ir.errors import UnityLabError
from ..ir.prim import Call
from ..ir.tir import PrimFunc
from ..ir.visitor import collect
from .background import Background
from .inputs import is_prim
from .numbers import count
from .step import Check, Step
from .stopping import Stopped
from .verify import TOLERANCE, compare, first_wrong_binding, reference, run

RATE = 8e5  # operations a second that the interpreter does, about
LONG = 3.0  # seconds from which on it runs in another process
LONGEST = 3600.0  # seconds from which on it does not run at all
AGAINST = "against the machine code of step 0"


class Checking:
    """The part of a `Session` that runs and compares."""

    def verify(self, step: int | str | None = None) -> Check:
        """Builds and runs a step, compares with the interpreter's run of the first module, and
        measures the time of one call. A wrong step names the first wrong binding.

        A tensor program that the interpreter takes long for is interpreted in another process
        (`join()` waits for it); until then steps are compared with the machine code of the first
        module, and the check says so."""
        at = self.current if step is None else self.history.find(step)
        if self.entry is None or self.entry not in at.module:
            at.check = Check("none", message="there is no function to run")
            return at.check
        try:
            at.check = self._compare(at)
            self._settle()
        except Stopped:
            at.check = Check("none", message="the check was stopped")
            raise
        except UnityLabError as e:
            at.check = Check("error", None, str(e))
        finally:
            self.watch.start("")
        return at.check

    def join(self) -> None:
        """Waits for what is interpreted in another process."""
        if self.background is not None:
            self.background.join()

    def stop_background(self) -> None:
        """Ends what is interpreted in another process; what was compared stays."""
        if self.background is not None and self.background.running:
            self.background.stop()

    def estimate(self) -> float:
        """About how many seconds the interpreter takes for the first module's entry, if that is a
        tensor program; 0 for graphs, whose operators NumPy runs."""
        first = self.steps[0].module
        if not isinstance(first.functions.get(self.entry), PrimFunc):
            return 0.0
        return count(first, self.entry, self.inputs).flops / RATE

    def _forget_reference(self) -> None:
        self.stop_background()
        self._reference = self._stand_in = self.background = None

    def _compare(self, at: Step) -> Check:
        self.watch.start(f"checking step {at.id}")
        if self._reference is None and self._takes_long():
            return self._provisional(at)
        if self._reference is None:
            with self.watch.interpreting():
                self._reference = reference(self.steps[0].module, self.entry, self.inputs,
                                            lambda *_: self.watch.tick())
        return self._against(at, self._reference)

    def _takes_long(self) -> bool:
        first = self.steps[0].module
        return self.estimate() > LONG and not any(  # another process has no functions of the user
            isinstance(c.op, str) and ("packed" in c.op or "extern" in c.op)
            for f in first.prim_funcs.values() for c in collect(f.body, Call))

    def _against(self, at: Step, want: list[np.ndarray]) -> Check:
        """Runs a step and compares it with known results."""
        ex = self._built(at.module)
        with self.watch.running():
            got = run(ex[self.entry], self.inputs, is_prim(at.module, self.entry))
        check = compare(got, want)
        self.watch.check()
        if check.state == "ok" and self.measure:
            with self.quiet():
                at.time = ex.time(self.entry, *self._arguments_at(at), seconds=0.05).median
        if check.state == "wrong" and at.parent is not None and want is self._reference:
            check = self._blamed(at, check)
        return check

    def _blamed(self, at: Step, check: Check) -> Check:
        """A wrong step with the name of its first wrong binding."""
        if self._takes_long():
            return check
        with self.watch.interpreting():
            name = first_wrong_binding(self.steps[at.parent].module, at.module, self.entry,
                                       self.inputs)
        return replace(check, message=f"{check.message}; the first wrong binding is {name}") \
            if name else check

    # --- long programs ----------------------------------------------------------------------

    def _provisional(self, at: Step) -> Check:
        """Compares with the machine code of the first module while the interpreter is at work."""
        if self.background is None:
            self._begin_background()
        if self._stand_in is None:
            ex = self._built(self.steps[0].module)
            with self.watch.running():
                self._stand_in = run(ex[self.entry], self.inputs, True)
        check = self._against(at, self._stand_in)
        if at.parent is None:
            return self._at_work() if check.state == "ok" else check
        return replace(check, message=f"{check.message}; {AGAINST}" if check.message else AGAINST)

    def _begin_background(self) -> None:
        if self.estimate() < LONGEST:
            self.background = Background(self.steps[0].module, self.entry, self.inputs,
                                         WeakMethod(self._tell), WeakMethod(self._arrived))
            finalize(self, self.background.stop)

    def _at_work(self) -> Check:
        """What is known of the first step before the interpreter is done."""
        about = show(self.estimate())
        if self.background is None:
            return Check("none", None, f"the interpreter would take about {about}: steps are "
                                       f"compared {AGAINST}")
        if self.background.error is not None:
            return Check("none", None, f"the interpreter's run ended: {self.background.error}; "
                                       f"steps are compared {AGAINST}")
        return Check("pending", None, f"the interpreter takes about {about}, beside other work")

    def _tell(self) -> None:
        """Lets who listens know that time goes on."""
        if not self.watch.what and self.watch.hear is not None:
            self.watch.hear()

    def _arrived(self, found: Background) -> None:
        """The interpreter is done."""
        if found is self.background:
            self._settle()
            self._tell()
            self.changed()

    def _settle(self) -> None:
        """What the interpreter says of the first step holds for those that are like it."""
        found, first = self.background, self.steps[0]
        if found is None or found.running:
            return
        with self._telling:
            if found.results is not None and self._stand_in is not None:
                self._reference = found.results
                first.check = compare(self._stand_in, found.results)
                for s in self.steps.values():
                    if s.check is not None and s.check.message == AGAINST:
                        s.check = _added(s.check, first.check)
            elif first.check is not None and first.check.state == "pending":
                first.check = self._at_work()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Inside, nothing of ours runs beside what is measured."""
        with self.background.paused() if self.background is not None else nullcontext():
            yield


def _added(check: Check, first: Check) -> Check:
    """A step compared with step 0, which is `first`: the errors add up at most."""
    if first.state != "ok":
        return replace(first, message=f"step 0 is wrong already: {first.message}")
    error = (check.max_rel_error or 0.0) + (first.max_rel_error or 0.0)
    return Check("ok", error) if error <= max(TOLERANCE.values()) else check
