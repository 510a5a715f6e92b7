"""A graph function as a flat list of steps over slots, and how it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from ..interp.refuse import refuse_count, refuse_names
from .activation import Activation, Internal
from .arguments import layouts
from .fast_call import Accept, FastCallable
from .plan_recipe import recipe_of
from .work import Work

Evaluate = Callable[[Activation], object]
KEEP = 4  # finished activations that are kept, a combination of sizes

# kinds of steps that only name, check or make up values
NO_WORK = frozenset({"match_cast", "var", "tuple", "tuplegetitem", "constant", "shapeexpr",
                     "primvalue", "function", "shape_of", "make_closure", "assert_op"})


@dataclass(frozen=True)
class Step:
    """One binding: what it runs; `label` names it in profiles, `kind` says what does the work.

    `work` counts that once the step has run, if it is a kernel. `slot` takes what `value` gives, if
    that is all it does."""

    label: str
    kind: str
    run: Evaluate
    work: Callable[[Activation], Work] | None = None
    slot: int = -1
    value: Evaluate | None = None


@dataclass(eq=False, repr=False)
class Plan(FastCallable):
    """A compiled graph function: call it with its arguments.

    `checks` accept the arguments and bind `known` symbolic sizes from them; the last slots hold
    captured values if it is a closure."""

    name: str
    params: tuple[str, ...]
    param_slots: tuple[int, ...] = ()
    checks: tuple[Callable, ...] = ()
    steps: tuple[Step, ...] = ()
    result: Evaluate | None = None
    slots: int = 0
    sizes: int = 0
    prepared: int = 0
    internals: tuple[Internal, ...] = ()
    clear: tuple[int, ...] = ()
    captured: tuple[int, ...] = ()
    idle: dict[tuple, list[Activation]] = field(default_factory=dict)
    accepted: dict[tuple, tuple] = field(default_factory=dict)  # sizes, by layouts of arguments

    fast: bool = True  # whether calls may become recipes

    def __post_init__(self):
        self.open_calls()

    def __repr__(self) -> str:
        return f"<compiled {self.name}({', '.join(self.params)})>"

    def slow(self, *args, **named):
        """Runs the function. Raises RuntimeCallError for arguments that do not fit."""
        refuse_names(self.name, named)
        act = self.enter(args)
        for step in self.steps:
            step.run(act)
        if self.fast and self._settle(act, args):
            return self._result_of(act)
        return self.leave(act)

    def _settle(self, act: Activation, args) -> bool:
        """Makes a recipe from a call that went well, if nothing but addresses differs in the next
        one; it then owns the activation."""
        accepts = [Accept.of(a, act.slots[slot]) if isinstance(act.slots[slot], np.ndarray)
                   else None for a, slot in zip(args, self.param_slots)]
        if not self.lacks_recipe(accepts):
            return False
        recipe = recipe_of(self, act, accepts)
        self.fast = recipe is not None
        if self.fast:
            self.add_recipe(recipe)
        return self.fast

    def _result_of(self, act: Activation):
        result = self.result(act)
        for slot in self.clear:
            act.slots[slot] = None
        return result

    def profile(self, args) -> list[tuple[Step, float]]:
        """The seconds that each step took in one call."""
        act = self.enter(args)
        times = []
        for step in self.steps:
            start = perf_counter()
            step.run(act)
            times.append((step, perf_counter() - start))
        self.leave(act)
        return times

    def works(self, args) -> list[Work]:
        """Runs the function once and counts the work of each step."""
        act, found = self.enter(args), []
        for step in self.steps:
            step.run(act)
            found.append(step.work(act) if step.work else
                         Work(0, 0) if step.kind in NO_WORK else Work())
        self.leave(act)
        return found

    def closure(self, values: list) -> Callable:
        """The function with the captured values given, the sizes last."""
        def call(*args):
            act = self.enter(args, values)
            for step in self.steps:
                step.run(act)
            return self.leave(act)
        return call

    def enter(self, args, captured: Sequence = ()) -> Activation:
        """An activation that holds the checked arguments."""
        refuse_count(self.name, self.params, args)
        key = layouts(args) if not captured else None
        sizes = self.accepted.get(key) if key is not None else None
        values = args
        if sizes is None:
            sizes, values = self._check(args, captured)
            if key is not None and all(v is a for v, a in zip(values, args)):
                if len(self.accepted) > 64:
                    self.accepted.clear()
                self.accepted[key] = sizes
        act = self._take(sizes)
        for slot, value in zip(self.param_slots, values):
            act.slots[slot] = value
        for slot, value in zip(self.captured, captured):
            act.slots[slot] = value
        return act

    def _check(self, args, captured: Sequence) -> tuple[tuple, list]:
        """(the sizes, the arguments as arrays). Raises RuntimeCallError."""
        probe = Activation(0, 0, [], self.sizes)
        if captured:
            probe.slots = [None] * self.slots
            for slot, value in zip(self.captured, captured):
                probe.slots[slot] = value
            probe.sizes = list(captured[-1]) + [None] * (self.sizes - len(captured[-1]))
        else:
            probe.slots = [None] * self.slots
        values = []
        for name, slot, check, a in zip(self.params, self.param_slots, self.checks, args):
            value = check(probe, a, f"{self.name}: argument {name!r}")
            probe.slots[slot] = value
            values.append(value)
        return tuple(probe.sizes), values

    def _take(self, sizes: tuple) -> Activation:
        waiting = self.idle.get(sizes)
        if waiting:
            try:
                return waiting.pop()
            except IndexError:  # another thread was faster
                pass
        act = Activation(self.slots, self.prepared, list(sizes), self.sizes)
        act.place(self.internals)
        return act

    def leave(self, act: Activation):
        """The result; the activation waits for the next call."""
        result = self._result_of(act)
        act.reset()
        if len(self.idle) > 16:
            self.idle.clear()
        waiting = self.idle.setdefault(act.entry, [])
        if len(waiting) < KEEP:
            waiting.append(act)
        return result
