"""Scheduling of tensor programs: handles, primitives, legality, traces, default rules."""

from .default_schedule import DefaultSchedule
from .handles import BlockRV, ExprRV, LoopRV
from .pack_weights import PackWeights
from .rules import TargetInfo, default_schedule
from .schedule import Schedule
from .tensor_intrin import TensorIntrin
from .trace import Instruction, Trace

__all__ = ["BlockRV", "DefaultSchedule", "ExprRV", "Instruction", "LoopRV", "PackWeights",
           "Schedule", "TargetInfo", "TensorIntrin", "Trace", "default_schedule"]
