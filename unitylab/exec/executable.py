"""What `build` returns: functions to call, to time and to look into."""

from __future__ import annotations

from collections.abc import Callable

from ..ir.errors import BuildError, RuntimeCallError, did_you_mean
from ..ir.module import IRModule
from .plan import Plan
from .target import Target
from .tensor_function import TensorFunction
from .timing import StepTime, Timing, measure


class Executable:
    """The functions of a module in machine code, by name: `ex["main"](*arrays)`."""

    def __init__(self, mod: IRModule, target: Target, callees: dict[str, Callable]):
        self.mod, self.target, self._callees = mod, target, callees

    def __getitem__(self, name: str) -> Callable:
        found = self._callees.get(name)
        if found is None:
            raise RuntimeCallError(f"the executable has no function {name!r}",
                                   hint=did_you_mean(
                str(name), self._callees, f"it has: {', '.join(self._callees) or 'none'}"))
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._callees

    def __iter__(self):
        return iter(self._callees)

    def __repr__(self) -> str:
        return f"<Executable {', '.join(self._callees)} for {self.target}>"

    @property
    def kernels(self) -> dict[str, TensorFunction]:
        """The compiled tensor programs by name."""
        return {n: f for n, f in self._callees.items() if isinstance(f, TensorFunction)}

    def time(self, name: str, *args, warmup: int = 2, repeats: int = 0,
             seconds: float = 0.2, flush_cache: bool = False) -> Timing:
        """Run times of `name(*args)` in seconds: median, least, and `quantile(q)`.

        repeats: number of runs; 0 means as many as fit into `seconds`, 5 at least.
        flush_cache: each run finds its arguments in memory, not in the caches."""
        function = self[name]
        return measure(lambda: function(*args), warmup, repeats, seconds, flush_cache)

    def profile(self, name: str, *args, repeats: int = 5) -> list[StepTime]:
        """The median seconds of each step of a graph function."""
        plan = self[name]
        if not isinstance(plan, Plan):
            once = measure(lambda: plan(*args), 1, repeats, 0.0)
            return [StepTime(name, "kernel", once.median)]
        runs = [plan.profile(args) for _ in range(repeats + 1)][1:]
        return [StepTime(column[0][0].label, column[0][0].kind,
                         sorted(t for _, t in column)[len(column) // 2])
                for column in zip(*runs)]

    def source(self, kind: str = "llvm", func: str | None = None) -> str:
        """The code of a tensor program, of all if `func` is None: "llvm" after optimisation,
        "llvm-input" before, "asm" for assembly."""
        parts = {"llvm": lambda k: k.listing[0], "llvm-input": lambda k: k.unoptimised,
                 "asm": lambda k: k.listing[1]}
        if kind not in parts:
            raise BuildError(f"unknown kind of source {kind!r}",
                             hint=did_you_mean(str(kind), parts, ", ".join(parts)))
        kernels = self.kernels
        if func is not None and func not in kernels:
            raise BuildError(f"no tensor program is called {func!r}",
                             hint=did_you_mean(
                str(func), kernels, f"there are: {', '.join(kernels) or 'none'}"))
        chosen = [kernels[func]] if func is not None else kernels.values()
        return "\n".join(parts[kind](f.kernel) for f in chosen)
