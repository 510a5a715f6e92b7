"""Every scalar dtype of NumPy and ml_dtypes: script, interpreter, JIT or one clear refusal."""

import ml_dtypes
import numpy as np
import pytest

import unitylab as ul
from unitylab.ir.dtypes import dtype
from unitylab.ir.errors import BuildError

NUMPY = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
         "float32", "float64"]
CUSTOM = [n for n in dir(ml_dtypes) if n.startswith(("float", "bfloat", "int", "uint"))]
COMPILED = [*NUMPY, "bfloat16"]


def program(name):
    return ul.parse(f'''
@T.prim_func
def f(A: T.Buffer((4,), "{name}"), B: T.Buffer((4,), "{name}")):
    for i in range(4):
        with T.block("b"):
            v = T.axis.spatial(4, i)
            B[v] = A[v] + T.{name}(1)
''')


@pytest.mark.parametrize("name", [*NUMPY, *CUSTOM])
def test_script_and_interpreter_know_it(name):
    func, kind = program(name), dtype(name).numpy
    for dialect in ("unity", "tvm"):
        ul.assert_structural_equal(ul.parse(func.script(dialect=dialect)), func)
    out = np.zeros(4, kind)
    ul.interpret(func)["f"](np.zeros(4, kind), out)
    np.testing.assert_array_equal(out, np.zeros(4, kind) + np.array(1).astype(kind))


@pytest.mark.parametrize("name", sorted({*NUMPY, *CUSTOM} - set(COMPILED)))
def test_what_has_no_machine_code_says_so(name):
    with pytest.raises(BuildError, match=f"{name} has no code generation"):
        ul.build(program(name))


@pytest.mark.parametrize("name", COMPILED)
def test_machine_code_equals_the_interpreter(name):
    kind = dtype(name).numpy
    a, want, got = (np.arange(4).astype(kind) for _ in range(3))
    ul.interpret(program(name))["f"](a, want)
    ul.build(program(name))["f"](a, got)
    np.testing.assert_array_equal(got, want)
