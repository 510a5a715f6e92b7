"""Which contractions are sums of dot products of narrow numbers, and how their factors are packed.

    int32 += int32(a) * int32(b)         a, b of 8 bits: groups of 4 bytes, or pairs of 16 bits
    float32 += float32(a) * float32(b)   a, b bfloat16: pairs

x86 multiplies unsigned by signed bytes only. Where the left factor has the other sign, its bytes
are moved by 128 and what that adds to the sums, 128 times the sum of the column, is taken off."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.prim import Cast, as_int
from ...target import Cpu
from .contraction import Contraction

FIT_16_BITS = ("int8", "uint8", "int16")


@dataclass(frozen=True)
class Terms:
    """`group` neighbours are multiplied at once, as `left` and `right`. `moved`: the left bytes
    are moved to the other sign."""

    left: str
    right: str
    group: int
    moved: bool = False

    @property
    def item(self) -> int:
        """Bytes of a packed factor."""
        return 4 // self.group

    @property
    def storage(self) -> str:
        """What packed factors are in memory: bits are copied as they are."""
        return "uint16" if self.left == "bfloat16" else self.left


def terms_of(c: Contraction, cpu: Cpu) -> Terms | None:
    """How the terms of a contraction are multiplied in groups; None where they are not."""
    if not (isinstance(c.left, Cast) and isinstance(c.right, Cast)):
        return None
    left, right, to = str(c.left.value.dtype), str(c.right.value.dtype), c.output.dtype
    if to == "float32" and (left, right) == ("bfloat16", "bfloat16"):
        return Terms(left, right, 2) if (left, right) in cpu.dots else None
    if to != "int32" or left not in FIT_16_BITS or right not in FIT_16_BITS:
        return None
    for kind in (left, "int8" if left == "uint8" else "uint8"):
        if (kind, right) in cpu.dots and "int16" not in (left, right):
            return Terms(kind, right, 4, kind != left)
    return Terms("int16", "int16", 2)


def grouped_last(c: Contraction, group: int):
    """The variables of the reduction, the one whose neighbours are grouped last: it is the one that
    leaves the least of a group empty, and of these the innermost in memory."""
    def empty(it) -> float:
        extent = as_int(it.dom.extent)
        return 1.0 if extent is None else -(-extent // group) * group / extent

    def near(it) -> int:
        return sum(c.stride(e, it.var) == 1 for e in (c.left, c.right))
    last = min(reversed(c.reduce), key=lambda it: (empty(it), -near(it)))
    return (*(it for it in c.reduce if it is not last), last)
