"""tensorize: loops become an intrinsic that a user wrote as two tensor programs."""

import numpy as np
import pytest
from schedule_programs import PROGRAMS, assert_same_results, run

import unitylab as ul
from unitylab.ir.errors import ScheduleError
from unitylab.ir.structural import assert_structural_equal
from unitylab.schedule import Schedule, TensorIntrin
from unitylab.schedule.trace_text import read_trace
from unitylab.script import parse

DOT_DESC = """
@T.prim_func
def dot4_desc(A: T.Buffer((4,)), B: T.Buffer((4,)), C: T.Buffer((1,))):
    with T.block("root"):
        T.reads(C[0:1], A[0:4], B[0:4])
        T.writes(C[0:1])
        for k in range(4):
            with T.block("dot"):
                vk = T.axis.reduce(4, k)
                C[0] = C[0] + A[vk] * B[vk]
"""

# the same in two halves, as a machine with two accumulators would do it
DOT_IMPL = """
@T.prim_func
def dot4_impl(A: T.Buffer((4,)), B: T.Buffer((4,)), C: T.Buffer((1,))):
    with T.block("root"):
        T.reads(C[0:1], A[0:4], B[0:4])
        T.writes(C[0:1])
        C[0] = C[0] + (A[0] * B[0] + A[2] * B[2]) + (A[1] * B[1] + A[3] * B[3])
"""

ROWS_DOT = """
@T.prim_func
def main(X: T.Buffer((6, 8)), Y: T.Buffer((5, 8)), Z: T.Buffer((6, 5))):
    with T.block("root"):
        for i, j, k in T.grid(6, 5, 8):
            with T.block("Z"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    Z[vi, vj] = T.float32(0)
                Z[vi, vj] = Z[vi, vj] + X[vi, vk] * Y[vj, vk]
"""

INT8_DESC = """
@T.prim_func
def vnni_desc(A: T.Buffer((4,), "uint8"), B: T.Buffer((8, 4), "int8"), C: T.Buffer((8,), "int32")):
    with T.block("root"):
        T.reads(C[0:8], A[0:4], B[0:8, 0:4])
        T.writes(C[0:8])
        for i, k in T.grid(8, 4):
            with T.block("update"):
                vi, vk = T.axis.remap("SR", [i, k])
                C[vi] = C[vi] + T.cast(A[vk], "int32") * T.cast(B[vi, vk], "int32")
"""

INT8_IMPL = """
@T.prim_func
def vnni_impl(A: T.Buffer((4,), "uint8"), B: T.Buffer((8, 4), "int8"), C: T.Buffer((8,), "int32")):
    with T.block("root"):
        T.reads(C[0:8], A[0:4], B[0:8, 0:4])
        T.writes(C[0:8])
        for i in T.vectorized(8):
            with T.block("lanes"):
                vi = T.axis.spatial(8, i)
                C[vi] = (C[vi] + T.cast(A[0], "int32") * T.cast(B[vi, 0], "int32")
                         + T.cast(A[1], "int32") * T.cast(B[vi, 1], "int32")
                         + T.cast(A[2], "int32") * T.cast(B[vi, 2], "int32")
                         + T.cast(A[3], "int32") * T.cast(B[vi, 3], "int32"))
"""

INT8_MATMUL = """
@T.prim_func
def main(A: T.Buffer((12, 16), "uint8"), B: T.Buffer((24, 16), "int8"),
         C: T.Buffer((12, 24), "int32")):
    with T.block("root"):
        for i, j, k in T.grid(12, 24, 16):
            with T.block("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = 0
                C[vi, vj] = C[vi, vj] + T.cast(A[vi, vk], "int32") * T.cast(B[vj, vk], "int32")
"""


@pytest.fixture
def dot4():
    return TensorIntrin.register("dot4", parse(DOT_DESC), parse(DOT_IMPL), override=True)


def dot_loop(text=ROWS_DOT, block="Z", factor=4):
    """(schedule, update block, innermost loop of `factor`)."""
    sch = Schedule(parse(text))
    z = sch.get_block(block)
    *_, k = sch.get_loops(z)
    k0, k1 = sch.split(k, [None, factor])
    sch.decompose_reduction(z, k0)
    return sch, z, k1


