"""Every pass by its name: one line each."""

from __future__ import annotations

from ..ir.errors import did_you_mean
from ..ir.transform import FunctionPass, Pass, Sequential
from .cross.fuse_tir import FuseTIR
from .relax.annotate_tir_op_pattern import AnnotateTIROpPattern
from .relax.bind_params import BindParams
from .relax.bind_symbolic_vars import BindSymbolicVars
from .relax.cancel_permutes import CancelPermutes
from .relax.canonicalize_bindings import CanonicalizeBindings
from .relax.convert_to_dataflow import ConvertToDataflow
from .relax.dead_code_elimination import DeadCodeElimination
from .relax.eliminate_common_subexpr import EliminateCommonSubexpr
from .relax.fold_constant import FoldConstant
from .relax.fuse_ops import FuseOps
from .relax.legalize_ops import LegalizeOps
from .relax.normalize import Normalize
from .relax.recognize_attention import RecognizeAttention
from .relax.to_non_dataflow import ToNonDataflow
from .tir.lower_alloc_buffers import LowerAllocBuffers
from .tir.lower_blocks import LowerBlocks
from .tir.lower_init_block import LowerInitBlock
from .tir.lower_match_buffer import LowerMatchBuffer
from .tir.lower_vectorized_loop import LowerVectorizedLoop
from .tir.remove_no_op import RemoveNoOp
from .tir.simplify import Simplify


def all_passes() -> dict[str, type[Pass]]:
    """The pass classes by name, in alphabetical order."""
    found = {n: c for n, c in globals().items() if isinstance(c, type) and issubclass(c, Pass)}
    return {n: found[n] for n in sorted(found) if found[n] not in (Pass, FunctionPass, Sequential)}


def __getattr__(name: str):
    near = "" if name.startswith("_") else did_you_mean(name, all_passes())
    raise AttributeError(f"no pass is called {name!r}{near and '; ' + near}")
