"""Parses blocks, their axes and directives, and the other `with` statements of tensor programs."""

from __future__ import annotations

import ast

from ..arith.regions import derive_regions
from ..ir import prim, tir
from ..ir.errors import did_you_mean
from ..ir.node import EMPTY, FrozenDict
from .parse_tir_loops import LoopParser
from .tir_frame import Frame, attr_value, region_of
from .values import extent_between

_AXIS_KINDS = {"spatial": tir.SPATIAL, "S": tir.SPATIAL, "reduce": tir.REDUCE, "R": tir.REDUCE,
               "opaque": tir.OPAQUE, "O": tir.OPAQUE, "scan": tir.SCAN}
_BLOCKS = ("T.block", "T.sblock")


class BlockParser(LoopParser):
    """Reads `with T.block(...)` and what may stand in it."""

    def stmt_With(self, n: ast.With) -> None:
        if len(n.items) != 1 or not isinstance(n.items[0].context_expr, ast.Call):
            raise self.source.error(n, "with T.block(...), T.init(), T.attr(...)")
        call = n.items[0].context_expr
        name = self.directive(call)
        if name in _BLOCKS:
            return self.block(n, call)
        if name == "T.init":
            self.enclosing().init = self.inner(n.body)
            return None
        if name in ("T.LetStmt", "T.let"):
            return self.let(n, call)
        if name == "T.attr":
            values = [self.eval(a) for a in call.args]
            if len(values) == 1 and isinstance(values[0], dict):
                body = self.inner(n.body)
                for key, value in reversed(values[0].items()):
                    body = tir.AttrStmt(None, key, prim.literal(value), body)
                return self.emit(body, n)
            node, key, value = values
            if isinstance(node, str):
                node = prim.literal(node)
            elif isinstance(node, int):
                node = None if node == 0 else prim.literal(node)
            return self.emit(tir.AttrStmt(node, key, prim.literal(value), self.inner(n.body)), n)
        if name == "T.launch_thread":
            return self.launch(n, call)
        raise self.source.error(call.func, f"with {name} is not part of the language", did_you_mean(
            name, ("T.block", "T.sblock", "T.init", "T.LetStmt", "T.attr", "T.launch_thread")))

    def launch(self, n: ast.With, call: ast.Call) -> None:
        tag, extent = self.eval(call.args[0]), prim.literal(self.eval(call.args[1]))
        target = n.items[0].optional_vars
        if not isinstance(tag, (str, tir.IterVar)):
            raise self.source.error(call, "a thread's tag is expected first",
                                    'T.launch_thread("threadIdx.x", 128)')
        if isinstance(tag, tir.IterVar):  # made by T.env_thread
            var, tag = tag.var, tag.thread_tag
        else:
            var = prim.Var(target.id if isinstance(target, ast.Name) else tag, extent.dtype)
        name = target.id if isinstance(target, ast.Name) else var.name
        body = self.inner(n.body, {name: var})
        it = tir.IterVar(var, tir.range_of(extent), "thread", tag)
        key = "virtual_thread" if tag == "vthread" else "thread_extent"
        self.emit(tir.AttrStmt(it, key, extent, body), n)

    def let(self, n: ast.With, call: ast.Call) -> None:
        args = [self.eval(a) for a in call.args]
        target = n.items[0].optional_vars
        if target is not None:
            value = prim.literal(args[0])
            var = prim.Var(target.id, value.dtype)
        else:
            var, value = args[0], prim.literal(args[1])
        self.define(var.name, var)
        self.emit(tir.Bind(var, value), n)
        self.suite(n.body)

    def block(self, n: ast.With, call: ast.Call) -> None:
        self.uses_blocks = True
        name = self.eval(call.args[0]) if call.args else ""
        self.scopes.append({})
        self.frames.append(Frame(block=name))
        self.suite(n.body)
        frame = self.frames.pop()
        self.scopes.pop()
        body = tir.seq(*frame.stmts) if frame.stmts else tir.Evaluate(prim.literal(0))
        span = self.source.span(n)
        block = tir.Block(tuple(frame.iter_vars), tuple(frame.reads or ()),
                          tuple(frame.writes or ()), name, body, frame.init, tuple(frame.allocs),
                          tuple(frame.matches),
                          FrozenDict(frame.annotations) if frame.annotations else EMPTY, span=span)
        root = len(self.frames) == 1 and name == "root" and not frame.iter_vars
        if (frame.reads is None or frame.writes is None) and not root:
            reads, writes = derive_regions(block)
            block = block.replace(reads=reads if frame.reads is None else block.reads,
                                  writes=writes if frame.writes is None else block.writes)
        predicate = prim.logical_and(*frame.predicate)
        self.emit(tir.BlockRealize(tuple(frame.iter_values), predicate, block, span=span), n)

    def axis_call(self, n: ast.Assign, target: ast.expr) -> bool:
        """`vi, vj = T.axis.remap("SR", [i, j])`, `vi = T.axis.spatial(128, i)`."""
        name = self.directive(n.value)
        if not name.startswith("T.axis."):
            return False
        kind = name.removeprefix("T.axis.")
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        if kind == "remap":
            letters, values = (self.eval(a) for a in n.value.args)
            if not len(names) == len(letters) == len(values):
                raise self.source.error(n, "as many names, kinds and loop variables are needed")
            for t, letter, value in zip(names, letters, values):
                if id(value) not in self.loops:
                    raise self.source.error(n, "remap takes loop variables",
                                            "T.axis.spatial(extent, value) takes any expression")
                self.axis(t, _AXIS_KINDS[letter], self.loops[id(value)], value)
            return True
        if kind not in _AXIS_KINDS:
            raise self.source.error(n.value.func, f"{name} is not known", did_you_mean(
                kind, ("spatial", "reduce", "opaque", "scan", "remap"),
                "T.axis.spatial, reduce, opaque, scan or remap", "T.axis."))
        dom, value = self.eval(n.value.args[0]), self.eval(n.value.args[1])
        value = prim.literal(value)
        self.axis(names[0], _AXIS_KINDS[kind], self.domain(dom, value), value)
        return True

    def domain(self, dom, value) -> tir.Range:
        if isinstance(dom, (tuple, list)):
            low, high = (prim.literal(d) for d in dom)
            low, high = prim.unify(low, high)
            return tir.Range(low, extent_between(low, high))
        return tir.range_of(dom)

    def axis(self, target: ast.expr, kind: str, dom: tir.Range, value) -> None:
        frame = self.enclosing()
        if not isinstance(target, ast.Name):
            raise self.source.error(target, "a name expected")
        var = prim.Var(target.id, dom.extent.dtype, span=self.source.span(target))
        self.define(target.id, var)
        frame.iter_vars.append(tir.IterVar(var, dom, kind))
        frame.iter_values.append(value)

    # --- directives -------------------------------------------------------------------------

    def do_reads(self, call: ast.Call) -> None:
        self.enclosing().reads = self.regions(call)

    def do_writes(self, call: ast.Call) -> None:
        self.enclosing().writes = self.regions(call)

    def regions(self, call: ast.Call) -> list[tir.BufferRegion]:
        found = [region_of(v) for a in call.args for v in _flat(self.eval(a))]
        if None in found:
            raise self.source.error(call, "regions of buffers expected, such as A[0:4, i]")
        return found

    def do_where(self, call: ast.Call) -> None:
        self.enclosing().predicate.append(prim.literal(self.eval(call.args[0])))

    def do_func_attr(self, call: ast.Call) -> None:
        self.attrs |= {str(k).replace("tirx.", "tir."): attr_value(v)
                       for k, v in self.eval(call.args[0]).items()}

    def do_block_attr(self, call: ast.Call) -> None:
        self.enclosing().annotations |= {k: attr_value(v)
                                         for k, v in self.eval(call.args[0]).items()}

    def do_evaluate(self, call: ast.Call) -> None:
        value = self.eval(call.args[0])
        self.emit(tir.Evaluate(prim.literal(value)), call)

    directives = {"T.reads": do_reads, "T.writes": do_writes, "T.where": do_where,
                  "T.func_attr": do_func_attr, "T.block_attr": do_block_attr,
                  "T.sblock_attr": do_block_attr, "T.evaluate": do_evaluate}


def _flat(v) -> list:
    return [x for e in v for x in _flat(e)] if isinstance(v, (list, tuple)) else [v]
