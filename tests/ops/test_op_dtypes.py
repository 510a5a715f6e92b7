"""Every operator with every dtype: refused where its struct info is inferred, or interpreter and
machine code agree, in dtype too."""

import ml_dtypes
import numpy as np
import pytest

from tests.op_cases import CASES, Case
from tests.test_op_registry import graph, inputs_of
from unitylab.exec.build import build
from unitylab.interp import interpret
from unitylab.ir.errors import StructInfoError
from unitylab.ir.op import OPS

DTYPES = ["float16", "bfloat16", "int8", "bool"]
HALVES = ("float16", "bfloat16")


def with_dtype(case: Case, to: str, rng) -> Case:
    """The case with random values of a dtype where it has float32; integers are 1 to 4, no zeros to
    divide by."""
    kind = np.dtype(getattr(ml_dtypes, to) if to == "bfloat16" else to)

    def convert(a):
        if isinstance(a, list):
            return [convert(x) for x in a]
        if not isinstance(a, np.ndarray) or a.dtype != "float32":
            return a
        if kind.kind in "iu":
            return rng.integers(1, 5, a.shape).astype(kind)
        numbers = rng.random(a.shape)
        return (numbers < 0.5) if kind == bool else (numbers * 0.5 + 0.25).astype(kind)
    return Case(tuple(map(convert, case.args)), case.attrs, case.rtol)


def flat(value):
    return [x for v in value for x in flat(v)] if isinstance(value, tuple) else [value]


COMPUTED = [name for name in CASES if OPS[f"relax.{name}"].te is not None]


@pytest.mark.parametrize("name", COMPUTED)
def test_refused_or_right(name):
    rng = np.random.default_rng(0)
    for to in DTYPES:
        case = with_dtype(CASES[name][0], to, rng)
        try:
            mod = graph(name, case)
        except StructInfoError:
            continue
        arrays = inputs_of(case)
        want, got = interpret(mod)["main"](*arrays), build(mod)["main"](*arrays)
        for w, g in zip(flat(want), flat(got), strict=True):
            w, g = np.asarray(w), np.asarray(g)
            assert (w.dtype, w.shape) == (g.dtype, g.shape), to
            tolerance = 3e-2 if to in HALVES else 1e-5
            np.testing.assert_allclose(g.astype("float64"), w.astype("float64"), rtol=tolerance,
                                       atol=tolerance, err_msg=to)
