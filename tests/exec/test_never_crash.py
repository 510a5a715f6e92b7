"""Hostile programs and hostile arguments are refused with a reason or right, never a crash."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from unitylab.exec.build import build
from unitylab.ir.errors import RuntimeCallError, UnityLabError
from unitylab.script import parse

SCRIPT = Path(__file__).with_name("hostile_programs.py")
PARTS = 2


@pytest.mark.parametrize("part", range(PARTS))
def test_hostile_programs(part):
    run = subprocess.run([sys.executable, str(SCRIPT), str(part), str(PARTS)], text=True,
                         capture_output=True, timeout=300, check=False)
    lines = {}
    for line in run.stdout.splitlines():
        record = json.loads(line)
        lines[record["name"]] = record["outcome"]
    assert run.returncode == 0, (run.returncode, list(lines)[-1:], run.stderr[-500:])
    assert len(lines) > 100
    bad = {n: o for n, o in lines.items() if not o.startswith(("refused", "right"))}
    assert not bad


GRAPH = """
@I.ir_module
class M:
    @T.prim_func
    def double(A: T.Buffer((4, 6), "float32"), B: T.Buffer((4, 6), "float32")):
        for i, j in T.grid(4, 6):
            B[i, j] = A[i, j] * T.float32(2)
    @R.function
    def main(x: R.Tensor((4, 6), "float32")):
        with R.dataflow():
            y = R.call_tir(M.double, (x,), out_sinfo=R.Tensor((4, 6), "float32"))
            R.output(y)
        return y
"""
GOOD = np.arange(24, dtype="float32").reshape(4, 6)


@pytest.fixture(scope="module")
def executable():
    return build(parse(GRAPH))


def unaligned() -> np.ndarray:
    raw = np.zeros(24 * 4 + 1, "uint8")[1:]
    view = raw.view("float32").reshape(4, 6)
    view[:] = GOOD
    return view


READABLE = {
    "column order": np.asfortranarray(GOOD), "reversed": GOOD[::-1, ::-1],
    "a slice": np.repeat(GOOD, 3, axis=1)[:, ::3], "broadcast": np.broadcast_to(GOOD[0], (4, 6)),
    "unaligned": unaligned(), "a subclass": GOOD.view(np.matrix)}


@pytest.mark.parametrize("name", READABLE)
def test_every_layout_can_be_read(executable, name):
    for _ in range(3):  # the second call takes the short way
        np.testing.assert_array_equal(executable["main"](READABLE[name]),
                                      np.asarray(READABLE[name]) * 2)


REFUSED = {
    "float64": GOOD.astype("f8"), "big-endian": GOOD.astype(">f4"), "int": GOOD.astype("int32"),
    "wrong shape": GOOD.T.copy(), "no elements": np.zeros((0, 6), "f4"), "0-d": np.float32(1),
    "a list": [1.0], "none": None, "text": "x", "objects": GOOD.astype(object),
    "a record": np.zeros((4, 6), [("a", "f4")])}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("function", ["main", "double"])
def test_what_does_not_fit_is_refused(executable, function, name):
    outputs = [np.empty((4, 6), "f4")] if function == "double" else []
    for _ in range(2):
        with pytest.raises(UnityLabError):
            executable[function](REFUSED[name], *outputs)


@pytest.mark.parametrize("output", [
    np.broadcast_to(np.float32(0), (4, 6)), np.zeros((6, 4), "f4").T, np.zeros((4, 12), "f4")[:, ::2],
    unaligned(), np.zeros((4, 6), ">f4"), [0.0]])
def test_outputs_that_cannot_be_written_are_refused(executable, output):
    executable["double"](GOOD, np.empty((4, 6), "f4"))
    with pytest.raises(RuntimeCallError):
        executable["double"](GOOD, output)


@pytest.mark.parametrize("shift", [-23, -1, 0, 1, 23])
def test_outputs_that_overlap_are_refused(executable, shift):
    memory = np.zeros(80, "f4")
    x = memory[28:52].reshape(4, 6)
    out = memory[28 + shift:52 + shift].reshape(4, 6)
    executable["double"](x, np.empty((4, 6), "f4"))
    with pytest.raises(RuntimeCallError, match="shares memory"):
        executable["double"](x, out)


def test_memory_right_behind_an_input_is_no_overlap(executable):
    memory = np.ones(48, "f4")
    x, out = memory[:24].reshape(4, 6), memory[24:].reshape(4, 6)
    for _ in range(2):
        executable["double"](x, out)
        np.testing.assert_array_equal(out, 2)


def test_tensors_that_need_a_gradient(executable):
    torch = pytest.importorskip("torch")
    x = torch.ones(4, 6, requires_grad=True)
    with pytest.raises(RuntimeCallError, match="gradient"):
        executable["main"](x)
    np.testing.assert_array_equal(executable["main"](x.detach()), 2)


def test_recursion_is_refused_when_built():
    with pytest.raises(UnityLabError, match="calls itself"):
        build(parse("""
@I.ir_module
class M:
    @T.prim_func
    def f(A: T.Buffer((4,), "float32")):
        M.g(A.data)
    @T.prim_func
    def g(A: T.Buffer((4,), "float32")):
        M.f(A.data)
"""))


def test_iterations_that_write_one_element_run_in_order():
    f = build(parse("""
@T.prim_func
def f(A: T.Buffer((999,), "float32"), B: T.Buffer((2,), "float32")):
    for i in T.parallel(999):
        B[0] = A[i]
        B[1] = B[1] + A[i]
"""), "native -threads=2")["f"]
    for _ in range(50):
        out = np.zeros(2, "f4")
        f(np.arange(999, dtype="f4"), out)
        assert out.tolist() == [998, 998 * 999 / 2]
