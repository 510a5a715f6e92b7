"""Annotations of blocks and loops: `annotate`, `unannotate`, storage scopes."""

from __future__ import annotations

from ...ir.errors import ScheduleError
from ...ir.node import FrozenDict
from ...ir.tir import Block, For
from ..nest import Nest
from ..signature import BLOCK_OR_LOOP, STR, VALUE, primitive


@primitive(block_or_loop=BLOCK_OR_LOOP, ann_key=STR, ann_val=VALUE)
def annotate(nest: Nest, block_or_loop: Block | For, ann_key: str, ann_val) -> None:
    """Sets an annotation. It says something to later passes and changes no result."""
    if ann_key in block_or_loop.annotations:
        raise ScheduleError(f"{nest.name_of(block_or_loop)} has the annotation {ann_key!r} already",
                            hint="unannotate it first")
    value = _frozen(ann_val)
    notes = FrozenDict({**block_or_loop.annotations, ann_key: value})
    nest.edit(block_or_loop, annotations=notes)


@primitive(block_or_loop=BLOCK_OR_LOOP, ann_key=STR)
def unannotate(nest: Nest, block_or_loop: Block | For, ann_key: str) -> None:
    """Removes an annotation."""
    if ann_key not in block_or_loop.annotations:
        known = ", ".join(block_or_loop.annotations) or "none"
        raise ScheduleError(f"{nest.name_of(block_or_loop)} has no annotation {ann_key!r}",
                            hint=f"it has: {known}")
    kept = {k: v for k, v in block_or_loop.annotations.items() if k != ann_key}
    nest.edit(block_or_loop, annotations=FrozenDict(kept))


def _frozen(value):
    """Lists become tuples, dicts frozen: what a node may hold."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return FrozenDict({k: _frozen(v) for k, v in value.items()})
    return value
