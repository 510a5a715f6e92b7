"""What a compiled tensor program accepts."""

import numpy as np
import pytest

from unitylab.exec.build import build
from unitylab.ir.errors import RuntimeCallError
from unitylab.script import parse

SCALE = """
@T.prim_func
def scale(a: T.handle, s: T.float32, b: T.handle):
    n, m = T.int64(), T.int64()
    A = T.match_buffer(a, (n, m), "float32")
    B = T.match_buffer(b, (n, m), "float32")
    for i, j in T.grid(n, m):
        B[i, j] = A[i, j] * s
"""


@pytest.fixture(scope="module")
def scale():
    return build(parse(SCALE))["scale"]


X = np.arange(6, dtype="float32").reshape(2, 3)


def test_scalars_and_outputs(scale):
    out = np.empty((2, 3), "float32")
    scale(X, 2.5, out)
    np.testing.assert_array_equal(out, X * 2.5)
    scale(X, np.float32(3), out)
    np.testing.assert_array_equal(out, X * 3)


def test_arguments_have_no_names(scale):
    out = np.empty((2, 3), "float32")
    for _ in range(3):  # also once the call is known
        scale(X, 2.5, out)
        with pytest.raises(RuntimeCallError, match="scale takes no argument by name .out."):
            scale(X, 2.5, out=out)


def test_input_of_any_layout(scale):
    out = np.empty((3, 2), "float32")
    scale(X.T, 1.0, out)
    np.testing.assert_array_equal(out, X.T)


def test_size_conflict_names_both_arguments(scale):
    with pytest.raises(RuntimeCallError, match=r"scale: argument 2 \(B\): dimension 1 \(m\) is 4, "
                                               r"but m is 3 from argument 0 \(A\)"):
        scale(X, 1.0, np.empty((2, 4), "float32"))


def test_read_only_output(scale):
    out = np.empty((2, 3), "float32")
    out.flags.writeable = False
    with pytest.raises(RuntimeCallError, match=r"argument 2 \(B\) is written to.*read-only"):
        scale(X, 1.0, out)


def test_read_only_input_is_fine(scale):
    x, out = X.copy(), np.empty((2, 3), "float32")
    x.flags.writeable = False
    scale(x, 1.0, out)
    np.testing.assert_array_equal(out, X)


def test_output_that_is_not_contiguous(scale):
    with pytest.raises(RuntimeCallError, match=r"argument 2 \(B\) has strides .*contiguous"):
        scale(X, 1.0, np.empty((3, 2), "float32").T)


def test_output_that_overlaps_an_input(scale):
    x = X.copy()
    with pytest.raises(RuntimeCallError, match="output 'B' shares memory with argument 'A'"):
        scale(x, 1.0, x)


def test_wrong_scalar(scale):
    with pytest.raises(RuntimeCallError, match=r"argument 1 \(s\) must be a scalar of dtype f"):
        scale(X, "two", np.empty((2, 3), "float32"))


class Foreign:
    """A tensor of a library that knows DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **kw):
        return self.array.__dlpack__(**kw)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_dlpack_without_a_copy(scale):
    out = np.zeros((2, 3), "float32")
    scale(Foreign(X), 2.0, Foreign(out))
    np.testing.assert_array_equal(out, X * 2)


def test_strided_buffers_take_arrays_as_they_lie():
    f = build(parse("""
@T.prim_func
def copy(a: T.handle, b: T.handle):
    n, s = T.int64(), T.int64()
    A = T.match_buffer(a, (n,), "float32", strides=(s,))
    B = T.match_buffer(b, (n,), "float32")
    for i in range(n):
        B[i] = A[i]
"""))["copy"]
    x, out = np.arange(12, dtype="float32"), np.empty(4, "float32")
    f(x[::3], out)
    np.testing.assert_array_equal(out, x[::3])
    f(x[::-3], out)
    np.testing.assert_array_equal(out, x[::-3])


def test_empty_arrays(scale):
    scale(np.empty((0, 3), "float32"), 1.0, np.empty((0, 3), "float32"))
