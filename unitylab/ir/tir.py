"""Tensor programs (TensorIR): buffers, statements, blocks and `PrimFunc`."""

from __future__ import annotations

from .dtypes import HANDLE, VOID, DataType, dtype
from .errors import Span
from .node import EMPTY, FrozenDict, Node, child, definition, node, note, plain, span_field
from .prim import Axis, IntImm, PointerType, PrimExpr, Var, literal, vector_type

SERIAL, PARALLEL, VECTORIZED, UNROLLED = "serial", "parallel", "vectorized", "unrolled"
THREAD_BINDING = "thread_binding"
FOR_KINDS = (SERIAL, PARALLEL, VECTORIZED, UNROLLED, THREAD_BINDING)

SPATIAL, REDUCE, OPAQUE, SCAN, ORDERED = "spatial", "reduce", "opaque", "scan", "ordered"
ITER_KINDS = {"S": SPATIAL, "R": REDUCE, "O": OPAQUE}


@node
class Buffer(Node):
    """A view of memory with a shape; like a variable, its identity is the buffer.

    `strides` is empty for a compact row-major buffer. `elem_offset` counts elements.
    """

    name: str = note()
    shape: tuple[PrimExpr, ...] = definition()
    dtype: DataType = plain()
    data: Var = definition()
    strides: tuple[PrimExpr, ...] = definition(())
    elem_offset: PrimExpr = definition(IntImm(0))
    scope: str = plain("global")
    data_alignment: int = plain(64)
    offset_factor: int = plain(1)
    axis_separators: tuple[int, ...] = plain(())
    span: Span | None = span_field()

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, indices) -> BufferLoad:
        return BufferLoad(self, as_indices(indices))

    def region(self) -> BufferRegion:
        """All of the buffer."""
        return BufferRegion(self, tuple(Range(literal(0, s.dtype), s) for s in self.shape))


def decl_buffer(shape, dtype_: str = "float32", name: str = "buffer", data: Var | None = None,
                scope: str = "global", **fields) -> Buffer:
    """A new buffer; shape entries are ints or expressions; `data` defaults to a fresh pointer."""
    shape = tuple(literal(s) for s in (shape if isinstance(shape, (tuple, list)) else (shape,)))
    element = dtype(dtype_)
    if data is None:
        data = Var(name, HANDLE, PointerType(element, scope))
    if "elem_offset" not in fields and shape:
        fields["elem_offset"] = literal(0, shape[0].dtype)
    return Buffer(name, shape, element, data, scope=scope, **fields)


def as_indices(indices) -> tuple[PrimExpr, ...]:
    indices = indices if isinstance(indices, tuple) else (indices,)
    return tuple(literal(i) for i in indices)


def access_dtype(buffer: Buffer, indices: tuple[PrimExpr, ...]) -> DataType:
    """The dtype of a load or store; a vector index makes it a vector."""
    if indices and indices[-1].dtype.lanes > 1:
        last = indices[-1]
        if last.dtype.scalable:
            return vector_type(buffer.dtype, last.lanes)
        return buffer.dtype.element.with_lanes(last.dtype.lanes * buffer.dtype.lanes)
    return buffer.dtype


@node
class Range(Node):
    """The half-open interval from `min` with length `extent`."""

    min: PrimExpr = child()
    extent: PrimExpr = child()
    span: Span | None = span_field()


def range_of(extent) -> Range:
    """The range from zero."""
    extent = literal(extent)
    return Range(literal(0, extent.dtype), extent)


@node
class BufferRegion(Node):
    """A box within a buffer."""

    buffer: Buffer = child()
    region: tuple[Range, ...] = child()
    span: Span | None = span_field()


@node
class BufferLoad(PrimExpr):
    """One element (or a vector) read from a buffer."""

    buffer: Buffer = child()
    indices: tuple[PrimExpr, ...] = child()
    predicate: PrimExpr | None = child(None)
    span: Span | None = span_field()

    @property
    def dtype(self) -> DataType:
        return access_dtype(self.buffer, self.indices)


@node
class IterVar(Axis, Node):
    """A variable with a domain and a role: `spatial`, `reduce`, `opaque`, ..."""

    var: Var = definition()
    dom: Range | None = child()
    kind: str = plain(SPATIAL)
    thread_tag: str = plain("")
    span: Span | None = span_field()


@node
class Reduce(PrimExpr):
    """A reduction in a tensor expression (`te.sum` and its kin); never part of a statement.

    `combiner` is the name sum, prod, min, max or a CommReducer."""

    combiner: CommReducer = child()
    source: tuple[PrimExpr, ...] = child()
    axis: tuple[IterVar, ...] = child()
    condition: PrimExpr | None = child(None)
    init: tuple[PrimExpr, ...] = child(())
    value_index: int = plain(0)
    span: Span | None = span_field()
    binders_first = ("axis",)

    @property
    def dtype(self) -> DataType:
        return self.source[self.value_index].dtype


@node
class CommReducer(Node):
    """A commutative reducer: `lhs`, `rhs` -> `result`, with its identity element."""

    lhs: tuple[Var, ...] = definition()
    rhs: tuple[Var, ...] = definition()
    result: tuple[PrimExpr, ...] = child()
    identity: tuple[PrimExpr, ...] = child()
    span: Span | None = span_field()


# --- statements -----------------------------------------------------------------------------

class Stmt(Node):
    """An action. `Bind`, `AllocBuffer` and `DeclBuffer` hold to the end of their SeqStmt."""


