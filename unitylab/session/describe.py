"""A session in words: what the workbench shows, for those who read or listen."""

from __future__ import annotations

from ..exec.timing import show
from ..ir import relax
from ..ir.tir import PrimFunc
from .step import Step


def describe(session, at: Step, variable: str | None = None) -> str:
    """History, graph, changes and costs of a step; with `variable` its story first."""
    parts = [_variable(session, at, variable)] if variable else []
    parts += [_history(session, at), _graph(session, at), _loops(session, at),
              _changes(session, at), _costs(session, at)]
    return "\n\n".join(p for p in parts if p) + "\n"


def _history(session, at: Step) -> str:
    lines = ["History"]
    for s in session.steps.values():
        where = "" if s.parent is None else f", from step {s.parent}"
        branch = "" if s.branch == "main" else f', branch "{s.branch}"'
        name = f"{s.name} ({s.label})" if s.label else s.name
        time = f", {show(s.time)} a call" if s.time else ""
        lines.append(f"{'>' if s is at else ' '} step {s.id}: {name}{where}{branch}; "
                     f"check {s.check or 'not made'}{time}; {len(s.rewrites)} rewrites")
    return "\n".join(lines)


def _graph(session, at: Step) -> str:
    lines = [f"Functions of step {at.id}"]
    for name, func in at.module.items():
        if isinstance(func, PrimFunc):
            sizes = ", ".join(f"{b.name} {tuple(d.script() for d in b.shape)}"
                              for b in func.buffers)
            lines.append(f"  tensor program {name}: {sizes}".replace("'", ""))
        elif isinstance(func, relax.Function):
            params = ", ".join(p.name for p in func.params)
            lines.append(f"  graph function {name}({params}), {len(func.body.bindings)} bindings")
            lines += [f"    {_binding(b)}" for b in func.body.bindings]
    return "\n".join(lines)


def _loops(session, at: Step) -> str:
    """The loops of the function that runs, if it is a tensor program, and its measured speed."""
    if not isinstance(at.module.functions.get(session.entry), PrimFunc):
        return ""
    speed = session.known_speed(session.entry, at.id)
    return f"Loops of {session.loop_tree(session.entry, at.id)}" + \
        (f"\n  measured: {speed}" if speed else "")


def _binding(b: relax.Binding) -> str:
    text = " ".join(b.script().split())
    return text if len(text) < 110 else text[:107] + "..."


def _changes(session, at: Step) -> str:
    if at.parent is None:
        return ""
    found = session.diff(at.parent, at.id)

    def names(items):
        shown = [f"{f}.{v}" if v else f for f, v in items]
        more = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
        return ", ".join(shown[:12]) + more or "nothing"
    return (f"Changes from step {at.parent}\n  added: {names(found.added)}\n"
            f"  removed: {names(found.removed)}\n  changed: {names(found.changed)}")


def _costs(session, at: Step) -> str:
    n = session.numbers(at.id)
    lines = [f"Costs of one call\n  {n.functions} functions, {n.calls} calls, {n.flops:.4g} "
             f"floating-point operations, {n.bytes:.4g} bytes moved, {n.peak:.4g} bytes at most"]
    for name, seconds in sorted(at.profile.items(), key=lambda x: -x[1])[:12]:
        lines.append(f"  {name}: {show(seconds)}")
    return "\n".join(lines)


def _variable(session, at: Step, name: str) -> str:
    for func_name, func in at.module.graph_funcs.items():
        for b in func.body.bindings:
            if b.var.name != name:
                continue
            lines = [f"Selected: {name} in {func_name}", f"  {_binding(b)}"]
            for o in session.origins(b.value, at.id):
                said = {"?": "where from is not recorded"}.get(o.rule, o.rule)
                span = getattr(o.node, "span", None)
                text = " ".join(o.node.script().split())[:80]
                lines.append(f"  step {o.step}: {text}" + (f", by {said}" if said else "")
                             + (f", written at {span}" if span else ""))
            return "\n".join(lines)
    return f"Selected: {name} is not in step {at.id}"
