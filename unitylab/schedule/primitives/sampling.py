"""Primitives that choose: the trace keeps what was chosen, and a replay chooses the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...ir.errors import ScheduleError
from ...ir.prim import as_int
from ...ir.tir import For
from ..nest import Nest
from ..signature import INT, LOOP, VALUE, list_of, optional, primitive


@dataclass(frozen=True)
class Decided:
    """What a sampling primitive returns: the values, and the decision that brings them again."""

    values: object
    decision: object


@primitive(returns=INT, candidates=list_of(VALUE), probs=list_of(VALUE), decision=optional(INT))
def sample_categorical(nest: Nest, candidates: list, probs: list,
                       decision: int | None = None) -> Decided:
    """One of several numbers, with given probabilities; `decision` is its position."""
    if len(candidates) != len(probs) or not candidates:
        raise ScheduleError(f"{len(candidates)} candidates and {len(probs)} probabilities")
    if decision is None:
        total = math.fsum(probs)
        decision = int(nest.rng.choice(len(candidates), p=[p / total for p in probs]))
    if not 0 <= decision < len(candidates):
        raise ScheduleError(f"the decision {decision} names none of {len(candidates)} candidates")
    return Decided(candidates[decision], decision)


@primitive(returns=list_of(INT), loop=LOOP, n=INT, max_innermost_factor=INT,
           decision=optional(list_of(INT)))
def sample_perfect_tile(nest: Nest, loop: For, n: int, max_innermost_factor: int = 16,
                        decision: list[int] | None = None) -> Decided:
    """`n` factors whose product is a loop's extent, the last at most `max_innermost_factor`."""
    extent = as_int(loop.extent)
    if extent is None:
        raise ScheduleError(f"the extent of loop {loop.loop_var.name} is not a constant")
    if decision is None:
        decision = _factors(extent, n, max_innermost_factor, nest.rng)
    if len(decision) != n or math.prod(decision) != extent:
        raise ScheduleError(f"the decision {decision} is not {n} factors of {extent}")
    return Decided(list(decision), list(decision))


def _factors(extent: int, n: int, innermost: int, rng) -> list[int]:
    rest, factors = extent, []
    for k in range(n - 1):
        fits = [d for d in range(1, rest + 1) if rest % d == 0 and (k or d <= innermost)]
        factors.append(int(rng.choice(fits)))
        rest //= factors[-1]
    return [rest, *reversed(factors)]
