"""What a processor has: found by looking at the code that LLVM makes for it.

LLVM does not tell which instructions a CPU has, but it uses them: a small function whose best code
needs an instruction shows whether there is one, for every CPU that LLVM knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from .caches import CACHES, host_caches
from .machine import machine


@dataclass(frozen=True)
class Cpu:
    """Registers, instructions and caches of a processor.

    vector_bytes: of the widest vector register; registers: how many of them there are;
    fma: multiplies and adds floats in one instruction;
    dots: the pairs of dtypes of which it multiplies groups (4 bytes, 2 halves) and adds the
        products to 32-bit sums in one instruction;
    caches: bytes of the caches of a core, the first level first."""

    x86: bool = False
    vector_bytes: int = 16
    registers: int = 32
    fma: bool = False
    dots: tuple[tuple[str, str], ...] = ()
    caches: tuple[int, int, int] = CACHES

    @property
    def lanes(self) -> int:
        """32-bit lanes of a vector register."""
        return self.vector_bytes // 4


def host_cpu() -> Cpu:
    """The processor of this machine."""
    return cpu_of("")


@cache
def cpu_of(name: str = "", triple: str = "") -> Cpu:
    """A processor by LLVM's name: "x86-64-v3", "znver4"; "" is the one of this machine."""
    tm = machine(name, triple)
    x86 = tm.triple.startswith(("x86", "i386", "i686"))
    code = _functions(tm.emit_assembly(llvm.parse_assembly(_PROBES)))
    width = 64 if "%zmm" in code["fma"] else 32 if "%ymm" in code["fma"] else 16
    dots = {pair for pair, (probe, found) in _DOTS.items() if re.search(found, code[probe])}
    if ("uint8", "int8") in dots:
        dots.add(("int8", "uint8"))
    fma = bool(re.search(r"\bv?fmadd|\bfmla|\bvfmacc", code["fma"]))
    return Cpu(x86, width, 16 if x86 and width < 64 else 32, fma, tuple(sorted(dots)),
               CACHES if name or triple else host_caches())


def _functions(assembly: str) -> dict[str, str]:
    """The assembly of each function, by name."""
    parts = re.split(r"^_?(probe_\w+):", assembly, flags=re.M)
    return {name.removeprefix("probe_"): text for name, text in zip(parts[1::2], parts[2::2])}


# the function that shows an instruction for a pair of dtypes, and the names of that instruction
_DOTS = {
    ("uint8", "int8"): ("us", r"\bvpdpbusd\b|\busdot\b"),
    ("int8", "int8"): ("ss", r"\bvpdpbssd\b|\bsdot\b"),
    ("uint8", "uint8"): ("uu", r"\bvpdpbuud\b|\budot\b"),
    ("bfloat16", "bfloat16"): ("bf", r"\bvcvtneps2bf16\s.*, %ymm|\bbfcvtn\b"),
}


def _dot(name: str, left: str, right: str) -> str:
    return f"""
define i32 @probe_{name}(ptr %p, ptr %q) {{
  %a = load <64 x i8>, ptr %p, align 1
  %b = load <64 x i8>, ptr %q, align 1
  %x = {left} <64 x i8> %a to <64 x i32>
  %y = {right} <64 x i8> %b to <64 x i32>
  %m = mul <64 x i32> %x, %y
  %s = call i32 @llvm.vector.reduce.add.v64i32(<64 x i32> %m)
  ret i32 %s
}}"""


_PROBES = _dot("us", "zext", "sext") + _dot("ss", "sext", "sext") + _dot("uu", "zext", "zext") + """
define void @probe_fma(ptr %p, ptr %q) {
  %a = load <16 x float>, ptr %p, align 4
  %b = load <16 x float>, ptr %q, align 4
  %c = call <16 x float> @llvm.fmuladd.v16f32(<16 x float> %a, <16 x float> %b, <16 x float> %a)
  store <16 x float> %c, ptr %p, align 4
  ret void
}
define void @probe_bf(ptr %p) {
  %a = load <16 x float>, ptr %p, align 4
  %b = fptrunc <16 x float> %a to <16 x bfloat>
  store <16 x bfloat> %b, ptr %p, align 2
  ret void
}
declare i32 @llvm.vector.reduce.add.v64i32(<64 x i32>)
declare <16 x float> @llvm.fmuladd.v16f32(<16 x float>, <16 x float>, <16 x float>)
"""
