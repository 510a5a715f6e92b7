"""From a call of a graph function that went well to a recipe for the next ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from .activation import LARGE, Activation, empty, nbytes
from .fast_call import Accept, Make, Recipe
from .kernel_call import Evaluate, KernelCall
from .llvm.trampoline import SINGLE, TUPLE
from .tensor_function import fail

class _Unknown(Exception):
    """The next call may differ in more than addresses."""


class _Fixed:
    """A value that is the same array in every call: a constant, or kept memory."""


FIXED = _Fixed()


def recipe_of(plan, act: Activation, accepts: Sequence[Accept]) -> Recipe | None:
    """The recipe of a plan whose steps are all kernels of trusted shapes (or give names to
    values); None for others. `act` is the activation of the call; the recipe owns it then."""
    try:
        return _Recording(plan, act, accepts).recipe()
    except _Unknown:
        return None


class _Recording:
    """Follows the values of a plan symbolically: numbers of arguments and fresh results, `FIXED`,
    or lists of values."""

    def __init__(self, plan, act: Activation, accepts: Sequence[Accept]):
        self.plan, self.act, self.accepts = plan, act, accepts
        self.slots: dict[int, object] = dict(zip(plan.param_slots, range(len(accepts))))
        self.slots.update({i.slot: FIXED for i in plan.internals})
        self.makes: list[Make] = []
        self.patches: list[tuple[int, int]] = []
        self.calls: list[KernelCall] = []
        self.steps: list[tuple[int, int]] = []

    def recipe(self) -> Recipe:
        plan, act = self.plan, self.act
        if plan.captured:
            raise _Unknown
        for step in plan.steps:
            if step.value is None:
                raise _Unknown
            self.slots[step.slot] = self.call(step.value) if isinstance(step.value, KernelCall) \
                else self.value(step.value)
        result = self.value(plan.result)
        kind, results = (TUPLE, result) if isinstance(result, list) else (SINGLE, [result])
        if not all(isinstance(r, int) for r in results):
            raise _Unknown
        records = [act.prepared[c.index].record for c in self.calls]
        short = all(c.function.short for c in self.calls)
        self.forget()
        return Recipe(self.accepts, self.makes, [], self.patches, self.steps,
                      kind, results, partial(_failed, self.calls, records), short, act)

    def value(self, evaluate: Evaluate):
        source = getattr(evaluate, "source", None)
        if isinstance(source, np.ndarray):
            return FIXED
        if isinstance(source, int) and source in self.slots:
            return self.slots[source]
        if isinstance(source, list):
            return [self.value(f) for f in source]
        if isinstance(source, tuple):
            fields = self.value(source[0])
            if isinstance(fields, list):
                return fields[source[1]]
        raise _Unknown

    def call(self, call: KernelCall):
        """A kernel: the words of the call that was, with the addresses that change."""
        words = self.act.prepared[call.index] if call.trusted else None
        if words is None or not call.function.native:
            raise _Unknown
        for k in call.moving:
            self.patch(self.value(call.inputs[k]), words, k)
        results = []
        for k, output in call.results:
            results.append(FIXED if output.internal is not None else self.make(call, output))
            self.patch(results[-1], words, k)
        self.calls.append(call)
        self.steps.append((call.function.kernel.code.address, words.address))
        return results if call.several else results[0]

    def patch(self, value, words, k: int) -> None:
        if isinstance(value, int):
            self.patches.append((value, words.address + 8 * k))
        elif value is not FIXED:
            raise _Unknown

    def make(self, call: KernelCall, output) -> int:
        shape, dtype = output.shape(self.act.sizes), output.dtype
        large = nbytes(shape, dtype) >= LARGE
        maker = partial(empty, shape, dtype, call.function.name) if large else None
        self.makes.append(Make(shape, dtype, maker))
        return len(self.accepts) + len(self.makes) - 1

    def forget(self) -> None:
        """Lets the arrays of this call go; the activation keeps its own."""
        for call in self.calls:
            alive = self.act.prepared[call.index].alive
            for k in call.moving:
                if isinstance(self.value(call.inputs[k]), int):
                    alive[k] = None


def _failed(calls: list[KernelCall], records: list, step: int, code: int) -> None:
    fail(calls[step].function.kernel, code, records[step])