def test_a_dot_product(dot4):
    sch, z, k1 = dot_loop()
    sch.tensorize(k1, dot4)
    assert_structural_equal(sch.mod["main"], parse("""
@T.prim_func
def main(X: T.Buffer((6, 8)), Y: T.Buffer((5, 8)), Z: T.Buffer((6, 5))):
    with T.block("root"):
        for i, j in T.grid(6, 5):
            with T.block("Z_init"):
                vi, vj = T.axis.remap("SS", [i, j])
                T.reads()
                T.writes(Z[vi, vj])
                Z[vi, vj] = T.float32(0)
            for k_0 in range(2):
                with T.block("Z_update_o"):
                    vi_o, vj_o, vk_o = T.axis.remap("SSR", [i, j, k_0])
                    T.reads(Z[vi_o, vj_o], X[vi_o, vk_o * 4:vk_o * 4 + 4],
                            Y[vj_o, vk_o * 4:vk_o * 4 + 4])
                    T.writes(Z[vi_o, vj_o])
                    A = T.match_buffer(X[vi_o, vk_o * 4:vk_o * 4 + 4], (4,))
                    B = T.match_buffer(Y[vj_o, vk_o * 4:vk_o * 4 + 4], (4,))
                    C = T.match_buffer(Z[vi_o, vj_o], (1,))
                    C[0] = C[0] + (A[0] * B[0] + A[2] * B[2]) + (A[1] * B[1] + A[3] * B[3])
"""))
    assert_same_results(parse(ROWS_DOT), sch.mod)
    x, y, z = run(parse(ROWS_DOT))
    out = np.zeros_like(z)
    ul.build(sch.mod)["main"](x, y, out)
    np.testing.assert_allclose(out, x @ y.T, rtol=1e-5, atol=1e-6)


def test_by_name_in_a_trace_and_back(dot4):
    sch, _, k1 = dot_loop()
    sch.tensorize(k1, "dot4")
    text = sch.trace.as_python()
    assert "tensor_intrin='dot4'" in text
    again = Schedule(parse(ROWS_DOT))
    read_trace(text).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


def test_given_directly_the_trace_has_a_name_of_it():
    intrin = TensorIntrin(parse(DOT_DESC), parse(DOT_IMPL.replace("A[2] * B[2]", "B[2] * A[2]")))
    sch, _, k1 = dot_loop()
    sch.tensorize(k1, intrin)
    again = Schedule(parse(ROWS_DOT))
    read_trace(sch.trace.as_python()).apply_to(again)
    assert_structural_equal(again.mod, sch.mod)


def test_a_block_that_was_blockized_before(dot4):
    sch, z, k1 = dot_loop()
    outer = sch.blockize(k1)
    sch.tensorize(outer, dot4)
    assert sch.get(outer).match_buffers
    assert_same_results(parse(ROWS_DOT), sch.mod)
    with pytest.raises(ScheduleError, match="tensorize consumed it"):
        sch.get(z)


def test_int8_dot_products_over_a_tile():
    intrin = TensorIntrin(parse(INT8_DESC), parse(INT8_IMPL))
    assert intrin.verified
    sch = Schedule(parse(INT8_MATMUL))
    c = sch.get_block("C")
    i, j, k = sch.get_loops(c)
    j0, j1 = sch.split(j, [None, 8])
    k0, k1 = sch.split(k, [None, 4])
    sch.reorder(i, j0, k0, j1, k1)
    sch.decompose_reduction(c, k0)
    sch.tensorize(j1, intrin)
    rng = np.random.default_rng(0)
    a = rng.integers(0, 255, (12, 16)).astype("uint8")
    b = rng.integers(-128, 127, (24, 16)).astype("int8")
    want = a.astype("int32") @ b.astype("int32").T
    for program in (ul.interpret(sch.mod), ul.build(sch.mod)):
        got = np.zeros((12, 24), "int32")
        program["main"](a, b, got)
        np.testing.assert_array_equal(got, want)


