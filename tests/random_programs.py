"""Random tensor programs for property tests: loops of all kinds, blocks, reductions, conditions,
casts and several dtypes. They stay in bounds, and in numbers that floats of 32 bits hold exactly
wherever rounding could change a decision (a comparison, a cast to int)."""

from hypothesis import strategies as st

from unitylab.arith.regions import derive_regions
from unitylab.ir import prim
from unitylab.ir.dtypes import dtype
from unitylab.ir.node import EMPTY, FrozenDict
from unitylab.ir.prim import Var, literal
from unitylab.ir.tir import (
    REDUCE,
    SPATIAL,
    AllocBuffer,
    Bind,
    Block,
    BlockRealize,
    Buffer,
    BufferLoad,
    BufferStore,
    For,
    IfThenElse,
    IterVar,
    PrimFunc,
    Range,
    While,
    decl_buffer,
    root_block,
    seq,
)

DTYPES = ("float32", "float64", "int32", "int64", "int8", "uint8", "bool")
COMPARE = (prim.LT, prim.LE, prim.GT, prim.GE)


class Draw:
    """Short names for what hypothesis draws."""

    def __init__(self, draw):
        self.draw = draw

    def one(self, values):
        return self.draw(st.sampled_from(list(values)))

    def int(self, low, high):
        return self.draw(st.integers(low, high))

    def flag(self):
        return self.draw(st.booleans())


class Expressions:
    """Draws scalar expressions over the buffers and loop variables in scope."""

    def __init__(self, draw: Draw, buffers: list[Buffer], axes: dict[Var, object]):
        self.d, self.buffers, self.axes = draw, buffers, axes
        self.names: list[Var] = []

    def index(self, size):
        """An index within `size`: a variable of that extent, or one made to fit."""
        same = [v for v, extent in self.axes.items() if extent is size or prim.as_int(extent) is
                not None and prim.as_int(extent) == prim.as_int(size)]
        kind = self.d.one(["same", "same", "mod", "clamp", "zero"])
        if same and kind == "same":
            return prim.cast(self.d.one(same), size.dtype)
        if not self.axes or kind == "zero":
            return literal(0, size.dtype)
        some = prim.cast(self.d.one(self.axes), size.dtype) + self.d.int(0, 3)
        if kind == "mod":
            return prim.floormod(some, size)
        return prim.maximum(prim.minimum(some - self.d.int(0, 3), size - 1), 0)

    def load(self, buffer):
        return BufferLoad(buffer, tuple(map(self.index, buffer.shape)))

    def of(self, t: str, depth: int, exact: bool = False):
        """An expression of dtype `t`; `exact`: no rounding anywhere in it."""
        t = dtype(t)
        if t.is_bool:
            return self.condition(depth)
        leaves = [b for b in self.buffers if b.dtype == t]
        if depth == 0:
            return self.leaf(t, leaves)
        kind = self.d.one(["leaf", "add", "sub", "mul", "min", "max", "select", "cast", "call"])
        sides = lambda: (self.of(str(t), depth - 1, exact), self.of(str(t), depth - 1, exact))
        if kind in OPERATIONS:
            return OPERATIONS[kind](*sides())
        if kind == "select":
            make = self.d.one([prim.Select, _if_then_else])
            return make(self.condition(depth - 1), *sides())
        if kind == "cast":
            source = self.d.one(DTYPES[:6])
            value = self.of(source, depth - 1, exact or not t.is_float)
            if dtype(source).is_float and not t.is_float:
                value = prim.maximum(prim.minimum(value, 100.0), 0.0)
            return prim.cast(value, t)
        if kind == "call" and not exact:
            return self.call(t, depth)
        return self.leaf(t, leaves)

    def leaf(self, t, leaves):
        named = [v for v in self.names if v.dtype == t]
        choice = self.d.int(0, 3)
        if named and choice == 3:
            return self.d.one(named)
        if leaves and choice:
            return self.load(self.d.one(leaves))
        value = self.d.int(0 if str(t).startswith("u") else -3, 6)
        return literal(value / 4 if t.is_float else value, t)

    def call(self, t, depth):
        inner = self.of(str(t), depth - 1)
        if t.is_float:
            name = self.d.one(["exp", "tanh", "sigmoid", "abs"])
            return prim.call_intrin(str(t), name, prim.maximum(prim.minimum(inner, 4.0), -4.0))
        divide = self.d.one([prim.floordiv, prim.floormod])
        return divide(inner, literal(self.d.int(1, 5), t))

    def condition(self, depth: int):
        kind = self.d.one(["compare", "and", "or", "not", "load"]) if depth else "compare"
        if kind == "load" and (flags := [b for b in self.buffers if b.dtype.is_bool]):
            return self.load(self.d.one(flags))
        if kind in ("and", "or"):
            join = prim.logical_and if kind == "and" else prim.logical_or
            return join(self.condition(depth - 1), self.condition(depth - 1))
        if kind == "not":
            return prim.logical_not(self.condition(depth - 1))
        t, below = self.d.one(DTYPES[:6]), max(depth - 1, 0)
        return prim.compare(self.d.one(COMPARE), self.of(t, below, True), self.of(t, below, True))


def _if_then_else(condition, a, b):
    return prim.Call(a.dtype, "if_then_else", (condition, a, b))


OPERATIONS = {"add": prim.add, "sub": prim.sub, "mul": prim.mul, "min": prim.minimum,
              "max": prim.maximum}


