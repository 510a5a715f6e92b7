"""Cuts a loop where the conditions in its body change.

    for j in range(6):                                   for j in range(1): y[j] = 0
        y[j] = if_then_else(1 <= j, x[j - 1], 0)    ->   for j in range(5): y[j + 1] = x[j]

So paddings and concatenations are plain copies between the cuts; so are repetitions, x[j % 100],
which are cut where they begin anew.
"""

from __future__ import annotations

from ...arith.analyzer import Analyzer
from ...ir import prim
from ...ir.prim import PrimExpr, Var, as_int, literal
from ...ir.tir import For
from ...ir.visitor import Mutator, collect, fold_substitute, free_vars, fresh_copy

MOST = 8       # cuts of one loop
SHORTEST = 64  # iterations between two beginnings of a repetition, else it stays
FAR = 1 << 20  # where a difference that is not linear would show it
_ORDERS = (prim.LT, prim.LE, prim.GT, prim.GE)


def cut_at_conditions(loop: For) -> list[For]:
    """Loops over consecutive ranges that together are the loop; the loop alone if no comparison of
    its variable with a literal is in it, and no long repetition."""
    extent, first = as_int(loop.extent), as_int(loop.min)
    if not extent or first is None or loop.step is not None:
        return [loop]
    changes = {t: c for t in collect(loop.body, _ORDERS)
               if (c := _change(t, loop.loop_var)) is not None}
    digits = _repetitions(loop)
    found = {*changes.values(), *(c for d in digits for c in
                                  range(0, first + extent, as_int(d.b)))}
    inner = sorted(c for c in found if first < c < first + extent)
    if not (changes or digits) or len(inner) > MOST:
        return [loop]
    starts = [first, *inner]
    return [_part(loop, changes, digits, start, stop)
            for start, stop in zip(starts, [*inner, first + extent])]


def _repetitions(loop: For) -> list[PrimExpr]:
    """`j // n` and `j % n` for the loop variable j, if they are all digits of it that there are."""
    digits = [d for d in collect(loop.body, (prim.FloorDiv, prim.FloorMod))
              if loop.loop_var in free_vars(d)]
    sizes = {as_int(d.b) if d.a is loop.loop_var else None for d in digits}
    return digits if len(sizes) == 1 and (sizes.pop() or 0) >= SHORTEST else []


def _change(test: PrimExpr, var: Var) -> int | None:
    """The value of `var` from which on a comparison gives something else."""
    if not test.a.dtype.is_int or var not in free_vars(test):
        return None
    difference = test.a - test.b
    start, next_one = _at(difference, var, 0), _at(difference, var, 1)
    if start is None or next_one is None or abs(next_one - start) != 1 or \
            _at(difference, var, FAR) != start + FAR * (next_one - start):
        return None
    step = next_one - start
    strict = isinstance(test, (prim.LT, prim.GE))  # with zero on the side of "not less"
    return -start * step + (0 if strict == (step == 1) else 1)


def _at(e: PrimExpr, var: Var, value: int) -> int | None:
    return as_int(Analyzer().simplify(fold_substitute(e, {var: literal(value, var.dtype)})))


def _part(loop: For, changes: dict[PrimExpr, int], digits: list[PrimExpr], start: int,
          stop: int) -> For:
    """The iterations from `start` on, before `stop`: no test changes among them."""
    t = loop.loop_var.dtype
    known = {test: literal(bool(_at(test, loop.loop_var, start))) for test in changes}
    for d in digits:
        size = as_int(d.b)
        turn = start // size
        known[d] = literal(turn, t) if isinstance(d, prim.FloorDiv) else \
            prim.sub(loop.loop_var, literal(turn * size, t))
    return fresh_copy(loop.replace(min=literal(start, t), extent=literal(stop - start, t),
                                   body=_Known(known).visit(loop.body)))


class _Known(Mutator):
    """Puts literals for comparisons, and drops what they decide."""

    def __init__(self, known: dict[PrimExpr, PrimExpr]):
        super().__init__()
        self._memo.update({id(old): (old, new) for old, new in known.items()})

    def visit_And(self, n: prim.And) -> PrimExpr:
        return prim.logical_and(self.visit(n.a), self.visit(n.b))

    def visit_Or(self, n: prim.Or) -> PrimExpr:
        return prim.logical_or(self.visit(n.a), self.visit(n.b))

    def visit_Not(self, n: prim.Not) -> PrimExpr:
        return prim.logical_not(self.visit(n.a))

    def visit_Select(self, n: prim.Select) -> PrimExpr:
        condition = self.visit(n.condition)
        if as_int(condition) is not None:
            return self.visit(n.true_value if as_int(condition) else n.false_value)
        return self.rebuild(n)

    def visit_Call(self, n: prim.Call) -> PrimExpr:
        if n.op not in ("if_then_else", "tir.if_then_else"):
            return self.rebuild(n)
        condition = self.visit(n.args[0])
        if as_int(condition) is not None:
            return self.visit(n.args[1 if as_int(condition) else 2])
        return self.rebuild(n)
