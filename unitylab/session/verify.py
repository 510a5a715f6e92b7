"""Numbers before and after: runs a module and compares with the reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..interp import interpret
from ..ir.errors import UnityLabError
from ..ir.module import IRModule
from .inputs import is_prim, own
from .step import Check
from .stopping import Stopped

TOLERANCE = {"float64": 1e-10, "float32": 1e-5, "float16": 5e-3, "bfloat16": 4e-2}


def run(call: Callable, inputs: list, in_place: bool) -> list[np.ndarray]:
    """The results of a call as a flat list; a tensor program's results are its arguments."""
    args = own(inputs)
    result = call(*args)
    return flatten(args if in_place else result)


def reference(mod: IRModule, name: str, inputs: list,
              observe: Callable | None = None) -> list[np.ndarray]:
    """What the interpreter gives; `observe` hears of every binding."""
    return run(interpret(mod, observe)[name], inputs, is_prim(mod, name))


def flatten(value) -> list[np.ndarray]:
    """Nested results as a flat list of arrays."""
    if isinstance(value, (tuple, list)):
        return [x for v in value for x in flatten(v)]
    return [] if value is None else [np.asarray(value)]


def relative_error(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference, relative to the largest magnitude; integers must be equal.

    Infinite where shapes or dtypes differ or NaNs are in different places."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return float("inf")
    if want.dtype.kind in "iub?" or not want.size:
        return 0.0 if np.array_equal(got, want) else float("inf")
    got, want = got.astype("float64"), want.astype("float64")
    odd = ~np.isfinite(want)
    if not np.array_equal(got[odd], want[odd], equal_nan=True):
        return float("inf")
    scale = np.abs(want[~odd]).max(initial=0.0) or 1.0
    error = np.abs(got - want)[~odd].max(initial=0.0) / scale
    return float(error) if np.isfinite(error) else float("inf")


def compare(got: list[np.ndarray], want: list[np.ndarray]) -> Check:
    """The check badge of a run against its reference."""
    if len(got) != len(want):
        return Check("wrong", None, f"{len(got)} results, {len(want)} expected")
    worst = 0.0
    for i, (g, w) in enumerate(zip(got, want)):
        error = relative_error(g, w)
        if error > TOLERANCE.get(str(w.dtype), 0.0):
            return Check("wrong", error, f"result {i} is off by {error:.1e} relative"
                         if np.isfinite(error) else f"result {i} differs: {g.dtype}{list(g.shape)} "
                         f"against {w.dtype}{list(w.shape)}" if g.shape != w.shape
                         else f"result {i} differs")
        worst = max(worst, error)
    return Check("ok", worst)


def first_wrong_binding(before: IRModule, after: IRModule, name: str, inputs: list) -> str:
    """The name of the first variable that both modules bind and whose value differs, or ""."""
    seen: list[dict[str, list[np.ndarray]]] = []
    order: list[str] = []
    for mod in (before, after):
        values: dict[str, list[np.ndarray]] = {}
        try:
            def observe(function, var, value, values=values):
                values.setdefault(f"{function}.{var.name}", flatten(value))
            run(interpret(mod, observe)[name], inputs, is_prim(mod, name))
        except Stopped:
            raise
        except UnityLabError:
            pass
        seen.append(values)
        order = list(values)
    for key in order:
        if key in seen[0] and compare(seen[1][key], seen[0][key]).state != "ok":
            return key
    return ""