@node
class Bind(Stmt):
    """`var = value`, a name for a scalar (`x: T.let[...] = ...`)."""

    var: Var = definition()
    value: PrimExpr = child()
    span: Span | None = span_field()


@node
class BufferStore(Stmt):
    """`buffer[indices] = value`."""

    buffer: Buffer = child()
    value: PrimExpr = child()
    indices: tuple[PrimExpr, ...] = child()
    predicate: PrimExpr | None = child(None)
    span: Span | None = span_field()


@node
class SeqStmt(Stmt):
    """Statements one after the other; `seq()` builds it flat."""

    stmts: tuple[Stmt, ...] = child()
    span: Span | None = span_field()


@node
class For(Stmt):
    """A loop from `min`, `extent` times, by `step`. `kind` is one of FOR_KINDS."""

    loop_var: Var = definition()
    min: PrimExpr = child()
    extent: PrimExpr = child()
    kind: str = plain()
    body: Stmt = child()
    thread_binding: IterVar | None = child(None)
    annotations: FrozenDict = child(EMPTY)
    step: PrimExpr | None = child(None)
    span: Span | None = span_field()


@node
class While(Stmt):
    """Repeats `body` as long as `condition` holds."""

    condition: PrimExpr = child()
    body: Stmt = child()
    span: Span | None = span_field()


@node
class IfThenElse(Stmt):
    """A branch."""

    condition: PrimExpr = child()
    then_case: Stmt = child()
    else_case: Stmt | None = child(None)
    span: Span | None = span_field()


@node
class AssertStmt(Stmt):
    """Stops with an error if `condition` does not hold."""

    condition: PrimExpr = child()
    message: PrimExpr = child()
    error_kind: str = plain("RuntimeError")
    span: Span | None = span_field()


@node
class Evaluate(Stmt):
    """A call for its effect."""

    value: PrimExpr = child()
    span: Span | None = span_field()


@node
class AllocBuffer(Stmt):
    """Allocates a buffer for the rest of the enclosing sequence."""

    buffer: Buffer = definition()
    annotations: FrozenDict = child(EMPTY)
    span: Span | None = span_field()


@node
class DeclBuffer(Stmt):
    """Declares a view of memory that exists (`buffer.data` is defined elsewhere)."""

    buffer: Buffer = definition()
    span: Span | None = span_field()


@node
class AttrStmt(Stmt):
    """An attribute that holds for `body` (`T.attr(node, key, value)`)."""

    node: Node | None = child()
    key: str = plain()
    value: PrimExpr = child()
    body: Stmt = child()
    span: Span | None = span_field()


@node
class MatchBufferRegion(Node):
    """A view of a region of another buffer, inside a block."""

    buffer: Buffer = definition()
    source: BufferRegion = child()
    span: Span | None = span_field()


@node
class Block(Stmt):
    """The unit of scheduling: iteration variables with roles, declared reads and writes, a body.

    `init` runs at the first iteration of the reduction variables."""

    iter_vars: tuple[IterVar, ...] = child()
    reads: tuple[BufferRegion, ...] = child()
    writes: tuple[BufferRegion, ...] = child()
    name: str = plain()
    body: Stmt = child()
    init: Stmt | None = child(None)
    alloc_buffers: tuple[Buffer, ...] = definition(())
    match_buffers: tuple[MatchBufferRegion, ...] = child(())
    annotations: FrozenDict = child(EMPTY)
    span: Span | None = span_field()
    binders_first = ("iter_vars", "alloc_buffers", "match_buffers")


@node
class BlockRealize(Stmt):
    """A block in the loops: `iter_values` bind its variables where `predicate` holds."""

    iter_values: tuple[PrimExpr, ...] = child()
    predicate: PrimExpr = child()
    block: Block = child()
    span: Span | None = span_field()


class BaseFunc(Node):
    """A function of a module."""

    attrs: FrozenDict

    def with_attrs(self, **attrs) -> BaseFunc:
        """The function with attributes set; None removes one. Dots: `with_attrs(**{"a.b": 1})`."""
        return self.replace(attrs=self.attrs.updated(attrs))


@node
class PrimFunc(BaseFunc):
    """A tensor program. A parameter is a `Buffer` (a tensor) or a `Var` (a scalar or raw handle).

    By the destination-passing convention outputs are the last buffers. A schedulable function's
    body is the realisation of a block called "root" without iteration variables."""

    params: tuple[Var | Buffer, ...] = definition()
    body: Stmt = child()
    ret_type: DataType = plain(VOID)
    attrs: FrozenDict = child(EMPTY)
    span: Span | None = span_field()

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """The buffer parameters."""
        return tuple(p for p in self.params if isinstance(p, Buffer))

    @property
    def root(self) -> Block | None:
        """The root block of a schedulable function."""
        body = self.body
        if isinstance(body, BlockRealize) and not body.block.iter_vars:
            return body.block
        return None


def seq(*stmts: Stmt | None) -> Stmt:
    """The statements one after the other, flat; a single one stays itself."""
    flat: list[Stmt] = []
    for s in stmts:
        if isinstance(s, SeqStmt):
            flat += s.stmts
        elif s is not None:
            flat.append(s)
    return flat[0] if len(flat) == 1 else SeqStmt(tuple(flat))


def root_block(body: Stmt, alloc_buffers: tuple[Buffer, ...] = (),
               annotations: FrozenDict = EMPTY) -> BlockRealize:
    """`body` inside of a root block."""
    block = Block((), (), (), "root", body, None, tuple(alloc_buffers), (), annotations)
    return BlockRealize((), literal(True), block)
