"""Parses the loops of tensor programs."""

from __future__ import annotations

import ast

from ..ir import prim, tir
from ..ir.errors import did_you_mean
from ..ir.node import FrozenDict
from ..ir.op import freeze
from .diagnostics import check_words
from .parse_tir_statements import StatementParser
from .values import extent_between

_LOOP_WORDS = ("start", "stop", "extent", "step", "thread", "annotations")
_LOOP_KINDS = {"T.serial": tir.SERIAL, "T.parallel": tir.PARALLEL, "T.vectorized": tir.VECTORIZED,
               "T.unroll": tir.UNROLLED, "T.thread_binding": tir.THREAD_BINDING,
               "range": tir.SERIAL}


class LoopParser(StatementParser):
    """Reads `for` over `range`, `T.grid`, `T.serial` and the other kinds."""

    def stmt_For(self, n: ast.For) -> None:
        if not isinstance(n.iter, ast.Call) or n.orelse:
            raise self.source.error(n.iter, "a loop runs over range, T.grid, T.serial, ...")
        name = self.directive(n.iter)
        if name == "T.grid":
            return self.grid(n)
        if name not in _LOOP_KINDS:
            raise self.source.error(n.iter.func, "a loop runs over range, T.grid, T.serial, "
                                    "T.parallel, T.vectorized, T.unroll or T.thread_binding",
                                    did_you_mean(name, [*_LOOP_KINDS, "T.grid"]))
        if not isinstance(n.target, ast.Name):
            raise self.source.error(n.target, "one loop variable expected")
        bounds = [self.bound(a) for a in n.iter.args]
        check_words(self.source, n.iter, name, _LOOP_WORDS)
        options = {k.arg: self.eval(k.value) for k in n.iter.keywords}
        bounds += [options.pop(k) for k in ("start", "stop", "extent") if k in options]
        if not 1 <= len(bounds) <= 3:
            raise self.source.error(n.iter, f"{name} takes an extent, or a start, an end and a "
                                            f"step; {len(bounds)} values given")
        low, high = (0, bounds[0]) if len(bounds) == 1 else bounds[:2]
        step = bounds[2] if len(bounds) > 2 else options.get("step")
        low, high = prim.unify(low, high)
        extent = extent_between(low, high)
        loop = self.loop_var(n.target, low, extent)
        body = self.inner(n.body, {n.target.id: loop})
        tag = options.get("thread")
        binding = tir.IterVar(prim.Var(tag, loop.dtype), None, "thread", tag) if tag else None
        notes = FrozenDict({k: freeze(v) for k, v in (options.get("annotations") or {}).items()})
        step = None if step is None or prim.is_const(prim.literal(step), 1) else \
            prim.literal(step, low.dtype)
        return self.emit(tir.For(loop, low, extent, _LOOP_KINDS[name], body, binding, notes, step),
                         n)

    def bound(self, n: ast.expr):
        return self.scalar(n, self.eval(n))

    def loop_var(self, target: ast.expr, low, extent) -> prim.Var:
        loop = prim.Var(target.id, extent.dtype, span=self.source.span(target))
        self.loops[id(loop)] = tir.Range(low, extent)
        return loop

    def grid(self, n: ast.For) -> None:
        targets = n.target.elts if isinstance(n.target, ast.Tuple) else [n.target]
        extents = [prim.literal(self.bound(a)) for a in n.iter.args]
        if len(targets) != len(extents):
            raise self.source.error(n.target, f"{len(targets)} loop variables for {len(extents)} "
                                              "extents")
        loops = [self.loop_var(t, prim.literal(0, e.dtype), e) for t, e in zip(targets, extents)]
        body = self.inner(n.body, {t.id: v for t, v in zip(targets, loops)})
        for loop, extent in zip(reversed(loops), reversed(extents)):
            body = tir.For(loop, prim.literal(0, extent.dtype), extent, tir.SERIAL, body,
                           span=self.source.span(n))
        self.emit(body, n)
