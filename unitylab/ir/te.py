"""Tensor expressions: say what each element is, get a tensor program.

    A = te.placeholder((n, k), "float32", name="A")
    B = te.placeholder((k, m), "float32", name="B")
    r = te.reduce_axis((0, k), name="k")
    C = te.compute((n, m), lambda i, j: te.sum(A[i, r] * B[r, j], axis=r), name="C")
    func = te.create_prim_func([A, B, C])
"""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Sequence

import ml_dtypes
import numpy as np

from . import prim
from .dtypes import INT32, INT64, DataType
from .dtypes import dtype as as_dtype
from .errors import StructInfoError
from .node import EMPTY, FrozenDict, Node, child, definition, node, note, plain
from .prim import PrimExpr, Var, literal
from .structural import structural_equal
from .tir import (
    REDUCE,
    SPATIAL,
    Bind,
    Block,
    BlockRealize,
    Buffer,
    BufferLoad,
    BufferRegion,
    BufferStore,
    CommReducer,
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
from .visitor import Mutator, Substitute, collect, walk


@node
class Tensor(Node):
    """One output of a tensor computation. `op` None: an input. Index it as `A[i, j]`."""

    name: str = note()
    shape: tuple[PrimExpr, ...] = child()
    dtype: DataType = plain()
    op: Compute | None = child(None)
    index: int = plain(0)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, indices) -> TensorLoad:
        indices = indices if isinstance(indices, tuple) else (indices,)
        if len(indices) != self.ndim:
            raise StructInfoError(f"{self.name} has {self.ndim} dimensions, "
                                  f"{len(indices)} indices given")
        return TensorLoad(self, tuple(i.var if isinstance(i, IterVar) else literal(i)
                                      for i in indices))

    def __call__(self, *indices) -> TensorLoad:
        return self[indices]


@node
class TensorLoad(PrimExpr):
    """An element of a tensor inside of a tensor expression."""

    tensor: Tensor = plain()
    indices: tuple[PrimExpr, ...] = child()

    @property
    def dtype(self) -> DataType:
        return self.tensor.dtype


@node
class Compute(Node):
    """The rule of a tensor: `body` for each point of `axis` (several bodies: several outputs)."""

    name: str = plain()
    axis: tuple[IterVar, ...] = definition()
    body: tuple[PrimExpr, ...] = child()
    attrs: FrozenDict = child(EMPTY)


def placeholder(shape, dtype: str = "float32", name: str = "placeholder") -> Tensor:
    """An input tensor."""
    return Tensor(name, _dims(shape), as_dtype(dtype))


def _dims(shape) -> tuple[PrimExpr, ...]:
    shape = shape if isinstance(shape, (tuple, list)) else (shape,)
    return tuple(literal(s, INT64) if isinstance(s, int) else s for s in shape)


def reduce_axis(dom, name: str = "rv") -> IterVar:
    """A reduction axis over `(begin, end)`."""
    begin, end = (literal(d, INT64) if isinstance(d, int) else d for d in dom)
    return IterVar(Var(name, end.dtype), Range(begin, prim.sub(end, begin)), REDUCE)


def compute(shape, rule: Callable, name: str = "compute", attrs=None):
    """The tensor with `rule(*indices)` at each point; a tuple of tensors if the rule gives one.

    Index variables are named after the parameters of `rule`."""
    dims = _dims(shape)
    axis = tuple(IterVar(Var(n, d.dtype), Range(literal(0, d.dtype), d), SPATIAL)
                 for n, d in zip(_axis_names(rule, len(dims)), dims))
    result = rule(*[a.var for a in axis])
    several = isinstance(result, (tuple, list))
    bodies = tuple(map(literal, result)) if several else (literal(result),)
    op = Compute(name, axis, bodies, FrozenDict(attrs or {}))
    outs = tuple(Tensor(f"{name}.v{i}" if several else name, dims, b.dtype, op, i)
                 for i, b in enumerate(bodies))
    return outs if several else outs[0]


