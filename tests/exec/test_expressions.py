"""Arithmetic, conversions and intrinsics in machine code, against NumPy."""

import ml_dtypes
import numpy as np
import pytest

from unitylab.exec.build import build
from unitylab.ir.errors import BuildError
from unitylab.script import parse


def evaluate(expression: str, *inputs: np.ndarray, to: str | None = None, kind: str = "range"):
    """`expression` of A[i], B[i], ... for each element, in a loop of some kind."""
    names = "ABC"[:len(inputs)]
    to = to or str(inputs[0].dtype)
    n = len(inputs[0])
    params = ", ".join(f'{v}: T.Buffer(({n},), "{x.dtype}")' for v, x in zip(names, inputs))
    ex = build(parse(f'@T.prim_func\ndef f({params}, O: T.Buffer(({n},), "{to}")):\n'
                     f"    for i in {kind}({n}):\n        O[i] = {expression}\n"),
               "native -threads=1")
    out = np.empty(n, np.dtype(to) if to != "bfloat16" else ml_dtypes.bfloat16)
    ex["f"](*inputs, out)
    return out


KINDS = ["range", "T.vectorized"]
INTS = ["int8", "int16", "int32", "int64", "uint8", "uint32"]
RNG = np.random.default_rng(7)


def values(dtype: str, n: int = 24) -> np.ndarray:
    if np.dtype(dtype).kind == "f":
        return RNG.standard_normal(n).astype(dtype)
    info = np.iinfo(dtype)
    return RNG.integers(max(info.min, -100), 100, n).astype(dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [*INTS, "float16", "float32", "float64"])
