"""Programs in tensor expressions, each of which test_te.py compares with what TVM makes of it."""

from unitylab.ir import prim, te

PROGRAMS = {}


def program(f):
    PROGRAMS[f.__name__] = f
    return f


def L(value):  # the simplifier of TVM keeps 1 <= h, and would turn h >= 1 into it
    return prim.literal(value, "int64")


def exp(value):
    return prim.call_intrin(str(value.dtype), "exp", value)


def placeholder(shape, name, dtype="float32"):
    return te.placeholder(shape, dtype, name)


def reduce_axis(extent, name):
    return te.reduce_axis((0, extent), name)


@program
def elementwise():
    a = placeholder((4, 8), "A")
    b = te.compute((4, 8), lambda i, j: a[i, j] * te.const(2.0, "float32"), "B")
    return [a, b]


@program
def default_names():
    a = placeholder((4, 8), "A")
    b = te.compute((4, 8), lambda *i: a[i] + te.const(1.0, "float32"))
    return [a, b]


@program
def broadcast():
    a = placeholder((4, 8), "A")
    b = placeholder((8,), "B")
    c = te.compute((4, 8), lambda i, j: a[i, j] + b[j], "C")
    return [a, b, c]


@program
def matmul():
    a = placeholder((4, 8), "A")
    b = placeholder((8, 6), "B")
    k = reduce_axis(8, "k")
    c = te.compute((4, 6), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), "C")
    return [a, b, c]


@program
def matmul_symbolic():
    n, m = te.var("n", "int64"), te.var("m", "int64")
    a = placeholder((n, m), "A")
    b = placeholder((m, n), "B")
    k = reduce_axis(m, "k")
    c = te.compute((n, n), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), "C")
    return [a, b, c]


@program
def chain():
    a = placeholder((4,), "A")
    b = te.compute((4,), lambda i: exp(a[i]), "B")
    c = te.compute((4,), lambda i: b[i] + b[i], "B")
    d = te.compute((4,), lambda i: c[i] + a[i], "D")
    return [a, d]


@program
def conv2d_padded():
    a = placeholder((1, 3, 8, 8), "A")
    w = placeholder((4, 3, 3, 3), "W")
    p = te.compute((1, 3, 10, 10), lambda n, c, h, v: te.if_then_else(
        te.all(L(1) <= h, h < L(9), L(1) <= v, v < L(9)), a[n, c, h - L(1), v - L(1)],
        te.const(0.0, "float32")), "pad")
    rc, ry, rxx = reduce_axis(3, "rc"), reduce_axis(3, "ry"), reduce_axis(3, "rx")
    o = te.compute((1, 4, 8, 8), lambda n, f, y, x: te.sum(
        p[n, rc, y + ry, x + rxx] * w[f, rc, ry, rxx], axis=[rc, ry, rxx]), "conv")
    return [a, w, o]


@program
def max_pool():
    a = placeholder((1, 2, 8, 8), "A")
    ry, rxx = reduce_axis(2, "ry"), reduce_axis(2, "rx")
    o = te.compute((1, 2, 4, 4), lambda n, c, y, x: te.max(
        a[n, c, y * L(2) + ry, x * L(2) + rxx], axis=[ry, rxx]), "pool")
    return [a, o]


@program
def row_min():
    a = placeholder((4, 8), "A", "int32")
    k = reduce_axis(8, "k")
    o = te.compute((4,), lambda i: te.min(a[i, k], axis=k), "M")
    return [a, o]


@program
def argmax():
    a = placeholder((4, 8), "A")
    k = reduce_axis(8, "k")

    def comb(x, y):
        return (prim.Select(x[1] >= y[1], x[0], y[0]), prim.Select(x[1] >= y[1], x[1], y[1]))

    red = te.comm_reducer(comb, lambda t0, t1: (te.const(-1, t0), te.min_value(t1)), name="argmax")
    at, top = te.compute((4,), lambda i: red((k.var, a[i, k]), axis=k), "M")
    return [a, at, top]


@program
def several_outputs():
    a = placeholder((4,), "A")
    one, two = te.const(1.0, "float32"), te.const(2.0, "float32")
    b, c = te.compute((4,), lambda i: (a[i] + one, a[i] * two), "B")
    return [a, b, c]


