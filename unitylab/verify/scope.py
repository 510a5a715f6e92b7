"""What a tensor program can see at a place: variables and buffers, by identity."""

from __future__ import annotations

from ..ir.node import Node
from ..ir.prim import Var
from ..ir.tir import Buffer
from .report import Report


class Scope:
    """Names that are visible, and all that were ever defined.

    `mark()` before and `leave(mark)` after a scope: what was defined in between is forgotten."""

    def __init__(self, report: Report):
        self.report = report
        self.visible: set[int] = set()
        self.defined: dict[int, Node] = {}
        self._order: list[int] = []
        self._loops: list[Var] = []
        self._hidden: dict[int, str] = {}

    def mark(self) -> tuple[int, int]:
        """The state of now, for `leave`."""
        return len(self._order), len(self._loops)

    def leave(self, mark: tuple[int, int]) -> None:
        """Forgets what was defined since the mark."""
        names, loops = mark
        for key in self._order[names:]:
            self.visible.discard(key)
        del self._order[names:]
        del self._loops[loops:]

    def define(self, what: Var | Buffer, where: str) -> None:
        """A variable or buffer is defined once."""
        if id(what) in self.defined:
            self.report.say(
                "single-definition", f"the {kind(what)} {what.name!r} is defined twice, the second "
                f"time by {where}", what, "copy what is repeated with ul.ir.visitor.fresh_copy")
        self.reveal(what)

    def reveal(self, what: Var | Buffer) -> None:
        """Makes something visible that several places may define: a thread index, a pointer."""
        key = id(what)
        self.defined[key] = what
        if key not in self.visible:
            self.visible.add(key)
            self._order.append(key)

    def define_loop(self, var: Var) -> None:
        """A loop variable, which blocks with iteration variables do not see."""
        self.define(var, "a loop")
        self._loops.append(var)

    def hide_loops(self, block: str) -> list[Var]:
        """Hides the loops around a block; gives what `show_loops` needs."""
        hidden, self._loops = self._loops, []
        for v in hidden:
            self.visible.discard(id(v))
            self._hidden[id(v)] = block
        return hidden

    def show_loops(self, hidden: list[Var]) -> None:
        """The loops around a block are visible again behind it."""
        self._loops = hidden
        for v in hidden:
            self.visible.add(id(v))
            self._hidden.pop(id(v), None)

    def missing(self, what: Var | Buffer, at: Node | None = None) -> None:
        """Complains that something used is not visible."""
        name, at = f"the {kind(what)} {what.name!r}", what if at is None else at
        if id(what) in self._hidden:
            block = self._hidden[id(what)]
            self.report.say("loop-in-block", f"{name} of a loop outside is used inside of block "
                            f"{block!r}, which has iteration variables", at,
                            f'bind it: T.axis.spatial(extent, {what.name}), or T.axis.remap')
        elif id(what) in self.defined:
            self.report.say("scope", f"{name} is used outside of its scope", at,
                            "define it in front of both places, around all its uses")
        elif isinstance(what, Buffer):
            self.report.say("undefined-buffer", f"{name} is not declared", at,
                            "a parameter, T.alloc_buffer, T.decl_buffer or T.match_buffer of a "
                            "block declares a buffer")
        else:
            self.report.say("undefined-variable", f"{name} is not defined", at,
                            "a parameter, a whole dimension of a parameter, a loop, a block's "
                            "axis or a let defines a variable")


def kind(what: Var | Buffer) -> str:
    """How a complaint calls it."""
    return "buffer" if isinstance(what, Buffer) else "variable"
