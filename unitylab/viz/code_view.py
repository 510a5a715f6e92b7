"""Machine code as the page shows it: one part a tensor program, each line with its script line."""

from __future__ import annotations

from collections import defaultdict

from ..exec.executable import Executable
from ..ir import relax
from ..ir.errors import UnityLabError
from ..ir.prim import GlobalVar
from ..ir.visitor import collect
from ..transforms import LegalizeOps


def source(view, s, kind: str, key: str | None) -> list[dict]:
    """For each program its name, `keys` (the nodes that call it) and `rows`: text, line of the
    step's script (0 where there is none), whether it is in the hot loop."""
    ex = _built(view, s)
    calls = callers(view, s)
    names = [n for n in ex.kernels if key in calls[n]] if key else []
    return [_part(view, s, ex, kind, name, calls[name]) for name in names or ex.kernels]


def _built(view, s) -> Executable:
    if s.id not in view._built:
        view._built = {s.id: view.session.build(s.id)}
    return view._built[s.id]


def _part(view, s, ex: Executable, kind: str, name: str, keys: list[str]) -> dict:
    place = s.id, kind, name
    if place not in view._built:
        view._built[place] = [[x.text, x.line or 0, int(x.hot)]
                              for x in ex.source_lines(kind, name)]
    return {"name": name, "keys": keys, "rows": view._built[place]}


def callers(view, s) -> dict[str, list[str]]:
    """The keys of the nodes that call each program; a build makes programs of operators too."""
    keys, found = view.keys(s), defaultdict(list)
    for n in view.graph(s).nodes:
        if n.callee:
            found[n.callee].append(keys[id(n.item)])
    try:
        whole = LegalizeOps()(s.module)
    except UnityLabError:
        return found
    for func in whole.graph_funcs.values():
        for b in func.body.bindings:
            for v in collect(b.value, GlobalVar) if isinstance(b.value, relax.Call) else ():
                key = keys.get(id(b.var))
                if v.name not in s.module and key is not None and key not in found[v.name]:
                    found[v.name].append(key)
    return found