def exact_inputs(buffers):
    """The buffers that hold exact numbers: only those may decide something."""
    return [b for b in buffers if b.name.startswith("X")]


class Programs:
    """Draws the statements of one tensor program."""

    def __init__(self, draw: Draw):
        self.d = draw
        self.index_type = draw.one(["int32", "int64"])
        self.n = Var("n", dtype(self.index_type)) if draw.flag() else None
        self.count = 0

    def name(self, hint):
        self.count += 1
        return f"{hint}{self.count}"

    def size(self):
        fixed = literal(self.d.int(1, 4), self.index_type)
        return self.n if self.n is not None and self.d.flag() else fixed

    def buffer(self, name, kinds=DTYPES):
        shape = tuple(self.size() for _ in range(self.d.int(1, 2)))
        return decl_buffer(shape, self.d.one(kinds), name)

    def function(self) -> PrimFunc:
        inputs = [self.buffer(f"X{i}") for i in range(self.d.int(1, 3))]
        if self.n is not None and not any(s is self.n for b in inputs for s in b.shape):
            inputs.append(decl_buffer((self.n,), "float32", "Xn"))
        outputs = [self.buffer(f"Y{i}") for i in range(self.d.int(1, 2))]
        inner = [self.buffer("t", DTYPES[:4])] if self.d.flag() else []
        nests, readable = [], list(inputs)
        blocks = self.d.flag()
        for out in inner + outputs:
            nests.append(self.nest(out, readable, blocks))
        body = seq(*nests)
        if blocks:
            body = root_block(body, tuple(inner))
        else:
            body = seq(*[AllocBuffer(b) for b in inner], body)
        attrs = {"tir.noalias": True} if self.d.flag() else {}
        return PrimFunc((*inputs, *outputs), body, attrs=FrozenDict(attrs))

    def nest(self, out, readable, blocks):
        """Loops over all of `out`, perhaps over a reduction too, around one statement."""
        reduce = self.d.flag()
        extents = [*out.shape, *([self.size()] if reduce else [])]
        loops = [Var(self.name("i"), e.dtype) for e in extents]
        make = self.in_block if blocks else self.in_loops
        body = make(out, readable, loops, extents, reduce)
        for k in reversed(range(len(loops))):
            kind = self.kind(k, len(loops), extents[k], reduce)
            notes = FrozenDict({"note": self.d.int(0, 9)}) if self.d.int(0, 5) == 0 else EMPTY
            body = For(loops[k], literal(0, extents[k].dtype), extents[k], kind, body,
                       annotations=notes)
        return body

    def kind(self, k, n, extent, reduce):
        options = ["serial"]
        if k == 0 and not (reduce and n == 1):
            options.append("parallel")
        if prim.as_int(extent) is not None:
            options.append("unrolled")
        return self.d.one(options)

    def in_block(self, out, readable, loops, extents, reduce):
        kinds = [SPATIAL] * out.ndim + [REDUCE] * reduce
        axes = [IterVar(Var(f"v{v.name}", v.dtype), Range(literal(0, e.dtype), e), k)
                for v, e, k in zip(loops, extents, kinds)]
        body, init = self.statement(out, readable, [a.var for a in axes], extents, reduce)
        predicate = literal(True)
        block = Block(tuple(axes), (), (), self.name("b"), body, init)
        reads, writes = derive_regions(block)
        block = block.replace(reads=reads, writes=writes)
        return BlockRealize(tuple(loops), predicate, block)

    def in_loops(self, out, readable, loops, extents, reduce):
        body, init = self.statement(out, readable, loops, extents, reduce)
        if init is None:
            return body
        return seq(IfThenElse(prim.equal(loops[-1], 0), init), body)

    def statement(self, out, readable, axes, extents, reduce):
        """The update of one element, and its start for a reduction."""
        e = Expressions(self.d, readable, dict(zip(axes, extents)))
        at = tuple(axes[:out.ndim])
        init = None
        binds = []
        if self.d.flag():
            held = Var(self.name("h"), dtype(self.d.one(DTYPES[:4])))
            binds.append(Bind(held, e.of(str(held.dtype), 1, True)))
            e.names.append(held)
        value = e.of(str(out.dtype), self.d.int(0, 3))
        if reduce:
            start = literal(False if out.dtype.is_bool else 0, out.dtype)
            init = BufferStore(out, start, at)
            join = prim.logical_or if out.dtype.is_bool else self.d.one([prim.add, prim.maximum])
            value = join(BufferLoad(out, at), value)
        store = BufferStore(out, value, at)
        if self.d.int(0, 3) == 0:
            other = BufferStore(out, e.of(str(out.dtype), 1), at) if self.d.flag() or not reduce \
                else None
            store = IfThenElse(e.condition(1), store, other)
        if self.d.int(0, 7) == 0:
            store = self.once(store)
        return seq(*binds, store), init

    def once(self, store):
        """`store` in a while loop that ends after one turn."""
        flag = decl_buffer((literal(1, "int32"),), "int32", self.name("c"))
        zero = (literal(0, "int32"),)
        turn = seq(store, BufferStore(flag, literal(1, "int32"), zero))
        return seq(AllocBuffer(flag), BufferStore(flag, literal(0, "int32"), zero),
                   While(prim.compare(prim.LT, BufferLoad(flag, zero), 1), turn))


@st.composite
def tensor_programs(draw):
    """A `PrimFunc` with inputs `X...`, outputs `Y...` and perhaps a symbolic size `n`."""
    return Programs(Draw(draw)).function()
