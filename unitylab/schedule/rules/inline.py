"""Elementwise blocks are computed where they are read, unless that repeats work."""

from __future__ import annotations

from ..handles import BlockRV
from ..patterns import injective_chain, is_injective, work_of
from .scheduling import Scheduling


def inline(s: Scheduling) -> None:
    """Inlines what is cheap to compute where it is read."""
    for name in s.names():
        block = s.sch.get_block(name)
        if is_injective(s.sch.get(block)) and cheap_to_inline(s, block):
            s.attempt("compute_inline", block)


def cheap_to_inline(s: Scheduling, block: BlockRV) -> bool:
    node = s.sch.get(block)
    users = [s.sch.get(b) for b in s.sch.get_consumers(block)]
    if len(users) > 1 and not injective_chain(node):
        return False
    size = work_of(node)
    return all(is_injective(u) or size is not None and work_of(u) == size and len(users) == 1
               for u in users)
