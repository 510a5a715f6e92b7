"""The two spellings of TVMScript: Unity-era names, and those of today's Apache TVM (0.26)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """How one spelling calls what the other calls otherwise."""

    name: str
    block: str
    block_attr: str
    alloc_block_buffer: str
    out_info: str
    call_info: str
    object_info: str
    tir_module: str
    modern: bool


# says of an allocation that its name reads and writes its one element, as in `x: T.int32 = 5`
SCALAR_CELL = "scalar_cell"

UNITY = Dialect("unity", "T.block", "T.block_attr", "T.alloc_buffer", "out_sinfo", "sinfo_args",
                "R.Object", "tir", False)
TVM = Dialect("tvm", "T.sblock", "T.sblock_attr", "T.sblock_alloc_buffer", "out_ty", "ty_args",
              "R.Any", "tirx", True)
DIALECTS = {d.name: d for d in (UNITY, TVM)}
