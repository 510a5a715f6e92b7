"""Several tensor programs, called one after the other by a graph function, as one."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...ir import prim
from ...ir.module import IRModule, fresh_name
from ...ir.node import FrozenDict
from ...ir.op import Op
from ...ir.prim import GlobalVar, PrimExpr
from ...ir.relax import (Call, Expr, Function, PrimValue, ShapeExpr, Tuple, TupleGetItem, Var,
                         VarBinding)
from ...ir.struct_info import (PrimStructInfo, ShapeStructInfo, StructInfo, TensorStructInfo,
                               TupleStructInfo)
from ...ir.structural import structural_equal
from ...ir.tir import Block, Buffer, BufferRegion, PrimFunc, Stmt, decl_buffer, root_block, seq
from ...ir.visitor import Fold, fresh_copy, undefined_vars

# attributes that say something of the graph function alone
GRAPH_ATTRS = ("Primitive", "Composite", "global_symbol")

# what stands for a graph value: a buffer, a scalar, a shape, or a tuple of such
Value = Buffer | PrimExpr | tuple


@dataclass(frozen=True)
class MergedProgram:
    """The tensor program, and the symbolic sizes that its calls must pass (as the graph function
    knew them)."""

    func: PrimFunc
    sizes: tuple[prim.Var, ...]


class CannotMerge(Exception):
    """The function holds something that is no call of a schedulable tensor program."""


def merge_programs(mod: IRModule, func: Function) -> MergedProgram | None:
    """The body of `func` as one tensor program: inputs, sizes that no shape determines, outputs.
    None if it holds anything but calls of schedulable programs and tuples."""
    try:
        return _Merger(mod, func).merged()
    except CannotMerge:
        return None


@dataclass
class _Merger:
    mod: IRModule
    func: Function
    values: dict[Var, Value] = field(default_factory=dict)
    made: list[Buffer] = field(default_factory=list)  # in order: allocated inside, or outputs
    bodies: list[Stmt] = field(default_factory=list)
    block_names: set[str] = field(default_factory=set)
    buffer_names: set[str] = field(default_factory=set)

    def merged(self) -> MergedProgram:
        inputs: list[Buffer | prim.Var] = []
        for p in self.func.params:
            self.values[p] = self._parameter(p.name, p.struct_info, inputs)
        for b in self.func.body.bindings:
            if not isinstance(b, VarBinding):
                raise CannotMerge
            self.values[b.var] = self._value(b.value)
        outputs = _flat(self._value(self.func.body.body))
        fresh = {id(b) for b in self.made}
        if not outputs or len({id(o) for o in outputs}) < len(outputs) or \
                not all(id(o) in fresh for o in outputs):
            raise CannotMerge
        inner = tuple(b for b in self.made if not any(b is o for o in outputs))
        body = root_block(seq(*self.bodies), inner)
        attrs = {k: v for k, v in self.func.attrs.items() if k not in GRAPH_ATTRS}
        program = PrimFunc((*inputs, *outputs), body,
                           attrs=FrozenDict({**attrs, "tir.noalias": True}))
        sizes = tuple(undefined_vars(program))
        return MergedProgram(program.replace(params=(*inputs, *sizes, *outputs)), sizes)

    def _parameter(self, name: str, info: StructInfo | None, inputs: list) -> Value:
        """What a parameter of the graph function is in the program."""
        if isinstance(info, TensorStructInfo):
            inputs.append(self._buffer(info, name))
            return inputs[-1]
        if isinstance(info, TupleStructInfo) and info.fields is not None:
            return tuple(self._parameter(f"{name}_{i}", f, inputs)
                         for i, f in enumerate(info.fields))
        if isinstance(info, ShapeStructInfo) and info.values is not None:
            return info.values
        if isinstance(info, PrimStructInfo):
            scalar = info.value if isinstance(info.value, prim.Var) else prim.Var(name, info.dtype)
            inputs.append(scalar)
            return scalar
        raise CannotMerge

    def _buffer(self, info: TensorStructInfo, name: str) -> Buffer:
        if info.dims is None or info.dtype is None:
            raise CannotMerge
        name = fresh_name(name, self.buffer_names)
        self.buffer_names.add(name)
        return decl_buffer(info.dims, info.dtype, name)

    def _value(self, e: Expr) -> Value:
        if isinstance(e, Var):
            return self.values[e]
        if isinstance(e, Tuple):
            return tuple(map(self._value, e.fields))
        if isinstance(e, TupleGetItem):
            return self._value(e.tuple)[e.index]
        if isinstance(e, PrimValue):
            return e.value
        if isinstance(e, ShapeExpr):
            return e.values
        if isinstance(e, Call) and isinstance(e.op, Op) and e.op.name == "relax.call_tir":
            return self._call(e)
        raise CannotMerge

    def _call(self, call: Call) -> Value:
        """Appends the body of the called program; the value of the call are its new outputs."""
        callee = self.mod.functions.get(call.args[0].name) \
            if isinstance(call.args[0], GlobalVar) else None
        if not isinstance(callee, PrimFunc) or callee.root is None:
            raise CannotMerge
        callee = fresh_copy(callee)
        inputs = _flat(self._value(call.args[1]))
        sizes = list(self._value(call.args[2])) if len(call.args) > 2 else []
        infos = call.sinfo_args[0]
        several = isinstance(infos, TupleStructInfo)
        infos = infos.fields if several else (infos,)
        hints = [p.name for p in callee.buffers[-len(infos):]]
        outputs = [self._buffer(i, f"{h}_intermediate") for i, h in zip(infos, hints)]
        self._inline(callee, arguments(callee, inputs, sizes, outputs))
        self.made += outputs
        return tuple(outputs) if several else outputs[0]

    def _inline(self, callee: PrimFunc, mapping: dict) -> None:
        inline = _Inline(mapping, self.block_names, self.buffer_names)
        root = callee.root
        self.made += [inline.allocated(b) for b in root.alloc_buffers]
        self.bodies.append(inline.visit(root.body))


def arguments(callee: PrimFunc, inputs: list, sizes: list, outputs: list) -> dict:
    """What the parameters of a program stand for in a call: buffers for buffers in order, scalars
    for scalars; symbolic sizes by the shapes of the arguments."""
    scalars = [x for x in inputs if not isinstance(x, Buffer)] + sizes
    buffers = [x for x in inputs if isinstance(x, Buffer)] + outputs
    params = [p for p in callee.params if not isinstance(p, Buffer)]
    if len(scalars) != len(params) or len(buffers) != len(callee.buffers):
        raise CannotMerge
    mapping = {p: prim.cast(s, p.dtype) for p, s in zip(params, scalars)}
    for p, b in zip(callee.buffers, buffers):
        if p.dtype != b.dtype or p.ndim != b.ndim or p.strides:
            raise CannotMerge
        mapping |= {p: b, p.data: b.data}
        for want, have in zip(p.shape, b.shape):
            if isinstance(want, prim.Var) and want not in mapping:
                mapping[want] = prim.cast(have, want.dtype)
    return mapping


class _Inline(Fold):
    """Puts arguments for parameters; gives blocks and buffers names that are free."""

    def __init__(self, mapping: dict, block_names: set[str], buffer_names: set[str]):
        super().__init__(mapping)
        self.block_names, self.buffer_names = block_names, buffer_names

    def allocated(self, b: Buffer) -> Buffer:
        new = self.visit(b)
        name = fresh_name(new.name, self.buffer_names)
        self.buffer_names.add(name)
        if name != new.name:
            new = new.replace(name=name)
            self._memo[id(b)] = (b, new)
        return new

    def visit_Block(self, block: Block) -> Block:
        name = fresh_name(block.name, self.block_names)
        self.block_names.add(name)
        new = self.rebuild(block)
        return new.replace(name=name, reads=distinct(new.reads))


def distinct(regions: tuple[BufferRegion, ...]) -> tuple[BufferRegion, ...]:
    """Each region once: two parameters may be given the same buffer."""
    kept: list[BufferRegion] = []
    for r in regions:
        if not any(r.buffer is k.buffer and structural_equal(r, k) for k in kept):
            kept.append(r)
    return tuple(kept)


def _flat(value: Value) -> list:
    if isinstance(value, tuple):
        return [x for v in value for x in _flat(v)]
    return [value]
