"""Random modules print, parse back, are stored and read, and compute the same in both ways."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import unitylab as ul
from tests.random_modules import arguments, graph_modules, program_modules
from unitylab.ir.tir import PrimFunc

FEW = settings(max_examples=60, deadline=None, database=None, derandomize=True,
               suppress_health_check=list(HealthCheck))
RUNS = settings(FEW, max_examples=12)


def check_text(mod):
    """Both spellings and the stored form give the module back; the verifier is content."""
    ul.well_formed(mod)
    for dialect in ("unity", "tvm"):
        ul.assert_structural_equal(mod, ul.parse(mod.script(dialect=dialect)))
    ul.assert_structural_equal(mod, ul.IRModule.from_json(mod.to_json()))


def check_run(mod):
    """Machine code gives what the interpreter gives: within 1e-4 relative (floats of 32 bits)."""
    args = arguments(mod)
    built, read = [a.copy() for a in args], [a.copy() for a in args]
    ours, expected = ul.build(mod)["main"](*built), ul.interpret(mod)["main"](*read)
    if isinstance(mod["main"], PrimFunc):
        ours, expected = built, read
    assert_same(ours, expected)


def assert_same(ours, expected):
    if isinstance(expected, (tuple, list)):
        assert len(ours) == len(expected)
        for a, b in zip(ours, expected):
            assert_same(a, b)
        return
    assert np.asarray(ours).dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


@FEW
@given(program_modules())
def test_tensor_programs_round_trip(mod):
    check_text(mod)


@FEW
@given(graph_modules())
def test_graph_modules_round_trip(mod):
    check_text(mod)


@RUNS
@given(program_modules())
def test_tensor_programs_run(mod):
    check_run(mod)


@RUNS
@given(graph_modules())
def test_graph_modules_run(mod):
    check_run(mod)


def test_a_mismatch_is_found():
    """The check itself can fail."""
    mod = ul.parse('@T.prim_func\ndef main(A: T.Buffer((2,), "int32")):\n    A[0] = 1\n')
    other = ul.parse('@T.prim_func\ndef main(A: T.Buffer((2,), "int32")):\n    A[0] = 2\n')
    with pytest.raises(AssertionError):
        ul.assert_structural_equal(mod, other)
    with pytest.raises(AssertionError):
        assert_same(np.zeros(2), np.ones(2))
