"""What can be done at a node: passes that would fire here and schedule primitives, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import relax
from ..ir.errors import ScheduleError, UnityLabError
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.op import Op
from ..ir.tir import Block, PrimFunc
from ..ir.transform import Pass, Rewrite
from ..ir.visitor import walk
from ..pipelines import all_passes
from ..schedule import Schedule
from ..schedule.handles import Handle
from .scheduling import ApplyTrace

MOST_BLOCKS = 4
MOST_PRIMITIVES = 150


@dataclass(frozen=True)
class Action:
    """Something to do here. `code` is the line for a cell, `reason` says why it is not possible,
    `match` is the place that the pass is restricted to."""

    id: str
    name: str
    legal: bool
    reason: str = ""
    code: str = ""
    pass_: Pass | None = None
    match: Rewrite | None = None


class Places:
    """Where each pass would fire in a module; found once, asked for many nodes."""

    def __init__(self, mod: IRModule):
        self.mod = mod
        self._found: dict[str, list[Rewrite] | str] = {}

    def of(self, name: str) -> list[Rewrite] | str:
        """The places of a pass, or why it cannot be asked."""
        if name not in self._found:
            try:
                self._found[name] = all_passes()[name]().applicable(self.mod)
            except TypeError:
                self._found[name] = "needs options: apply it from code"
            except UnityLabError as e:
                self._found[name] = e.message
        return self._found[name]


def touches(r: Rewrite, own: set[int], var: Node, callee: str) -> bool:
    """Whether a rewrite changes a node: its binding, a part of its value, or what it calls."""
    return r.function == callee != "" or any(
        id(b) in own or getattr(b, "var", None) is var for b in r.before)


def graph_actions(places: Places, var: Node, value: Node | None, callee: str) -> list[Action]:
    """What passes would do at the node that binds `var` to `value` and calls `callee`."""
    own = {id(var)} | ({id(n) for n in walk(value)} if value is not None else set())
    func = places.mod.functions.get(callee)
    if func is not None:
        own.add(id(func))
    found = []
    for name, cls in all_passes().items():
        hits = places.of(name)
        if isinstance(hits, str):
            found.append(Action(f"pass:{name}", name, False, hits))
            continue
        k = next((k for k, r in enumerate(hits) if touches(r, own, var, callee)), None)
        if k is None:
            found.append(Action(f"pass:{name}", name, False,
                                why_not(name, places.mod, value, func, len(hits))))
        else:
            code = f'session.apply("{name}", only=session.applicable("{name}")[{k}])'
            found.append(Action(f"pass:{name}:{k}", name, True, "", code, cls(), hits[k]))
    return found


def why_not(name: str, mod: IRModule, value: Node | None, func: Node | None, others: int) -> str:
    """Why a pass leaves a node as it is."""
    op = value.op if isinstance(value, relax.Call) else None
    calls_program = isinstance(func, PrimFunc)
    if name == "LegalizeOps":
        reason = "calls a program already" if calls_program else \
            "a library call stays" if isinstance(op, relax.ExternFunc) else "not an operator"
    elif name in ("FuseOps", "AnnotateTIROpPattern") and not calls_program:
        reason = "not a tensor program yet: LegalizeOps first"
    elif name == "FuseOps" and "op_pattern" not in func.attrs:
        reason = "its pattern is unknown: AnnotateTIROpPattern first"
    elif name == "FuseOps":
        reason = "no neighbour that its pattern fuses with"
    elif name == "AnnotateTIROpPattern":
        reason = "its pattern is known"
    elif name == "FuseTIR":
        reason = "no fused group here: FuseOps makes them"
    elif name == "FoldConstant":
        free = [a.name for a in getattr(value, "args", ()) if isinstance(a, relax.Var)]
        reason = f"{free[0]} is not constant" if free else "nothing constant to compute"
    elif name == "EliminateCommonSubexpr":
        reason = "nothing else computes the same"
    elif name == "DeadCodeElimination":
        reason = "its value is used"
    elif name == "PackWeights":
        reason = "reads no constant that its program would rather have in another layout"
    elif name == "DefaultSchedule":
        reason = "is scheduled" if func is not None and func.attrs.get("tir.is_scheduled") else \
            "no tensor program to schedule"
    else:
        reason = "nothing to do" if isinstance(op, (Op, type(None))) else "not at a call"
    return f"{reason}; {others} place{'s' * (others != 1)} elsewhere" if others else reason


def program_actions(mod: IRModule, name: str) -> list[Action]:
    """The schedule primitives tried at the blocks and loops of a tensor program."""
    sch = Schedule(mod)
    try:
        sch.work_on(name)
        blocks = [b for b in walk(sch.mod[name].body) if isinstance(b, Block) and b.iter_vars]
    except ScheduleError as e:
        return [Action("schedule", "schedule", False, e.message)]
    found: list[Action] = []
    for block in blocks[:MOST_BLOCKS]:
        handle = sch.handle_of(block, name)
        loops = sch.get_loops(handle) if block is blocks[0] else []
        for k, place in enumerate([handle, *loops]):
            found += _try_all(sch, place, f"prim:{name}:{block.name}:{k}")
    return found[:MOST_PRIMITIVES]


def _try_all(sch: Schedule, place: Handle, key: str) -> list[Action]:
    """The candidates at a block or loop; each legal one with the steps that do it alone."""
    found = []
    for j, c in enumerate(sch.candidates(place)):
        if not c.legal:
            found.append(Action(f"{key}:{j}", c.text, False, c.reason.splitlines()[0]))
            continue
        step = ApplyTrace(sch.trace_with(c.name, *c.args), c.text)
        found.append(Action(f"{key}:{j}", c.text, True, "", _code(step), step))
    return found


def _code(step: ApplyTrace) -> str:
    """The lines for a cell."""
    lines = step.to_python().splitlines()[1:-1]
    return "\n".join(["sch = ul.Schedule(session.module)", *lines,
                      f"session.apply(ul.session.ApplyTrace(sch.trace, {step.label!r}))"])