def test_int64_programs_take_the_same_intrinsic(dot4):
    text = ROWS_DOT.replace("6, 8", "T.int64(6), T.int64(8)").replace(
        "(5, 8)", "(T.int64(5), T.int64(8))").replace("(6, 5)", "(T.int64(6), T.int64(5))").replace(
        "(6, 5, 8)", "(T.int64(6), T.int64(5), T.int64(8))")
    sch, _, k1 = dot_loop(text)
    sch.tensorize(k1, "dot4")
    assert_same_results(parse(text), sch.mod)


@pytest.mark.parametrize(("change", "message"), [
    (("X[vi, vk] * Y[vj, vk]", "X[vi, vk] - Y[vj, vk]"),
     r"block Z_update_o is not what the intrinsic describes; they differ at .*: .* here, .* there"),
    (("X[vi, vk] * Y[vj, vk]", "X[vi, vk] * X[vi, vk]"), "reads 2 buffers, the intrinsic 3"),
    (("X[vi, vk] * Y[vj, vk]", "X[vi, vk] * Y[vj, 7 - vk]"), "they differ at"),
])
def test_the_first_difference_is_named(dot4, change, message):
    sch, _, k1 = dot_loop(ROWS_DOT.replace(*change))
    before = sch.mod
    with pytest.raises(ScheduleError, match=message):
        sch.tensorize(k1, dot4)
    assert sch.mod is before


def test_other_sizes_are_refused(dot4):
    sch, _, k1 = dot_loop(factor=2)
    with pytest.raises(ScheduleError, match=r"X of block Z_update_o and A of the intrinsic differ "
                                            r"in size: \(1, 2\) and \(4,\)"):
        sch.tensorize(k1, dot4)


def test_an_init_is_refused(dot4):
    sch = Schedule(parse(ROWS_DOT))
    *_, k = sch.get_loops(sch.get_block("Z"))
    _, k1 = sch.split(k, [None, 4])
    with pytest.raises(ScheduleError, match="has an init, unlike the intrinsic"):
        sch.tensorize(k1, dot4)


def test_other_scopes_and_dtypes_are_refused(dot4):
    sch, z, k1 = dot_loop()
    sch.cache_read(z, 1, "shared")
    with pytest.raises(ScheduleError, match="differ in storage scope: shared and global"):
        sch.tensorize(k1, dot4)
    sch, _, k1 = dot_loop(ROWS_DOT.replace("(6, 8)", '(6, 8), "float64"').replace(
        "X[vi, vk] *", "T.cast(X[vi, vk], 'float32') *"))
    with pytest.raises(ScheduleError, match="differ in dtype: float64 and float32"):
        sch.tensorize(k1, dot4)


def test_an_implementation_that_computes_something_else_is_refused():
    with pytest.raises(ScheduleError, match="desc and impl compute different values of C"):
        TensorIntrin(parse(DOT_DESC), parse(DOT_IMPL.replace("A[3] * B[3]", "A[3]")))


@pytest.mark.parametrize(("desc", "impl", "message"), [
    (PROGRAMS["chain"], DOT_IMPL, "desc has 2 parameters, impl 3"),
    (DOT_DESC, DOT_IMPL.replace("A: T.Buffer((4,))", "A: T.Buffer((5,))"), "parameter 0 of desc"),
    (DOT_DESC, DOT_IMPL.replace("T.writes(C[0:1])", "T.writes()"), "declare different writes"),
    (DOT_DESC, DOT_IMPL.replace(", B[0:4])", ")"), "does not declare how it uses B"),
])
def test_interfaces_must_agree(desc, impl, message):
    with pytest.raises(ScheduleError, match=message):
        TensorIntrin(parse(desc), parse(impl))


def test_unknown_names_and_taken_names(dot4):
    sch, _, k1 = dot_loop()
    with pytest.raises(ScheduleError, match="no tensor intrinsic is called 'dot_4'"):
        sch.tensorize(k1, "dot_4")
    other = parse(DOT_IMPL.replace("A[2] * B[2]", "B[2] * A[2]"))
    with pytest.raises(ScheduleError, match="another tensor intrinsic is called 'dot4'"):
        TensorIntrin.register("dot4", parse(DOT_DESC), other)
    assert TensorIntrin.register("dot4", parse(DOT_DESC), parse(DOT_IMPL)) is not None
