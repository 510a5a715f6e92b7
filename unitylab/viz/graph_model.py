"""The graph of a module as plain data: nodes are parameters, bindings and results of the entry
function; functions that it calls appear as groups around their own bindings."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir import relax
from ..ir.module import IRModule
from ..ir.node import Node
from ..ir.op import Op
from ..ir.prim import GlobalVar, IntImm, PrimExpr, Var
from ..ir.struct_info import (PrimStructInfo, ShapeStructInfo, StructInfo, TensorStructInfo,
                              TupleStructInfo)

_SHORT = {"float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16",
          "int8": "i8", "int32": "i32", "int64": "i64", "uint8": "u8"}
LIMIT = 20_000  # nodes that are drawn


@dataclass
class GraphNode:
    """A place in the graph. `item` is the variable that it stands for (or the PrimFunc)."""

    item: Node
    function: str
    label: str
    detail: str
    kind: str
    group: str = ""
    inputs: list[Node] = field(default_factory=list)
    callee: str = ""
    value: Node | None = None


@dataclass
class Graph:
    """Nodes in program order; groups are called functions: (id, label). `ends` and `titles` give
    for the variable's name of a call that is shown as a group its last node and its name, `calls`
    for a group the variable's name."""

    nodes: list[GraphNode] = field(default_factory=list)
    groups: list[tuple[str, str]] = field(default_factory=list)
    ends: dict[str, Node] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)


def short_info(info: StructInfo | None) -> str:
    """A struct info in few characters: `(n, 64) f32`."""
    if isinstance(info, TensorStructInfo):
        dims = "(?)" if info.dims is None else _dims(info.dims)
        return f"{dims} {_SHORT.get(info.dtype, info.dtype or '?')}"
    if isinstance(info, TupleStructInfo):
        return f"{len(info.fields or ())} values"
    if isinstance(info, ShapeStructInfo):
        return f"shape {_dims(info.values) if info.values is not None else ''}".strip()
    if isinstance(info, PrimStructInfo):
        return _SHORT.get(info.dtype, str(info.dtype))
    return "object" if info is not None else ""


def _dims(dims) -> str:
    sizes = [_size(d) for d in dims]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _size(d: PrimExpr) -> str:
    return d.name if isinstance(d, Var) else str(d.value) if isinstance(d, IntImm) else d.script()


def graph_of(mod: IRModule, entry: str | None) -> Graph:
    """The graph below the entry function; for a module without graph functions its programs."""
    graph = Graph()
    func = mod.functions.get(entry) if entry else None
    if isinstance(func, relax.Function):
        _Reader(mod, graph).function(func, entry, "", [], set())
    else:
        for name, f in mod.prim_funcs.items():
            info = ", ".join(b.name for b in f.buffers)
            graph.nodes.append(GraphNode(f, name, name, info, "function", callee=name, value=f))
    del graph.nodes[LIMIT:]
    return graph


class _Reader:
    """Walks graph functions; `env` says which node makes a variable's value."""

    def __init__(self, mod: IRModule, graph: Graph):
        self.mod, self.graph = mod, graph

    def function(self, func: relax.Function, name: str, group: str, args: list,
                 above: set[str]) -> list[Node]:
        """Adds a function's nodes; gives the makers of its result."""
        env: dict[Node, list[Node]] = {}
        for k, p in enumerate(func.params):
            if group:
                env[p] = args[k] if k < len(args) else []
            else:
                self.graph.nodes.append(GraphNode(p, name, p.name, short_info(p.struct_info),
                                                  "param"))
                env[p] = [p]
        for b in func.body.bindings:
            env[b.var] = self.binding(b, name, group, env, above)
        made = makers(func.body.body, env)
        if not group:
            self.graph.nodes.append(GraphNode(
                func.body, name, "result", short_info(relax.info_of(func.body.body)),
                "output", inputs=made, value=func.body.body))
        return made

    def binding(self, b: relax.Binding, name: str, group: str, env, above) -> list[Node]:
        value = b.value
        inner = self.called(value)
        if inner is not None and inner.name not in above and len(above) < 4:
            func = self.mod[inner.name]
            args = [makers(a, env) for a in value.args]
            own = f"{group}/{inner.name}:{id(b.var)}"
            self.graph.groups.append((own, inner.name))
            self.graph.calls[own] = b.var.name
            made = self.function(func, inner.name, own, args, above | {inner.name}) or [b.var]
            if not group:
                self.graph.ends[b.var.name], self.graph.titles[b.var.name] = made[-1], inner.name
            return made
        label, kind, callee = describe(value)
        self.graph.nodes.append(GraphNode(
            b.var, name, label, short_info(b.var.struct_info), kind, group,
            makers(value, env), callee, value))
        return [b.var]

    def called(self, value: Node) -> GlobalVar | None:
        """The graph function of the module that a binding calls."""
        if isinstance(value, relax.Call) and isinstance(value.op, GlobalVar) and \
                isinstance(self.mod.functions.get(value.op.name), relax.Function):
            return value.op
        return None


def makers(value: Node, env: dict) -> list[Node]:
    """The nodes whose results an expression uses, each once."""
    found: dict[int, Node] = {}

    def visit(e: Node) -> None:
        if isinstance(e, relax.Var):
            for m in env.get(e, ()):
                found[id(m)] = m
        elif isinstance(e, relax.Function):
            visit(e.body)
        elif isinstance(e, relax.SeqExpr):
            for b in e.bindings:
                visit(b.value)
            visit(e.body)
        elif not isinstance(e, StructInfo):
            for c in e.children():
                visit(c)

    visit(value)
    return list(found.values())


def describe(value: Node) -> tuple[str, str, str]:
    """Label, kind and called function of a bound value."""
    if isinstance(value, relax.Call):
        op = value.op
        if isinstance(op, Op) and op.short in ("call_tir", "call_tir_inplace",
                                               "call_tir_with_grad", "call_dps_packed",
                                               "call_pure_packed"):
            callee = value.args[0]
            name = getattr(callee, "name", "?")
            return name, "call" if isinstance(callee, GlobalVar) else "library", name
        if isinstance(op, Op):
            return op.short, "op", ""
        if isinstance(op, relax.ExternFunc):
            return op.name, "library", op.name
        return getattr(op, "name", "call"), "call", getattr(op, "name", "")
    if isinstance(value, relax.TupleGetItem):
        return f"[{value.index}]", "tuple", ""
    if isinstance(value, relax.Constant):
        return "constant", "const", ""
    return {"Var": "same as", "Tuple": "tuple", "If": "if", "Function": "function"}.get(
        type(value).__name__.removeprefix("Dataflow"), type(value).__name__.lower()), "value", ""
