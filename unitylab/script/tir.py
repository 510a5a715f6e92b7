"""The namespace `T`: what tensor programs are written with.

Inside of `@T.prim_func` and `ul.parse` these names are read by the parser; as plain Python they
build nodes: `T.exp(x)`, `T.int64(3)`, `T.Buffer((4, n), "float32")`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir import prim, tir
from ..ir.dtypes import VOID, DataType, dtype
from ..ir.dtypes import dtype as as_dtype
from ..ir.errors import ParseError
from ..ir.op import freeze
from ..ir.prim import literal
from ..ops.intrinsics import INTRINSICS, SAME
from .intrinsics import FIRST, LAST, SPELLINGS

_SCALARS = ([f"{k}{b}" for k in ("int", "uint") for b in (1, 2, 4, 8, 16, 32, 64)]
            + ["float16", "float32", "float64", "bfloat16"]
            + ["float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn",
               "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
               "float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn"])


@dataclass(frozen=True)
class ScalarType:
    """`T.int64`: a type where it annotates, a literal or conversion where it is called."""

    dtype: DataType

    def __call__(self, value=None, is_size_var: bool = False):
        if value is None:
            return prim.Var("", self.dtype)  # named by the assignment that it stands in
        if isinstance(value, str):
            return prim.FloatImm(float(value), self.dtype)
        if isinstance(value, prim.PrimExpr):
            if isinstance(value, (prim.IntImm, prim.FloatImm)):
                return literal(value.value, self.dtype)
            return prim.cast(value, self.dtype)
        return literal(value, self.dtype)


@dataclass(frozen=True)
class HandleType:
    """`T.handle`, or `T.handle("float32", "global")`: a pointer."""

    pointer: prim.PointerType | None = None
    dtype = dtype("handle")

    def __call__(self, kind: str | None = None, scope: str = "global", **_):
        return HandleType(prim.PointerType(dtype(kind or "void"), scope))

    @property
    def ty(self) -> str:
        """The dtype, as an argument of intrinsics."""
        return str(self.dtype)


@dataclass(frozen=True)
class BufferSpec:
    """What `T.Buffer`, `T.alloc_buffer`, `T.match_buffer`, ... say of a buffer."""

    shape: tuple
    dtype: str = "float32"
    how: str = "type"  # type, match, alloc, block_alloc, decl
    source: object = None
    data: object = None
    strides: tuple = ()
    elem_offset: object = None
    scope: str = "global"
    align: int = -1
    offset_factor: int = 0
    axis_separators: tuple = ()
    annotations: dict = field(default_factory=dict)


class _BufferType:
    """`T.Buffer((n, 4), "float32")`; `T.Buffer[(n, 4), "float32"]` is the older spelling."""

    def __call__(self, shape, dtype="float32", data=None,  # noqa: A002
                 strides=(), elem_offset=None,
                 scope="global", align=-1, offset_factor=0, buffer_type="", axis_separators=(),
                 **_):
        return BufferSpec(_tuple(shape), dtype, "type", None, data, _tuple(strides), elem_offset,
                          scope, align, offset_factor, tuple(axis_separators or ()))

    def __getitem__(self, args):
        args = args if isinstance(args, tuple) else (args,)
        shape_only = len(args) == 1 or not isinstance(args[-1], str)
        return self(args if shape_only else args[0], *(() if shape_only else args[1:]))


def _tuple(x) -> tuple:
    if x is None:
        return ()
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


Buffer = _BufferType()
handle = HandleType()
void = ScalarType(VOID)
boolean = ScalarType(dtype("bool"))


def Var(name, to="int32"):  # noqa: N802
    """A scalar variable, such as a symbolic size: `n = T.Var("n", "int64")`."""
    return prim.Var(name, dtype(to))


def var(to="int32", name=""):
    """A scalar variable that takes its name from the assignment: `n = T.var("int64")`."""
    return prim.Var(name, dtype(str(to.dtype if isinstance(to, ScalarType) else to)))


def view_of(buffer: tir.Buffer, *shape, dtype=None) -> BufferSpec:  # noqa: A002
    """`A.view(8, 4)` or `A.view("float16")`: the same elements or bytes in another way."""
    if len(shape) == 1 and isinstance(shape[0], (str, ScalarType)):
        shape, dtype = (), shape[0]
    kind = as_dtype(str(getattr(dtype, "dtype", dtype) or buffer.dtype))
    if not shape:
        shape = (*buffer.shape[:-1], _rescaled(buffer.shape[-1], buffer.dtype, kind))
    if kind.bits != buffer.dtype.bits and not prim.is_const(buffer.elem_offset, 0):
        raise ParseError("a view with elements of another size starts at the buffer's start")
    offset = None if prim.is_const(buffer.elem_offset, 0) else buffer.elem_offset
    return BufferSpec(tuple(shape), str(kind), "decl", data=buffer.data, elem_offset=offset,
                      scope=buffer.scope)


def _rescaled(size, old: DataType, new: DataType):
    """As many elements of `new` as `size` elements of `old` hold."""
    if old.bits == new.bits:
        return size
    known = prim.as_int(size)
    if known is not None and known * old.bits % new.bits == 0:
        return prim.literal(known * old.bits // new.bits, size.dtype)
    if old.bits % new.bits == 0:
        return size * (old.bits // new.bits)
    raise ParseError(f"{old} elements in a last dimension of {size} do not make whole {new}")


def match_buffer(source, shape, dtype="float32", data=None,  # noqa: A002
                 strides=(), elem_offset=None,
                 scope="global", align=-1, offset_factor=0, buffer_type="default",
                 axis_separators=(), **_):
    """Names the buffer behind a handle parameter, or a view of a region inside a block."""
    return BufferSpec(_tuple(shape), dtype, "match", source, data, _tuple(strides), elem_offset,
                      scope, align, offset_factor, tuple(axis_separators or ()))


def _declares(how: str, default_scope: str = "global"):
    def declare(shape, dtype="float32", data=None, strides=(), elem_offset=None,  # noqa: A002
                scope=default_scope, align=-1, offset_factor=0, buffer_type="",
                axis_separators=(), annotations=None, **_):
        return BufferSpec(_tuple(shape), dtype, how, None, data, _tuple(strides), elem_offset,
                          scope, align, offset_factor, tuple(axis_separators or ()),
                          dict(annotations or {}))
    return declare


alloc_buffer = _declares("alloc")
sblock_alloc_buffer = _declares("block_alloc")
decl_buffer = _declares("decl")
alloc_local = _declares("stmt_alloc", "local")
alloc_shared = _declares("stmt_alloc", "shared")


# --- expressions ----------------------------------------------------------------------------

def min(a, b):  # noqa: A001
    """The smaller of two values."""
    return prim.minimum(a, b)


def max(a, b):  # noqa: A001
    """The larger of two values."""
    return prim.maximum(a, b)


def truncdiv(a, b):
    """Integer division toward zero."""
    return prim.div(a, b)


def truncmod(a, b):
    """The remainder of `truncdiv`."""
    return prim.truncmod(a, b)


def floordiv(a, b):
    return prim.floordiv(a, b)


def floormod(a, b):
    return prim.floormod(a, b)


def ceildiv(a, b):
    """Integer division rounded up."""
    a, b = prim.unify(a, b)
    return prim.floordiv(a + (b - 1), b)


def Select(condition, true_value, false_value):  # noqa: N802
    """One of two values; both are evaluated."""
    a, b = prim.unify(true_value, false_value)
    return prim.Select(literal(condition), a, b)


def if_then_else(condition, true_value, false_value, *_, **__):
    """One of two values; only that one is evaluated."""
    a, b = prim.unify(true_value, false_value)
    return prim.Call(a.dtype, "if_then_else", (literal(condition), a, b))


def Cast(to, value):  # noqa: N802
    """A conversion that stays, also of a literal."""
    return prim.Cast(dtype(to), literal(value))


def cast(value, to):
    """A conversion; literals convert at once."""
    return prim.cast(value, to)


def Ramp(base, stride, lanes):  # noqa: N802
    """base, base + stride, ..."""
    base, stride = prim.unify(base, stride)
    return prim.Ramp(base, stride, _lanes(lanes))


def Broadcast(value, lanes):  # noqa: N802
    """`lanes` copies of a value."""
    return prim.Broadcast(literal(value), _lanes(lanes))


MAX_LANES = 65_535  # as many as a dtype of Apache TVM can count


def _lanes(lanes):
    value = prim.as_int(lanes)
    if value is not None and not 1 <= value <= MAX_LANES:
        raise ParseError(f"a vector has 1 to {MAX_LANES} lanes, not {value}")
    return lanes if value is None else value


def Shuffle(vectors, indices):  # noqa: N802
    """Lanes picked from vectors."""
    return prim.Shuffle(tuple(vectors), tuple(literal(i) for i in indices))


def Let(expr, where=None, **_):  # noqa: N802
    """`T.Let(body, where={x: value})`."""
    for var, value in reversed(list((where or {}).items())):
        expr = prim.Let(var, literal(value), literal(expr))
    return expr


def Not(a):  # noqa: N802
    return prim.Not(literal(a))


def _constructor(kind: type):
    def make(a, b):
        a, b = (literal(a), literal(b))
        if a.dtype != b.dtype and not (kind.__name__.startswith("shift")):
            a, b = prim.unify(a, b)
        return kind(a, b)
    make.__doc__ = f"The node {kind.__name__}, not folded."
    return make


def call_intrin(to, name, *args, **_):
    """An intrinsic by name, with the dtype of its result."""
    return prim.Call(dtype(to), str(name).removeprefix("tir.").removeprefix("tirx."),
                     tuple(literal(a) if not isinstance(a, tir.Node) else a for a in args))


def call_packed(name, *args, **_):
    """Calls a registered library function."""
    return call_intrin("int32", "call_packed", literal(name), *args)


def Call(op, args, attrs=None, ret_ty=None, dtype=None):  # noqa: N802, A002
    """A call with annotations: `T.Call("tir.exp", [x], attrs={...}, ret_ty="float32")`."""
    call = call_intrin(ret_ty or dtype or "void", op, *args)
    return call.replace(annotations=freeze(attrs)) if attrs else call


def target(config):
    """A target as an attribute: its parts by name."""
    return freeze({"kind": config} if isinstance(config, str) else dict(config))


def address_of(load):
    """The address of an element."""
    return prim.Call(dtype("handle"), "address_of", (load,))


def ret(value):
    """Returns from the tensor program."""
    value = literal(value)
    return prim.Call(value.dtype, "ret", (value,))


def evaluate(value):
    """A value for its effect, as a statement."""
    return tir.Evaluate(literal(value))


def comm_reducer(combine, identity):
    """A reducer from a lambda and its identity elements."""
    n = len(identity)
    start = tuple(literal(i) for i in identity)
    lhs = tuple(prim.Var(f"x{i}", s.dtype) for i, s in enumerate(start))
    rhs = tuple(prim.Var(f"y{i}", s.dtype) for i, s in enumerate(start))
    result = combine(*lhs, *rhs)
    result = result if isinstance(result, tuple) else (result,)
    if len(result) != n:
        raise ParseError(f"the reducer gives {len(result)} values, {n} identity elements given")
    return tir.CommReducer(lhs, rhs, tuple(literal(r) for r in result), start)


def _range_of(dom):
    if isinstance(dom, (tuple, list)) and len(dom) == 2:
        low, high = prim.unify(*dom)
        return tir.Range(low, prim.sub(high, low))
    return tir.range_of(dom)


def iter_var(var, dom, kind="spatial", thread_tag=""):
    """An iteration variable as a value (in attributes)."""
    kinds = {"DataPar": "spatial", "CommReduce": "reduce", "ThreadIndex": "thread"}
    return tir.IterVar(var, None if dom is None else _range_of(dom), kinds.get(kind, kind),
                       thread_tag)


def _intrinsic(name: str):
    row = INTRINSICS[name]

    def make(*args, annotations=None, **_):
        values = tuple(a if isinstance(a, tir.Node) else literal(a) for a in args)
        if row.arity == 2 and len(values) == 2:
            values = prim.unify(*values)
        if row.arity >= 0 and len(values) != row.arity:
            raise ParseError(f"T.{name} takes {row.arity} arguments, {len(values)} given")
        to = values[0].dtype if row.result == SAME and values else \
            dtype("int32" if row.result == SAME else row.result)
        if row.result == "bool" and values[0].dtype.lanes > 1:
            to = dtype("bool").with_lanes(values[0].dtype.lanes)
        return prim.Call(to, name, values, tir.FrozenDict(annotations or {}))
    make.__name__, make.__doc__ = name, f"The intrinsic {name}."
    return make


def _spelled(name: str):
    """A call whose dtype is fixed, or written as an argument."""
    result = SPELLINGS[name].result

    def make(*args, annotations=None, **_):
        args = list(args)
        if not args and result in (FIRST, LAST):
            if name != "undef":
                raise ParseError(f"T.{name} takes the dtype of its result and its arguments")
            args = ["int32"]
        to = args.pop(0 if result == FIRST else -1) if result in (FIRST, LAST) else \
            args[0].dtype if result == SAME else result
        call = call_intrin(getattr(to, "dtype", to), name, *args)
        return call.replace(annotations=freeze(annotations)) if annotations else call
    make.__name__, make.__doc__ = name, f"The intrinsic {name}."
    return make


def _marker(name: str):
    def refuse(*_, **__):
        raise ParseError(f"{name} has a meaning only inside of @T.prim_func or ul.parse")
    refuse.__name__ = name.rpartition(".")[2]
    return refuse


@dataclass(frozen=True)
class LetType:
    """`T.let[T.int32]`: the type of a named scalar value."""

    def __getitem__(self, kind):
        return kind

    def __call__(self, var, value=None, *_):
        return _marker("T.let")()


class Namespace:
    """Names below a name: `T.axis.spatial`."""

    def __init__(self, **names):
        self.__dict__.update(names)


let = LetType()
axis = Namespace(**{n: _marker(f"T.axis.{n}") for n in
                    ("remap", "spatial", "reduce", "opaque", "scan", "S", "R", "O")})
DIRECTIVES = ("grid", "serial", "parallel", "vectorized", "unroll", "thread_binding", "block",
              "sblock", "init", "reads", "writes", "where", "func_attr", "block_attr",
              "sblock_attr", "attr", "launch_thread", "LetStmt", "allocate", "preflattened_buffer",
              "env_thread", "func_ret")

for _name in _SCALARS:
    globals()[_name] = ScalarType(dtype(_name))
globals()["bool"] = boolean
for _k in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float16", "float32",
           "float64"):
    for _l in (2, 4, 8, 16, 32, 64):
        globals()[f"{_k}x{_l}"] = ScalarType(dtype(f"{_k}x{_l}"))
for _name in INTRINSICS:
    if SPELLINGS[_name].result != FIRST:
        globals().setdefault(_name, _intrinsic(_name))
for _name in SPELLINGS:
    globals().setdefault(_name, _spelled(_name))
for _kind in (prim.Add, prim.Sub, prim.Mul, prim.Div, prim.Mod, prim.FloorDiv, prim.FloorMod,
              prim.Min, prim.Max, prim.EQ, prim.NE, prim.LT, prim.LE, prim.GT, prim.GE, prim.And,
              prim.Or):
    globals()[_kind.__name__] = _constructor(_kind)
for _name in DIRECTIVES:
    globals().setdefault(_name, _marker(f"T.{_name}"))

BufferLoad = tir.BufferLoad
NAMES = {n: v for n, v in list(globals().items()) if not n.startswith("_") and n not in
         ("annotations", "dataclass", "field", "prim", "tir", "dtype", "DataType", "VOID",
          "ParseError", "INTRINSICS", "SAME", "FIRST", "LAST", "SPELLINGS", "freeze",
          "literal", "NAMES",
          "DIRECTIVES", "BufferSpec", "as_dtype", "view_of",
          "ScalarType", "HandleType", "LetType", "Namespace", "MAX_LANES")}


def prim_func(func=None, **options):
    """Parses the decorated function as a tensor program; see `ul.parse`."""
    from .decorators import decorate
    return decorate(func, options)
