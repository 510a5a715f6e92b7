"""LowerInitBlock: the init of a reduction block becomes a statement of the program."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import prim, tir
from ...ir.prim import PrimExpr, Var
from ...ir.structural import structural_equal
from ...ir.tir import Block, BlockRealize, BufferLoad, For, PrimFunc, Stmt
from ...ir.transform import PrimFuncPass, Recorder
from ...ir.visitor import Mutator, collect, fold_substitute, fresh_copy


@dataclass(frozen=True)
class LowerInitBlock(PrimFuncPass):
    """Puts `init` before the loops of the reduction where these surround nothing else; otherwise
    under the condition that this is the first iteration of the reduction variables.

    The former is what `decompose_reduction` does at the outermost reduction loop."""

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        if not any(b.init is not None for b in collect(func.body, Block)):
            return func
        return func.replace(body=_Inits(name, recorder).visit(func.body))


class _Inits(Mutator):
    def __init__(self, name: str, recorder: Recorder):
        super().__init__()
        self.name, self.recorder = name, recorder

    def visit_For(self, loop: For) -> Stmt:
        nest = _nest(loop)
        if nest and self.recorder.wants("init before the loops", loop):
            loops, realize = nest
            init = _init_nest(loops, realize)
            rest = self.rebuild(_without_init(loop, realize))
            new = tir.seq(init, rest)
            self.recorder.record("init before the loops", loop, new, self.name)
            return new
        return self.rebuild(loop)

    def visit_Block(self, block: Block) -> Block:
        new = self.rebuild(block)
        if new.init is None or not self.recorder.wants("init guarded", block):
            return new
        first = [prim.equal(it.var, it.dom.min) for it in block.iter_vars
                 if it.kind == tir.REDUCE]
        init = tir.IfThenElse(prim.logical_and(*first), new.init) if first else new.init
        new = new.replace(init=None, body=tir.seq(init, new.body))
        self.recorder.record("init guarded", block, new, self.name)
        return new


def _nest(loop: For) -> tuple[list[For], BlockRealize] | None:
    """The perfect nest from a reduction loop to the one block inside, if its init may move out."""
    loops: list[For] = []
    stmt: Stmt = loop
    while isinstance(stmt, For):
        if stmt.step is not None or stmt.thread_binding is not None:
            return None
        loops.append(stmt)
        stmt = stmt.body
    if not isinstance(stmt, BlockRealize) or stmt.block.init is None:
        return None
    return (loops, stmt) if _movable(loops, stmt) else None


def _movable(loops: list[For], realize: BlockRealize) -> bool:
    reduced, spatial = set(), set()
    for it, value in zip(realize.block.iter_vars, realize.iter_values):
        (reduced if it.kind == tir.REDUCE else spatial).update(collect(value, Var))
    folded = {it.var for it in realize.block.iter_vars if it.kind == tir.REDUCE}
    if folded & set(collect(realize.block.init, Var)):
        return False
    first = loops[0].loop_var
    if first not in reduced or first in spatial or reduced & spatial:
        return False
    if any(f.loop_var not in reduced | spatial and prim.as_int(f.extent) != 1 for f in loops):
        return False  # a loop that repeats the block repeats its init
    if realize.block.match_buffers or realize.block.alloc_buffers or not _starts_once(realize):
        return False
    return _reads_own_element(realize.block) and \
        all(not (set(collect(f.extent, Var)) | set(collect(f.min, Var))) & {
            g.loop_var for g in loops} for f in loops)


def _starts_once(realize: BlockRealize) -> bool:
    """Whether the reduction variables have their first values in one iteration only: they are sums
    of loops, or all digits of one (both `f // n` and `f % n`)."""
    values = [v for it, v in zip(realize.block.iter_vars, realize.iter_values)
              if it.kind == tir.REDUCE]
    digits = [d for v in values for d in collect(v, (prim.FloorDiv, prim.FloorMod))]
    return all(map(_is_sum, values)) and all(
        any(type(e) is not type(d) and structural_equal(e.a, d.a) and structural_equal(e.b, d.b)
            for e in digits) for d in digits)


def _is_sum(e: PrimExpr) -> bool:
    if isinstance(e, prim.Add):
        return _is_sum(e.a) and _is_sum(e.b)
    if isinstance(e, prim.Mul):
        return _is_sum(e.a) and (prim.as_int(e.b) or 0) > 0
    if isinstance(e, (prim.FloorDiv, prim.FloorMod)):
        return _is_sum(e.a) and not collect(e.b, Var)
    return isinstance(e, (Var, prim.IntImm)) or isinstance(e, prim.Cast) and _is_sum(e.value)


def _reads_own_element(block: Block) -> bool:
    """Whether the body reads what the init writes only where the init writes it."""
    written = {s.buffer: s.indices for s in collect(block.init, tir.BufferStore)}
    data = {b.data for b in written}
    single = {it.var: it.dom.min for it in block.iter_vars if prim.as_int(it.dom.extent) == 1}

    def equal(a: PrimExpr, b: PrimExpr) -> bool:
        return a is b or structural_equal(fold_substitute(a, single), fold_substitute(b, single))
    for load in collect(block.body, BufferLoad):
        if load.buffer.data in data:
            at = written.get(load.buffer)
            if at is None or len(at) != len(load.indices) or \
                    not all(map(equal, at, load.indices)):
                return False
    return not any(isinstance(load.buffer.data, Var) and load.buffer.data in data
                   for load in collect(block.init, BufferLoad))


def _init_nest(loops: list[For], realize: BlockRealize) -> Stmt:
    """The init inside copies of the spatial loops of the nest."""
    block = realize.block
    kept, start = [], {}
    values = {it.var: v for it, v in zip(block.iter_vars, realize.iter_values)
              if it.kind != tir.REDUCE}
    spatial = {v for e in values.values() for v in collect(e, Var)}
    for f in loops:
        if f.loop_var in spatial:
            kept.append(f)
        else:
            start[f.loop_var] = f.min
    iters = tuple(it for it in block.iter_vars if it.kind != tir.REDUCE)
    inner = block.replace(iter_vars=iters, name=f"{block.name}_init", body=block.init, init=None,
                          reads=(), annotations=block.annotations)
    # a reduction loop further out holds other statements too: only its first iteration counts
    first = [prim.equal(fold_substitute(v, start), it.dom.min)
             for it, v in zip(block.iter_vars, realize.iter_values) if it.kind == tir.REDUCE]
    predicate = prim.logical_and(fold_substitute(realize.predicate, start), *first)
    stmt: Stmt = BlockRealize(tuple(values[it.var] for it in iters), predicate, inner)
    for f in reversed(kept):
        stmt = f.replace(body=stmt)
    return fresh_copy(stmt)


def _without_init(loop: For, realize: BlockRealize) -> For:
    new = realize.replace(block=realize.block.replace(init=None))
    return tir_replace(loop, realize, new)


def tir_replace(stmt: Stmt, old: Stmt, new: Stmt) -> Stmt:
    """`stmt`, a nest of loops, with `new` for its innermost statement `old`."""
    if stmt is old:
        return new
    return stmt.replace(body=tir_replace(stmt.body, old, new))
