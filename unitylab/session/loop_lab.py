"""The loop lab of a session: the loops of one tensor program, edits, speed, order, caches."""

from __future__ import annotations

from dataclasses import replace


from ..exec import Executable, Timing, build
from ..exec.machine import machine
from ..exec.timing import summary
from ..ir.errors import UnityLabError, did_you_mean
from ..ir.module import IRModule
from ..ir.prim import GlobalVar, Var
from ..ir.tir import PrimFunc
from ..ir.visitor import collect
from ..simulate import IterationOrder, Traffic, iteration_order, simulate
from .inputs import Sampler, own
from .loop_edits import Edit, edit, edits_at
from .loop_tree import LoopTree, loop_tree
from .numbers import bind_sizes
from .step import Step

QUICK = 0.05  # seconds: what takes longer is run a few times only, and can be stopped in between
RUNS = 5


class LoopLab:
    """What a `Session` knows of the loops of its tensor programs. `func` names the program (by
    default the entry function, or the only one), `step` the step (by default the current one)."""

    def loop_tree(self, func: str | None = None, step: int | str | None = None) -> LoopTree:
        """The loops and blocks of a tensor program."""
        name, program = self.program(func, step)
        return loop_tree(name, program)

    def loop_edits(self, key: str, func: str | None = None,
                   step: int | str | None = None) -> list[Edit]:
        """What can be done at a loop or block (`session.loop_tree()` shows their keys), each way
        tried; what is refused says why."""
        name, _ = self.program(func, step)
        return edits_at(self._at(step).module, name, key)

    def edit_loops(self, op: str, key: str, func: str | None = None, **args) -> Step:
        """Makes an edit the next step: `session.edit_loops("split", "i", factors=[None, 8])`.
        `loop_edits` lists names and arguments. Raises ScheduleError, and changes nothing, where it
        is not legal."""
        name, _ = self.program(func)
        return self.apply(edit(self.module, name, op, key, **args))

    def iteration_order(self, func: str | None = None, step: int | str | None = None,
                        **options) -> IterationOrder:
        """What the program touches, step by step, on the first iterations of each loop. Options
        are those of `unitylab.simulate.iteration_order`."""
        _, program = self.program(func, step)
        return iteration_order(program, self.program_sizes(program), **options)

    def simulate(self, func: str | None = None, step: int | str | None = None,
                 **options) -> Traffic:
        """Cache misses and reuse of the program's first accesses, by buffer, with this machine's
        cache sizes. Options are those of `unitylab.simulate.simulate`."""
        _, program = self.program(func, step)
        return simulate(program, self.program_sizes(program), **options)

    def speed(self, func: str | None = None, step: int | str | None = None) -> Timing:
        """The measured time of one call of the program with its rates and their share of this
        machine's limits; kept, so that asking again costs nothing."""
        name, program = self.program(func, step)
        if self.known_speed(name, step) is None:
            self._speeds[id(program)] = program, self._measure(name, program, self._at(step))
        return self.known_speed(name, step)

    def known_speed(self, func: str | None = None, step: int | str | None = None) -> Timing | None:
        """What `speed` measured, None if it was not asked."""
        program = self._at(step).module.functions.get(func or self.program(func, step)[0])
        return self._speeds.get(id(program), (None, None))[1]

    # --- which program ----------------------------------------------------------------------

    def program(self, func: str | None = None,
                step: int | str | None = None) -> tuple[str, PrimFunc]:
        """Name and tensor program. Raises UnityLabError where `func` names none."""
        programs = self._at(step).module.prim_funcs
        name = func or (self.entry if self.entry in programs else next(iter(programs), ""))
        if name not in programs:
            raise UnityLabError(f"step {self._at(step).id} has no tensor program {name!r}" if name
                                else "there is no tensor program yet",
                                hint=did_you_mean(name, programs, f"it has: {', '.join(programs)}")
                                if programs else "LegalizeOps makes them from operators")
        return name, programs[name]

    def program_sizes(self, program: PrimFunc) -> dict[Var, int]:
        """The symbolic sizes of a program, as the session's inputs give them."""
        return bind_sizes(program, self._arguments(program))

    def _at(self, step: int | str | None) -> Step:
        return self.current if step is None else self.history.find(step)

    @property
    def _speeds(self) -> dict[int, tuple[PrimFunc, Timing]]:
        return self.__dict__.setdefault("_measured_programs", {})

    def _arguments(self, program: PrimFunc) -> list:
        """Arguments of its own for a program."""
        entry = self.steps[0].module.functions.get(self.entry)
        if isinstance(entry, PrimFunc) and len(entry.params) == len(program.params):
            found = self.inputs
        else:
            known = {v.name: n for v, n in bind_sizes(entry, self.inputs).items()} if entry else {}
            found = Sampler({**known, **self.sizes}).arguments(program)
        return own(found)

    # --- measuring --------------------------------------------------------------------------

    def _measure(self, name: str, program: PrimFunc, at: Step) -> Timing:
        self.watch.start(f"measuring {name}")
        try:
            machine()  # the limits that shares are of
            alone = not collect(program.body, GlobalVar)
            mod = IRModule({name: program}) if alone else at.module
            ex, args = build(mod, target=self.target), self._arguments(program)
            self.watch.check()
            with self.watch.running(), self.quiet():
                return self._time(ex, name, args)
        finally:
            self.watch.start("")

    def _time(self, ex: Executable, name: str, args: list) -> Timing:
        """Many runs of a quick program, a few of a slow one."""
        first = ex.time(name, *args, warmup=1, repeats=1)
        if first.median < QUICK:
            return ex.time(name, *args)
        times = list(first.times)
        while len(times) < RUNS:
            self.watch.check()
            times += ex.time(name, *args, warmup=0, repeats=1).times
        known = {f: getattr(first, f) for f in ("flops", "bytes", "peak", "copy")}
        return replace(summary(times), **known)
