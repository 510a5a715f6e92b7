"""What programs of today's Apache TVM say that Unity-era programs did not."""

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir import prim, tir
from unitylab.ir.visitor import collect


def both_ways(text: str):
    """The function of a text; it comes back from both spellings."""
    func = ul.parse(text)
    for dialect in ("unity", "tvm"):
        ul.assert_structural_equal(ul.parse(func.script(dialect=dialect)), func)
    return func


def test_a_program_that_is_not_for_schedules_stays_so():
    func = both_ways("""
# from tvm.script import tirx as T
@T.prim_func
def f(A: T.Buffer((4,), "int32")):
    A[0] = 1
""")
    assert func.attrs["s_tir"] is False and "s_tir=True" not in func.script(dialect="tvm")


def test_a_program_for_schedules_says_so_in_todays_spelling():
    func = both_ways("""
@T.prim_func(s_tir=True)
def f(A: T.Buffer((4,), "int32")):
    A[0] = 1
""")
    assert "s_tir" not in func.attrs and "@T.prim_func(s_tir=True)" in func.script(dialect="tvm")


def test_a_scalar_may_change_and_runs():
    func = both_ways("""
@T.prim_func(s_tir=True)
def f(A: T.Buffer((4,), "int32"), B: T.Buffer((1,), "int32")):
    x: T.int32 = 5
    y: T.int32
    y = 2
    for i in range(4):
        x = x + A[i]
        y += x
    B[0] = y
""")
    assert "x: T.int32" in func.script(dialect="tvm")
    a, b = np.array([1, 2, 3, 4], "int32"), np.zeros(1, "int32")
    ul.build(func)["f"](a, b)
    assert b[0] == 2 + sum(5 + a[:k].sum() for k in range(1, 5))


def test_a_unity_era_scalar_is_a_name_for_a_value():
    func = both_ways("""
@T.prim_func
def f(A: T.Buffer((4,), "int32")):
    x: T.int32 = A[1] + 5
    A[0] = x
""")
    assert len(collect(func, tir.Bind)) == 1 and not collect(func, tir.AllocBuffer)


@pytest.mark.parametrize("line, key", [
    ('T.attr("dummy", "device_id", 0)', "device_id"), ('T.attr({"pragma": 3})', "pragma")])
def test_an_attribute_holds_for_the_rest_of_its_suite(line, key):
    func = both_ways(f"""
@T.prim_func(s_tir=True)
def f(A: T.Buffer((4,), "int32")):
    A[0] = 0
    {line}
    A[1] = 1
    A[2] = 2
""")
    attr, = collect(func, tir.AttrStmt)
    assert attr.key == key and len(collect(attr.body, tir.BufferStore)) == 2


def test_threads_are_launched_by_name():
    func = both_ways("""
@T.prim_func(s_tir=True)
def f(A: T.Buffer((8,), "int32")):
    tx = T.launch_thread("threadIdx.x", 4)
    with T.launch_thread("vthread", 2) as v:
        A[tx * 2 + v] = v
""")
    keys = [a.key for a in collect(func, tir.AttrStmt)]
    assert sorted(keys) == ["thread_extent", "virtual_thread"]
    assert 'with T.launch_thread("threadIdx.x", 4) as tx:' in func.script(dialect="tvm")


def test_the_offset_of_a_region_is_a_variable_where_a_factor_is_given():
    func = both_ways("""
@T.prim_func
def f(A: T.Buffer((16, 16), "float32")):
    for i in range(16):
        with T.block("b"):
            vi = T.axis.spatial(16, i)
            T.reads(A[vi, 0:16])
            T.writes(A[vi, 0:16])
            S = T.match_buffer(A[vi, 0:16], (16,), strides=("s",), offset_factor=1)
            T.evaluate(S.elem_offset)
""")
    match, = collect(func, tir.MatchBufferRegion)
    assert isinstance(match.buffer.elem_offset, prim.Var)
    assert match.buffer.strides[0].dtype == "int32"


def test_a_size_that_is_a_later_parameter_has_its_dtype():
    func = both_ways("""
@T.prim_func(s_tir=True)
def f(A: T.Buffer(("n",), "float32"), n: T.int32):
    A[n - 1] = T.float32(0)
""")
    assert func.params[0].shape[0] is func.params[1] and func.params[1].dtype == "int32"


def test_a_buffer_at_the_address_that_a_call_gives():
    func = both_ways("""
@T.prim_func(s_tir=True)
def f():
    p = T.decl_buffer((16,), data=T.TVMBackendAllocWorkspace(2, 0, T.uint64(64), 2, 32))
    if T.isnullptr(p.data):
        T.tvm_throw_last_error()
""")
    assert "data=T.TVMBackendAllocWorkspace(" in func.script(dialect="tvm")


def test_calls_for_their_effect_are_statements():
    mod = ul.parse("""
@I.ir_module
class Module:
    @T.prim_func
    def twice(A: T.Buffer((4,), "float32"), B: T.Buffer((4,), "float32")):
        for i in range(4):
            with T.block("b"):
                v = T.axis.spatial(4, i)
                B[v] = A[v] * T.float32(2)
    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32"), y: R.Tensor((4,), "float32")):
        cls = Module
        cls.twice(x, y)
        return y
""")
    for dialect in ("unity", "tvm"):
        text = mod.script(dialect=dialect)
        assert "\n        cls.twice(x, y)\n" in text
        ul.assert_structural_equal(ul.parse(text), mod)


def test_an_address_that_has_another_name_keeps_it():
    func = both_ways("""
@T.prim_func(s_tir=True)
def f(p: T.handle("float32", "global")):
    q: T.let[T.handle("float32", "global")] = p
    A = T.decl_buffer((1,), data=q)
    A[0] = T.float32(42)
""")
    assert len(collect(func, tir.Bind)) == 1


def test_a_value_of_a_program_that_is_not_for_schedules_comes_back_from_unity_era_text():
    both_ways("""
# from tvm.script import tirx as T
@T.prim_func(private=True)
def f(x: T.int32):
    y: T.let[T.int32] = x + 1
    T.evaluate(y)
""")