def test_add_multiply(dtype, kind):
    a, b = values(dtype), values(dtype)
    tolerance = 1e-3 if dtype == "float16" else 1e-6
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(evaluate("A[i] * B[i] + A[i]", a, b, kind=kind), a * b + a,
                                   rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", INTS)
def test_division_of_integers(dtype, kind):
    a, b = values(dtype), values(dtype)
    b[b == 0] = 3
    np.testing.assert_array_equal(evaluate("A[i] // B[i]", a, b, kind=kind), a // b)
    np.testing.assert_array_equal(evaluate("A[i] % B[i]", a, b, kind=kind), a % b)
    np.testing.assert_array_equal(evaluate("T.truncdiv(A[i], B[i])", a, b, kind=kind),
                                  np.trunc(a.astype("f8") / b).astype(dtype))


@pytest.mark.parametrize("divisor", [1, 4, 5, -3, -4])
def test_division_by_a_literal_rounds_down(divisor):
    a = np.arange(-12, 12, dtype="int32")
    np.testing.assert_array_equal(evaluate(f"A[i] // {divisor}", a), a // divisor)
    np.testing.assert_array_equal(evaluate(f"A[i] % {divisor}", a), a % divisor)


def test_most_negative_over_minus_one_does_not_trap():
    a = np.array([-2**31, 5], "int32")
    b = np.array([-1, -1], "int32")
    assert evaluate("A[i] // B[i]", a, b)[1] == -5
    assert evaluate("A[i] % B[i]", a, b).tolist() == [0, 0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("symbol", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
def test_comparison(symbol, dtype, kind):
    a, b = values(dtype), values(dtype)
    b[::3] = a[::3]
    want = eval(f"a {symbol} b")
    np.testing.assert_array_equal(evaluate(f"A[i] {symbol} B[i]", a, b, to="bool", kind=kind), want)


def test_comparison_with_nan():
    a = np.array([np.nan, 1], "float32")
    assert evaluate("A[i] != A[i]", a, to="bool").tolist() == [True, False]
    assert evaluate("A[i] < T.float32(2)", a, to="bool").tolist() == [False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_min_max_select(kind):
    a, b = values("float32"), values("float32")
    np.testing.assert_array_equal(evaluate("T.max(A[i], B[i])", a, b, kind=kind), np.maximum(a, b))
    np.testing.assert_array_equal(evaluate("T.min(A[i], B[i])", a, b, kind=kind), np.minimum(a, b))
    np.testing.assert_array_equal(
        evaluate("T.Select(A[i] < B[i], A[i], T.float32(0))", a, b, kind=kind),
        np.where(a < b, a, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_if_then_else_does_not_load_what_it_does_not_need(kind):
    a = np.arange(8, dtype="float32")
    got = evaluate("T.if_then_else(1 <= i, A[i - 1], T.float32(-1))", a, kind=kind)
    np.testing.assert_array_equal(got, [-1, *a[:-1]])


def test_logic_of_bools():
    a, b = np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool)
    np.testing.assert_array_equal(evaluate("A[i] and B[i]", a, b), a & b)
    np.testing.assert_array_equal(evaluate("A[i] or not B[i]", a, b), a | ~b)


CASTS = [("float32", "int8"), ("float32", "int32"), ("int8", "float32"), ("uint8", "float64"),
         ("int32", "int8"), ("int8", "uint8"), ("float64", "float16"), ("bool", "float32"),
         ("float32", "bool"), ("int64", "int32"), ("float32", "bfloat16"), ("uint8", "int64")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source, to", CASTS)
def test_cast(source, to, kind):
    a = RNG.integers(0, 2, 24).astype(bool) if source == "bool" else values(source)
    a = a * 10 if a.dtype.kind == "f" else a
    want = a.astype(ml_dtypes.bfloat16 if to == "bfloat16" else to)
    got = evaluate(f'T.Cast("{to}", A[i])', a, to=to, kind=kind)
    np.testing.assert_array_equal(got.astype("float64"), want.astype("float64"))


def test_bfloat16_arithmetic_rounds_each_result():
    a = values("float32").astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(evaluate("A[i] * A[i] + A[i]", a).astype("f"),
                                  (a * a + a).astype("f"))


UNARY = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "sin": np.sin,
         "cos": np.cos, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.rint,
         "exp2": np.exp2, "log2": np.log2, "log1p": np.log1p, "fabs": np.abs, "sigmoid":
         lambda x: 1 / (1 + np.exp(-x)), "rsqrt": lambda x: 1 / np.sqrt(x), "atan": np.arctan,
         "sinh": np.sinh, "cosh": np.cosh, "tan": np.tan, "asinh": np.arcsinh}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("name", UNARY)
def test_unary_intrinsic(name, dtype, kind):
    a = np.abs(values(dtype)) + np.dtype(dtype).type(0.1)
    tolerance = {"float16": 4e-3, "float32": 1e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(evaluate(f"T.{name}(A[i])", a, kind=kind),
                               UNARY[name](a.astype("f8")), rtol=tolerance, atol=tolerance)


def test_erf_and_pow():
    import math
    a = np.abs(values("float32"))
    np.testing.assert_allclose(evaluate("T.erf(A[i])", a), [math.erf(x) for x in a], rtol=1e-5)
    np.testing.assert_allclose(evaluate("T.pow(A[i], T.float32(2.5))", a), a ** 2.5, rtol=1e-5)


def test_bits():
    a = np.array([1, 6, 255, 1 << 20], "int32")
    np.testing.assert_array_equal(evaluate("T.bitwise_and(A[i], 6)", a), a & 6)
    np.testing.assert_array_equal(evaluate("T.shift_left(A[i], 3)", a), a << 3)
    np.testing.assert_array_equal(evaluate("T.popcount(A[i])", a), [1, 2, 8, 1])


def test_unknown_c_function_is_refused():
    with pytest.raises(BuildError, match="C function 'rm_rf' is unknown"):
        evaluate('T.call_extern("float32", "rm_rf", A[i])', values("float32"))


def test_float8_is_refused_with_a_way_out():
    with pytest.raises(BuildError, match="float8_e4m3fn has no code generation"):
        build(parse('@T.prim_func\ndef f(A: T.Buffer((4,), "float8_e4m3fn")):\n'
                    "    A[0] = A[1]\n"))
