"""From tensor expressions to tensor programs."""

from __future__ import annotations

from collections.abc import Sequence

from .. import prim
from ..dtypes import INT32
from ..errors import StructInfoError
from ..node import FrozenDict
from ..prim import PrimExpr, Var, literal
from ..structural import structural_equal
from ..tir import (
    SPATIAL,
    Bind,
    Block,
    BlockRealize,
    Buffer,
    BufferLoad,
    BufferRegion,
    BufferStore,
    For,
    IterVar,
    PrimFunc,
    Range,
    Reduce,
    Stmt,
    decl_buffer,
    root_block,
    seq,
)
from ..visitor import Mutator, Substitute, collect, walk
from .tensor import Compute, Tensor, TensorLoad

LAYOUT_FREE = "layout_free_placeholders"


def _key(t: Tensor):
    """What a tensor is, apart from the object that names it."""
    return t if t.op is None else (t.op, t.index)


class _ToBuffers(Mutator):
    """Turns loads of tensors into loads of their buffers."""

    def __init__(self, buffers: dict):
        super().__init__()
        self.buffers = buffers

    def visit_TensorLoad(self, n: TensorLoad) -> PrimExpr:
        buffer = self.buffers.get(_key(n.tensor))
        if buffer is None:
            raise StructInfoError(f"tensor {n.tensor.name!r} is read but is no argument",
                                  hint="pass every placeholder to create_prim_func")
        return BufferLoad(buffer, tuple(map(self.visit, n.indices)))


def create_prim_func(args: Sequence[Tensor | Var], name: str | None = None) -> PrimFunc:
    """The tensor program from inputs to outputs, in the order of `args`; everything between is
    allocated inside. Scalars may stand among the arguments."""
    tensors = [a for a in args if isinstance(a, Tensor)]
    buffers = {_key(t): _buffer(t) for t in tensors}
    taken = {b.name for b in buffers.values()}
    ops, inner = _ordered(tensors), []
    for op in ops:
        for t in _outputs(op):
            if _key(t) not in buffers:
                buffers[_key(t)] = _buffer(t, taken)
                inner.append(buffers[_key(t)])
    to_buffers = _ToBuffers(buffers)
    names: set[str] = set()
    nests = [_nest(op, [buffers[_key(t)] for t in _outputs(op)], to_buffers, names) for op in ops]
    params = tuple(buffers[_key(a)] if isinstance(a, Tensor) else a for a in args)
    attrs = {"tir.noalias": True, **_free_layouts(ops, args)}
    if name:
        attrs = {"global_symbol": name, **attrs}
    return PrimFunc(params, root_block(seq(*nests), tuple(inner)), attrs=FrozenDict(attrs))


def _free_layouts(ops: Sequence[Compute], args: Sequence) -> dict:
    """The places of the arguments that a computation lets be stored in any layout."""
    free = [t for op in ops for t in op.attrs.get(LAYOUT_FREE, ())]
    at = [i for i, a in enumerate(args) if any(a is t for t in free)]
    return {"layout_free_buffers": tuple(at)} if at else {}


def _buffer(t: Tensor, taken: set[str] | None = None) -> Buffer:
    name = t.name.replace(".", "_")
    if taken is not None:
        name = _unique(name, taken)
    return decl_buffer(t.shape, t.dtype, name)


def _ordered(tensors: Sequence[Tensor]) -> list[Compute]:
    """The computations that the tensors need, producers first."""
    order: dict[Compute, None] = {}

    def visit(op: Compute | None) -> None:
        if op is None or op in order:
            return
        for load in _loads(op):
            visit(load.tensor.op)
        order[op] = None

    for t in tensors:
        visit(t.op)
    return list(order)


def _loads(op: Compute) -> list[TensorLoad]:
    found: list[TensorLoad] = []
    stack = list(op.body)
    while stack:
        e = stack.pop()
        if isinstance(e, TensorLoad):
            found.append(e)
            stack.extend(e.indices)
        else:
            stack.extend(e.children())
    return found[::-1]


def _outputs(op: Compute) -> list[Tensor]:
    """The tensors of all outputs of `op`."""
    return [Tensor(f"{op.name}.v{i}" if len(op.body) > 1 else op.name,
                   tuple(a.dom.extent for a in op.axis), b.dtype, op, i)
            for i, b in enumerate(op.body)]


