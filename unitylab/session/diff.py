"""What changed between two modules: which bindings and tensor programs, and the text."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from ..ir import relax
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.structural import structural_equal
from ..ir.tir import PrimFunc

Item = tuple[str, str]  # function name, variable name ("" for the function itself)


@dataclass(frozen=True)
class Diff:
    """Bindings and tensor programs that were added, removed, changed, kept."""

    before: IRModule
    after: IRModule
    added: tuple[Item, ...]
    removed: tuple[Item, ...]
    changed: tuple[Item, ...]
    kept: tuple[Item, ...]

    @property
    def summary(self) -> str:
        """Such as "+2 -6 ~1"; empty where nothing changed."""
        parts = [(len(self.added), "+"), (len(self.removed), "−"), (len(self.changed), "~")]
        return " ".join(f"{sign}{n}" for n, sign in parts if n)

    def lines(self) -> Iterator[tuple[str, str]]:
        """(sign, line) of both scripts: " " in both, "-" before only, "+" after only."""
        old, new = self.before.script().splitlines(), self.after.script().splitlines()
        for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
            if tag == "equal":
                yield from ((" ", line) for line in old[a:b])
            else:
                yield from (("-", line) for line in old[a:b])
                yield from (("+", line) for line in new[c:d])

    def __str__(self) -> str:
        return "\n".join(f"{sign} {line}".rstrip() for sign, line in self.lines())


def items(mod: IRModule) -> dict[Item, tuple[object, Node]]:
    """What a module consists of: its bindings and tensor programs, with what identifies them."""
    found: dict[Item, tuple[object, Node]] = {}
    for name, func in mod.items():
        if isinstance(func, PrimFunc):
            found[name, ""] = (name, func)
        elif isinstance(func, relax.Function):
            for b in func.body.bindings:
                key = b.var.name
                while (name, key) in found:
                    key += "'"
                found[name, key] = (b.var, b)
    return found


def diff(before: IRModule, after: IRModule) -> Diff:
    """Matches by identity of variables first, then by name."""
    old, new = items(before), items(after)
    old_by_identity = {ident: key for key, (ident, _) in old.items()}
    matched: dict[Item, Item] = {}
    for key, (ident, _) in new.items():
        if ident in old_by_identity:
            matched[key] = old_by_identity[ident]
    left = set(old) - set(matched.values())
    for key in new:
        if key not in matched and key in left:
            matched[key] = key
    kept, changed = [], []
    for key, source in matched.items():
        a, b = old[source][1], new[key][1]
        same = a is b or structural_equal(a, b, map_free_vars=True)
        (kept if same else changed).append(key)
    return Diff(before, after,
                tuple(k for k in new if k not in matched),
                tuple(k for k in old if k not in set(matched.values())),
                tuple(changed), tuple(kept))
