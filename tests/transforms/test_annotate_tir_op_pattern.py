import pytest

from unitylab import ops  # noqa: F401
from unitylab.ir.block_builder import lower_te
from unitylab.ir.op import get_op
from unitylab.ir.relax import Var
from unitylab.ir.struct_info import tensor_info
from unitylab.script import parse
from unitylab.transforms import AnnotateTIROpPattern
from unitylab.transforms.tir.op_pattern import OpPattern, op_pattern


def program(op, *shapes, **attrs):
    args = [Var(f"x{i}", tensor_info(s, "float32")) for i, s in enumerate(shapes)]
    op = get_op(op)
    call = op(*args, **attrs)
    return lower_te(op.te, call.args,
                    {p.name: op.attr(call, p.name) for p in op.params if p.kind == "attr"}).func


@pytest.mark.parametrize("op, shapes, attrs, pattern", [
    ("exp", [(4, 8)], {}, OpPattern.ELEMWISE),
    ("add", [(4, 8), (8,)], {}, OpPattern.ELEMWISE),
    ("add", [(4, 1), (1, 8)], {}, OpPattern.BROADCAST),
    ("permute_dims", [(4, 8)], {"axes": (1, 0)}, OpPattern.INJECTIVE),
    ("sum", [(4, 8)], {"axis": 1}, OpPattern.COMM_REDUCE),
    ("matmul", [(4, 8), (8, 2)], {}, OpPattern.OUT_EWISE_FUSABLE),
    ("nn.softmax", [(4, 8)], {}, OpPattern.OUT_EWISE_FUSABLE),
    ("nn.conv2d", [(1, 3, 8, 8), (4, 3, 3, 3)], {"padding": 1}, OpPattern.OUT_EWISE_FUSABLE),
    ("nn.max_pool2d", [(1, 3, 8, 8)], {"pool_size": 2, "strides": 2}, OpPattern.OUT_EWISE_FUSABLE),
])
def test_pattern_of_operators(op, shapes, attrs, pattern):
    assert op_pattern(program(op, *shapes, **attrs)) is pattern


def test_a_plain_loop_program_is_opaque():
    func = parse("""
@T.prim_func
def f(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32")):
    for i in range(8):
        B[i] = A[i]
""")
    assert op_pattern(func) is OpPattern.OPAQUE


def test_two_stores_in_a_block_are_opaque():
    func = parse("""
@T.prim_func
def f(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.block("b"):
            v = T.axis.spatial(8, i)
            B[v] = A[v]
            C[v] = A[v]
""")
    assert op_pattern(func) is OpPattern.OPAQUE


def test_a_load_with_a_variable_the_store_has_not_is_opaque():
    func = parse("""
@T.prim_func
def f(A: T.Buffer((8, 8), "float32"), B: T.Buffer((8,), "float32")):
    for i, j in T.grid(8, 8):
        with T.block("b"):
            v, w = T.axis.remap("SS", [i, j])
            B[v] = A[v, w]
""")
    assert op_pattern(func) is OpPattern.OPAQUE


def test_a_given_pattern_is_kept(obeys_contract):
    before = parse("""
@I.ir_module
class Module:
    @T.prim_func
    def f(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32")):
        T.func_attr({"op_pattern": 8})
        for i in range(8):
            with T.block("b"):
                v = T.axis.spatial(8, i)
                B[v] = A[v]
    @T.prim_func
    def g(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32")):
        for i in range(8):
            with T.block("b"):
                v = T.axis.spatial(8, i)
                B[v] = A[v]
""")
    after = obeys_contract(AnnotateTIROpPattern(), before, places=1)
    assert after["f"] is before["f"]
    assert after["g"].attrs["op_pattern"] == 0
