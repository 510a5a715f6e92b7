"""What can be done at a loop or block of a tensor program, tried before it is offered.

An edit is a row of `LOOP_EDITS` or `BLOCK_EDITS`: what it is called, its key, the function that
does it on a schedule, and the arguments that are worth offering.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..ir.errors import ScheduleError
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.prim import as_int
from ..ir.tir import REDUCE, Block, For
from ..schedule import Schedule
from ..schedule.handles import Handle
from ..schedule.nest import Nest
from .loop_tree import loop_tree
from .scheduling import ApplyTrace

FACTORS = (2, 4, 8, 16, 32, 64)
SCOPES = ("local", "global")


@dataclass(frozen=True)
class Choice:
    """One way to make an edit: `session.edit_loops(edit.name, key, **args)`."""

    label: str
    args: dict
    legal: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Edit:
    """An edit at a loop or block with the choices that were tried; `reason` says why none is
    possible. `letter` is its key in the workbench."""

    name: str
    letter: str
    title: str
    choices: tuple[Choice, ...] = ()
    reason: str = ""

    @property
    def legal(self) -> bool:
        """Whether there is a choice that is not refused."""
        return any(c.legal for c in self.choices)


class Editor:
    """A schedule of one tensor program in which loops and blocks are found by their keys."""

    def __init__(self, mod: IRModule, name: str, sch: Schedule | None = None):
        self.name, self.sch = name, sch or Schedule(mod)
        self.sch.work_on(name)

    def copy(self) -> Editor:
        return Editor(self.sch.mod, self.name, self.sch.copy())

    def node(self, key: str) -> Node:
        """The loop or block of a key. Raises ScheduleError if there is none."""
        return loop_tree(self.name, self.sch.mod[self.name])[key].node

    def handle(self, key: str) -> Handle:
        return self.sch.handle_of(self.node(key), self.name)

    def loop(self, key: str) -> Handle:
        """The handle of a loop. Raises ScheduleError for a block."""
        if not isinstance(self.node(key), For):
            raise ScheduleError(f"{key!r} is a block", hint="choose a loop")
        return self.handle(key)

    def keys(self, kind: type) -> list[tuple[str, Node]]:
        """All loops or all blocks, by key."""
        rows = loop_tree(self.name, self.sch.mod[self.name])
        return [(r.key, r.node) for r in rows if r.key and isinstance(r.node, kind)]

    @property
    def nest(self) -> Nest:
        return Nest(self.sch.mod[self.name])


# --- doing ----------------------------------------------------------------------------------
# each returns what the step is called

def split(e: Editor, key: str, factors: list) -> str:
    e.sch.split(e.loop(key), list(factors))
    sizes = ["·" if f is None else str(f) for f in factors]
    return f"split {key} by {', '.join(sizes[1:] if sizes[0] == '·' else sizes)}"


def reorder(e: Editor, key: str, to: str) -> str:
    """Moves a loop to the place of another one; those between move by one."""
    moved, place = e.node(key), e.node(to)
    for node, k in ((moved, key), (place, to)):
        if not isinstance(node, For):
            raise ScheduleError(f"block {k} cannot be reordered", hint="loops can")
    inner = next((n for n, o in ((place, moved), (moved, place)) if e.nest.is_below(n, o)), None)
    if inner is None:
        raise ScheduleError(f"loops {key} and {to} are not in one nest",
                            hint="reorder works on loops of which one is inside of the other")
    outer = moved if inner is place else place
    chain = e.nest.loops(inner)
    between = [outer, *chain[chain.index(outer) + 1:], inner] if outer in chain else [outer, inner]
    rest = [l for l in between if l is not moved]
    order = [*rest, moved] if inner is place else [moved, *rest]
    e.sch.reorder(*(e.sch.handle_of(l, e.name) for l in order))
    return f"move {key} {'inside' if inner is place else 'outside'} {to}"


def fuse(e: Editor, key: str) -> str:
    loop = e.loop(key)
    child = e.node(key).body
    if not isinstance(child, For):
        raise ScheduleError(f"loop {key} has no loop directly inside", hint="choose an outer loop")
    e.sch.fuse(loop, e.sch.handle_of(child, e.name))
    return f"fuse {key}, {child.loop_var.name}"


def _kind(primitive: str) -> Callable:
    def set_kind(e: Editor, key: str) -> str:
        getattr(e.sch, primitive)(e.loop(key))
        return f"{primitive} {key}"
    return set_kind


def rfactor(e: Editor, key: str) -> str:
    e.sch.rfactor(e.loop(key), 0)
    return f"rfactor {key}"


def decompose_reduction(e: Editor, key: str, loop: str) -> str:
    e.sch.decompose_reduction(_block(e, key), e.loop(loop))
    return f"decompose {key} at {loop}"


def cache(e: Editor, key: str, write: bool, index: int, scope: str) -> str:
    block, node = _block(e, key), e.node(key)
    regions = node.writes if write else node.reads
    (e.sch.cache_write if write else e.sch.cache_read)(block, index, scope)
    return f"cache {regions[index].buffer.name} of {key} in {scope}"


def inline(e: Editor, key: str, reverse: bool = False) -> str:
    (e.sch.reverse_compute_inline if reverse else e.sch.compute_inline)(_block(e, key))
    return f"inline {key}"


def compute_at(e: Editor, key: str, loop: str, reverse: bool = False) -> str:
    (e.sch.reverse_compute_at if reverse else e.sch.compute_at)(_block(e, key), e.loop(loop))
    return f"compute {key} at {loop}"


def _block(e: Editor, key: str) -> Handle:
    if not isinstance(e.node(key), Block):
        raise ScheduleError(f"{key!r} is a loop", hint="choose a block")
    return e.handle(key)


# --- what is worth offering -----------------------------------------------------------------

Offers = Iterator[tuple[str, dict]]


def _splits(e: Editor, key: str, node: For) -> Offers:
    extent = as_int(node.extent)
    for f in FACTORS:
        if extent is None or f < extent:
            exact = extent is not None and extent % f == 0
            yield str(f) if exact else f"{f} (tail)", {"factors": [None, f]}


def _once(e: Editor, key: str, node: Node) -> Offers:
    yield "", {}


def _up(e: Editor, key: str, node: For) -> Offers:
    yield from _neighbour(e, e.nest.parent(node))


def _down(e: Editor, key: str, node: For) -> Offers:
    yield from _neighbour(e, node.body)


def _neighbour(e: Editor, other: Node) -> Offers:
    for k, n in e.keys(For):
        if n is other:
            yield k, {"to": k}


def _reductions(e: Editor, key: str, node: Block) -> Offers:
    if node.init is None or all(v.kind != REDUCE for v in node.iter_vars):
        return
    around = e.nest.loops(node)
    for k, n in e.keys(For):
        if n in around:
            yield k, {"loop": k}


def _caches(e: Editor, key: str, node: Block) -> Offers:
    for write, regions in ((False, node.reads), (True, node.writes)):
        for index, r in enumerate(regions):
            for scope in SCOPES:
                yield f"{'write' if write else 'read'} {r.buffer.name} in {scope}", \
                    {"write": write, "index": index, "scope": scope}


def _inlines(e: Editor, key: str, node: Block) -> Offers:
    yield "into its consumers", {}
    yield "into its producer", {"reverse": True}


def _places(e: Editor, key: str, node: Block) -> Offers:
    own = e.nest.loops(node)
    for k, n in e.keys(For):
        if n not in own:
            yield k, {"loop": k}
            yield f"{k}, after its producer", {"loop": k, "reverse": True}


@dataclass(frozen=True)
class Spec:
    """A row of the tables."""

    letter: str
    title: str
    do: Callable
    offers: Callable = _once
    none: str = ""  # why there may be nothing to offer
    legal_only: bool = field(default=False)  # of many choices only those that are possible


LOOP_EDITS = {
    "split": Spec("s", "Split", split, _splits, "there is nothing to split"),
    "outward": Spec("alt+↑", "Outward", reorder, _up, "there is no loop directly around it"),
    "inward": Spec("alt+↓", "Inward", reorder, _down, "there is no loop directly inside"),
    "fuse": Spec("f", "Fuse", fuse),
    "parallel": Spec("p", "Parallel", _kind("parallel")),
    "vectorize": Spec("v", "Vectorize", _kind("vectorize")),
    "unroll": Spec("u", "Unroll", _kind("unroll")),
    "rfactor": Spec("x", "Rfactor", rfactor),
}
BLOCK_EDITS = {
    "cache": Spec("c", "Cache", cache, _caches, "it reads and writes nothing"),
    "inline": Spec("i", "Inline", inline, _inlines),
    "compute_at": Spec("a", "Compute at", compute_at, _places, "there is no loop of another block",
                       True),
    "decompose_reduction": Spec("d", "Decompose", decompose_reduction, _reductions,
                                "it is no reduction with an init"),
}
MOVES = {"reorder": reorder}  # dragging: any loop to any place
DOING = {**{n: s.do for n, s in {**LOOP_EDITS, **BLOCK_EDITS}.items()}, **MOVES}


def edits_at(mod: IRModule, name: str, key: str) -> list[Edit]:
    """What can be done at a loop or block, each choice tried on a copy of the schedule. Raises
    ScheduleError if there is no such loop or block, or the program cannot be scheduled."""
    e = Editor(mod, name)
    node = e.node(key)
    table = BLOCK_EDITS if isinstance(node, Block) else LOOP_EDITS
    return [_edit(e, op, spec, key, node) for op, spec in table.items()]


def _edit(e: Editor, op: str, spec: Spec, key: str, node: Node) -> Edit:
    choices = [_try(e, spec, key, label, args) for label, args in spec.offers(e, key, node)]
    reason = next((c.reason for c in choices if not c.legal), spec.none)
    if spec.legal_only:
        choices = [c for c in choices if c.legal]
    return Edit(op, spec.letter, spec.title, tuple(choices),
                "" if any(c.legal for c in choices) else reason)


def _try(e: Editor, spec: Spec, key: str, label: str, args: dict) -> Choice:
    try:
        spec.do(e.copy(), key, **args)
    except ScheduleError as error:
        return Choice(label, args, False, said(error))
    return Choice(label, args)


def said(error: ScheduleError) -> str:
    """An error in one or two lines: message and hint."""
    return f"{error.message}; try: {error.hint}" if error.hint else error.message


def edit(mod: IRModule, name: str, op: str, key: str, **args) -> ApplyTrace:
    """The pass that makes an edit. Raises ScheduleError if it is refused."""
    if op not in DOING:
        raise ScheduleError(f"there is no edit {op!r}", hint=f"one of {', '.join(DOING)}")
    e = Editor(mod, name)
    try:
        label = DOING[op](e, key, **args)
    except TypeError as error:
        raise ScheduleError(f"{op}: {error}") from None
    return ApplyTrace(e.sch.trace, label)
