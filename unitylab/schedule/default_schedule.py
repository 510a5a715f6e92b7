"""DefaultSchedule: every tensor program gets the schedule that the rules choose for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..ir.tir import PrimFunc
from ..ir.transform import PrimFuncPass, Recorder
from .rules import TargetInfo, default_schedule

SCHEDULED = "tir.is_scheduled"


@dataclass(frozen=True)
class DefaultSchedule(PrimFuncPass):
    """Schedules the tensor programs by pattern, without search. Functions with the attribute
    `tir.is_scheduled` stay as they are.

    target: the machine whose vectors, registers and caches the schedule suits;
    threads: with more than one, outer loops are marked parallel (0: as many as the target has);
        how many run is up to the target of the build."""

    threads: int = 0
    target: str = "native"

    def rewrite(self, name: str, func: PrimFunc, recorder: Recorder) -> PrimFunc:
        if func.attrs.get(SCHEDULED) or not recorder.wants("schedule", func):
            return func
        info = TargetInfo.of(self.target)
        if self.threads:
            info = replace(info, threads=self.threads)
        new = default_schedule(func, info)
        if new is func:
            return func
        new = new.with_attrs(**{SCHEDULED: True})
        recorder.record("schedule", func, new, name)
        return new
