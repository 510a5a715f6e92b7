"""unitylab: explore machine-learning compilation in the style of TVM Unity, step by step.

    import unitylab as ul
    from unitylab.script import ir as I, relax as R, tir as T
"""

from . import ir, ops, pipelines, transforms
from .exec.build import build
from .exec.executable import Executable
from .exec.machine import machine
from .interp import interpret, register_func
from .ir import errors, te
from .ir.block_builder import BlockBuilder
from .ir.errors import UnityLabError, WellFormedError
from .ir.module import IRModule
from .ir.prim import GlobalVar
from .ir.structural import assert_structural_equal, structural_equal, structural_hash
from .ir.transform import Pass, Recorder, Sequential
from .schedule import DefaultSchedule, PackWeights, Schedule, TensorIntrin
from .script import parse
from .session import Session
from .verify import complaints, well_formed
from .viz import lab

# passes that need schedules live in another room, people look for them here
transforms.DefaultSchedule = DefaultSchedule
transforms.PackWeights = PackWeights

__version__ = "0.1.0"
__all__ = ["BlockBuilder", "Executable", "GlobalVar", "IRModule", "Pass", "Recorder", "Schedule",
           "Sequential", "Session", "TensorIntrin", "UnityLabError", "WellFormedError",
           "assert_structural_equal", "build", "complaints", "errors", "interpret", "ir", "lab",
           "machine", "ops", "parse", "pipelines", "register_func", "structural_equal",
           "structural_hash", "te", "transforms", "well_formed"]
