"""The rules follow the target: vectors, registers and tiles of every processor, in the program and
in the machine code made for it."""

import re

import numpy as np
import pytest

import unitylab as ul
from unitylab.exec.llvm.functions import emit_unit
from unitylab.exec.llvm.jit import listing
from unitylab.ir import te
from unitylab.ir.module import as_module
from unitylab.ir.tir import For
from unitylab.ir.visitor import collect
from unitylab.pipelines.lower import lower
from unitylab.schedule import DefaultSchedule, TargetInfo, default_schedule
from unitylab.target import cpu_of

CPUS = [("x86_64-linux-gnu", "x86-64-v2", 4, "xmm"), ("x86_64-linux-gnu", "x86-64-v3", 8, "ymm"),
        ("x86_64-linux-gnu", "x86-64-v4", 16, "zmm"), ("aarch64-linux-gnu", "generic", 4, "v"),
        ("aarch64-linux-gnu", "neoverse-n1", 4, "v")]


def matmul(size=48):
    A, B = (te.placeholder((size, size), "float32", name=n) for n in "AB")
    k = te.reduce_axis((0, size), "k")
    return te.create_prim_func([A, B, te.compute(
        (size, size), lambda i, j: te.sum(A[i, k.var] * B[k.var, j], axis=k), name="C")], "main")


@pytest.mark.parametrize("triple, cpu, lanes, register", CPUS)
def test_vectors_are_as_wide_as_the_registers(triple, cpu, lanes, register):
    target = TargetInfo(1, cpu_of(cpu, triple))
    assert target.lanes == lanes
    func = default_schedule(matmul(), target)
    widths = {int(f.extent.value) for f in collect(func.body, For) if f.kind == "vectorized"}
    assert widths == {lanes}
    unit = emit_unit(lower(as_module(func)), "main", "main.entry", cpu=target.cpu)
    optimised, assembly = listing(str(unit.module), cpu, triple)
    assert f"<{lanes} x float>" in optimised
    wider = [w for w in ("xmm", "ymm", "zmm") if w > register]
    if register != "v":
        assert register in assembly and not any(w in assembly for w in wider)
    else:
        assert re.search(r"fmla\s+v\d+\.4s", assembly)


@pytest.mark.parametrize("triple, cpu, lanes, register", CPUS)
def test_sums_stay_in_registers(triple, cpu, lanes, register):
    """The inner loop of the tile stores nothing to the stack."""
    target = TargetInfo(1, cpu_of(cpu, triple))
    func = default_schedule(matmul(64), target)
    unit = emit_unit(lower(as_module(func)), "main", "main.entry", cpu=target.cpu)
    assembly = listing(str(unit.module), cpu, triple)[1]
    product = r"\b(?:vfmadd\w*|fmla|mulps|vmulps)\b"
    inner = [b for b in re.split(r"^\.?L?[\w$]+:", assembly, flags=re.M)
             if len(re.findall(product, b)) >= 8 and re.search(r"\bj\w+|\bb\.\w+", b)]
    assert inner
    loops = [b.split("\tret")[0] for b in inner]
    assert min(len(re.findall(r"mov[au]\w*\s+%\w+, -?\d*\(%rsp\)|str\s+q\d+, \[sp", b))
               for b in loops) == 0


@pytest.mark.parametrize("cpu", ["x86-64-v2", "x86-64-v3"])
def test_older_processors_run(cpu):
    if not cpu_of().x86:
        pytest.skip("these processors are of another family")
    target = f"native -threads=2 -mcpu={cpu}"
    mod = DefaultSchedule(target=target)(as_module(matmul(130)))
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 130, 130)).astype(np.float32)
    c = np.empty((130, 130), np.float32)
    ul.build(mod, target)["main"](a, b, c)
    np.testing.assert_allclose(c, a @ b, rtol=1e-4, atol=1e-4)


def test_threads_of_the_target():
    assert TargetInfo.of("native -threads=3").threads == 3
    kinds = [{f.kind for f in collect(DefaultSchedule(target=f"native -threads={n}")(
        as_module(matmul(256)))["main"].body, For)} for n in (1, 2)]
    assert "parallel" not in kinds[0] and "parallel" in kinds[1]