@program
def two_results():
    a = placeholder((4,), "A")
    b = te.compute((4,), lambda i: a[i] + te.const(1.0, "float32"), "B")
    c = te.compute((4,), lambda i: b[i] * te.const(2.0, "float32"), "C")
    return [a, b, c]


@program
def axis_arithmetic():
    a = placeholder((9,), "A")
    k = reduce_axis(4, "k")
    o = te.compute((4,), lambda i: te.sum(
        a[i + k + L(1)] * prim.cast(k + L(1), "float32"), axis=k), "S")
    return [a, o]


@program
def two_axes():
    a = placeholder((4, 8, 2), "A")
    k, j = reduce_axis(8, "k"), reduce_axis(2, "l")
    o = te.compute((4,), lambda i: te.sum(a[i, k, j], axis=[k, j]), "S")
    return [a, o]


@program
def softmax():
    a = placeholder((4, 8), "A")
    k = reduce_axis(8, "k")
    m = te.compute((4,), lambda i: te.max(a[i, k], axis=k), "maxelem")
    e = te.compute((4, 8), lambda i, j: exp(a[i, j] - m[i]), "exp")
    k2 = reduce_axis(8, "k")
    s = te.compute((4,), lambda i: te.sum(e[i, k2], axis=k2), "expsum")
    o = te.compute((4, 8), lambda i, j: e[i, j] / s[i], "norm")
    return [a, o]


@program
def gather():
    a = placeholder((4, 8), "A")
    t = placeholder((5,), "idx", "int64")
    o = te.compute((5, 8), lambda i, j: a[t[i], j], "G")
    return [a, t, o]


@program
def transpose_reshape():
    a = placeholder((4, 8), "A")
    o = te.compute((32,), lambda i: a[i // L(8), i % L(8)], "F")
    return [a, o]


@program
def casts():
    a = placeholder((4,), "A", "int8")
    o = te.compute((4,), lambda i: prim.cast(a[i], "int32") * te.const(3, "int32"), "O")
    return [a, o]


@program
def unit_extent():
    a = placeholder((1, 4), "A")
    k = reduce_axis(1, "k")
    o = te.compute((4,), lambda i: te.sum(a[k, i], axis=k), "O")
    return [a, o]


@program
def full():
    o = te.compute((4, 4), lambda i, j: te.const(1.0, "float32"), "full")
    return [o]


@program
def attrs():
    a = placeholder((4,), "A")
    o = te.compute((4,), lambda i: a[i], "O", attrs={"layout_free_placeholders": [a], "note": 3})
    return [a, o]


@program
def scalar():
    a = placeholder((), "A")
    o = te.compute((), lambda: a[()] + te.const(1.0, "float32"), "O")
    return [a, o]


@program
def dotted():
    a = placeholder((4,), "T.A")
    o = te.compute((4,), lambda i: a[i], "x.y")
    q = te.compute((4,), lambda i: o[i], "T_q")
    return [a, q]


@program
def all_axes():
    a = placeholder((4, 8), "A")
    k, j = reduce_axis(4, "k"), reduce_axis(8, "l")
    o = te.compute((), lambda: te.sum(a[k, j], axis=[k, j]), "S")
    return [a, o]


@program
def comparison():
    a = placeholder((8,), "A")
    b = te.compute((8,), lambda i: a[i] * te.const(3.0, "float32") < te.const(2.0, "float32"), "B")
    return [a, b]


@program
def prefix_of_axis():
    a = placeholder((9,), "A")
    k = reduce_axis(4, "k")
    o = te.compute((4,), lambda i: te.max(prim.Select(
        te.all(k * L(2) + i < L(5), L(1) <= k), a[k + i], te.min_value("float32")), axis=k), "S")
    return [a, o]


@program
def group_conv():
    a = placeholder((1, 4, 6), "A")
    w = placeholder((4, 2, 3), "W")
    c, r = reduce_axis(2, "c"), reduce_axis(3, "r")
    o = te.compute((1, 4, 4), lambda n, f, x: te.sum(
        a[n, f // L(2) * L(2) + c, x + r] * w[f, c, r], axis=[c, r]), "conv")
    return [a, w, o]
