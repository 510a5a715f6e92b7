"""Struct info of operators: symbolic sizes, what is unknown, and what is refused."""

import pytest

from unitylab import ops  # noqa: F401 - fills the registry
from unitylab.arith.analyzer import Analyzer
from unitylab.ir.dtypes import INT64
from unitylab.ir.errors import StructInfoError
from unitylab.ir.infer import infer
from unitylab.ir.op import get_op
from unitylab.ir.prim import Var as Size
from unitylab.ir.prim import as_int, literal
from unitylab.ir.relax import PrimValue, Var
from unitylab.ir.struct_info import PrimStructInfo, tensor_info

n, m, k = (Size(name, INT64) for name in "nmk")


def tensor(*shape, dtype="float32"):
    return Var("x", tensor_info(shape, dtype))


def unknown(ndim=-1, dtype="float32"):
    return Var("x", tensor_info(None, dtype, ndim))


def info(name, *args, **attrs):
    return infer(get_op(name)(*args, **attrs))


def same_sizes(have, want) -> bool:
    want = [literal(w, "int64") if isinstance(w, int) else w for w in want]
    return len(have) == len(want) and all(
        as_int(a) == as_int(b) if as_int(a) is not None else Analyzer().can_prove_equal(a, b)
        for a, b in zip(have, want))


@pytest.mark.parametrize("name, args, attrs, want", [
    ("exp", [tensor(n, 4)], {}, (n, 4)),
    ("add", [tensor(n, 4), tensor(4)], {}, (n, 4)),
    ("add", [tensor(n, 1), tensor(1, m)], {}, (n, m)),
    ("add", [tensor(1, n, m), tensor(k, 1, n, 1)], {}, (k, 1, n, m)),
    ("matmul", [tensor(n, k), tensor(k, m)], {}, (n, m)),
    ("matmul", [tensor(n, 1, 3, k), tensor(m, k, 5)], {}, (n, m, 3, 5)),
    ("matmul", [tensor(n), tensor(n)], {}, ()),
    ("linear", [tensor(n, 64), tensor(128, 64), tensor(128)], {}, (n, 128)),
    ("nn.softmax", [tensor(n, m)], {}, (n, m)),
    ("nn.conv2d", [tensor(n, 3, 28, 28), tensor(m, 3, 3, 3)], {"padding": (1, 1)}, (n, m, 28, 28)),
    ("nn.conv2d", [tensor(1, 3, n, 28), tensor(8, 3, 3, 3)], {}, (1, 8, n - 2, 26)),
    ("nn.conv2d", [tensor(1, 3, 9, 9), tensor(8, 3, 3, 3)], {"strides": (2, 2)}, (1, 8, 4, 4)),
    ("nn.max_pool2d", [tensor(n, 3, 8, 8)], {"pool_size": (2, 2), "strides": (2, 2)}, (n, 3, 4, 4)),
    ("flatten", [tensor(n, m, 2)], {}, (n * m * 2,)),
    ("nn.batch_flatten", [tensor(n, 3, 4)], {}, (n, 12)),
    ("reshape", [tensor(n, 3, 4), (n, -1)], {}, (n, 12)),
    ("reshape", [tensor(n, 4), (n * 2, 2)], {}, (n * 2, 2)),
    ("reshape", [tensor(n, 6), (-1, 3)], {}, (n * 2, 3)),
    ("permute_dims", [tensor(n, m, 3)], {}, (3, m, n)),
    ("expand_dims", [tensor(n, m)], {"axis": (0, -1)}, (1, n, m, 1)),
    ("squeeze", [tensor(1, n, 1)], {"axis": (0, 2)}, (n,)),
    ("concat", [[tensor(n, 2), tensor(m, 2)]], {}, (n + m, 2)),
    ("split", [tensor(n, 6)], {"indices_or_sections": 3, "axis": 1}, None),
    ("sum", [tensor(n, m, 3)], {"axis": (0, 2)}, (m,)),
    ("mean", [tensor(n, m)], {"axis": -1, "keepdims": True}, (n, 1)),
    ("argmax", [tensor(n, m)], {"axis": 1}, (n,)),
    ("take", [tensor(100, 8), tensor(n, m, dtype="int32")], {"axis": 0}, (n, m, 8)),
    ("tile", [tensor(n, 3)], {"repeats": (2, 1)}, (n * 2, 3)),
    ("nn.layer_norm", [tensor(n, m, 8), tensor(8), tensor(8)], {"axes": (-1,)}, (n, m, 8)),
    ("nn.attention", [tensor(n, m, 8, 16), tensor(n, k, 8, 16), tensor(n, k, 8, 32)], {},
     (n, m, 8, 32)),
    ("zeros", [(n, 4)], {"dtype": "float32"}, (n, 4)),
    ("broadcast_to", [tensor(4), (n, 4)], {}, (n, 4)),
    ("collapse_sum_to", [tensor(n, 4), (4,)], {}, (4,)),
    ("nn.conv2d_transpose", [tensor(n, 4, 5, 5), tensor(4, 8, 3, 3)], {"strides": (2, 2)},
     (n, 8, 11, 11)),
])
def test_symbolic_sizes(name, args, attrs, want):
    found = info(name, *args, **attrs)
    if want is None:
        assert [same_sizes(f.dims, (n, 2)) for f in found.fields] == [True] * 3
    else:
        assert same_sizes(found.dims, want), found.script()


