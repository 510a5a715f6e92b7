"""What is known of processors, by their names."""

import pytest

from unitylab.target import cpu_of, host_cpu
from unitylab.target.caches import CACHES, _of_linux

MIXED, SAME = {("uint8", "int8"), ("int8", "uint8")}, {("int8", "int8"), ("uint8", "uint8")}
BFLOAT = {("bfloat16", "bfloat16")}


@pytest.mark.parametrize("name, width, registers, fma, dots", [
    ("x86-64", 16, 16, False, set()), ("x86-64-v2", 16, 16, False, set()),
    ("x86-64-v3", 32, 16, True, set()), ("x86-64-v4", 64, 32, True, set()),
    ("alderlake", 32, 16, True, MIXED), ("cascadelake", 64, 32, True, MIXED),
    ("znver4", 64, 32, True, MIXED | BFLOAT)])
def test_x86(name, width, registers, fma, dots):
    cpu = cpu_of(name, "x86_64-linux-gnu")
    assert cpu.x86 and (cpu.vector_bytes, cpu.registers, cpu.fma) == (width, registers, fma)
    assert cpu.lanes == width // 4 and set(cpu.dots) == dots


@pytest.mark.parametrize("name, triple, dots", [
    ("", "aarch64-linux-gnu", set()), ("neoverse-n1", "aarch64-linux-gnu", SAME),
    ("apple-m1", "arm64-apple-macos", SAME),
    ("neoverse-v2", "aarch64-linux-gnu", SAME | MIXED | BFLOAT)])
def test_arm(name, triple, dots):
    cpu = cpu_of(name, triple)
    assert not cpu.x86 and cpu.lanes == 4 and cpu.registers == 32 and cpu.fma
    assert set(cpu.dots) == dots


def test_this_machine():
    cpu = host_cpu()
    assert cpu.vector_bytes in (16, 32, 64) and cpu is host_cpu()
    assert 0 < cpu.caches[0] <= cpu.caches[1] <= cpu.caches[2]


def test_caches_of_linux(tmp_path):
    for k, (level, kind, size) in enumerate([(1, "Data", "48K"), (1, "Instruction", "32K"),
                                             (2, "Unified", "2048K"), (3, "Unified", "odd")]):
        folder = tmp_path / f"index{k}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{text}\n")
    assert _of_linux(tmp_path) == {1: 48 << 10, 2: 2 << 20}
    assert _of_linux(tmp_path / "nothing") == {} and len(CACHES) == 3
