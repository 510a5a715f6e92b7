"""Primitives that choose: the trace keeps what was chosen, and a replay chooses the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...ir.errors import ScheduleError
from ...ir.prim import as_int
from ...ir.tir import SPATIAL, Block, For
from ..dependence import bound_by, consumers
from ..handles import INLINE, ROOT, Place
from ..nest import Nest, child_realizes
from ..signature import BLOCK, INT, LOOP, LOOP_OR_PLACE, VALUE, list_of, optional, primitive
from .compute_at import compute_at
from .inline import compute_inline


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


@primitive(returns=LOOP_OR_PLACE, block=BLOCK, decision=optional(INT))
def sample_compute_location(nest: Nest, block: Block, decision: int | None = None) -> Decided:
    """A loop into which `block` can move with compute_at, or ROOT or INLINE.

    `decision`: the position of the loop among the loops of its first consumer, -1 for ROOT, -2 for
    INLINE; one that is not possible here becomes the next smaller one."""
    places = _places(nest, block)
    if decision is None:
        decision = int(nest.rng.choice([k for k, _ in places]))
    fits = [(k, p) for k, p in places if k <= decision] or [(-1, ROOT)]
    chosen, place = fits[-1]
    return Decided(place, chosen)


def _places(nest: Nest, block: Block) -> list[tuple[int, For | Place]]:
    """(decision, place), in order."""
    found: list[tuple[int, For | Place]] = [(-1, ROOT)]
    if _allowed(nest, compute_inline, block):
        found.insert(0, (-2, INLINE))
    users = consumers(nest, block)
    if not users:
        return found
    loops = nest.loops(users[0])
    shared = [k for k, l in enumerate(loops) if all(nest.is_below(b, l) for b in users)]
    serial = [_is_spatial(l, nest) for l in loops[:len(shared)]]
    last = max((k for k, s in enumerate(serial) if s), default=-1)
    reducing = False
    for k, loop in enumerate(loops[:len(shared)]):
        if as_int(loop.extent) == 1:
            continue
        if serial[k] and reducing or not serial[k] and k > last:
            break
        reducing = reducing or not serial[k]
        if _allowed(nest, compute_at, block, loop, True):
            found.append((k, loop))
    return found


def _is_spatial(loop: For, nest: Nest) -> bool:
    """Whether a loop feeds spatial variables only."""
    kinds = {it.kind for r in child_realizes(loop.body) for it in bound_by(r, loop.loop_var)}
    return kinds <= {SPATIAL}


def _allowed(nest: Nest, step, *args) -> bool:
    try:
        step(Nest(nest.func), *args)
    except ScheduleError:
        return False
    return True
