"""What `build` returns: functions to call, to time and to look into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

from ..ir.errors import BuildError, RuntimeCallError, did_you_mean
from ..ir.module import IRModule
from ..script import print_document
from ..target import Target
from .kernel import Kernel
from .machine import kept_machine
from .plan import Plan
from .profile import Profile, StepTime
from .source_lines import SourceLine, source_lines
from .tensor_function import TensorFunction
from .timing import Timing, measure
from .work import Work


class Executable:
    """The functions of a module in machine code, by name: `ex["main"](*arrays)`.

    Arrays are NumPy's or anything with `__dlpack__`, with the declared dtype and shape; they are
    passed without a copy where they are contiguous. A graph function returns new arrays; a tensor
    program writes into the arrays of its outputs, which must be contiguous, writable and apart
    from the others, and returns None or the scalar of its `T.ret`. Calls raise RuntimeCallError
    for arguments that do not fit, BoundsError for an access outside of a buffer.

    `mod` is the module that was given to `build`, `compiled` what its pipeline made of it."""

    def __init__(self, mod: IRModule, target: Target, callees: dict[str, Callable],
                 compiled: IRModule):
        self.mod, self.target, self._callees, self.compiled = mod, target, callees, compiled

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
        """Run times of `name(*args)` in seconds: median, least, and `quantile(q)`; with the rate
        in operations and bytes where the program tells them (of a graph function: the sum of its
        steps), and their share of what `ul.machine()` measured, if it was called before.

        repeats: number of runs; 0 means as many as fit into `seconds`, 5 at least.
        flush_cache: each run finds its arguments in memory, not in the caches."""
        function = self[name]
        works = self._works(function, args) if warmup else None  # a graph runs once to count
        found = measure(lambda: function(*args), warmup - isinstance(function, Plan), repeats,
                        seconds, flush_cache)
        whole = sum(self._works(function, args) if works is None else works, Work(0, 0))
        return replace(found, **asdict(whole), **self._limits())

    def profile(self, name: str, *args, repeats: int = 5) -> Profile:
        """The median seconds of each step of a graph function, with its operations and bytes."""
        plan = self[name]
        works = self._works(plan, args)
        if isinstance(plan, Plan):
            columns = list(zip(*[plan.profile(args) for _ in range(max(1, repeats))]))
            steps = [(c[0][0].label, c[0][0].kind, sorted(t for _, t in c)[len(c) // 2])
                     for c in columns]
        else:
            steps = [(name, "kernel", measure(lambda: plan(*args), 1, repeats, 0.0).median)]
        total, limits = sum(s[2] for s in steps) or 1.0, self._limits()
        return Profile(StepTime(*s, s[2] / total, **asdict(w), **limits)
                       for s, w in zip(steps, works))

    @staticmethod
    def _works(function: Callable, args) -> list[Work]:
        if isinstance(function, Plan):
            return function.works(args)
        return [function.work(args) if isinstance(function, TensorFunction) else Work()]

    def _limits(self) -> dict[str, float]:
        """What the machine can do at most, if it was measured."""
        limits = kept_machine()
        if limits is None:
            return {}
        return {"peak": limits.flops * self.target.threads, "copy": limits.copy}

    def source(self, kind: str = "llvm", func: str | None = None) -> str:
        """The code of a tensor program, of all if `func` is None: "llvm" after optimisation,
        "llvm-input" before, "asm" for assembly."""
        parts = {"llvm": lambda k: k.listing[0], "llvm-input": lambda k: k.unoptimised,
                 "asm": lambda k: k.listing[1]}
        return "\n".join(_known(parts, kind)(k) for k in self._chosen(func))

    def source_lines(self, kind: str = "asm", func: str | None = None) -> list[SourceLine]:
        """The lines of "llvm" or "asm", each with the line of `mod.script()` that it comes from.

        Statements that another one became on the way keep its line; what serves no line (a
        prologue, code shared by several) has None, so have programs that `mod` does not hold."""
        _known({"llvm": 0, "asm": 0}, kind)
        lines: dict[int, int] = {}
        for s in print_document(self.mod).spans:
            lines.setdefault(id(s.node), s.line)
        return [x for k in self._chosen(func) for x in source_lines(k, kind, lines)]

    def _chosen(self, func: str | None) -> list[Kernel]:
        kernels = self.kernels
        if func is not None and func not in kernels:
            raise BuildError(f"no tensor program is called {func!r}",
                             hint=did_you_mean(
                str(func), kernels, f"there are: {', '.join(kernels) or 'none'}"))
        return [kernels[func].kernel] if func is not None else [
            f.kernel for f in kernels.values()]


def _known(parts: dict, kind: str):
    if kind not in parts:
        raise BuildError(f"unknown kind of source {kind!r}",
                         hint=did_you_mean(str(kind), parts, ", ".join(parts)))
    return parts[kind]
