"""Proofs that indices stay inside."""

import pytest

from unitylab.exec.bounds import Bounds
from unitylab.ir import prim
from unitylab.ir.dtypes import INT64
from unitylab.ir.prim import Var, literal

n, m, i, j = (Var(x, INT64) for x in "nmij")


def lit(x):
    return literal(x, "int64")


@pytest.fixture
def known():
    bounds = Bounds()
    bounds.size(n)
    bounds.size(m)
    return bounds


def test_loop_over_a_symbolic_size(known):
    with known.loop(i, lit(0), n):
        assert known.inside(i, n) == (True, True)
        assert known.inside(i + 1, n) == (True, False)
        assert known.inside(i - 1, n) == (False, True)
        assert known.inside(n - 1 - i, n) == (True, True)


def test_split_loop(known):
    with known.loop(i, lit(0), lit(4)), known.loop(j, lit(0), lit(8)):
        assert known.inside(i * 8 + j, lit(32)) == (True, True)
        assert known.inside(i * 8 + j, lit(31)) == (True, False)


def test_condition_helps(known):
    with known.loop(i, lit(0), prim.floordiv(n + 7, 8)), known.loop(j, lit(0), lit(8)):
        assert known.inside(i * 8 + j, n) == (True, False)
        with known.where(i * 8 + j < n):
            assert known.inside(i * 8 + j, n) == (True, True)
        assert known.inside(i * 8 + j, n) == (True, False), "forgotten outside"


def test_negated_condition(known):
    with known.loop(i, lit(0), n), known.where(i < 1, holds=False):
        assert known.inside(i - 1, n) == (True, True)


def test_fused_loop(known):
    with known.loop(i, lit(0), n * m), known.given(known.polynomial(m - 1)):
        assert known.inside(prim.floormod(i, m), m) == (True, True)
        assert known.inside(prim.floordiv(i, m), n) == (True, True)
    with known.loop(i, lit(0), lit(12)):
        assert known.inside(prim.floordiv(i, 4), lit(3)) == (True, True)
        assert known.inside(prim.floormod(i, 4), lit(4)) == (True, True)
        assert known.inside(prim.floordiv(i, 4), lit(2)) == (True, False)


def test_short_last_tile(known):
    extent = prim.minimum(lit(8), n - i * 8)
    with known.loop(i, lit(0), prim.floordiv(n + 7, 8)), known.loop(j, lit(0), extent):
        assert known.inside(i * 8 + j, n) == (True, True)


def test_vector_of_indices(known):
    ramp = prim.Ramp(i * 8, lit(1), 8)
    with known.loop(i, lit(0), lit(4)):
        assert known.inside(ramp, lit(32)) == (True, True)
        assert known.inside(ramp, lit(31)) == (True, False)


def test_what_a_condition_showed_is_not_believed_outside(known):
    half = prim.floordiv(i - 4, 2)
    with known.loop(i, lit(0), lit(10)):
        with known.where(i >= 4):
            assert known.inside(half, lit(3)) == (True, True)
        assert known.inside(half, lit(3))[0] is False


def test_numbers_near_the_edge_of_64_bits_prove_nothing(known):
    with known.loop(i, lit(0), lit(4)):
        assert known.inside(prim.floordiv(i * lit(2**62), lit(2**62)), lit(4)) != (True, True)
