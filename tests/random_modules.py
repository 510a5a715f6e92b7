"""Random modules for property tests: graph functions with operators, calls of tensor programs,
tuples, casts of shapes, branches, constants, symbolic sizes, and functions that call each other."""

import numpy as np
from hypothesis import strategies as st

from tests.random_programs import Draw, Programs
from unitylab.ir import prim, te
from unitylab.ir.binding_builder import Bindings
from unitylab.ir.block_builder import BlockBuilder
from unitylab.ir.dtypes import INT64, dtype
from unitylab.ir.module import IRModule, as_module
from unitylab.ir.op import get_op
from unitylab.ir.prim import Var as Size
from unitylab.ir.prim import as_int
from unitylab.ir.relax import Call, If, ShapeExpr, Tuple, TupleGetItem, Var, const, info_of
from unitylab.ir.struct_info import TensorStructInfo, tensor_info

SIZE = 3  # what every symbolic size is when a module runs
UNARY = ("nn.relu", "abs", "negative", "tanh", "sigmoid", "exp", "square")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum")
KINDS = ("float32", "float64", "int32")


class Graphs:
    """Draws one graph function at a time with a `BlockBuilder`."""

    def __init__(self, draw: Draw):
        self.d, self.bb, self.functions = draw, BlockBuilder(), []
        self.values: list = []

    def module(self) -> IRModule:
        names = ["helper", "main"] if self.d.flag() else ["main"]
        for name in names:
            self.function(name, private=name != "main")
        return self.bb.get()

    def function(self, name: str, private: bool) -> None:
        self.n = Size("n", INT64)
        params = [Var("x", tensor_info((self.n, self.d.int(1, 4)), self.d.one(KINDS)))]
        params += [Var(f"y{i}", self.tensor()) for i in range(self.d.int(0, 2))]
        self.flag = Var("flag", tensor_info((), "bool")) if self.d.flag() else None
        extra = [self.flag] if self.flag is not None else []
        self.values = list(params)
        with self.bb.function(name, [*params, *extra], private=private):
            for _ in range(self.d.int(1, 2)):
                self.block()
            self.bb.emit_func_output(self.result())
        self.functions.append((name, [*params, *extra]))

    def tensor(self) -> TensorStructInfo:
        dims = tuple(self.n if self.d.int(0, 2) == 0 else self.d.int(1, 4)
                     for _ in range(self.d.int(1, 3)))
        return tensor_info(dims, self.d.one(KINDS))

    def block(self) -> None:
        if self.d.flag():
            with self.bb.dataflow():
                before = list(self.values)
                for _ in range(self.d.int(1, 5)):
                    self.step()
                made = [v for v in self.values if v not in before]
                outs = [self.bb.emit_output(v) for v in made[-2:]]
                self.values = before + outs
        else:
            for _ in range(self.d.int(1, 3)):
                self.step(branch=True)

    def result(self):
        some = [self.d.one(self.values) for _ in range(self.d.int(1, 3))]
        return some[0] if len(some) == 1 else Tuple(tuple(some))

    def step(self, branch: bool = False) -> None:
        kinds = ["unary", "binary", "binary", "reduce", "permute", "astype", "matmul", "concat",
                 "split", "where", "constant", "tir", "tuple", "cast", "nested", "shape"]
        if branch and self.flag is not None:
            kinds += ["branch"] * 4
        if self.functions:
            kinds += ["call"] * 2
        value = getattr(self, self.d.one(kinds))()
        if value is not None:
            self.values.append(value if isinstance(value, Var) else self.bb.emit(value))

    def pick(self):
        return self.d.one(self.values)

    # --- one kind of step each; None where nothing fits -----------------------------------------

    def unary(self):
        x = self.pick()
        if info_of(x).dtype == dtype("int32"):
            return get_op("negative")(x)
        return get_op(self.d.one(UNARY))(self.small(x))

    def small(self, x):
        """`x` clipped, so that no chain of operators leaves the range of its dtype."""
        return get_op("clip")(x, -4, 4) if self.d.flag() else get_op("tanh")(x)

    def binary(self):
        x = self.pick()
        like = [v for v in self.values if same_shape(v, x) and info_of(v).dtype == info_of(x).dtype]
        return get_op(self.d.one(BINARY[:2] + BINARY[3:]))(x, self.d.one(like))

    def reduce(self):
        x = self.pick()
        if not info_of(x).dims or not info_of(x).dtype.is_float:
            return None
        axis = self.d.int(0, len(info_of(x).dims) - 1)
        return get_op(self.d.one(["sum", "max", "mean"]))(x, axis=axis, keepdims=self.d.flag())

    def permute(self):
        return get_op("permute_dims")(self.pick())

    def astype(self):
        """Between floats, and from ints: a float that becomes an int could round either way."""
        x = self.pick()
        return get_op("astype")(x, dtype=self.d.one(["float32", "float64"]))

    def matmul(self):
        x = self.pick()
        if len(info_of(x).dims) != 2:
            return None
        return get_op("matmul")(x, get_op("permute_dims")(x))

    def concat(self):
        x = self.pick()
        if not info_of(x).dims:
            return None
        return get_op("concat")(Tuple((x, x)), axis=0)

    def split(self):
        x = self.pick()
        for axis, extent in enumerate(info_of(x).dims):
            if as_int(extent) is not None and as_int(extent) % 2 == 0:
                pair = self.bb.emit(get_op("split")(x, indices_or_sections=2, axis=axis))
                self.bb.emit(TupleGetItem(pair, 0))
                return TupleGetItem(pair, 1)
        return None

    def where(self):
        x = self.pick()
        if not info_of(x).dtype.is_float:
            return None
        zero = const(0, str(info_of(x).dtype))
        return get_op("where")(get_op("greater_equal")(x, x), x, get_op("add")(x, zero))

    def constant(self):
        t = self.d.one(KINDS)
        shape = tuple(self.d.int(1, 3) for _ in range(self.d.int(0, 2)))
        values = [self.d.int(-8, 8) / 4 for _ in range(int(np.prod(shape)))]
        return const(np.asarray(values).reshape(shape).astype(t))

    def tir(self):
        x = self.pick()
        if not info_of(x).dims:
            return None
        scale = self.d.int(1, 3)

        def rule(a):
            one = te.compute(a.shape, lambda *i: a[i] + prim.literal(scale, a.dtype), name="s")
            if scale != 3:
                return one
            return [one, te.compute(a.shape, lambda *i: prim.maximum(one[i], a[i]), name="m")]

        out = self.bb.emit_te(rule, x, name=self.d.one(["scale", "shift"]))
        return TupleGetItem(out, 1) if scale == 3 else out

    def tuple(self):
        x, y = self.pick(), self.pick()
        t = self.bb.emit(Tuple((x, Tuple((y, x)))))
        inner = self.bb.emit(TupleGetItem(t, 1))
        return self.bb.emit(TupleGetItem(inner, self.d.int(0, 1)))

    def cast(self):
        x = self.pick()
        if not info_of(x).dims:
            return None
        dims = tuple(Size(f"m{len(self.values)}_{k}", INT64) if self.d.flag() else s
                     for k, s in enumerate(info_of(x).dims))
        return self.bb.match_cast(x, tensor_info(dims, str(info_of(x).dtype)))

    def nested(self):
        x = self.pick()
        return get_op("add")(get_op("add")(x, x), get_op("negative")(x))

    def shape(self):
        x = self.pick()
        if not info_of(x).dims:
            return None
        total = info_of(x).dims[0]
        for d in info_of(x).dims[1:]:
            total = total * d
        return get_op("reshape")(x, ShapeExpr((total,)))

    def branch(self):
        x = self.pick()
        sides = []
        for _ in range(2):
            inner = Bindings(self.bb.get())
            v = inner.emit(get_op(self.d.one(["negative", "nn.relu"]))(x))
            sides.append(inner.finish(get_op("add")(v, x)))
        return self.bb.emit(If(self.flag, *sides))

    def call(self):
        name, params = self.functions[0]
        args = []
        for p in params:
            fits = [v for v in [*self.values, *([self.flag] if self.flag is not None else [])]
                    if info_of(v).dtype == info_of(p).dtype and fixed_like(v, p)]
            if not fits:
                return None
            args.append(self.d.one(fits))
        sizes = [info_of(a).dims[k] for a, p in zip(args, params)
                 for k, s in enumerate(info_of(p).dims) if isinstance(s, Size)]
        if any(s is not sizes[0] and not (as_int(s) and as_int(s) == as_int(sizes[0]))
               for s in sizes):
            return None
        out = self.bb.emit(Call(prim.GlobalVar(name), tuple(args)))
        known = isinstance(info_of(out), TensorStructInfo) and info_of(out).dims is not None
        return out if known else None


