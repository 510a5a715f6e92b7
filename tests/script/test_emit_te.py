"""`R.emit_te` in script calls Python functions of the cell and adds their tensor programs."""

import numpy as np
import pytest

import unitylab as ul
from unitylab.ir import te
from unitylab.ir.errors import ParseError
from unitylab.script import ir as I
from unitylab.script import relax as R
from unitylab.script import tir as T


def scaled(a, factor):
    return te.compute(a.shape, lambda *i: a[i] * te.const(factor, "float32"), name="scaled")


def failing(a):
    raise ValueError("no such luck")


def test_equal_programs_are_shared_and_run():
    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor(("n", 4), "float32")):
            n = T.int64()
            with R.dataflow():
                y = R.emit_te(scaled, R.exp(x), 2.0)
                z: R.Tensor((n, 4), "float32") = R.emit_te(scaled, y, factor=2.0)
                w = R.emit_te(scaled, z, 3.0, primfunc_name_hint="thrice")
                R.output(w)
            return w

    ul.well_formed(Module)
    assert set(Module.prim_funcs) == {"scaled", "thrice"}
    ul.assert_structural_equal(Module, ul.parse(Module.script()))
    x = np.random.rand(2, 4).astype("float32")
    np.testing.assert_allclose(ul.build(Module)["main"](x), np.exp(x) * 12, rtol=1e-5)


def test_what_the_function_raises_is_shown_at_the_call():
    with pytest.raises(ParseError, match="(?s)failing failed: ValueError: no such luck.*R.emit_te"):
        @I.ir_module
        class Module:
            @R.function
            def main(x: R.Tensor((4,), "float32")):
                return R.emit_te(failing, x)


def test_a_single_function_has_no_module_to_add_to():
    with pytest.raises(ParseError, match="adds a tensor program to a module; here is none"):
        @R.function
        def main(x: R.Tensor((4,), "float32")):
            return R.emit_te(scaled, x, 2.0)


@pytest.mark.parametrize("call", ["R.emit_te(scaled, x)", "R.emit_te(len, x)", "R.emit_te()",
                                  "R.emit_te(lambda a: a, x)"])
def test_text_sees_no_python_functions(call):
    text = '@I.ir_module\nclass M:\n    @R.function\n    def main(x: R.Tensor((4,), "float32")):\n' \
           f"        y = {call}\n        return y\n"
    with pytest.raises(ParseError):
        ul.parse(text)