@pytest.mark.parametrize("name, args, attrs, ndim", [
    ("exp", [unknown(2)], {}, 2),
    ("exp", [unknown()], {}, -1),
    ("add", [unknown(2), tensor(3)], {}, 2),
    ("add", [tensor(n, 2), tensor(m, 2)], {}, 2),
    ("matmul", [unknown(2), tensor(3, 4)], {}, 2),
    ("nn.conv2d", [unknown(), tensor(4, 3, 3, 3)], {}, 4),
    ("permute_dims", [unknown(3)], {}, 3),
    ("sum", [unknown(3)], {"axis": 1}, 2),
    ("flatten", [unknown()], {}, 1),
    ("concat", [[unknown(2), tensor(2, 3)]], {}, 2),
    ("nn.softmax", [unknown(2)], {}, 2),
])
def test_the_unknown_propagates(name, args, attrs, ndim):
    found = info(name, *args, **attrs)
    assert found.dims is None and found.ndim == ndim and found.dtype == "float32"


def test_unknown_dtype_propagates():
    assert info("exp", Var("x", tensor_info((2,)))).dtype is None


def test_scalars_broadcast():
    scalar = Var("s", PrimStructInfo(literal(1.0).dtype))
    assert same_sizes(info("multiply", tensor(n, 4), scalar).dims, (n, 4))
    assert info("multiply", tensor(n, 4), PrimValue(literal(2.0))).dtype == "float32"


def test_comparisons_are_bool():
    assert info("less", tensor(2), tensor(2)).dtype == "bool"


def test_indices_are_int64():
    assert info("argmin", tensor(2, 3), axis=0).dtype == "int64"


@pytest.mark.parametrize("name, args, attrs, message", [
    ("matmul", [tensor(2, 3), tensor(4, 5)], {},
     r"matmul: the inner sizes differ: \(2, 3\) @ \(4, 5\): 3 against 4"),
    ("matmul", [tensor(2, 2, 3), tensor(3, 3, 4)], {}, r"\(2,\) and \(3,\)"),
    ("matmul", [tensor(), tensor(3)], {}, "at least one dimension"),
    ("add", [tensor(2, 3), tensor(2, 4)], {}, r"\(2, 3\) and \(2, 4\) do not broadcast"),
    ("add", [tensor(2), tensor(2, dtype="int32")], {}, "dtypes float32 and int32 differ"),
    ("exp", [tensor(2, dtype="int32")], {}, "floating point, not int32"),
    ("sum", [tensor(2, dtype="bool")], {}, "x must be numbers, not bool"),
    ("logical_and", [tensor(2), tensor(2)], {}, "x1 must be bool, not float32"),
    ("left_shift", [tensor(2), tensor(2)], {}, "x1 must be integers, not float32"),
    ("bitwise_and", [tensor(2), tensor(2)], {}, "x1 must be integers or bool, not float32"),
    ("linear", [tensor(2, 3), tensor(4, 5)], {}, "3 against 5"),
    ("nn.conv2d", [tensor(1, 3, 8, 8), tensor(4, 2, 3, 3)], {}, "has 3 channels, .* takes 2"),
    ("nn.conv2d", [tensor(3, 8, 8), tensor(4, 3, 3, 3)], {}, "data has 3 dimensions, 4 expected"),
    ("nn.max_pool2d", [tensor(3, 8, 8)], {"pool_size": (2, 2)}, "3 dimensions, 4"),
    ("reshape", [tensor(2, 3), (4, 2)], {}, r"\(2, 3\) has 6 elements, \(4, 2\) has 8"),
    ("reshape", [tensor(2, 3), (-1, 4)], {}, "6 elements, not a multiple of 4"),
    ("reshape", [tensor(2, 3), (-1, -1)], {}, "-1 may stand only once"),
    ("permute_dims", [tensor(2, 3)], {"axes": (0, 0)}, "no permutation"),
    ("permute_dims", [tensor(2, 3)], {"axes": (0, 2)}, "axis 2 of a tensor with 2 dimensions"),
    ("sum", [tensor(2, 3)], {"axis": 2}, "axis 2 of a tensor with 2 dimensions"),
    ("nn.softmax", [tensor(2, 3)], {"axis": 5}, "axis 5"),
    ("squeeze", [tensor(2, 3)], {"axis": 0}, "size 2, not 1"),
    ("concat", [[tensor(2, 3), tensor(2, 4)]], {}, "differ outside of axis 0"),
    ("concat", [[tensor(2), tensor(2, dtype="int32")]], {}, "dtypes"),
    ("broadcast_to", [tensor(3), (2, 4)], {}, "do not broadcast"),
    ("take", [tensor(3), tensor(2)], {"axis": 0}, "indices must be integers, not float32"),
    ("nn.layer_norm", [tensor(2, 8), tensor(4), tensor(8)], {"axes": (-1,)}, r"\(4,\)"),
    ("nn.group_norm", [tensor(2, 5, 3), tensor(5), tensor(5)],
     {"num_groups": 2, "channel_axis": 1, "axes": (2,)}, "5 channels .* 2 groups"),
    ("nn.prelu", [tensor(2, 7), tensor(3)], {}, r"alpha has \(3,\)"),
    ("nn.nll_loss", [tensor(4, 3), tensor(5, dtype="int64")], {}, "4 against 5"),
    ("nn.conv2d_transpose", [tensor(1, 3, 4, 4), tensor(4, 2, 3, 3)], {}, "takes 4"),
    ("collapse_sum_to", [tensor(2, 3), (2, 2)], {}, "does not broadcast"),
    ("exp", [tensor(2), tensor(2)], {}, "takes 1 arguments, 2 given"),
    ("exp", [], {}, "argument 'x' is missing"),
    ("sum", [tensor(2)], {"axes": 1}, "'axes' is unknown"),
])
def test_what_does_not_fit_is_refused(name, args, attrs, message):
    with pytest.raises(StructInfoError, match=message):
        info(name, *args, **attrs)


def test_unknown_operator_names_near_ones():
    with pytest.raises(StructInfoError, match="matmul"):
        get_op("matmull")