def _axis_names(rule: Callable, ndim: int) -> list[str]:
    names = [p.name for p in inspect.signature(rule).parameters.values()
             if p.kind is not inspect.Parameter.VAR_POSITIONAL and p.default is p.empty]
    return names if len(names) == ndim else [f"i{k}" for k in range(ndim)]


def comm_reducer(combine: Callable, identity: Callable, name: str = "reduce"):
    """A reduction of the user's: `combine(x, y)` and `identity(dtype)`; returns
    `f(expr, axis, where=None)`. Tuples reduce several values together (argmax)."""
    def reduce(expr, axis, where=None):
        source = tuple(map(literal, expr)) if isinstance(expr, (tuple, list)) else (literal(expr),)
        lhs = tuple(Var(f"x{i}" if i else "x", s.dtype) for i, s in enumerate(source))
        rhs = tuple(Var(f"y{i}" if i else "y", s.dtype) for i, s in enumerate(source))
        if isinstance(expr, (tuple, list)):
            result = tuple(map(literal, combine(lhs, rhs)))
            start = tuple(map(literal, identity(*[s.dtype for s in source])))
        else:
            result, start = (literal(combine(*lhs, *rhs)),), (literal(identity(source[0].dtype)),)
        reducer = CommReducer(lhs, rhs, result, start)
        axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
        where = None if where is None else literal(where)
        parts = tuple(Reduce(reducer, source, axes, where, (), i) for i in range(len(source)))
        return parts if isinstance(expr, (tuple, list)) else parts[0]
    reduce.__name__ = name
    return reduce


def min_value(t: str) -> PrimExpr:
    """The smallest finite value of a dtype."""
    return _limit(as_dtype(t), smallest=True)


def max_value(t: str) -> PrimExpr:
    """The largest finite value of a dtype."""
    return _limit(as_dtype(t), smallest=False)


def _limit(t: DataType, smallest: bool) -> PrimExpr:
    if t.is_bool:
        return literal(not smallest)
    info = ml_dtypes.finfo(t.numpy) if t.is_float else np.iinfo(t.numpy)
    value = info.min if smallest else info.max
    return literal(float(value) if t.is_float else int(value), t)


sum = comm_reducer(prim.add, lambda t: literal(0, t), "sum")
prod = comm_reducer(prim.mul, lambda t: literal(1, t), "prod")
max = comm_reducer(prim.maximum, min_value, "max")
min = comm_reducer(prim.minimum, max_value, "min")


def var(name: str = "tindex", dtype: str = "int32") -> Var:
    """A symbolic size or scalar argument."""
    return Var(name, as_dtype(dtype))


def const(value, dtype: str | None = None) -> PrimExpr:
    """A literal (int32 or float32 unless said otherwise)."""
    return literal(value, dtype)


def if_then_else(condition, true_value, false_value) -> PrimExpr:
    """One of two values, of which only that one is evaluated: it may guard an index."""
    a, b = prim.unify(true_value, false_value)
    return prim.Call(a.dtype, "if_then_else", (literal(condition), a, b))


def all(*conditions) -> PrimExpr:
    """All conditions hold."""
    return prim.logical_and(*conditions)


def any(*conditions) -> PrimExpr:
    """One of the conditions holds."""
    result = literal(False)
    for condition in conditions:
        result = prim.logical_or(result, condition)
    return result


LAYOUT_FREE = "layout_free_placeholders"


# --- to tensor programs ---------------------------------------------------------------------

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
    at = [i for i, a in enumerate(args) if builtins.any(a is t for t in free)]
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
        if builtins.any(isinstance(n, Reduce) for n in walk(e)):
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
        if not builtins.any(r.buffer is new.buffer and structural_equal(r, new) for r in regions):
            regions.append(new)
    return tuple(regions)