def _nest(op: Compute, outs: list[Buffer], to_buffers: _ToBuffers, names: set[str]) -> Stmt:
    """The loops of one computation, around one block for what is reduced together, else around
    one block an output."""
    reduction = op.body[0] if isinstance(op.body[0], Reduce) else None
    axes = op.axis + (reduction.axis if reduction is not None else ())
    parts = [(op, outs)]
    if len(outs) > 1 and reduction is None:
        parts = [(op.replace(name=f"{op.name}_v{i}", body=(e,)), [o])
                 for i, (e, o) in enumerate(zip(op.body, outs))]
    return _loops(axes, [_block(part, to, axes, to_buffers, names) for part, to in parts])


def _block(op: Compute, outs: list[Buffer], axes: Sequence[IterVar], to_buffers: _ToBuffers,
           names: set[str]) -> Block:
    """The block that computes one element of the outputs."""
    inner = tuple(IterVar(Var(f"v_{a.var.name}", a.var.dtype),
                          Range(literal(0, a.dom.extent.dtype), a.dom.extent)
                          if a.kind == SPATIAL else a.dom, a.kind) for a in axes)
    point = Substitute({a.var: b.var for a, b in zip(axes, inner)})
    at = tuple(b.var for b in inner[:len(op.axis)])

    def body_of(e: PrimExpr) -> PrimExpr:
        if any(isinstance(n, Reduce) for n in walk(e)):
            raise StructInfoError(f"{op.name}: a reduction must be the whole body of a compute",
                                  hint="give the reduction a te.compute of its own")
        return to_buffers.visit(point.visit(e))

    reduces = isinstance(op.body[0], Reduce)
    body, init = _reduction(op, outs, at, body_of) if reduces else \
        (BufferStore(outs[0], body_of(op.body[0]), at), None)
    reads = _point_regions(body, skip=set(outs) if reduces else set())
    writes = tuple(BufferRegion(o, tuple(Range(i, literal(1, i.dtype)) for i in at)) for o in outs)
    attrs = FrozenDict({k: v for k, v in op.attrs.items() if k != LAYOUT_FREE})
    name = _unique(op.name.replace(".", "_"), names)
    return Block(inner or (_unit_axis(),), reads, writes, name, body, init, annotations=attrs)


def _unit_axis() -> IterVar:
    """The axis of a block that computes a single element."""
    return IterVar(Var("vi", INT32), Range(literal(0, INT32), literal(1, INT32)), SPATIAL)


def _loops(axes: Sequence[IterVar], blocks: Sequence[Block]) -> Stmt:
    """The blocks in a loop for each axis."""
    loops = tuple(Var(a.var.name, a.var.dtype) for a in axes)
    values = loops or (literal(0, INT32),)
    stmt: Stmt = seq(*[BlockRealize(values, literal(True), block) for block in blocks])
    for loop, axis in zip(reversed(loops), reversed(axes)):
        stmt = For(loop, axis.dom.min, axis.dom.extent, "serial", stmt)
    return stmt


def _unique(name: str, taken: set[str]) -> str:
    k, base = 0, name
    while name in taken:
        k += 1
        name = f"{base}_{k}"
    taken.add(name)
    return name


def _reduction(op: Compute, outs: list[Buffer], at, body_of) -> tuple[Stmt, Stmt]:
    """Init and update of a reduction; several values are read before any is written."""
    first = op.body[0]
    reducer = first.combiner
    init = seq(*[BufferStore(o, e, at) for o, e in zip(outs, first.init or reducer.identity)])
    source = tuple(body_of(s) for s in first.source)
    now = [BufferLoad(o, at) for o in outs]
    step = Substitute({**dict(zip(reducer.lhs, now)), **dict(zip(reducer.rhs, source))})
    values = [step.visit(r) for r in reducer.result]
    if first.condition is not None:
        where = body_of(first.condition)
        values = [prim.Call(v.dtype, "if_then_else", (where, v, o)) for v, o in zip(values, now)]
    if len(outs) == 1:
        return BufferStore(outs[0], values[0], at), init
    held = [Var(f"v_{o.name}", o.dtype) for o in outs]
    binds = [Bind(h, v) for h, v in zip(held, values)]
    return seq(*binds, *[BufferStore(o, h, at) for o, h in zip(outs, held)]), init


def _point_regions(body: Stmt, skip: set[Buffer]) -> tuple[BufferRegion, ...]:
    """The elements read, each once."""
    regions: list[BufferRegion] = []
    for load in collect(body, BufferLoad):
        if load.buffer in skip:
            continue
        region = tuple(Range(i, literal(1, i.dtype)) for i in load.indices)
        new = BufferRegion(load.buffer, region)
        if not any(r.buffer is new.buffer and structural_equal(r, new) for r in regions):
            regions.append(new)
    return tuple(regions)
