"""The loops and blocks of a tensor program as rows of a tree, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ..ir import tir
from ..ir.errors import ScheduleError, did_you_mean
from ..ir.node import Node
from ..ir.prim import as_int
from ..ir.tir import Block, BlockRealize, Buffer, BufferRegion, For, PrimFunc

GLYPHS = {tir.SERIAL: "↻", tir.PARALLEL: "⫴", tir.VECTORIZED: "▤", tir.UNROLLED: "≡",
          tir.THREAD_BINDING: "⌗", "block": "■", "buffer": "▭", "store": "="}


@dataclass(frozen=True)
class LoopRow:
    """One row. `what` is "loop", "block", "buffer" (an allocation) or "store".

    key       names a loop or block: "i", "i#2" for the second of that name; "" for others
    kind      of a loop: serial, parallel, ...
    extent    of a loop: its trip count; of a buffer: its shape and scope
    trips     how often the row's body runs in one call, None if that is not a constant
    axes      of a block: (name, "spatial" or "reduce", extent)
    reads, writes  of a block: its regions"""

    what: str
    depth: int
    name: str
    key: str = ""
    kind: str = ""
    extent: str = ""
    trips: int | None = None
    axes: tuple[tuple[str, str, str], ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    node: Node | None = None

    def __str__(self) -> str:
        glyph = GLYPHS.get(self.kind or self.what, "·")
        text = f"{'  ' * self.depth}{glyph} {self.name}"
        if self.what == "loop":
            return f"{text}: {self.extent} {self.kind}"
        if self.what == "block":
            axes = ", ".join(f"{n} {k} {e}" for n, k, e in self.axes)
            return f"{text} block ({axes}) reads {', '.join(self.reads) or 'nothing'}, " \
                   f"writes {', '.join(self.writes) or 'nothing'}"
        return f"{text} {self.extent}".rstrip()


@dataclass(frozen=True)
class LoopTree:
    """The rows of one tensor program, from top to bottom; `str()` draws them."""

    name: str
    rows: tuple[LoopRow, ...]

    def __iter__(self) -> Iterator[LoopRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: str) -> LoopRow:
        """The row of a loop or block. Raises ScheduleError if there is none."""
        found = {r.key: r for r in self.rows if r.key}
        if key not in found:
            raise ScheduleError(f"{self.name} has no loop or block {key!r}",
                                hint=did_you_mean(key, found, f"it has: {', '.join(found)}"))
        return found[key]

    def __str__(self) -> str:
        return "\n".join([self.name, *(f"  {r}" for r in self.rows)])

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        """In a notebook: what `print` shows."""
        printer.text(str(self))


def loop_tree(name: str, func: PrimFunc) -> LoopTree:
    """The loops and blocks of a tensor program; the root block is left out."""
    return LoopTree(name, tuple(_Rows().rows(func.body, 0, 1)))


class _Rows:
    """Walks statements; loops and blocks of one name are numbered."""

    def __init__(self):
        self.names: Counter[str] = Counter()

    def key(self, name: str) -> str:
        self.names[name] += 1
        return name if self.names[name] == 1 else f"{name}#{self.names[name]}"

    def rows(self, n: Node, depth: int, trips: int | None) -> Iterator[LoopRow]:
        if isinstance(n, For):
            extent = as_int(n.extent)
            inside = None if trips is None or extent is None else trips * extent
            yield LoopRow("loop", depth, n.loop_var.name, self.key(n.loop_var.name), n.kind,
                          size(n.extent), inside, node=n)
            yield from self.rows(n.body, depth + 1, inside)
        elif isinstance(n, BlockRealize):
            yield from self.block(n.block, depth, trips)
        elif isinstance(n, tir.BufferStore):
            yield LoopRow("store", depth, n.buffer.name,
                          extent=f"[{', '.join(size(i) for i in n.indices)}]", node=n)
        elif isinstance(n, (tir.AllocBuffer, tir.DeclBuffer)):
            yield allocation(n.buffer, depth)
        else:
            for c in n.children():
                if isinstance(c, tir.Stmt):
                    yield from self.rows(c, depth, trips)

    def block(self, b: Block, depth: int, trips: int | None) -> Iterator[LoopRow]:
        if b.iter_vars or b.name != "root":
            axes = tuple((i.var.name, i.kind, size(i.dom.extent) if i.dom else "?")
                         for i in b.iter_vars)
            yield LoopRow("block", depth, b.name, self.key(b.name), trips=trips, axes=axes,
                          reads=tuple(map(region, b.reads)), writes=tuple(map(region, b.writes)),
                          node=b)
            depth += 1
        for a in b.alloc_buffers:
            yield allocation(a, depth)
        inside = [c for c in (b.init, b.body) if c is not None]
        if not b.iter_vars or any(isinstance(s, (For, BlockRealize)) for c in inside
                                  for s in statements(c)):
            for c in inside:
                yield from self.rows(c, depth, trips)


def statements(s: Node) -> Iterator[Node]:
    """A statement and those below it."""
    yield s
    for c in s.children():
        if isinstance(c, tir.Stmt):
            yield from statements(c)


def allocation(b: Buffer, depth: int) -> LoopRow:
    """The row of a buffer that is made here."""
    return LoopRow("buffer", depth, b.name,
                   extent=f"({', '.join(size(d) for d in b.shape)}) {b.dtype} {b.scope}")


def region(r: BufferRegion) -> str:
    """A region in short: `A[vi, 0:8]`."""
    parts = [size(d.min) if as_int(d.extent) == 1 else
             f"{size(d.min)}:{size(d.min + d.extent)}" for d in r.region]
    return f"{r.buffer.name}[{', '.join(parts)}]"


def size(e) -> str:
    """An expression without the types of its literals."""
    known = as_int(e)
    return str(known) if known is not None else e.script().replace("T.int64", "")
