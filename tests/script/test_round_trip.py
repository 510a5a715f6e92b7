"""Programs print and parse back to equal ones, in both dialects."""

import json
import os
from pathlib import Path

import pytest

import unitylab as ul

CORPUS = os.environ.get("UNITYLAB_CORPUS")
FREE = '''
@T.prim_func(private=True)
def main(A: T.Buffer((1,), "bool")):
    i = T.int32()
    for k in range(4):
        if i != k:
            A[0] = i <= k
'''
OLD = '''
@I.ir_module
class Mod:
    @T.prim_func
    def mm(a: T.handle, b: T.handle, c: T.handle) -> None:
        n = T.var("int64")
        A = T.match_buffer(a, (n, 128), "float32")
        B = T.match_buffer(b, (128, 64), "float32")
        C = T.match_buffer(c, (n, 64), "float32")
        for i, j, k in T.grid(n, 64, 128):
            with T.block("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]

    @R.function
    def main(x: R.Tensor(("n", 128), "float32"), w: R.Tensor((128, 64), "float32")):
        n = T.int64()
        with R.dataflow():
            lv = R.call_tir(cls.mm, (x, w), out_sinfo=R.Tensor((n, 64), "float32"))
            gv = R.call_pure_packed("lib.relu", lv, sinfo_args=R.Tensor((n, 64), "float32"))
            R.output(gv)
        return gv
'''


def back(mod, dialect):
    again = ul.parse(mod.script(dialect=dialect))
    return ul.structural_equal(mod, again, map_free_vars=True)


@pytest.mark.parametrize("dialect", ["unity", "tvm"])
@pytest.mark.parametrize("text", [FREE, OLD.replace('T.var("int64")', "T.int64()")])
def test_round_trip(text, dialect):
    assert back(ul.parse(text), dialect)


def test_what_is_defined_nowhere_is_declared_at_the_top():
    lines = ul.parse(FREE).script().splitlines()
    assert lines[2].strip() == "i = T.int32()"


def test_each_dialect_spells_struct_info_of_calls_its_own_way():
    mod = ul.parse(OLD.replace('T.var("int64")', "T.int64()"))
    assert "sinfo_args=" in mod.script() and "ty_args=" in mod.script(dialect="tvm")


@pytest.mark.skipif(CORPUS is None, reason="UNITYLAB_CORPUS does not name the corpus file")
def test_the_corpus_round_trips():
    counts = {True: [0, 0], False: [0, 0]}
    for line in Path(CORPUS).read_text().splitlines():
        row = json.loads(line)
        for name in {"script", "before", "after"} & set(row):
            count = counts[name in row["reparses"]]
            count[1] += 1
            try:
                mod = ul.parse(row[name])
                count[0] += back(mod, "unity") and back(mod, "tvm")
            except ul.ir.errors.UnityLabError:
                pass
    assert counts[True][0] >= 0.99 * counts[True][1]
    assert counts[False][0] >= 0.9 * counts[False][1]
