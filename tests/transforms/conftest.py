"""What tests of passes share: running before and after, and the contract of every pass."""

import numpy as np
import pytest

from unitylab import ops  # noqa: F401 - registers the operators
from unitylab.interp import interpret
from unitylab.ir.structural import structural_equal


def _flat(value):
    return [x for v in value for x in _flat(v)] if isinstance(value, tuple) else [value]


@pytest.fixture
def same_results():
    """Runs both modules in the interpreter on the same arrays."""
    def check(before, after, *shapes, func="main", dtype="float32"):
        rng = np.random.default_rng(0)
        args = [rng.standard_normal(s).astype(dtype) for s in shapes]
        expected, found = (_flat(interpret(m)[func](*args)) for m in (before, after))
        assert len(expected) == len(found)
        for e, f in zip(expected, found):
            np.testing.assert_allclose(f, e, rtol=1e-5, atol=1e-6)
    return check


@pytest.fixture
def obeys_contract():
    """A pass lists its places, leaves a module alone where nothing is left to do, and applies one
    place alone when asked."""
    def check(pass_, before, places=None):
        after = pass_(before)
        assert pass_(after) is after, "a second run must give the same object"
        assert pass_.applicable(after) == []
        found = pass_.applicable(before)
        assert found
        if places is not None:
            assert len(found) == places
        one = pass_(before, only=found[0])
        assert one is not before
        if len(found) > 1:
            assert not structural_equal(one, after)
            assert len(pass_.applicable(one)) < len(found)
        return after
    return check