def same_shape(a, b) -> bool:
    return len(info_of(a).dims) == len(info_of(b).dims) and all(
        x is y or (as_int(x) is not None and as_int(x) == as_int(y))
        for x, y in zip(info_of(a).dims, info_of(b).dims))


def fixed_like(v, p) -> bool:
    """The fixed sizes of a parameter are those of the value."""
    return len(info_of(v).dims) == len(info_of(p).dims) and all(
        isinstance(want, Size) or (as_int(have) is not None and as_int(have) == as_int(want))
        for have, want in zip(info_of(v).dims, info_of(p).dims))


@st.composite
def graph_modules(draw):
    """A module with a graph function `main`, perhaps a private one, and tensor programs."""
    return Graphs(Draw(draw)).module()


@st.composite
def program_modules(draw):
    """A module with one random tensor program, `main`."""
    return as_module(Programs(Draw(draw)).function().with_attrs(global_symbol="main"))


def array(random: np.random.Generator, shape, t: str) -> np.ndarray:
    """Small numbers that are exact in every dtype: quarters, or ints."""
    if t == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if "int" in t:
        return random.integers(0 if t.startswith("u") else -4, 5, shape).astype(t)
    return (random.integers(-8, 9, shape) / 4).astype(t)


def arguments(mod: IRModule, seed: int = 0) -> list[np.ndarray]:
    """Arrays for the parameters of `main`; symbolic sizes are SIZE."""
    random, main = np.random.default_rng(seed), mod["main"]
    infos = [info_of(p) or p for p in main.params]
    return [array(random, [SIZE if as_int(s) is None else as_int(s) for s in i.shape],
                  str(i.dtype)) for i in infos]
