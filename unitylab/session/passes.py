"""Passes by name, as the workbench and `Session.apply("FuseOps")` ask for them."""

from __future__ import annotations

from ..ir.errors import UnityLabError, did_you_mean
from ..ir.transform import Pass
from ..pipelines import all_passes


def find_pass(name: str) -> Pass:
    """The pass of a name with its default options. Raises UnityLabError with near names."""
    passes = all_passes()
    if name not in passes:
        raise UnityLabError(f"no pass is called {name!r}", hint=did_you_mean(
            name, passes, f"there are: {', '.join(passes)}"))
    try:
        return passes[name]()
    except TypeError as e:
        raise UnityLabError(f"{name} needs options", hint=f"ul.transforms.{name}(...) from code") \
            from e
