"""A step that replays a schedule's trace: primitives chosen in the workbench become a pass."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir.module import IRModule
from ..ir.transform import Pass, Recorder
from ..schedule import Schedule
from ..schedule.trace import Trace


@dataclass(frozen=True)
class ApplyTrace(Pass):
    """Replays `trace` on the module. Raises ScheduleError where an instruction is refused."""

    trace: Trace = field(default_factory=Trace)
    label: str = "schedule"

    @property
    def name(self) -> str:
        return self.label

    def run(self, mod: IRModule, recorder: Recorder) -> IRModule:
        sch = Schedule(mod)
        self.trace.apply_to(sch)
        for name, func in mod.prim_funcs.items():
            if sch.mod[name] is not func and any(_function(i) == name for i in self.trace.insts):
                recorder.record(self.label, func, sch.mod[name], name)
        return sch.mod

    def to_python(self) -> str:
        lines = self.trace.as_python().strip().splitlines()[1:]
        return "\n".join(["sch = ul.Schedule(mod)", *(line.strip() for line in lines),
                          "mod = sch.mod"])


def _function(inst) -> str | None:
    return inst.kwargs.get("func_name")
