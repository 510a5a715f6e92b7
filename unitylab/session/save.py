"""A session as a file: all steps, branches, rewrites, checks and times."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..ir.errors import UnityLabError
from ..ir.transform import Rewrite
from .export import call_lines, source_of_step
from .node_table import NodeReader, NodeWriter
from .step import Check, Step

VERSION = 1


def save(session, path: str | os.PathLike) -> None:
    """Writes the whole tree; the file is there in full or not at all."""
    nodes = NodeWriter()
    steps = [_step(s, nodes) for s in session.steps.values()]
    data = {"unitylab session": VERSION, "entry": session.entry, "target": session.target,
            "sizes": session.sizes, "current": session.current.id,
            "inputs": None if session.given_inputs is None else nodes.value(
                list(session.given_inputs)), "steps": steps, "nodes": nodes.rows}
    path = Path(path)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(data, separators=(",", ":")), "utf-8")
    os.replace(part, path)


def _step(s: Step, nodes: NodeWriter) -> dict:
    return {"id": s.id, "parent": s.parent, "name": s.name, "label": s.label, "branch": s.branch,
            "module": nodes.add(s.module), "seconds": s.seconds, "time": s.time,
            "unchanged": s.unchanged, "code": call_lines(s) if s.parent is not None else [],
            "source": source_of_step(s),
            "check": [s.check.state, s.check.max_rel_error, s.check.message] if s.check else None,
            "rewrites": [[r.rule, [nodes.add(n) for n in r.before],
                          [nodes.add(n) for n in r.after], r.function, r.seconds]
                         for r in s.rewrites]}


def read(path: str | os.PathLike) -> tuple[dict, list[Step]]:
    """The settings and the steps of a file. Raises UnityLabError if it is not a session."""
    try:
        data = json.loads(Path(path).read_text("utf-8"))
        if data.get("unitylab session") != VERSION:
            raise ValueError("it is no session of this version")
        reader = NodeReader(data["nodes"])
        steps = [_read_step(s, reader.nodes) for s in data["steps"]]
        data["inputs"] = reader.value(data["inputs"])
    except UnityLabError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as e:
        raise UnityLabError(f"{path} cannot be read as a session: {e}",
                            hint="session.save(path) writes one") from e
    return data, steps


def _read_step(s: dict, nodes: list) -> Step:
    rewrites = [Rewrite(rule, tuple(nodes[k] for k in before), tuple(nodes[k] for k in after),
                        function, seconds)
                for rule, before, after, function, seconds in s["rewrites"]]
    return Step(s["id"], s["parent"], s["name"], nodes[s["module"]], None, rewrites, s["seconds"],
                Check(*s["check"]) if s["check"] else None, s["time"], s["branch"],
                unchanged=s["unchanged"], label=s["label"], code=tuple(s["code"]),
                source=s["source"])
