"""Traces as JSON: one object a step, arguments as the Python text that a trace prints.

Reading is reading that text, so nothing of it is executed."""

from __future__ import annotations

import json

from ..ir.errors import ParseError
from .trace import Trace, texts
from .trace_text import read_trace

VERSION = 1


def trace_to_json(trace: Trace) -> str:
    """The trace as JSON text."""
    steps = []
    for inst, outputs, args, kwargs in texts(trace):
        step = {"name": inst.name, "args": args, "kwargs": kwargs, "outputs": outputs,
                "single": inst.single}
        if inst.decision is not None:
            step["decision"] = inst.decision
        steps.append(step)
    return json.dumps({"unitylab_trace": VERSION, "steps": steps})


def read_trace_json(text: str) -> Trace:
    """The trace that `trace_to_json` wrote. Raises ParseError where the text is something else."""
    try:
        found = json.loads(text)
        if found["unitylab_trace"] != VERSION:
            raise ParseError(f"version {found['unitylab_trace']} of traces is not known",
                             hint=f"this is version {VERSION}")
        lines = [_line(step) for step in found["steps"]]
    except (ValueError, KeyError, TypeError) as e:
        raise ParseError(f"this is no trace as JSON: {e}",
                         hint="trace_to_json(sch.trace) writes it") from None
    return read_trace("\n".join(lines))


def _line(step: dict) -> str:
    given = [*step["args"], *(f"{k}={v}" for k, v in step["kwargs"].items())]
    if step.get("decision") is not None:
        given.append(f"decision={step['decision']!r}")
    call = f"sch.{step['name']}({', '.join(given)})"
    if not step["outputs"]:
        return call
    comma = "" if step["single"] or len(step["outputs"]) > 1 else ","
    return f"{', '.join(step['outputs'])}{comma} = {call}"
