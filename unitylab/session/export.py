"""The way from the first module to a step as Python."""

from __future__ import annotations

import inspect
import textwrap

from ..ir.relax import Constant
from ..ir.transform import FunctionPass, Pass
from ..ir.visitor import walk
from .step import Step


def to_python(path: list[Step]) -> str:
    """A program that makes the last module of `path` again: the first module as script (as JSON
    where it holds large constants), the passes written in cells, then one call a step."""
    root = path[0].module
    own = [inspect_source(s.pass_) for s in path if isinstance(s.pass_, FunctionPass)]
    lines = ["import unitylab as ul", "from unitylab.script import ir as I, relax as R, tir as T"]
    lines += ["", "", *own] if own else []
    lines += ["", "", "def transform(mod):"]
    lines += [f"    {_call(s)}" for s in path[1:]] + ["    return mod"]
    large = any(isinstance(n, Constant) and n.data.size > 16
                for f in root.functions.values() for n in walk(f))
    if large:
        lines += ["", "", "# mod.to_json() of the module that this started from holds its constants",
                  "# mod = transform(ul.from_json(text))"]
    else:
        lines += ["", "", f'MODULE = """{root.script()}"""', "",
                  "mod = transform(ul.parse(MODULE))"]
    return "\n".join(lines) + "\n"


def _call(step: Step) -> str:
    if isinstance(step.pass_, FunctionPass):
        return f"mod = {step.pass_.name}(mod)"
    if step.only is not None:
        return (f"p = ul.transforms.{step.pass_.to_python()}; "
                f"mod = p(mod, only=p.applicable(mod)[{step.only_index}])")
    return f"mod = {qualified(step.pass_)}(mod)"


def qualified(p: Pass) -> str:
    """The call that makes a pass, found from `ul`."""
    return f"ul.{p.to_python()}" if p.name == "Sequential" else f"ul.transforms.{p.to_python()}"


def inspect_source(p: FunctionPass) -> str:
    """The text of a function that was written in a cell; a comment where it is gone."""
    try:
        return textwrap.dedent(inspect.getsource(p.function)).rstrip()
    except (OSError, TypeError):
        return f"# the source of {p.name} is not available"
