"""Bounds with the constant by itself."""

import pytest

from unitylab.arith.analyzer import Analyzer
from unitylab.arith.bound_form import bound_form
from unitylab.ir.prim import Var, literal
from unitylab.ir.tir import Range
from unitylab.ir.visitor import substitute

i, j = Var("i"), Var("j")


@pytest.mark.parametrize("term, expected", [
    (i - 2 >= 0, "2 <= i"), (i - 2 < 9, "i < 11"), (i + j - 3 <= 4, "i + j < 8"),
    (i // 4 - 1 >= 0, "4 <= i"), (i // 4 < 3, "i < 12"), (i * 3 + j < 18, "i < 6"),
    (i * 3 + j < 17, "i * 3 + j < 17"), (literal(5) > i, "i < 5"), (i < j, "i < j")])
def test_bound_form(term, expected):
    analyzer = Analyzer()
    analyzer.bind(j, Range(literal(0), literal(3)))
    found = bound_form(term, analyzer)
    assert found.script() == expected
    for a in range(-2, 20):
        for b in range(3):
            at = {i: literal(a), j: literal(b)}
            values = [Analyzer().simplify(substitute(e, at)).value for e in (term, found)]
            assert values[0] == values[1], (a, b)
