"""The programs that the browser tests look at, as the cells that a person would write, and what is
in them: names to select, code to expect."""

from dataclasses import dataclass
from pathlib import Path

from tests import rfc

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Program:
    """`cell` makes `mod`; `options` go to the session. `node` is selected in the tests: `op` is
    its name before LegalizeOps and `legal` a pass that fires at it at step 0 ("" for none)."""

    name: str
    cell: str
    options: str
    node: str
    op: str
    legal: str
    size: str = ""


RFC = Program("rfc", f'''
ul.register_func("tests.halve", lambda x: x / 2, override=True)
{rfc.RFC}
mod = Module
''', 'sizes={"n": 16, "d": 24, "m": 32}', "mm", "exp", "LegalizeOps", "n")

CNN = Program("cnn", '''
random = np.random.default_rng(0)
def weights(*shape):
    return (0.2 * random.standard_normal(shape)).astype("float32")

bb, n = ul.BlockBuilder(), T.Var("n", "int64")
x = R.Var("x", R.Tensor((n, 1, 8, 8), "float32"))
with bb.function("main", [x]):
    with bb.dataflow():
        h = bb.emit(R.nn.relu(R.add(R.nn.conv2d(x, weights(8, 1, 3, 3), padding=1),
                                    weights(8, 1, 1))))
        h = bb.emit(R.nn.max_pool2d(h, pool_size=2, strides=2))
        h = bb.emit(R.nn.relu(R.add(R.nn.conv2d(h, weights(16, 8, 3, 3), padding=1),
                                    weights(16, 1, 1))))
        h = bb.emit(R.nn.max_pool2d(h, pool_size=2, strides=2))
        h = bb.emit(R.add(R.matmul(R.reshape(h, (n, 64)), weights(64, 10)), weights(10)))
        out = bb.emit_output(R.nn.softmax(h))
    bb.emit_func_output(out)
mod = bb.get()
''', 'sizes={"n": 4}', "softmax", "nn.softmax", "LegalizeOps", "n")

ENCODER = Program("encoder", '''
from unitylab.models.encoder import encoder
mod = encoder(layers=12, width=32, heads=2, hidden=64)
''', 'sizes={"n": 4}', "fused_matmul_add", "nn.layer_norm", "LegalizeOps", "n")

MATMUL = Program("matmul", '''
@I.ir_module
class Kernel:
    @T.prim_func
    def matmul(A: T.Buffer((64, 64), "float32"), B: T.Buffer((64, 64), "float32"),
               C: T.Buffer((64, 64), "float32")):
        for i, j, k in T.grid(64, 64, 64):
            with T.block("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
mod = Kernel
''', "", "matmul", "matmul", "")

PROGRAMS = {p.name: p for p in (RFC, CNN, ENCODER, MATMUL)}

SETUP = f'''
import sys
sys.path.insert(0, {str(ROOT)!r})
import numpy as np
import unitylab as ul
from unitylab.script import ir as I, relax as R, tir as T
'''


def session_cell(program, extra=""):
    """The session, on its way through the default pipeline."""
    options = ", ".join(filter(None, (program.options, extra)))
    return f'''
session = ul.Session(mod, name="{program.name}", {options})
if len(session.steps) == 1:
    session.run()
'''


SHOW = "bench = ul.lab(session)\nbench"


def notebook(cells):
    """A notebook of code cells, as nbformat has it."""
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {
        "name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [{"cell_type": "code", "id": f"cell{k}", "metadata": {}, "source": c.strip(),
                   "execution_count": None, "outputs": []} for k, c in enumerate(cells)]}
