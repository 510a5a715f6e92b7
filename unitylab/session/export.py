"""The way from the first module to a step as Python."""

from __future__ import annotations

import inspect
import textwrap

from ..ir.relax import Constant
from ..ir.transform import FunctionPass, Pass
from ..ir.visitor import walk
from .scheduling import ApplyTrace
from .step import Step


def to_python(path: list[Step]) -> str:
    """A program that makes the last module of `path` again: the first module as script, the passes
    written in cells, then one call a step. Where the module holds large constants, the program
    reads it from a saved session."""
    root = path[0].module
    own = list(dict.fromkeys(text for s in path if (text := source_of_step(s))))
    lines = ["import unitylab as ul", "from unitylab.script import ir as I, relax as R, tir as T"]
    lines += ["", "", *own] if own else []
    lines += ["", "", "def transform(mod):"]
    lines += [f"    {line}" for s in path[1:] for line in call_lines(s)] + ["    return mod"]
    large = any(isinstance(n, Constant) and n.data.size > 16
                for f in root.functions.values() for n in walk(f))
    if large:
        lines += ["", "", "# the module holds large constants: session.save(path) keeps them",
                  "# mod = transform(ul.Session.load(path).steps[0].module)"]
    else:
        lines += ["", "", f'MODULE = """{root.script()}"""', "",
                  "mod = transform(ul.parse(MODULE))"]
    return "\n".join(lines) + "\n"


def call_lines(step: Step) -> list[str]:
    """The lines that make a step from the module `mod` of its parent."""
    if step.pass_ is None:
        return list(step.code) or [f"# how {step.name} was made is not known"]
    if isinstance(step.pass_, FunctionPass):
        return [f"mod = {step.pass_.name}(mod)"]
    if isinstance(step.pass_, ApplyTrace):
        return step.pass_.to_python().splitlines()
    if step.only is not None:
        return [f"p = ul.transforms.{step.pass_.to_python()}",
                f"mod = p(mod, only=p.applicable(mod)[{step.only_index}])"]
    return [f"mod = {qualified(step.pass_)}(mod)"]


def qualified(p: Pass) -> str:
    """The call that makes a pass, found from `ul`."""
    return f"ul.{p.to_python()}" if p.name == "Sequential" else f"ul.transforms.{p.to_python()}"


def source_of_step(step: Step) -> str:
    """The text of a pass that was written in a cell; a comment where it is gone; else empty."""
    if not isinstance(step.pass_, FunctionPass):
        return step.source
    try:
        return textwrap.dedent(inspect.getsource(step.pass_.function)).rstrip()
    except (OSError, TypeError):
        return f"# the source of {step.pass_.name} is not available"
