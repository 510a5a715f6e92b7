"""Handles: what a user of a schedule holds. They stay valid while the program is rewritten."""

from __future__ import annotations


class Handle:
    """Stands for a node of the program that a schedule works on; `sch.get(handle)` gives the node.

    Two handles are equal only when they are the same object."""

    __slots__ = ("__weakref__",)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({id(self) & 0xffff:04x})"


class BlockRV(Handle):
    """Stands for a block."""

    __slots__ = ()


class LoopRV(Handle):
    """Stands for a loop."""

    __slots__ = ()


class ExprRV(Handle):
    """Stands for a number that was decided, such as a sampled tile size."""

    __slots__ = ()


class Place:
    """What a loop handle stands for where a block shall not move into a loop: `ROOT` (it stays) or
    `INLINE` (its value is computed where it is used). compute_at and reverse_compute_at take it."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return self.name


ROOT, INLINE = Place("ROOT"), Place("INLINE")
